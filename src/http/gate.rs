//! The gate decides which requests wsd answers. It checks every one, also the local redirect of a CGI script.

use hyper::{
    HeaderMap, StatusCode, Version,
    header::{HOST, HeaderName, ORIGIN},
    http::request::Parts,
};

use super::{
    fetch,
    origin::{self, Policy},
    refusal::{Detail, Refusal},
};
use crate::peer::Connection;

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// A session with a program.
    Session,
    /// A CGI script.
    Script,
    /// A page that is only read: a file, the console, an error.
    Page,
}

/// The rules of a site.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// The pages that may send requests.
    pub(crate) origin: Policy,
}

/// A client whose request has passed the gate.
#[derive(Clone, Debug)]
pub(crate) struct AdmittedClient {
    /// Its connection.
    pub(crate) connection: Connection,
}

impl Gate {
    /// Admits the client of `connection`, or returns the refusal.
    pub(crate) fn admit(&self, connection: &Connection, request: &Parts, aim: Aim) -> Result<AdmittedClient, Refusal> {
        check_host_count(request)?;
        self.check_origin(connection, &request.headers, aim)?;
        if aim == Aim::Script && self.origin != Policy::Any && fetch::is_of_other_site(request) {
            let text =
                "Pages of other sites may not use this script. The server's log names the flag that would allow it.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "site", text).with_hint("--anyorigin"));
        }
        Ok(AdmittedClient { connection: connection.clone() })
    }

    fn check_origin(&self, connection: &Connection, headers: &HeaderMap, aim: Aim) -> Result<(), Refusal> {
        let check = match aim {
            Aim::Session => Policy::check,
            Aim::Script => Policy::check_script,
            Aim::Page => Policy::check_file,
        };
        let (origin, host) = (joined(headers, &ORIGIN), joined(headers, &HOST));
        let is_loopback = connection.peer.is_loopback();
        let Err(refused) = check(&self.origin, origin.as_deref(), host.as_deref(), is_loopback) else { return Ok(()) };
        let (origin, host) = (origin.unwrap_or_default(), host.unwrap_or_default());
        let hint = match refused {
            _ if !origin.is_empty() => format!("--origin={origin}"),
            origin::Refusal::Host => format!("--origin={host}"),
            origin::Refusal::Origin => "--origin=file://".to_owned(),
        };
        let (why, text) = match refused {
            origin::Refusal::Host => (
                "host",
                "This server does not go by the name in `Host`. The server's log names the flag that would allow it.",
            ),
            origin::Refusal::Origin => {
                ("origin", "Pages of this origin may not connect. The server's log names the flag that would allow it.")
            }
        };
        let detail = Detail { origin: Some(origin), host: Some(host), hint };
        Err(Refusal::new(StatusCode::FORBIDDEN, why, text).with(detail))
    }
}

/// Refuses an HTTP/1.1 request unless it has exactly one `Host` (RFC 9112, section 3.2).
pub(crate) fn check_host_count(request: &Parts) -> Result<(), Refusal> {
    if request.version != Version::HTTP_11 || request.headers.get_all(HOST).iter().count() == 1 {
        return Ok(());
    }
    Err(Refusal::unlogged(StatusCode::BAD_REQUEST, "A request names its host once (RFC 9112, section 3.2)."))
}

/// Joins the values of a header; several values match no rule, on purpose.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<_> = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(", "))
}
