//! A request, and what its answer needs to know besides.

use std::sync::Arc;

use hyper::{Method, Uri, body::Incoming, header, http::request::Parts, upgrade::OnUpgrade};

use super::{
    routes::{Base, Routes},
    site::Site,
};
use crate::{
    http::path::{decode, is_clean},
    peer::Connection,
    shutdown::Shutdown,
};

/// A request that is to be answered.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(super) routes: Arc<Routes>,
    /// What is served at its path.
    pub(super) site: Arc<Site>,
    /// The part of its path that led there.
    pub(super) base: Base,
    /// The client's connection.
    pub(super) connection: Connection,
    /// The end of wsd.
    pub(super) shutdown: Shutdown,
    pub(super) request: Parts,
    /// Its path, decoded.
    pub(super) path: Vec<u8>,
    /// Its body, until it is taken.
    pub(super) body: Option<Incoming>,
    /// Gives the connection when it is upgraded.
    pub(super) upgrade: Option<OnUpgrade>,
}

impl Ask {
    /// Finds what is served at the path of a request.
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

    /// Whether the path has one spelling only, so that it may lead to something.
    pub(super) fn is_clean(&self) -> bool {
        is_clean(&self.path)
    }

    /// Becomes the request that a local redirect means (RFC 3875, section 6.2.2): the same client, GET, no body.
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
