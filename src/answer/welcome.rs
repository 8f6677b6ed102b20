//! The first page of a server that has none: it says what runs here and how to connect. A plain request to a program learns
//! that, too.

use std::fmt::Write as _;

use hyper::{
    Response, StatusCode,
    header::{CONNECTION, HeaderValue, UPGRADE},
};

use super::{ask::Ask, builtin::respond, routes::Pattern, scripts::Scripts, site::Site};
use crate::http::{
    handshake::is_wanted,
    page::{Body, page},
};

/// Answers where nothing else does: with the first page at `/`, and with 426 at the path of a program.
pub(super) fn answer(ask: &Ask) -> Option<Response<Body>> {
    let site = &ask.site;
    // A client that asks for a WebSocket where there is none must not take this for one.
    if !site.pages.has_welcome || is_wanted(&ask.request.headers) {
        return None;
    }
    if ask.path == b"/" {
        return Some(respond(&ask.request, "text/html; charset=utf-8", text(ask)));
    }
    // The folder `/.wsd/` is wsd's own, and a missing file of a page is just missing.
    let is_program = site.files.is_none()
        && !ask.path.starts_with(b"/.wsd/")
        && site.scripts.as_ref().is_some_and(|scripts| scripts.find(&ask.path, ask.base.bytes).is_some());
    is_program.then(upgrade_required)
}

/// Returns the page for a client that speaks plain HTTP to a program (RFC 9110, section 15.5.22).
fn upgrade_required() -> Response<Body> {
    let help = "A program answers here, over a WebSocket: in a page, connect with `new WebSocket(url)`.\n\
        The page at / has an example. Start wsd with --devconsole for a page that talks to the program.";
    let mut response = page(StatusCode::UPGRADE_REQUIRED, help);
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response
}

fn text(ask: &Ask) -> String {
    let everything = Pattern::Below(String::new());
    let routes = ask.routes.table.iter().map(|(pattern, site)| (pattern, &**site));
    let routes: Vec<_> = routes
        .chain([(&everything, &*ask.routes.otherwise)])
        .filter_map(|(pattern, site)| Some((pattern, what(site)?, site)))
        .collect();
    let mut list = String::new();
    for (pattern, what, _) in &routes {
        // Writing to a string cannot fail.
        let _ = writeln!(list, "<li><code>{}</code> {}</li>", escaped(&pattern.to_string()), escaped(what));
    }
    let path = match routes.iter().find(|(.., site)| site.scripts.is_some()) {
        Some((pattern, _, Site { scripts: Some(Scripts::Dir(..)), .. })) => format!("{}/NAME", pattern.path()),
        Some((pattern, ..)) if !pattern.path().is_empty() => pattern.path().to_owned(),
        _ => "/".to_owned(),
    };
    let console = match ask.routes.table.iter().find(|(_, site)| site.pages.has_console) {
        Some((pattern, _)) => {
            format!("<p><a href=\"{0}\">The console</a> talks to the programs.</p>", escaped(pattern.path()))
        }
        None => "<p>Start wsd with <code>--devconsole</code> for a page that talks to the programs.</p>".to_owned(),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>wsd</title>\n<h1>wsd runs here</h1>\n<ul>\n{list}</ul>\n\
         <p>A page connects to a program with three lines of JavaScript:</p>\n<pre>{}</pre>\n{console}\n",
        escaped(&format!(
            "const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + {path:?});\n\
             socket.onmessage = (event) => console.log(event.data);\nsocket.onopen = () => socket.send('hello');"
        )),
    )
}

/// Says what a site serves; `None` if it serves nothing.
fn what(site: &Site) -> Option<String> {
    let program = match &site.scripts {
        Some(Scripts::Command(program)) => {
            program.path.file_name().map(|name| format!("the program {}", name.to_string_lossy()))
        }
        Some(Scripts::Dir(..)) => Some("programs, each at the path of its name".to_owned()),
        None => None,
    };
    let files = site.files.is_some().then(|| "files".to_owned());
    let cgi = site.cgi.is_some().then(|| "CGI scripts".to_owned());
    let parts: Vec<_> = [program, cgi, files].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Escapes a text for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
