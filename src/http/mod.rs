//! HTTP: what a request is for, and the answer to it.

mod cgi;
pub(crate) mod connection;
mod console;
mod files;
pub(crate) mod handshake;
pub(crate) mod headers;
mod launch;
mod lookup;
pub(crate) mod origin;
mod pace;
mod page;
pub(crate) mod path;
pub(crate) mod redirect;
pub(crate) mod scripts;
mod upgrade;

use std::{convert::Infallible, io, sync::Arc};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::{Request, Response, StatusCode, Version, body::Incoming, header::HOST};

use crate::{admission::Admission, peer::Connection, session, shutdown::Shutdown, worker::environ};
pub(crate) use cgi::Cgi;
pub(crate) use files::Files;
use headers::Headers;
pub(crate) use lookup::Lookup;
use origin::Policy;
use scripts::Scripts;

/// The body of any answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What answers at a listener.
#[derive(Clone, Debug)]
pub(crate) enum Service {
    /// All that is served.
    Site(Arc<Site>),
    /// Nothing but the way to it.
    Redirect(redirect::Target),
}

/// All that is served: what the settings say, checked and ready.
#[derive(Debug)]
pub(crate) struct Site {
    /// The programs behind WebSockets.
    pub(crate) scripts: Option<Scripts>,
    /// The scripts of `--cgidir`.
    pub(crate) cgi: Option<Cgi>,
    /// The files of `--staticdir`.
    pub(crate) files: Option<Files>,
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
    /// How sessions are run.
    pub(crate) session: session::Options,
    /// What workers inherit of wsd's environment, and `SERVER_SOFTWARE`.
    pub(crate) environ: environ::Options,
    /// Finds the names of clients, if that is wanted.
    pub(crate) lookup: Option<Lookup>,
}

/// What an answer needs to know besides the request.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// All that is served.
    pub(crate) site: Arc<Site>,
    /// The client.
    pub(crate) connection: Connection,
    /// The end of wsd.
    pub(crate) shutdown: Shutdown,
}

impl Service {
    /// Answers a request.
    pub(crate) async fn respond(
        self,
        connection: Connection,
        shutdown: Shutdown,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        if request.version() == Version::HTTP_11 && request.headers().get_all(HOST).iter().count() != 1 {
            return Ok(page::page(StatusCode::BAD_REQUEST, "A request names its host once (RFC 9112, section 3.2)."));
        }
        Ok(match self {
            Self::Redirect(target) => target.respond(&request),
            Self::Site(site) => respond(Context { site, connection, shutdown }, request).await,
        })
    }
}

/// In this order: a WebSocket, a script, a file, the console, a page that says that there is nothing.
async fn respond(context: Context, request: Request<Incoming>) -> Response<Body> {
    let site = Arc::clone(&context.site);
    if let Some(scripts) = &site.scripts
        && handshake::is_wanted(request.headers())
    {
        return site.headers.add(upgrade::respond(&context, scripts, request).await);
    }
    let path = path::decode(request.uri().path()).into_owned();
    let response = match &site.cgi {
        Some(cgi) if cgi.find(&path).is_some() => cgi.respond(&context, request).await,
        _ => respond_with_page(&site, request.map(|_| ())).await,
    };
    site.headers.add(response)
}

/// The answer without a program: a file, the console, or a page that says that there is nothing.
async fn respond_with_page(site: &Site, request: Request<()>) -> Response<Body> {
    if let Some(files) = &site.files {
        let response = files.respond(request.clone()).await;
        if response.status() != StatusCode::NOT_FOUND || !site.has_console {
            return response;
        }
    }
    match &site.scripts {
        _ if site.has_console => console::respond(&request),
        Some(_) => page::not_found("This is wsd, a WebSocket server: connect with a WebSocket."),
        None => page::not_found("This is wsd, a WebSocket server."),
    }
}
