//! HTTP: what a request is for, and the answer to it.

mod beneath;
mod builtin;
mod cgi;
pub(crate) mod connection;
mod fetch;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod guard;
pub(crate) mod handshake;
pub(crate) mod headers;
mod launch;
mod lookup;
pub(crate) mod origin;
mod pace;
mod page;
pub(crate) mod path;
pub(crate) mod redirect;
pub(crate) mod routes;
pub(crate) mod scripts;
pub(crate) mod sources;
mod upgrade;

use std::{convert::Infallible, io, sync::Arc};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::{
    Request, Response, StatusCode, Version,
    body::Incoming,
    header::{HOST, HeaderValue, LOCATION},
    http::request::Parts,
};
use tokio::sync::{Semaphore, watch};

use crate::{
    admission::Admission,
    limits::{CGI_REDIRECTS_MAX, CONNECTIONS_MAX},
    peer::Connection,
    room::registry::Rooms,
    shutdown::Shutdown,
    socket::SocketOptions,
    worker::{environ, process::ProcessOptions},
};
pub(crate) use cgi::Cgi;
use files::Files;
use headers::Headers;
pub(crate) use lookup::Lookup;
use origin::Policy;
use path::Root;
use routes::{Base, Routes};
use scripts::Scripts;
use sources::Sources;

/// The body of any answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What answers at a listener.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// All that is served; the settings may be loaded again.
    pub(crate) routes: watch::Receiver<Arc<Routes>>,
    /// Where nothing is served but the way to it: where that leads.
    pub(crate) redirect: Option<redirect::Target>,
    /// Held by the connections that are no sessions (yet).
    pub(crate) slots: Arc<Semaphore>,
}

/// What is served at a path: what the settings say, checked and ready.
#[derive(Debug)]
pub(crate) struct Site {
    /// The programs behind WebSockets.
    pub(crate) scripts: Option<Scripts>,
    /// Where clients share a program, or it wants to know who speaks.
    pub(crate) rooms: Option<Arc<Rooms>>,
    /// The scripts of `--cgidir`.
    pub(crate) cgi: Option<Cgi>,
    /// The folder of `--staticdir`.
    pub(crate) files: Option<Root>,
    /// Whether the page of `--devconsole` is shown.
    pub(crate) has_console: bool,
    /// Which pages may connect.
    pub(crate) origin: Policy,
    /// Which subprotocols may be chosen, the best first.
    pub(crate) subprotocols: Vec<String>,
    /// What every answer says besides.
    pub(crate) headers: Headers,
    /// How many workers there may be.
    pub(crate) admission: Admission,
    /// Whether the shared worker is started before any client.
    pub(crate) is_eager: bool,
    /// How WebSockets are run.
    pub(crate) socket: SocketOptions,
    /// How processes are run.
    pub(crate) process: ProcessOptions,
    /// What workers inherit of wsd's environment, and `SERVER_SOFTWARE`.
    pub(crate) environ: environ::Options,
    /// Finds the names of clients, if that is wanted.
    pub(crate) lookup: Option<Lookup>,
}

/// What an answer needs to know besides the request.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// What is served at the request's path.
    pub(crate) site: Arc<Site>,
    /// What of the path has led to it.
    pub(crate) base: Base,
    /// The client.
    pub(crate) connection: Connection,
    /// The end of wsd.
    pub(crate) shutdown: Shutdown,
    /// See [`Service::slots`].
    pub(crate) slots: Arc<Semaphore>,
}

impl Context {
    /// Whether there is anybody else: another connection that may wait for an answer, or another worker whose client does.
    pub(crate) fn has_others(&self) -> bool {
        self.slots.available_permits() + 1 < CONNECTIONS_MAX || self.site.admission.has_several()
    }
}

impl Service {
    /// Answers a request.
    pub(crate) async fn respond(
        self,
        connection: Connection,
        shutdown: Shutdown,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        if let Some(target) = request.uri().path_and_query().filter(|_| request.uri().authority().is_some()) {
            // The form for proxies (RFC 9112, section 3.2.2): which server it names must be in no answer.
            *request.uri_mut() = target.clone().into();
        }
        let routes = Arc::clone(&self.routes.borrow());
        let headers = |request: &Request<_>| &routes.find(&path::decode(request.uri().path())).0.headers;
        if request.version() == Version::HTTP_11 && request.headers().get_all(HOST).iter().count() != 1 {
            let text = "A request names its host once (RFC 9112, section 3.2).";
            return Ok(headers(&request).add(page::page(StatusCode::BAD_REQUEST, text)));
        }
        if let Some(target) = self.redirect {
            return Ok(headers(&request).add(target.respond(&request)));
        }
        let (site, base) = routes.find(&path::decode(request.uri().path()));
        let context = Context { site: Arc::clone(site), base, connection, shutdown, slots: self.slots };
        Ok(respond(&routes, context, request).await)
    }
}

/// Answers a WebSocket, or whatever else.
async fn respond(routes: &Routes, context: Context, request: Request<Incoming>) -> Response<Body> {
    match &context.site.scripts {
        Some(scripts) if handshake::is_wanted(request.headers()) => {
            context.site.headers.add(upgrade::respond(&context, scripts, request).await)
        }
        // Large beside it: a connection that becomes a session does not pay for it.
        _ => Box::pin(respond_plainly(routes, context, request)).await,
    }
}

/// The answer to plain HTTP; a script may say that another request is to be answered instead.
async fn respond_plainly(routes: &Routes, mut context: Context, request: Request<Incoming>) -> Response<Body> {
    let (mut request, body) = request.into_parts();
    let mut body = Some(body);
    for _ in 0..=CGI_REDIRECTS_MAX {
        let path = path::decode(request.uri.path()).into_owned();
        let (site, base) = routes.find(&path);
        context = Context { site: Arc::clone(site), base, ..context };
        if !path::is_clean(&path) {
            return context.site.headers.add(page::not_found("There is nothing at such a path."));
        }
        match answer(&context, &routes.sources, &request, body.take(), &path).await {
            cgi::Answer::Document(response) => return context.site.headers.add_beside(response),
            cgi::Answer::Page(response) => return context.site.headers.add(response),
            cgi::Answer::LocalRedirect(target) => request = cgi::get(request, target),
        }
    }
    let text = "The scripts redirect to each other without an end.";
    context.site.headers.add(page::page(StatusCode::BAD_GATEWAY, text))
}

/// In this order: a script, a file, the console, a page that says that there is nothing.
async fn answer(
    context: &Context,
    sources: &Arc<Sources>,
    request: &Parts,
    body: Option<Incoming>,
    path: &[u8],
) -> cgi::Answer {
    let script = context.site.cgi.as_ref().and_then(|cgi| Some((cgi, cgi.find(path, context.base.bytes)?)));
    let check = if script.is_some() { Policy::check_script } else { Policy::check_file };
    match (upgrade::check_origin(context, &request.headers, check), script) {
        (Err(refusal), _) => cgi::Answer::Page(refusal),
        (Ok(()), Some(_)) if context.site.origin != Policy::Any && fetch::is_of_other_site(request) => {
            cgi::Answer::Page(upgrade::refuse_other_site(context))
        }
        (Ok(()), Some((cgi, found))) => cgi.run(context, request, body, &found, path).await,
        (Ok(()), None) => {
            let request = Request::from_parts(request.clone(), ());
            cgi::Answer::Page(respond_with_page(context, sources, request).await)
        }
    }
}

/// The answer without a program: a file, the console, or a page that says that there is nothing.
async fn respond_with_page(context: &Context, sources: &Arc<Sources>, request: Request<()>) -> Response<Body> {
    let site = &context.site;
    if let Some(response) = builtin::client(&request) {
        return response;
    }
    if let Some(root) = &site.files {
        if site.process.budget.is_full() {
            return launch::out_of_buffers();
        }
        let files = Files::new(root.clone(), Arc::clone(sources));
        let response = respond_with_file(&files, request.clone(), context.base).await;
        if response.status() != StatusCode::NOT_FOUND || !site.has_console {
            return response;
        }
    }
    match &site.scripts {
        _ if site.has_console => builtin::console(&request),
        Some(_) => page::not_found("This is wsd, a WebSocket server: connect with a WebSocket."),
        None => page::not_found("This is wsd, a WebSocket server."),
    }
}

/// Parts the raw path of a request behind `base` bytes of the decoded one.
fn split_base(path: &str, base: usize) -> (&str, &str) {
    // By bytes: a client may send UTF-8 as it is.
    let bytes = path.as_bytes();
    let mut at = 0;
    for _ in 0..base {
        let is_escape = bytes.get(at) == Some(&b'%') && bytes.get(at + 1..at + 3).is_some_and(is_hex);
        at += if is_escape { 3 } else { 1 };
    }
    path.split_at_checked(at).unwrap_or((path, ""))
}

fn is_hex(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

/// The answer of a folder of files that is found behind `base`.
async fn respond_with_file(files: &Files, mut request: Request<()>, base: Base) -> Response<Body> {
    let target = request.uri().clone();
    let (front, rest) = split_base(target.path(), base.bytes);
    let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
    if base.has_more && rest.is_empty() && !front.is_empty() {
        // The links of a page in the folder begin at the folder.
        let mut response = Response::new(page::text_body(""));
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        if let Ok(location) = HeaderValue::try_from(format!("{front}/{query}")) {
            response.headers_mut().insert(LOCATION, location);
        }
        return response;
    }
    if !front.is_empty() {
        let slash = if rest.starts_with('/') { "" } else { "/" };
        *request.uri_mut() = format!("{slash}{rest}{query}").parse().unwrap_or_default();
    }
    let mut response = files.respond(request).await;
    let location = response.headers().get(LOCATION).map(|location| [front.as_bytes(), location.as_bytes()].concat());
    if let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
