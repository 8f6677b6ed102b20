//! A request, with the facts that its answer needs.

use std::sync::Arc;

use hyper::{Method, Uri, Version, body::Incoming, header, http::request::Parts, upgrade::OnUpgrade};

use super::{
    routes::{Base, Routes},
    scripts::Script,
    site::Site,
};
use crate::{
    http::path::{decode, is_clean},
    peer::Connection,
    shutdown::Shutdown,
    worker::{
        environ::{CgiFacts, Facts, variables},
        variable::Variable,
    },
};

/// A request that wsd is answering.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(super) routes: Arc<Routes>,
    /// The site at its path.
    pub(super) site: Arc<Site>,
    /// The part of its path that matched the site.
    pub(super) base: Base,
    /// The client's connection.
    pub(super) connection: Connection,
    /// The shutdown of wsd.
    pub(super) shutdown: Shutdown,
    pub(super) request: Parts,
    /// Its path, decoded.
    pub(super) path: Vec<u8>,
    /// Its body; `None` once a script has taken it.
    pub(super) body: Option<Incoming>,
    /// Yields the connection once it is upgraded; `None` if the request asks for no WebSocket.
    pub(super) upgrade: Option<OnUpgrade>,
}

impl Ask {
    /// Finds the site at the path of a request.
    pub(super) fn new(
        routes: Arc<Routes>,
        connection: Connection,
        shutdown: Shutdown,
        (request, body): (Parts, Incoming),
        upgrade: Option<OnUpgrade>,
    ) -> Self {
        let path = decode(request.uri.path()).into_owned();
        let (site, base) = routes.find(&path);
        let site = Arc::clone(site);
        Self { routes, site, base, connection, shutdown, request, path, body: Some(body), upgrade }
    }

    /// Whether the path is canonical ([`is_clean`]); wsd serves nothing at any other path.
    pub(super) fn is_clean(&self) -> bool {
        is_clean(&self.path)
    }

    /// Returns the environment of a program that answers it. `id` is `UNIQUE_ID`, and `content` is the body that a CGI script
    /// reads.
    pub(super) async fn environment(
        &self,
        connection: &Connection,
        script: &Script<'_>,
        id: &str,
        content: CgiFacts<'_>,
        subprotocol: Option<&str>,
    ) -> Vec<Variable> {
        let (launcher, request) = (&self.site.launcher, &self.request);
        let remote_host = match &launcher.lookup {
            Some(lookup) => lookup.name(connection.peer).await,
            None => connection.peer.address(),
        };
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let facts = Facts {
            id,
            connection,
            remote_host: &remote_host,
            protocol: if request.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
            method: request.method.as_str(),
            target: request.uri.path_and_query().map_or("/", |target| target.as_str()),
            script_name: script.name,
            path_info: script.path_info,
            path: &self.path,
            query: request.uri.query().unwrap_or_default(),
            headers: &headers,
            subprotocol,
            content,
        };
        variables(&launcher.environ, &facts)
    }

    /// Becomes the request of a local redirect (RFC 3875, section 6.2.2): same client, GET (or HEAD as before), no body.
    pub(super) fn redirect(&mut self, target: Uri) {
        self.request.uri = target;
        if self.request.method != Method::HEAD {
            self.request.method = Method::GET;
        }
        for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::TRANSFER_ENCODING] {
            self.request.headers.remove(name);
        }
        self.body = None;
        self.path = decode(self.request.uri.path()).into_owned();
        let (site, base) = self.routes.find(&self.path);
        (self.site, self.base) = (Arc::clone(site), base);
    }
}
