//! Every request: one gate, then a list of answerers, of which the first that has something to say answers.

use std::sync::Arc;

use hyper::{Request, Response, StatusCode, body::Incoming};
use tokio::sync::watch;

use super::{
    ask::Ask,
    builtin,
    cgi::{self, answer::Answer},
    files, redirect,
    routes::Routes,
    websocket,
};
use crate::{
    budget::Budget,
    http::{
        gate::{Aim, check_host_count},
        handshake,
        page::{self, Body},
        path,
    },
    peer::Connection,
    shutdown::Shutdown,
};

/// Redirects of CGI scripts from one to another within wsd (RFC 3875, section 6.2.2), against those that go round.
const CGI_REDIRECTS_MAX: u32 = 8;

/// What answers at a listener.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// All that is served; the settings may be loaded again.
    pub(crate) routes: watch::Receiver<Arc<Routes>>,
    /// Where a listener leads that only redirects.
    pub(crate) redirect: Option<redirect::Target>,
}

impl Service {
    /// Returns the budget that connections count against.
    pub(crate) fn budget(&self) -> Budget {
        self.routes.borrow().otherwise.launcher.process.budget.clone()
    }

    /// Answers a request.
    pub(crate) async fn respond(
        self,
        connection: Connection,
        shutdown: Shutdown,
        mut request: Request<Incoming>,
    ) -> Response<Body> {
        if let Some(target) = request.uri().path_and_query().filter(|_| request.uri().authority().is_some()) {
            // The form for proxies (RFC 9112, section 3.2.2): which server it names must be in no answer.
            *request.uri_mut() = target.clone().into();
        }
        let routes = Arc::clone(&self.routes.borrow());
        if let Some(target) = self.redirect {
            let (request, _) = request.into_parts();
            let response = match check_host_count(&request) {
                Ok(()) => target.respond(&request),
                Err(refusal) => page::refused(&refusal),
            };
            return routes.find(&path::decode(request.uri.path())).0.headers.add(response);
        }
        let upgrade = handshake::is_wanted(request.headers()).then(|| hyper::upgrade::on(&mut request));
        let ask = Ask::new(routes, connection, shutdown, request.into_parts(), upgrade);
        if ask.upgrade.is_some() && ask.site.scripts.is_some() {
            let site = Arc::clone(&ask.site);
            return site.headers.add(websocket::answer(ask).await);
        }
        // Large beside it: a connection that becomes a session does not pay for it.
        Box::pin(answer(ask)).await
    }
}

/// Answers plain HTTP; a script may say that another request is to be answered instead.
async fn answer(mut ask: Ask) -> Response<Body> {
    for _ in 0..=CGI_REDIRECTS_MAX {
        match answer_once(&mut ask).await {
            Answer::Document(response) => return ask.site.headers.add_beside(response),
            Answer::Page(response) => return ask.site.headers.add(response),
            Answer::LocalRedirect(target) => ask.redirect(target),
        }
    }
    let text = "The scripts redirect to each other without an end.";
    ask.site.headers.add(page::page(StatusCode::BAD_GATEWAY, text))
}

async fn answer_once(ask: &mut Ask) -> Answer {
    let site = Arc::clone(&ask.site);
    let path = ask.path.clone();
    let script = site.cgi.as_ref().filter(|_| ask.is_clean()).and_then(|cgi| cgi.find(&path, ask.base.bytes));
    let aim = if script.is_some() { Aim::Script } else { Aim::Page };
    let visitor = match site.gate.admit(&ask.connection, &ask.request, aim) {
        Ok(visitor) => visitor,
        Err(refusal) => {
            refusal.log(ask.connection.peer);
            return Answer::Page(page::refused(&refusal));
        }
    };
    if !ask.is_clean() {
        return Answer::Page(page::not_found("There is nothing at such a path."));
    }
    if let Some(found) = script {
        return cgi::answer(ask, &visitor, &found).await;
    }
    if let Some(response) = builtin::client(&ask.request) {
        return Answer::Page(response);
    }
    if let Some(response) = files::answer(ask).await {
        return Answer::Page(response);
    }
    Answer::Page(match &site.scripts {
        _ if site.has_console => builtin::console(&ask.request),
        Some(_) => page::not_found("This is wsd, a WebSocket server: connect with a WebSocket."),
        None => page::not_found("This is wsd, a WebSocket server."),
    })
}
