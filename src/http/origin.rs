//! Checks which pages may connect. Browsers send the page's origin and rely on the server to refuse it. Pure.

use std::net::IpAddr;

use super::{
    listed::ListedOrigin,
    parts::{default_port, split, split_port},
};

/// The rule for the `Origin` header (RFC 6454).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The default: the page must come from this server. A request without `Origin` is of no page and passes.
    Same,
    /// `--sameorigin`: as `Same`, but the request must have an `Origin`.
    Sameorigin,
    /// `--origin`: an entry must match; with `sameorigin` that rule must hold, too.
    Listed {
        /// The entries of `--origin`.
        entries: Vec<ListedOrigin>,
        /// Whether `--sameorigin` was given as well.
        sameorigin: bool,
    },
    /// `--anyorigin`: every page.
    Any,
}

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// A WebSocket to a program.
    Session,
    /// An event stream of a program, or a POST to one (`--http`).
    Transfer,
    /// The description of a protected resource (`--mcp` with `--auth`), which needs no credentials.
    Metadata,
    /// A CGI script.
    Script,
    /// A page that is only read: a file, the console, an error.
    Page,
    /// The redirect of `--redirport`, which shows nothing of the site.
    Redirect,
}

impl Aim {
    /// Whether a program answers, over a WebSocket, an event stream or a POST.
    pub(super) fn is_session(self) -> bool {
        matches!(self, Self::Session | Self::Transfer)
    }

    /// Whether the answer starts a program or joins a room, so that it counts for the limits of its source.
    pub(super) fn is_for_program(self) -> bool {
        match self {
            Self::Session | Self::Transfer | Self::Script => true,
            Self::Page | Self::Metadata | Self::Redirect => false,
        }
    }
}

/// The header for which wsd refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusedHeader {
    /// `Origin`: the page may not connect.
    Origin,
    /// `Host`: it is not a name of this machine. Perhaps a foreign site points its name here (DNS rebinding).
    Host,
}

impl Policy {
    /// Checks the headers of a request; `is_loopback` says that it came over the loopback interface.
    ///
    /// By default a `Host` over that interface must name this machine; a browser always sends one. The `Origin` of a request
    /// for a page does not matter: browsers send it with some reads and not with others. A request for a script may lack it,
    /// even from a browser, and so may one for an event stream.
    pub(crate) fn check(
        &self,
        aim: Aim,
        origin: Option<&str>,
        host: Option<&str>,
        is_loopback: bool,
    ) -> Result<(), RefusedHeader> {
        let is_named = |without| !is_loopback || host.map_or(without, is_loopback_name);
        let is_same = || is_same(origin, host);
        match (self, aim, origin) {
            (Self::Same, Aim::Page, _) | (Self::Same, Aim::Script | Aim::Transfer | Aim::Metadata, None) => {
                demand(is_named(true), RefusedHeader::Host)
            }
            (Self::Any, ..)
            | (Self::Same, Aim::Session, None)
            | (_, Aim::Page | Aim::Redirect, _)
            | (_, Aim::Script, None) => Ok(()),
            (Self::Same, ..) => {
                demand(is_named(false), RefusedHeader::Host)?;
                demand(is_same(), RefusedHeader::Origin)
            }
            (Self::Sameorigin, ..) => demand(is_same(), RefusedHeader::Origin),
            (Self::Listed { entries, sameorigin }, ..) => {
                let is_listed = entries.iter().any(|entry| entry.admits(origin));
                demand(is_listed && (!sameorigin || is_same()), RefusedHeader::Origin)
            }
        }
    }
}

/// Refuses a request for `header` unless `holds`.
fn demand(holds: bool, header: RefusedHeader) -> Result<(), RefusedHeader> {
    if holds { Ok(()) } else { Err(header) }
}

/// Whether the page's host and port are those of the request. Without a port in `Host`, the default of the page's scheme
/// counts: behind a proxy that terminates TLS, wsd does not know the scheme of the request.
pub(super) fn is_same(origin: Option<&str>, host: Option<&str>) -> bool {
    let (Some((scheme, page_host, page_port)), Some(host)) = (origin.and_then(split), host) else { return false };
    let (host, port) = split_port(host);
    let port = match port {
        None => default_port(scheme),
        Some(port) => port.parse().ok(),
    };
    // A page without a port has another scheme than HTTP's, so it is not of this server.
    page_host.eq_ignore_ascii_case(host) && page_port.is_some() && port == page_port
}

/// Whether `host` (with or without a port) can only mean this machine: `localhost`, a name under it (RFC 6761, section
/// 6.3), or a loopback address.
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let name = split_port(host).0.trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(entries: &[&str]) -> Policy {
        let entries = entries.iter().map(|entry| ListedOrigin::parse(entry).expect("a good entry")).collect();
        Policy::Listed { entries, sameorigin: false }
    }

    #[test]
    fn the_default_is_the_same_origin() {
        let table = [
            ("no page", None, Some("localhost:8080"), Ok(())),
            ("the same", Some("http://localhost:8080"), Some("localhost:8080"), Ok(())),
            ("case does not matter", Some("http://LOCALHOST:8080"), Some("LocalHost:8080"), Ok(())),
            ("a name under localhost", Some("http://a.localhost:80"), Some("a.localhost"), Ok(())),
            ("an address", Some("http://127.0.0.1:8080"), Some("127.0.0.1:8080"), Ok(())),
            ("IPv6", Some("http://[::1]:8080"), Some("[::1]:8080"), Ok(())),
            ("behind a TLS proxy", Some("https://localhost"), Some("localhost"), Ok(())),
            ("another port", Some("http://localhost:8081"), Some("localhost:8080"), Err(RefusedHeader::Origin)),
            ("another host", Some("http://evil.example"), Some("localhost:8080"), Err(RefusedHeader::Origin)),
            ("a sandboxed page", Some("null"), Some("localhost:8080"), Err(RefusedHeader::Origin)),
            ("a file", Some("file://"), Some("localhost:8080"), Err(RefusedHeader::Origin)),
            ("empty", Some(""), Some("localhost:8080"), Err(RefusedHeader::Origin)),
            ("a name that leads here", Some("http://evil.example"), Some("evil.example"), Err(RefusedHeader::Host)),
            ("no Host", Some("http://localhost"), None, Err(RefusedHeader::Host)),
            ("rubbish", Some("http://localhost:8080/x"), Some("localhost:8080/x"), Err(RefusedHeader::Origin)),
        ];
        for (what, origin, host, want) in table {
            assert_eq!(Policy::Same.check(Aim::Session, origin, host, true), want, "{what}");
        }
        let (origin, host) = (Some("https://example.com"), Some("example.com"));
        assert_eq!(Policy::Same.check(Aim::Session, origin, host, false), Ok(()), "any name, when not over loopback");
        assert_eq!(
            Policy::Sameorigin.check(Aim::Session, None, host, false),
            Err(RefusedHeader::Origin),
            "--sameorigin wants a page"
        );
        assert_eq!(Policy::Any.check(Aim::Session, Some("null"), None, true), Ok(()));
        let (origin, host) = (Some("http://evil.example"), Some("evil.example"));
        assert_eq!(Policy::Same.check(Aim::Redirect, origin, host, true), Ok(()), "a redirect shows nothing");
    }

    #[test]
    fn listed_origins_pass() {
        let policy = listed(&["a.com", "b.com:81", "https://c.com", "d.com:80", "e.com:*", "[::1]:90"]);
        let table = [
            ("http://a.com", true),
            ("https://a.com", true),
            ("https://A.COM:443", true),
            ("http://a.com:8080", false),
            ("https://a.com:80", false),
            ("http://b.com", false),
            ("http://b.com:81", true),
            ("http://c.com", false),
            ("https://c.com", true),
            ("https://c.com:444", false),
            ("http://d.com", true),
            ("https://d.com", false),
            ("https://e.com:1", true),
            ("http://[::1]:90", true),
            ("http://xa.com", false),
            ("null", false),
            ("file://", false),
            ("", false),
        ];
        for (origin, want) in table {
            assert_eq!(policy.check(Aim::Session, Some(origin), Some("evil.example"), true).is_ok(), want, "{origin}");
        }
        assert!(policy.check(Aim::Session, None, None, true).is_err());
        assert!(listed(&["file://"]).check(Aim::Session, None, None, true).is_ok());
        assert!(listed(&["file://"]).check(Aim::Session, Some("null"), None, true).is_err());
        assert!(listed(&["null"]).check(Aim::Session, Some("null"), None, true).is_ok());
    }
}
