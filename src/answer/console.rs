//! Answers with the console (`--devconsole`): its parts in front of all files, its page where there is nothing else.

use hyper::{HeaderMap, Response, header::ACCEPT};

use super::{
    ask::{Answered, Ask, HttpAnswer},
    builtin::{BuiltinFile, SCRIPT, STYLESHEET, respond},
    paths,
};
use crate::http::{gate::Visitor, page::Body};

/// The parts of the console's page.
const CONSOLE_PARTS: [BuiltinFile; 10] = [
    ("/.wsd/console.css", STYLESHEET, include_str!("../../static/console.css")),
    ("/.wsd/console.js", SCRIPT, include_str!("../../static/console.js")),
    ("/.wsd/console-close.js", SCRIPT, include_str!("../../static/console-close.js")),
    ("/.wsd/console-export.js", SCRIPT, include_str!("../../static/console-export.js")),
    ("/.wsd/console-history.js", SCRIPT, include_str!("../../static/console-history.js")),
    ("/.wsd/console-log.js", SCRIPT, include_str!("../../static/console-log.js")),
    ("/.wsd/console-message.js", SCRIPT, include_str!("../../static/console-message.js")),
    ("/.wsd/console-paths.js", SCRIPT, include_str!("../../static/console-paths.js")),
    ("/.wsd/console-session.js", SCRIPT, include_str!("../../static/console-session.js")),
    ("/.wsd/console-text.js", SCRIPT, include_str!("../../static/console-text.js")),
];

/// The console's page; wsd serves it at every path that has nothing else.
const CONSOLE: BuiltinFile = ("", "text/html; charset=utf-8", include_str!("../../static/console.html"));

/// The list of the paths that the console offers.
const PATHS: &str = "/.wsd/paths.json";

/// Answers with a part of the console, if any site has one.
pub(super) async fn answer(ask: &Ask, visitor: &Visitor) -> Answered {
    let path = ask.own_path();
    if !path.starts_with("/.wsd/") || !ask.routes.have_console() {
        return Ok(None);
    }
    if path == PATHS {
        let response = respond(&ask.request, "application/json", paths::json(ask, visitor).await);
        return Ok(Some(HttpAnswer::Page(response)));
    }
    let part = CONSOLE_PARTS.into_iter().find(|(part, ..)| *part == path);
    Ok(part.map(|(_, kind, text)| HttpAnswer::Page(respond(&ask.request, kind, text))))
}

/// Whether the client asks for a page: `Accept` names HTML, as that of a browser's window does, or there is none.
fn takes_pages(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(ACCEPT).iter().peekable();
    values.peek().is_none() || values.any(|value| value.to_str().is_ok_and(|kinds| kinds.contains("text/html")))
}

/// Returns the page of the console, if the site has one. A missing file of a page, such as a picture, is just missing.
pub(super) fn page(ask: &Ask) -> Option<Response<Body>> {
    let is_missing_file = ask.site.files.is_some() && ask.own_path() != "/" && !takes_pages(&ask.request.headers);
    let has_console = ask.site.pages.has_console && !is_missing_file;
    has_console.then(|| match &*ask.routes.base {
        "" => respond(&ask.request, CONSOLE.1, CONSOLE.2),
        base => respond(&ask.request, CONSOLE.1, CONSOLE.2.replace("=\"/.wsd/", &format!("=\"{base}/.wsd/"))),
    })
}
