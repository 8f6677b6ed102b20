//! Answers every request: the gate checks it, then the first kind of answer that has one for it gives it.

use std::{future::ready, pin::Pin, sync::Arc};

use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{HeaderValue, SEC_WEBSOCKET_VERSION},
};
use tokio::sync::watch;

use super::{
    ask::{Answered, Ask, HttpAnswer},
    base, cgi, console, files,
    health::{self, Readiness},
    mcp, methods, oneshot, redirect,
    routes::Routes,
    status, streams, ticket, websocket, welcome,
};
use crate::{
    budget::Budget,
    http::{
        auth::query::hide_referrer,
        connection::{AnswerKind, HttpReply},
        cors,
        gate::Visitor,
        handshake,
        origin::Aim,
        page::{self, Body, not_found},
        refusal::Refusal,
    },
    limits::CGI_REDIRECTS_MAX,
    peer::Connection,
    shutdown::Shutdown,
};

/// The kinds of answers, in the order in which wsd asks them. Each answers, passes the request on, or refuses it. The words are for
/// the metrics.
const ANSWERERS: [(&str, Answerer); 20] = [
    ("redirect", |ask, _| own(ask.redirect.as_ref().map(|target| target.respond(&ask.request)))),
    ("page", |ask, _| Box::pin(ready(base::answer(ask)))),
    ("session", |ask, visitor| Box::pin(websocket::answer(ask, visitor))),
    ("page", |ask, _| own((!ask.is_clean()).then(|| not_found(NOTHING)))),
    ("preflight", |ask, _| own(ask.is_preflight().then(cors::preflight))),
    ("ticket", |ask, visitor| Box::pin(ready(ticket::answer(ask, visitor)))),
    ("mcp", |ask, visitor| Box::pin(mcp::answer(ask, visitor))),
    ("page", |ask, visitor| Box::pin(status::answer(ask, visitor))),
    ("stream", |ask, visitor| Box::pin(streams::answer(ask, visitor))),
    ("oneshot", |ask, visitor| Box::pin(oneshot::answer(ask, visitor))),
    ("cgi", |ask, visitor| Box::pin(cgi::run::answer(ask, visitor))),
    ("page", |ask, visitor| Box::pin(ready(methods::answer(ask, visitor)))),
    ("page", |ask, _| Box::pin(ready(websocket::refuse_beside_programs(ask)))),
    ("metrics", |ask, _| own(health::metrics(ask))),
    ("page", |ask, _| own(ask.site.pages.answer(ask.own_path(), &ask.request))),
    ("page", |ask, visitor| Box::pin(console::answer(ask, visitor))),
    ("file", |ask, visitor| Box::pin(files::answer(ask, visitor))),
    ("page", |ask, _| Box::pin(ready(websocket::refuse(ask)))),
    ("page", |ask, _| own(console::page(ask))),
    ("page", |ask, visitor| own(welcome::answer(ask, visitor))),
];

/// The kind of a refusal, for the metrics.
const REFUSAL: &str = "refusal";

/// The kind of a page of wsd's own, for the metrics.
const PAGE: &str = "page";

/// The text at a path that is not canonical.
const NOTHING: &str = "There is nothing at such a path.";

/// A kind of answer to the requests that have passed the gate.
type Answerer = for<'a> fn(&'a mut Ask, &'a Visitor) -> Answering<'a>;

/// An answer in the making.
type Answering<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;

/// Answers the requests of a listener.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// The current routes; a reload of the settings replaces them.
    pub(crate) routes: watch::Receiver<Arc<Routes>>,
    /// The site that the listener redirects to, if it only redirects.
    pub(crate) redirect: Option<redirect::Target>,
    /// Whether wsd is ready, for whoever watches it.
    pub(crate) readiness: Readiness,
}

impl Service {
    /// Returns the budget that connections count against.
    pub(crate) fn budget(&self) -> Budget {
        self.routes.borrow().otherwise.launcher.process.budget.clone()
    }

    /// Answers a request of a client, or its refusal; follows local redirects of scripts, whose targets pass the gate, too.
    pub(crate) async fn respond(
        self,
        client: Result<Connection, Refusal>,
        shutdown: Shutdown,
        mut request: Request<Incoming>,
    ) -> HttpReply {
        let routes = Arc::clone(&self.routes.borrow());
        let without_gate = |response, kind| {
            let response = routes.otherwise.headers.add(response);
            HttpReply::new(response, AnswerKind::Counted(kind))
        };
        let connection = match client {
            Ok(client) => client,
            Err(refusal) => return without_gate(page::refused(refusal), REFUSAL),
        };
        let Some(target) = request.uri().path_and_query() else {
            // The authority form, for CONNECT to a proxy (RFC 9112, section 3.2.3). It names no site, so no gate either.
            let response = page::page(StatusCode::BAD_REQUEST, "The target of the request has no path.");
            return without_gate(response, PAGE);
        };
        if request.uri().authority().is_some() {
            // The absolute form, for proxies (RFC 9112, section 3.2.2): no answer may contain the server that it names.
            *request.uri_mut() = target.clone().into();
        }
        let own_path = request.uri().path().strip_prefix(&*routes.base).unwrap_or_default();
        if let Some(health) = self.readiness.answer(own_path, request.method(), &routes) {
            return health;
        }
        let mut ask = Ask::new(routes, shutdown, request, self.redirect);
        for _ in 0..=CGI_REDIRECTS_MAX {
            let (mut response, kind) = match answer(&mut ask, &connection).await {
                Ok((HttpAnswer::Document(response), kind)) => (ask.site.headers.add_beside(response), kind),
                Ok((HttpAnswer::Page(response), kind)) => (ask.own(response), kind),
                Ok((HttpAnswer::LocalRedirect(target), _)) => {
                    ask.follow(target);
                    continue;
                }
                Err(refusal) => {
                    let response = refuse(&ask, &connection, refusal);
                    (ask.own(response), REFUSAL)
                }
            };
            hide_referrer(&ask.request, &mut response);
            return HttpReply { response, kind: AnswerKind::Counted(kind), in_flight: ask.in_flight };
        }
        let text = "The scripts redirect to each other without an end.";
        let mut response = ask.site.headers.add(page::page(StatusCode::BAD_GATEWAY, text));
        hide_referrer(&ask.request, &mut response);
        HttpReply::new(response, AnswerKind::Counted(PAGE))
    }
}

/// Answers a request, perhaps with a redirect that wsd follows. Also returns the kind of the answer.
async fn answer(ask: &mut Ask, connection: &Connection) -> Result<(HttpAnswer, &'static str), Refusal> {
    let aim = aim(ask)?;
    if let Some(answer) = impossible(ask)? {
        return Ok((answer, PAGE));
    }
    // Without the count of a request that has led here by a local redirect: it is the same one.
    ask.in_flight = None;
    let admitted = ask.site.gate.admit(connection, &mut ask.request, aim).await;
    let visitor = if ask.mcp.is_some() { mcp::admitted(ask, connection, admitted)? } else { admitted? };
    ask.in_flight.clone_from(&visitor.in_flight);
    if ask.transfer.is_some() {
        ask.cors = cors::headers_for(&ask.request.headers, cors::EXPOSED);
    }
    for (kind, answerer) in ANSWERERS {
        if let Some(mut answer) = answerer(ask, &visitor).await? {
            if let HttpAnswer::Document(response) | HttpAnswer::Page(response) = &mut answer {
                visitor.add_cookie(response);
            }
            return Ok((answer, kind));
        }
    }
    let page = not_found(match (&ask.site.files, &ask.site.scripts) {
        (Some(_), _) => "There is no such file. This is wsd, a server of files and of WebSockets.",
        (None, Some(_)) => "This is wsd, a WebSocket server: connect with a WebSocket.",
        (None, None) => "This is wsd, a WebSocket server.",
    });
    Ok((HttpAnswer::Page(page), PAGE))
}

/// Answers a request whose path has a NUL, before any program is asked about it: neither a variable nor a file can have one.
fn impossible(ask: &Ask) -> Answered {
    if !ask.path.contains(&0) || ask.redirect.is_some() {
        return Ok(None);
    }
    websocket::refuse(ask)?;
    Ok(Some(HttpAnswer::Page(not_found(NOTHING))))
}

/// Returns the purpose of a request: the gate asks more of one for a program than of one for a page.
///
/// Refuses a wrong handshake: its client learns that before it learns what the gate says.
fn aim(ask: &mut Ask) -> Result<Aim, Refusal> {
    if ask.redirect.is_some() {
        return Ok(Aim::Redirect);
    }
    if ask.upgrade.is_some() {
        return handshake::check(&ask.request).map(|()| Aim::Session);
    }
    if let Some(purpose) = ask.mcp {
        return Ok(purpose.aim());
    }
    if ask.wants_ticket {
        ask.transfer = None;
        return Ok(Aim::Session);
    }
    ask.script = ask.find_cgi_script();
    if ask.script.is_some() {
        ask.transfer = None;
        return Ok(Aim::Script);
    }
    Ok(if ask.transfer.is_some() { Aim::Transfer } else { Aim::Page })
}

/// Answers with a page of wsd's own, if there is one.
fn own<'a>(page: Option<Response<Body>>) -> Answering<'a> {
    Box::pin(ready(Ok(page.map(HttpAnswer::Page))))
}

/// Logs a refusal and returns its page. That of a WebSocket names the version that wsd speaks (RFC 6455, section 4.4).
fn refuse(ask: &Ask, connection: &Connection, refusal: Refusal) -> Response<Body> {
    refusal.log(connection.peer, ask.request.uri.path(), &ask.site.launcher.process.route);
    let mut response = page::refused(refusal);
    if ask.upgrade.is_some() {
        response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_documented_kinds_of_answers_are_those_that_there_are() {
        let row =
            include_str!("../../docs/metrics.md").lines().find(|line| line.starts_with("| `wsd_http_requests_total"));
        let (_, kinds) = row.and_then(|row| row.split_once("`kind` is")).expect("the row tells the kinds");
        let documented: BTreeSet<_> = kinds.split('`').skip(1).step_by(2).collect();
        let others = ["refusal", "none"];
        let want: BTreeSet<_> = ANSWERERS.iter().map(|(kind, _)| *kind).chain(others).collect();

        assert_eq!(documented, want);
    }
}
