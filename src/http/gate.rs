//! The gate decides which requests wsd answers. It checks every one, also the local redirect of a CGI script and the requests
//! at the port of `--redirport`.

use hyper::{
    HeaderMap, Response, StatusCode, Version,
    header::{CONTENT_TYPE, HOST, ORIGIN, SET_COOKIE},
    http::request::Parts,
};
use tokio::time::Instant;

use super::{
    access::AddressRules,
    auth::{Auth, open::OpenAccess, proof::Proof},
    listed::ListedOrigin,
    origin::{Aim, Policy, RefusedHeader, is_same},
    page::Body,
    refusal::Refusal,
    sender::{Sender, is_of_other_site, is_of_same_origin, joined, referrer},
    source_limits::{InFlight, OfSession, Pass, SourceLimits},
};
use crate::{
    close::Close,
    peer::{Connection, Peer},
    session::terms::{Deadline, SessionLimits, Terms},
    worker::variable::Variable,
};

/// The rules of a site.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// The credentials that clients show; `None` admits any client.
    pub(crate) auth: Option<Auth>,
    /// The rule without `auth`.
    pub(crate) open: OpenAccess,
    /// Identifies the credentials; `None` without any.
    pub(crate) list: Option<AuthList>,
    /// The pages that may send requests.
    pub(crate) origin: Policy,
    /// The addresses that may send requests.
    pub(crate) access: AddressRules,
    /// The limits of each source.
    pub(crate) sources: SourceLimits,
}

/// Identifies the list of kinds of credentials (`--auth`) of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AuthList {
    /// Equal lists have equal numbers.
    pub(crate) id: u64,
    /// Whether a server or script decides, which may admit a client to one path and not to another one.
    pub(crate) is_by_path: bool,
}

/// A client whose request has passed the gate. An answer takes all that it knows of the client from here.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// Its connection.
    pub(crate) connection: Connection,
    /// `AUTH_TYPE`: how the client has proved who it is. Empty without a proof.
    pub(crate) auth_type: &'static str,
    /// `REMOTE_USER`: the user of the client. Empty without a proof.
    pub(crate) user: String,
    /// The list by which it has proved that.
    pub(crate) list: Option<AuthList>,
    /// The origin of the page that sent the request, if it is not this server's own.
    pub(crate) origin: Option<String>,
    /// The time at which its proof expires, and with it each session of it; `None` is never.
    pub(crate) expiry: Option<Instant>,
    /// Its proof; `None` where the gate asks for none.
    pub(crate) proof: Option<Box<Proof>>,
    /// Its request, which counts until it is answered; `None` without a limit.
    pub(crate) in_flight: Option<InFlight>,
    /// Its right to start a program or to join a room; `None` if the request is for neither, or for a session that it has.
    pub(crate) pass: Option<Pass>,
}

impl Visitor {
    /// Adds the cookie by which a browser shows the client's proof from now on, if the response is a page for it.
    pub(crate) fn add_cookie(&self, response: &mut Response<Body>) {
        let Some(proof) = &self.proof else { return };
        let is_page =
            response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        if is_page && let Some(cookie) = proof.cookie(self.connection.is_secure) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }

    /// Adds the variables of the client's proof to those of a program.
    pub(crate) fn add_variables(&self, variables: &mut Vec<Variable>) {
        for own in self.proof.iter().flat_map(|proof| &proof.variables) {
            variables.retain(|variable| variable.name() != own.name());
            variables.push(own.clone());
        }
    }

    /// Returns the terms of a session of the client, which begins now.
    pub(crate) fn terms(&self, limits: &SessionLimits) -> Option<Box<Terms>> {
        let close = || Close::new(Close::UNAUTHORIZED, "expired");
        let expiry = self.expiry.map(|at| Deadline { at, close: close(), word: "expired" });
        Terms::new(expiry.into_iter().collect(), limits)
    }
}

impl Gate {
    /// Admits the client of `connection`, or returns the refusal. Removes the client's credentials from the request, if a gate
    /// of this server asks for some.
    pub(crate) async fn admit(
        &self,
        connection: &Connection,
        request: &mut Parts,
        aim: Aim,
    ) -> Result<Visitor, Refusal> {
        check_host_count(request)?;
        check_origin(&self.origin, connection.peer, &request.headers, aim)?;
        check_sender(&self.origin, request, aim)?;
        self.access.check(connection.peer)?;
        let in_flight = self.sources.begin(connection.peer)?;
        let needs_pass = aim.is_for_program() && request.extensions.get::<OfSession>().is_none();
        let pass = needs_pass.then(|| self.sources.enter(connection.peer)).transpose()?;
        let visitor = Visitor {
            connection: connection.clone(),
            auth_type: "",
            user: String::new(),
            list: None,
            origin: other_origin(&request.headers),
            expiry: None,
            proof: None,
            in_flight,
            pass,
        };
        let Some(auth) = &self.auth else {
            self.open.hide_credentials(request)?;
            return Ok(visitor);
        };
        // In a box, so that requests without authentication do not pay for it.
        let proof = Box::pin(auth.admit(connection, request, aim)).await?;
        Ok(Visitor {
            auth_type: proof.auth_type,
            user: proof.user.clone(),
            list: self.list.filter(|_| !proof.auth_type.is_empty()),
            expiry: proof.expiry,
            proof: Some(Box::new(proof)),
            ..visitor
        })
    }

    /// Whether a page may name the paths behind this gate to a client: its address may come here, and it has shown the
    /// credentials that this gate asks for. `is_own` is whether it has passed this very gate.
    pub(crate) fn is_known_to(&self, visitor: &Visitor, is_own: bool) -> bool {
        let has_shown = |list: AuthList| visitor.list == Some(list) && (is_own || !list.is_by_path);
        self.access.check(visitor.connection.peer).is_ok() && self.list.is_none_or(has_shown)
    }
}

fn check_origin(policy: &Policy, peer: Peer, headers: &HeaderMap, aim: Aim) -> Result<(), Refusal> {
    let (origin, host) = (joined(headers, &ORIGIN), joined(headers, &HOST));
    let check = |origin: Option<&str>| policy.check(aim, origin, host.as_deref(), peer.is_loopback());
    let checked = match (&origin, &host) {
        (None, Some(host)) if aim == Aim::Transfer && is_of_same_origin(headers) => {
            // A browser sends no `Origin` with a GET to the page's own server, whose scheme a proxy may hide.
            check(Some(&format!("https://{host}"))).or_else(|_| check(Some(&format!("http://{host}"))))
        }
        _ => check(origin.as_deref()),
    };
    let Err(refused) = checked else { return Ok(()) };
    let host = host.unwrap_or_default();
    let (why, text, hint) = match refused {
        RefusedHeader::Host => (
            "host",
            "This server does not go by the name in `Host`. The server's log names the flag that would allow it.",
            hint_for_host(policy, origin.as_deref(), &host),
        ),
        RefusedHeader::Origin => (
            "origin",
            "Pages of this origin may not connect. The server's log names the flag that would allow it.",
            hint_for_origin(policy, origin.as_deref().unwrap_or_default(), &host),
        ),
    };
    let refusal = Refusal::new(StatusCode::FORBIDDEN, why, text).with_hint(hint);
    Err(Refusal { origin: Some(origin.unwrap_or_default().into()), host: Some(host.into()), ..refusal })
}

/// Checks the page that sent a request without an `Origin`.
fn check_sender(policy: &Policy, request: &Parts, aim: Aim) -> Result<(), Refusal> {
    let sender = match aim {
        _ if *policy == Policy::Any => Sender::Own,
        Aim::Script if is_of_other_site(request) => Sender::Other,
        Aim::Transfer => Sender::find(request),
        _ => Sender::Own,
    };
    let text = match (sender, aim) {
        (Sender::Own, _) => return Ok(()),
        (Sender::Other, Aim::Script) => {
            "Pages of other sites may not use this script. The server's log names the flag that would allow it."
        }
        (Sender::Other, _) => {
            "Pages of other origins may not use this program. The server's log names the flag that would allow it."
        }
        (Sender::Unknown, _) => {
            "The browser does not tell which page asks. Over plain HTTP a page of this server sends `Referer` or `Wsd-Got`."
        }
    };
    let hint = hint_for_sender(policy, &request.headers, sender);
    Err(Refusal::new(StatusCode::FORBIDDEN, "site", text).with_hint(hint))
}

/// Returns the way in which the page that sent a request without an `Origin` could send it.
fn hint_for_sender(policy: &Policy, headers: &HeaderMap, sender: Sender) -> String {
    let others = "only --anyorigin would admit that, and with it every page of the web";
    match referrer(headers) {
        _ if sender == Sender::Unknown => format!(
            "this browser tells no page: use wsd.js or https, or let the page send Referer, if it is yours; {others}"
        ),
        Some(page) if ListedOrigin::parse(&page).is_ok() => {
            let host = joined(headers, &HOST).unwrap_or_default();
            format!("{}, with fetch or EventSource, which tell its origin", hint_for_origin(policy, &page, &host))
        }
        _ => format!("a page of another site asks without its origin, as for an image: {others}"),
    }
}

/// Returns the flag under which wsd would go by the name in `Host`, and what it means to set it.
fn hint_for_host(policy: &Policy, origin: Option<&str>, host: &str) -> String {
    let entry = ListedOrigin::parse(origin.unwrap_or(host));
    match (entry, origin) {
        (Ok(entry @ ListedOrigin::Server { .. }), _) if origin.is_none() || entry.admits(origin) => {
            format!("--origin={entry} if this name is yours: then wsd goes by it")
        }
        // The page is no page of that name: it must not be listed beside it.
        (_, Some(origin)) => hint_for_origin(policy, origin, ""),
        (_, None) => "this is no name: connect by localhost, or by an address of this machine".to_owned(),
    }
}

/// Returns the flag that would admit an origin besides the pages that may connect already, and what it means to set it.
fn hint_for_origin(policy: &Policy, origin: &str, host: &str) -> String {
    let (mut entries, is_same_demanded) = match policy {
        Policy::Listed { entries, sameorigin } => (entries.clone(), *sameorigin),
        // wsd's own pages: once there is a list, it has to name them.
        _ => (ListedOrigin::parse(host).into_iter().collect(), *policy == Policy::Sameorigin),
    };
    let mut flag_with = |new| {
        if !entries.contains(&new) {
            entries.push(new);
        }
        let list: Vec<_> = entries.iter().map(ToString::to_string).collect();
        let instead = if is_same_demanded { "instead of --sameorigin, " } else { "" };
        format!("{instead}--origin={}", list.join(","))
    };
    if matches!(origin, "" | "file://") {
        return flag_with(ListedOrigin::File) + " lets pages of files connect, and clients that send no Origin";
    }
    if origin == "null" {
        return "a page opened as a file has no origin: serve it with --staticdir; --origin=null would admit sandboxed frames \
                of any site, too"
            .to_owned();
    }
    match ListedOrigin::parse(origin) {
        Ok(entry) if entry.admits(Some(origin)) => {
            flag_with(entry) + " lets every page of that site connect: add it only if it is yours"
        }
        _ => "this is no origin; only --anyorigin would admit it, and with it every page of the web".to_owned(),
    }
}

/// Refuses an HTTP/1.1 request unless it has exactly one `Host` (RFC 9112, section 3.2).
fn check_host_count(request: &Parts) -> Result<(), Refusal> {
    if request.version != Version::HTTP_11 || request.headers.get_all(HOST).iter().count() == 1 {
        return Ok(());
    }
    Err(Refusal::unlogged(StatusCode::BAD_REQUEST, "A request names its host once (RFC 9112, section 3.2)."))
}

/// Returns the origin of a page that is not this server's own. Browsers name the own origin with some requests only.
fn other_origin(headers: &HeaderMap) -> Option<String> {
    let origin = joined(headers, &ORIGIN)?;
    let is_own = is_of_same_origin(headers) || is_same(Some(&origin), joined(headers, &HOST).as_deref());
    (!is_own).then(|| origin.into_owned())
}
