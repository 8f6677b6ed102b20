//! Answers every request: the gate checks it, then the first module that has an answer for it gives it.

use std::sync::Arc;

use hyper::{Request, Response, StatusCode, body::Incoming};
use tokio::sync::watch;

use super::{
    ask::Ask,
    builtin,
    cgi::{self, answer::HttpAnswer},
    files, redirect,
    routes::Routes,
    websocket,
};
use crate::{
    budget::Budget,
    http::{
        gate::check_host_count,
        handshake,
        origin::Aim,
        page::{self, Body},
        path,
    },
    limits::CGI_REDIRECTS_MAX,
    peer::Connection,
    shutdown::Shutdown,
};

/// Answers the requests of a listener.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// The current routes; a reload of the settings replaces them.
    pub(crate) routes: watch::Receiver<Arc<Routes>>,
    /// The site that the listener redirects to, if it only redirects.
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
        let routes = Arc::clone(&self.routes.borrow());
        let Some(target) = request.uri().path_and_query() else {
            // The authority form, for CONNECT to a proxy (RFC 9112, section 3.2.3).
            let response = page::page(StatusCode::BAD_REQUEST, "The target of the request has no path.");
            return routes.otherwise.headers.add(response);
        };
        if request.uri().authority().is_some() {
            // The absolute form, for proxies (RFC 9112, section 3.2.2): no answer may contain the server that it names.
            *request.uri_mut() = target.clone().into();
        }
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
        // Boxed, since it is large: a connection that becomes a session does not pay for it.
        Box::pin(answer(ask)).await
    }
}

/// Answers plain HTTP; follows local redirects of scripts.
async fn answer(mut ask: Ask) -> Response<Body> {
    for _ in 0..=CGI_REDIRECTS_MAX {
        match answer_once(&mut ask).await {
            HttpAnswer::Document(response) => return ask.site.headers.add_beside(response),
            HttpAnswer::Page(response) => return ask.site.headers.add(response),
            HttpAnswer::LocalRedirect(target) => ask.redirect(target),
        }
    }
    let text = "The scripts redirect to each other without an end.";
    ask.site.headers.add(page::page(StatusCode::BAD_GATEWAY, text))
}

async fn answer_once(ask: &mut Ask) -> HttpAnswer {
    let site = Arc::clone(&ask.site);
    let path = ask.path.clone();
    let script = site.cgi.as_ref().filter(|_| ask.is_clean()).and_then(|cgi| cgi.find(&path, ask.base.bytes));
    let aim = if script.is_some() { Aim::Script } else { Aim::Page };
    let client = match site.gate.admit(&ask.connection, &ask.request, aim) {
        Ok(client) => client,
        Err(refusal) => {
            refusal.log(ask.connection.peer);
            return HttpAnswer::Page(page::refused(&refusal));
        }
    };
    if !ask.is_clean() {
        return HttpAnswer::Page(page::not_found("There is nothing at such a path."));
    }
    if let Some(found) = script {
        return cgi::run::answer(ask, &client, found).await;
    }
    if let Some(response) = builtin::client(&ask.request) {
        return HttpAnswer::Page(response);
    }
    if let Some(response) = builtin::console_part(ask).await {
        return HttpAnswer::Page(response);
    }
    if let Some(response) = files::answer(ask).await {
        return HttpAnswer::Page(response);
    }
    HttpAnswer::Page(match &site.scripts {
        _ if site.has_console => builtin::console(&ask.request),
        Some(_) => page::not_found("This is wsd, a WebSocket server: connect with a WebSocket."),
        None => page::not_found("This is wsd, a WebSocket server."),
    })
}
