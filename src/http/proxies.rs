//! The proxies that wsd trusts (`--trust-proxy`): the headers in which they name the client of a request count, and those of
//! anybody else change nothing.

use std::{
    borrow::Cow,
    fmt::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    forwarded::{self, Hop, Malformed},
    peers::PeerNet,
    refusal::Refusal,
};
use crate::{
    event::Event,
    metrics::{labels::OTHER_PATHS, route::NamedRoute},
    peer::{Connection, Peer},
};
use hyper::{
    HeaderMap, StatusCode,
    header::{FORWARDED, HOST, HeaderName, HeaderValue},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The trusted proxies.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    trusted: Vec<PeerNet>,
    /// Whether each connection begins with a header of the PROXY protocol (`--proxy-protocol`).
    pub(crate) has_protocol: bool,
    /// Whether the log has a line about a header of a peer that is not trusted.
    has_told_of_stranger: AtomicBool,
    /// Whether the log has a line about a header of a trusted proxy that is malformed.
    has_told_of_malformed: AtomicBool,
}

/// The facts that headers tell of a request.
#[derive(Debug, Default, PartialEq, Eq)]
struct ForwardedFacts {
    peer: Option<Peer>,
    is_secure: Option<bool>,
    host: Option<HeaderValue>,
}

impl Proxies {
    /// Trusts these proxies.
    pub(crate) fn new(trusted: Vec<PeerNet>, has_protocol: bool) -> Self {
        Self { trusted, has_protocol, ..Self::default() }
    }

    /// Whether wsd trusts no proxy.
    pub(crate) fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    /// Whether an entry has all addresses of a family.
    pub(crate) fn have_everybody(&self) -> bool {
        self.trusted.iter().any(|trusted| matches!(trusted, PeerNet::Net(net) if net.prefix_len() == 0))
    }

    /// Whether a peer is a trusted proxy.
    pub(crate) fn trust(&self, peer: Peer) -> bool {
        self.trusted.iter().any(|trusted| trusted.has(peer))
    }

    /// Returns the connection as the client of this request sees it: with the client's address and whether it speaks TLS.
    /// Replaces `Host` by the one that the client has sent. From a peer that is no trusted proxy nothing changes.
    ///
    /// A header that is malformed does not count, and the log tells so once. Refuses a request whose headers name different
    /// clients or of which one is malformed, since one of them is from the client itself, and logs the refusal.
    pub(crate) fn client(
        &self,
        connection: &Connection,
        path: &str,
        headers: &mut HeaderMap,
    ) -> Result<Connection, Refusal> {
        let mut client = connection.clone();
        if !connection.is_proxy {
            self.tell_of_stranger(connection.peer, headers);
            return Ok(client);
        }
        let told = self
            .read(connection.peer, headers)
            .inspect_err(|refusal| refusal.log(connection.peer, path, &NamedRoute::named(OTHER_PATHS)))?;
        client.peer = told.peer.unwrap_or(client.peer);
        client.is_secure = told.is_secure.unwrap_or(client.is_secure);
        // A request with several hosts is refused.
        if let Some(host) = told.host.filter(|_| headers.get_all(HOST).iter().count() <= 1) {
            headers.insert(HOST, host);
        }
        Ok(client)
    }

    /// Reads the headers. `Forwarded` counts if there is no `X-Forwarded-For`.
    fn read(&self, proxy: Peer, headers: &HeaderMap) -> Result<ForwardedFacts, Refusal> {
        let (by_x, by_forwarded) = (joined(headers, &X_FORWARDED_FOR), joined(headers, &FORWARDED));
        let is_trusted = |ip| self.trust(Peer::Portless(ip));
        let of_x = by_x.as_deref().map(|text| forwarded::client(forwarded::x_forwarded_for(text), is_trusted));
        let of_forwarded =
            by_forwarded.as_deref().map(|text| forwarded::client(forwarded::forwarded(text), is_trusted));
        let ip = |hop: &Option<Hop<'_>>| hop.as_ref().and_then(|hop| hop.peer).and_then(Peer::ip);
        let refused = match (&of_x, &of_forwarded) {
            (Some(Ok(one)), Some(Ok(other))) if ip(one) != ip(other) => {
                Some("The headers X-Forwarded-For and Forwarded name different clients.")
            }
            // The client may have sent the malformed one, so that the other one should not count.
            (Some(one), Some(other)) if one.is_err() || other.is_err() => {
                Some("One of the headers X-Forwarded-For and Forwarded is malformed.")
            }
            _ => None,
        };
        if let Some(text) = refused {
            let hint = "let the proxy remove the header that it does not write";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "forwarded", text).with_hint(hint));
        }
        let mut told = ForwardedFacts::default();
        let note = |name: &HeaderName, read: Result<(), Malformed>| {
            if read.is_err() {
                self.tell_of_malformed(proxy, name);
            }
        };
        if let (None, Some(found)) = (&of_x, of_forwarded) {
            note(&FORWARDED, found.and_then(|hop| hop.map_or(Ok(()), |hop| told.take(&hop))));
            return Ok(told);
        }
        if let Some(found) = of_x {
            note(&X_FORWARDED_FOR, found.map(|hop| told.peer = hop.and_then(|hop| hop.peer)));
        }
        let (scheme, host) = (joined(headers, &X_FORWARDED_PROTO), joined(headers, &X_FORWARDED_HOST));
        let scheme = scheme.as_deref().and_then(forwarded::last);
        note(&X_FORWARDED_PROTO, scheme.map_or(Ok(()), |scheme| told.take_scheme(scheme)));
        let host = host.as_deref().and_then(forwarded::last);
        note(&X_FORWARDED_HOST, host.map_or(Ok(()), |host| told.take_host(host)));
        Ok(told)
    }

    /// Tells the log once that a peer sends the headers of a proxy, and how to trust it.
    fn tell_of_stranger(&self, peer: Peer, headers: &HeaderMap) {
        // The headers that the client of a proxy of TCP sends are its own affair.
        if self.has_protocol || self.has_told_of_stranger.load(Ordering::Relaxed) {
            return;
        }
        let Some(name) = [X_FORWARDED_FOR, FORWARDED].into_iter().find(|name| headers.contains_key(name)) else {
            return;
        };
        if !self.has_told_of_stranger.swap(true, Ordering::Relaxed) {
            let own = peer.ip().map_or_else(|| "unix".to_owned(), |ip| ip.to_string());
            let mut list = self.to_string();
            let _ = write!(list, "{}{own}", if list.is_empty() { "" } else { "," });
            let hint = format!("if this peer is a proxy of yours: --trust-proxy={list}");
            Event::ProxyNotTrusted { peer, header: name.as_str(), hint: &hint }.emit();
        }
    }

    fn tell_of_malformed(&self, peer: Peer, name: &HeaderName) {
        if !self.has_told_of_malformed.swap(true, Ordering::Relaxed) {
            let hint = "let the proxy set this header itself, and not pass on that of its client";
            Event::ForwardedMalformed { peer, header: name.as_str(), hint }.emit();
        }
    }
}

impl ForwardedFacts {
    /// Takes the facts of a hop of `Forwarded`.
    fn take(&mut self, hop: &Hop<'_>) -> Result<(), Malformed> {
        self.peer = hop.peer;
        hop.scheme.map_or(Ok(()), |scheme| self.take_scheme(scheme))?;
        hop.host.map_or(Ok(()), |host| self.take_host(host))
    }

    fn take_scheme(&mut self, scheme: &str) -> Result<(), Malformed> {
        self.is_secure = Some(forwarded::is_secure(scheme)?);
        Ok(())
    }

    fn take_host(&mut self, host: &str) -> Result<(), Malformed> {
        forwarded::check_host(host)?;
        self.host = Some(HeaderValue::from_str(host).map_err(|_| Malformed)?);
        Ok(())
    }
}

/// The list as `--trust-proxy` takes it.
impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, trusted) in self.trusted.iter().enumerate() {
            write!(f, "{}{trusted}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Joins the lines of a header with commas. Bytes that are not UTF-8 are replaced: they may be the client's.
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let mut lines = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let first = lines.next()?;
    Some(lines.fold(first, |all, line| Cow::Owned(format!("{all}, {line}"))))
}
