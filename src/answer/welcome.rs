//! The first page of a server that has none: it says what runs here and how to connect. A plain request to a program learns
//! that, too.

use std::{fmt::Write as _, sync::Arc};

use hyper::{
    Response, StatusCode,
    header::{CONNECTION, HeaderValue, UPGRADE},
};

use super::{
    ask::Ask,
    builtin::{document, respond},
    paths::{Example, console_of, example, known_sites},
    routes::{Pattern, Routes},
    scripts::Scripts,
    site::Site,
};
use crate::http::{gate::Visitor, page::Body};

/// The content type of the page.
const HTML: &str = "text/html; charset=utf-8";

/// The help where there is nothing to connect to.
const NO_PROGRAMS: &str = "<p>wsd serves files, and programs over WebSockets; here it has no program.</p>\n";

/// The help for a client that may know of no program.
const HIDDEN: &str = "<p>wsd serves files, and programs over WebSockets. It names a program that is not for everybody only to \
                      clients that may use it.</p>\n";

/// The help at a program with a terminal. A page without one shows its output with the codes that move the cursor.
const TERMINAL: &str = "<p>This is a terminal: it needs a page with <a href=\"https://xtermjs.org\">xterm.js</a>, such as \
                        <code>static/terminal.html</code> of wsd.</p>\n";

/// Answers where nothing else does: with the first page at `/`, and with the same help and 426 at the path of a program.
pub(super) fn answer(ask: &Ask, visitor: &Visitor) -> Option<Response<Body>> {
    let site = &ask.site;
    if !site.pages.has_welcome {
        return None;
    }
    if ask.own_path() == "/" {
        let known = known_sites(ask, visitor);
        let otherwise = known.iter().filter(|(_, site)| Arc::ptr_eq(site, &ask.routes.otherwise));
        let example = otherwise.chain(&known).find_map(|(pattern, site)| example(&ask.routes, pattern, site));
        return Some(respond(&ask.request, HTML, text(&ask.routes, &known, example)));
    }
    // The folder `/.wsd/` is wsd's own, and a missing file of a page is just missing.
    let scripts = site.scripts.as_ref().filter(|_| site.files.is_none() && !ask.own_path().starts_with("/.wsd/"))?;
    scripts.find(&ask.path, ask.base.bytes)?;
    let (path, is_terminal) = (ask.request.uri.path().to_owned(), scripts.have_terminals());
    let (takes_posts, is_mcp) = (site.http.is_some() && !is_terminal, site.mcp.is_some());
    let example = Example { path, is_terminal, takes_posts, is_mcp };
    Some(upgrade_required(text(&ask.routes, &known_sites(ask, visitor), Some(example))))
}

/// Returns the page for a client that speaks plain HTTP to a program (RFC 9110, section 15.5.22).
fn upgrade_required(text: String) -> Response<Body> {
    let mut response = document(HTML, text);
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response
}

/// Returns the page with the sites that the client may know; `example` is a program, if there is any.
fn text(routes: &Routes, known: &[(Pattern, Arc<Site>)], example: Option<Example>) -> String {
    let mut list = String::new();
    for (pattern, what) in known.iter().filter_map(|(pattern, site)| Some((pattern, what(site)?))) {
        // Writing to a string cannot fail.
        let _ = writeln!(list, "<li><code>{}</code> {}</li>", escaped(&pattern.to_string()), escaped(&what));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>wsd</title>\n<h1>wsd runs here</h1>\n<ul>\n{list}</ul>\n{}",
        match example {
            None if known.len() < routes.sites().count() => HIDDEN.to_owned(),
            None => NO_PROGRAMS.to_owned(),
            Some(Example { is_terminal: true, .. }) => TERMINAL.to_owned(),
            Some(Example { path, is_mcp, .. }) => {
                let console = console_of(routes, known.iter().map(|(pattern, site)| (pattern.clone(), site)));
                if is_mcp { help_with_mcp(&path, &routes.base, console.is_some()) } else { help(&path, console) }
            }
        },
    )
}

/// Says how a page and a person talk to the program at `path`.
fn help(path: &str, console: Option<String>) -> String {
    let console = match console {
        Some(path) => format!("<a href=\"{}\">The console</a> talks to the programs.", escaped(&path)),
        None => "Start wsd with <code>--devconsole</code> for a page that talks to the programs.".to_owned(),
    };
    format!(
        "<p>A page connects to a program with three lines of JavaScript:</p>\n<pre>{}</pre>\n<p>{console}</p>\n",
        escaped(&format!(
            "const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + {path:?});\n\
             socket.onmessage = (event) => console.log(event.data);\nsocket.onopen = () => socket.send('hello');"
        )),
    )
}

/// Says how a client of MCP connects to the server at `path`.
fn help_with_mcp(path: &str, base: &str, has_console: bool) -> String {
    let page = if has_console {
        format!("<a href=\"{}/.wsd/mcp\">A page</a> has the lines for clients.", escaped(base))
    } else {
        "Start wsd with <code>--devconsole</code> for a page with the lines for clients.".to_owned()
    };
    format!(
        "<p>A client of the Model Context Protocol connects to the path <code>{}</code>, over Streamable HTTP.</p>\n<p>{page}</p>\n",
        escaped(path),
    )
}

/// Says what a site serves; `None` if it serves nothing.
fn what(site: &Site) -> Option<String> {
    let program = match &site.scripts {
        Some(Scripts::Command(program)) => {
            let kind = if site.mcp.is_some() { "the server of MCP" } else { "the program" };
            program.path.file_name().map(|name| format!("{kind} {}", name.to_string_lossy()))
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
