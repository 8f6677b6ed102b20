//! A request, with the facts that its answer needs.

use std::{mem, sync::Arc};

use hyper::{
    HeaderMap, Method, Request, Response, Uri, Version, body::Incoming, header, http::request::Parts,
    upgrade::OnUpgrade,
};
use tracing::Instrument as _;

use super::{
    mcp::purpose::{McpPurpose, take_metadata_place},
    redirect::Target,
    routes::{Base, Routes},
    scripts::Script,
    site::Site,
    status_places::is_status_place,
    transfer::{Purpose, Transfer},
};
use crate::{
    http::{
        auth::ticket,
        gate::Visitor,
        handshake::{is_wanted, take_offer},
        page::Body,
        path::{decode, is_clean},
        refusal::Refusal,
        source_limits::{InFlight, OfSession},
    },
    resume::offer::{Returning, is_return},
    shutdown::Shutdown,
    worker::{
        environ::{CgiFacts, Facts, variables},
        variable::Variable,
    },
};

/// A request that wsd is answering. The client is the [`Visitor`] that the gate admits.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(super) routes: Arc<Routes>,
    /// The site at its path.
    pub(super) site: Arc<Site>,
    /// The part of its path that matched the site.
    pub(super) base: Base,
    /// The shutdown of wsd.
    pub(super) shutdown: Shutdown,
    pub(super) request: Parts,
    /// Its path, decoded.
    pub(super) path: Vec<u8>,
    /// Its body; `None` once a script has taken it.
    pub(super) body: Option<Incoming>,
    /// The site that its listener redirects to, if it only redirects.
    pub(super) redirect: Option<Target>,
    /// Whether it is one for a ticket. Then its target is the place of the ticket.
    pub(super) wants_ticket: bool,
    /// Yields the connection once it is upgraded; `None` unless the request asks for a WebSocket and the site has programs.
    pub(super) upgrade: Option<OnUpgrade>,
    /// The session to which the client wants to return. Its token is in no header of `request`.
    pub(super) returning: Option<Returning>,
    /// The purpose of a request of `--http`. Its token is nowhere in `request`.
    pub(super) transfer: Option<Transfer>,
    /// Its part in the gateway for MCP; `None` if it is for something else.
    pub(super) mcp: Option<McpPurpose>,
    /// The headers by which a page of another origin may read the answer, once the gate has admitted it.
    pub(super) cors: HeaderMap,
    /// The CGI script that was found for it before it passed the gate.
    pub(super) script: Option<Script>,
    /// Counts it for its source until it is answered.
    pub(super) in_flight: Option<InFlight>,
}

/// An answer to a request.
#[derive(Debug)]
pub(super) enum HttpAnswer {
    /// A response that a script wrote.
    Document(Response<Body>),
    /// A response of wsd's own.
    Page(Response<Body>),
    /// The script asks wsd to answer as if the request were for this target.
    LocalRedirect(Uri),
}

/// The result of one kind of answer: an answer, or `None` to pass the request on to the next kind, or a refusal.
pub(super) type Answered = Result<Option<HttpAnswer>, Refusal>;

impl Ask {
    /// Finds the site at the path of a request.
    pub(super) fn new(
        routes: Arc<Routes>,
        shutdown: Shutdown,
        mut request: Request<Incoming>,
        redirect: Option<Target>,
    ) -> Self {
        let place = ticket::place(request.uri(), &routes.base).filter(|place| {
            let is_asked = *request.method() == Method::POST && redirect.is_none() && !is_wanted(request.headers());
            is_asked && routes.find(&decode(place.path())).0.gate.auth.is_some()
        });
        let wants_ticket = place.is_some();
        if let Some(place) = place {
            // The gate decides as for a session there.
            *request.uri_mut() = place;
        }
        let has_metadata = redirect.is_none() && take_metadata_place(&mut request, &routes);
        let path = decode(request.uri().path()).into_owned();
        let (site, base) = routes.find(&path);
        let site = Arc::clone(site);
        let is_upgrade = redirect.is_none() && site.scripts.is_some() && is_wanted(request.headers());
        let upgrade = is_upgrade.then(|| hyper::upgrade::on(&mut request));
        let returning = take_offer(request.headers_mut(), is_return).map(|offer| Returning::parse(&offer));
        let (mut request, body) = request.into_parts();
        let is_status = is_status_place(request.uri.path(), &routes.base);
        let takes_transfers = redirect.is_none() && site.http.is_some() && !is_status;
        // A WebSocket is no transfer, but it may show a token of one, too.
        let transfer = takes_transfers.then(|| Transfer::take(&mut request)).flatten().filter(|_| upgrade.is_none());
        let takes_mcp = redirect.is_none() && !wants_ticket && upgrade.is_none() && site.mcp.is_some();
        let mcp = (takes_mcp && is_clean(&path) && !base.is_outside)
            .then(|| McpPurpose::find(&request, has_metadata, &routes.base))
            .flatten();
        if mcp.is_some() || returning.is_some() || transfer.as_ref().is_some_and(Transfer::is_of_session) {
            request.extensions.insert(OfSession);
        }
        Self {
            routes,
            site,
            base,
            shutdown,
            request,
            path,
            body: Some(body),
            redirect,
            wants_ticket,
            upgrade,
            returning,
            transfer,
            mcp,
            cors: HeaderMap::new(),
            script: None,
            in_flight: None,
        }
    }

    /// Spawns a task that wsd waits for at its end. The task's lines of the log have the trace of the request.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shutdown.spawn(task.in_current_span());
    }

    /// Adds the headers of its site to a response of wsd's own, and those by which a page of another origin may read it.
    pub(super) fn own(&mut self, mut response: Response<Body>) -> Response<Body> {
        response.headers_mut().extend(mem::take(&mut self.cors));
        self.site.headers.add(response)
    }

    /// Whether the path is canonical ([`is_clean`]); wsd serves nothing at any other path.
    pub(super) fn is_clean(&self) -> bool {
        is_clean(&self.path)
    }

    /// Whether a browser asks if a page of another origin may send a request of `--http`.
    pub(super) fn is_preflight(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.purpose == Purpose::Preflight)
    }

    /// Returns its path within the server, as it was sent: without `--base`. Empty outside of the base.
    pub(super) fn own_path(&self) -> &str {
        self.request.uri.path().strip_prefix(&*self.routes.base).unwrap_or_default()
    }

    /// Finds the CGI script at its path.
    pub(super) fn find_cgi_script(&self) -> Option<Script> {
        let cgi = self.site.cgi.as_ref().filter(|_| self.is_clean() && !self.base.is_outside)?;
        cgi.find(&self.path, self.base.bytes)
    }

    /// Returns the environment of a program that answers it. `id` is `UNIQUE_ID`, and `content` is the body that a CGI script
    /// reads.
    pub(super) async fn environment(
        &self,
        visitor: &Visitor,
        script: &Script,
        id: &str,
        content: CgiFacts<'_>,
        subprotocol: Option<&str>,
    ) -> Vec<Variable> {
        let (launcher, request, connection) = (&self.site.launcher, &self.request, &visitor.connection);
        let remote_host = match &launcher.lookup {
            Some(lookup) => lookup.name(connection.peer).await,
            None => None,
        };
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let facts = Facts {
            id,
            connection,
            remote_host: remote_host.as_deref(),
            auth_type: visitor.auth_type,
            user: &visitor.user,
            protocol: if request.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
            method: request.method.as_str(),
            target: request.uri.path_and_query().map_or("/", |target| target.as_str()),
            script_name: &script.name,
            path_info: &script.path_info,
            path: &self.path,
            query: request.uri.query().unwrap_or_default(),
            headers: &headers,
            subprotocol,
            content,
        };
        let mut variables = variables(&launcher.environ, &facts);
        visitor.add_variables(&mut variables);
        variables
    }

    /// Becomes the request of a local redirect (RFC 3875, section 6.2.2): same client, GET (or HEAD as before), no body.
    pub(super) fn follow(&mut self, target: Uri) {
        self.request.uri = target;
        if self.request.method != Method::HEAD {
            self.request.method = Method::GET;
        }
        for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::TRANSFER_ENCODING] {
            self.request.headers.remove(name);
        }
        (self.body, self.transfer) = (None, None);
        self.path = decode(self.request.uri.path()).into_owned();
        let (site, base) = self.routes.find(&self.path);
        (self.site, self.base) = (Arc::clone(site), base);
    }
}
