//! HTTP: what a request is for, and the answer to it.

pub(crate) mod connection;
mod files;
pub(crate) mod handshake;
pub(crate) mod origin;
mod pace;
mod page;
pub(crate) mod path;
pub(crate) mod scripts;
mod upgrade;

use std::{convert::Infallible, io, sync::Arc};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::{Request, Response, StatusCode, Version, body::Incoming, header::HOST};

use crate::{
    admission::Admission, http::origin::Policy, peer::Connection, session, shutdown::Shutdown, worker::environ,
};
pub(crate) use files::Files;
use scripts::Scripts;

/// The body of any answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// All that is served: what the settings say, checked and ready.
#[derive(Debug)]
pub(crate) struct Site {
    /// The programs that are served.
    pub(crate) scripts: Option<Scripts>,
    /// The files of `--staticdir`.
    pub(crate) files: Option<Files>,
    /// Which pages may connect.
    pub(crate) origin: Policy,
    /// How many sessions there may be.
    pub(crate) admission: Admission,
    /// How they are run.
    pub(crate) session: session::Options,
    /// What workers inherit of wsd's environment, and `SERVER_SOFTWARE`.
    pub(crate) environ: environ::Options,
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

/// Answers a request. In this order: a WebSocket, a file, a page that says that there is nothing.
pub(crate) async fn respond(context: Context, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.version() == Version::HTTP_11 && request.headers().get_all(HOST).iter().count() != 1 {
        return Ok(page::page(StatusCode::BAD_REQUEST, "A request names its host once (RFC 9112, section 3.2)."));
    }
    let response = match (&context.site.scripts, &context.site.files) {
        (Some(scripts), _) if handshake::is_wanted(request.headers()) => upgrade::respond(&context, scripts, request),
        (_, Some(files)) => files.respond(request.map(|_| ())).await,
        (Some(_), None) => page::not_found("This is wsd, a WebSocket server: connect with a WebSocket."),
        (None, None) => page::not_found("This is wsd, a WebSocket server."),
    };
    Ok(response)
}
