//! Checks which pages may connect. Browsers send the page's origin and rely on the server to refuse it. Pure.

use std::net::IpAddr;

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

/// An entry of `--origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListedOrigin {
    /// `file://`: pages that come from no server, and clients that send no `Origin`.
    File,
    /// `null`: pages without an origin of their own, such as sandboxed ones.
    Null,
    /// `[scheme://]host[:port]`.
    Server {
        /// Such as `https` or `chrome-extension`; `None` matches `http` and `https`.
        scheme: Option<String>,
        /// In lower case.
        host: String,
        /// The ports that match.
        port: Port,
    },
}

/// The ports of a [`ListedOrigin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// The scheme's default: 80, 443, or none.
    Default,
    /// This port.
    Is(u16),
    /// `*`: any port.
    Any,
}

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
    /// even from a browser.
    pub(crate) fn check(
        &self,
        aim: Aim,
        origin: Option<&str>,
        host: Option<&str>,
        is_loopback: bool,
    ) -> Result<(), RefusedHeader> {
        let is_read = aim == Aim::Page || aim == Aim::Script && origin.is_none();
        let must_be_named = *self == Self::Same && is_loopback && (is_read || origin.is_some());
        if must_be_named && !host.map_or(is_read, is_loopback_name) {
            return Err(RefusedHeader::Host);
        }
        let passes = match (self, origin) {
            (Self::Any, _) | (Self::Same, None) => true,
            (Self::Same | Self::Sameorigin, origin) => is_same(origin, host),
            (Self::Listed { entries, sameorigin }, origin) => {
                entries.iter().any(|entry| entry.admits(origin)) && (!sameorigin || is_same(origin, host))
            }
        };
        if is_read || passes { Ok(()) } else { Err(RefusedHeader::Origin) }
    }
}

impl ListedOrigin {
    /// Parses an entry; an error says why no origin could match it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "file://" => return Ok(Self::File),
            "null" => return Ok(Self::Null),
            "" => return Err("it is empty"),
            _ => {}
        }
        let (scheme, rest) = match text.split_once("://") {
            None => (None, text),
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        };
        match scheme.as_deref() {
            Some("ws" | "wss") => {
                return Err("the scheme of a page is http or https, not that of its WebSocket");
            }
            Some(scheme) if !is_scheme(scheme) => return Err("the scheme is invalid"),
            _ => {}
        }
        let (host, port) = split_port(rest);
        let port = match port {
            None => Port::Default,
            Some("*") => Port::Any,
            Some(port) => Port::Is(port.parse().map_err(|_| "the port is a number or *")?),
        };
        if host.is_empty() {
            return Err("it has no host");
        }
        if host.contains('*') {
            return Err("a host has no wildcards: name each host, or use --anyorigin");
        }
        if !is_host(host) {
            return Err("an origin is scheme, host and port, nothing else");
        }
        Ok(Self::Server { scheme, host: host.to_ascii_lowercase(), port })
    }

    fn admits(&self, origin: Option<&str>) -> bool {
        match (self, origin) {
            (Self::File, None | Some("" | "file://")) | (Self::Null, Some("null")) => true,
            (Self::Server { scheme, host, port }, Some(origin)) => {
                let Some((page_scheme, page_host, page_port)) = split(origin) else { return false };
                let is_scheme = match scheme {
                    None => default_port(page_scheme).is_some(),
                    Some(scheme) => page_scheme.eq_ignore_ascii_case(scheme),
                };
                is_scheme
                    && page_host.eq_ignore_ascii_case(host)
                    && match port {
                        Port::Default => page_port == default_port(page_scheme),
                        Port::Is(port) => page_port == Some(*port),
                        Port::Any => true,
                    }
            }
            _ => false,
        }
    }
}

/// Whether the page's host and port are those of the request. Without a port in `Host`, the default of the page's scheme
/// counts: behind a proxy that terminates TLS, wsd does not know the scheme of the request.
fn is_same(origin: Option<&str>, host: Option<&str>) -> bool {
    let (Some((scheme, page_host, page_port)), Some(host)) = (origin.and_then(split), host) else { return false };
    let (host, port) = split_port(host);
    let port = match port {
        None => default_port(scheme),
        Some(port) => port.parse().ok(),
    };
    // A page without a port has another scheme than HTTP's, so it is not of this server.
    page_host.eq_ignore_ascii_case(host) && page_port.is_some() && port == page_port
}

/// Splits an `Origin` into scheme, host and port. The port is `None` if a scheme other than HTTP's has none; the result is
/// `None` for `null` and for anything that is no origin of a server.
fn split(origin: &str) -> Option<(&str, &str, Option<u16>)> {
    let (scheme, rest) = origin.split_once("://")?;
    let (host, port) = split_port(rest);
    let port = match port {
        None => default_port(scheme),
        Some(port) => Some(port.parse().ok()?),
    };
    is_host(host).then_some((scheme, host, port))
}

/// Splits `host[:port]`; an IPv6 address is in brackets and keeps them.
fn split_port(text: &str) -> (&str, Option<&str>) {
    let after_address = text.rfind(']').unwrap_or(0);
    match text[after_address..].find(':') {
        None => (text, None),
        Some(at) => (&text[..after_address + at], Some(&text[after_address + at + 1..])),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ => None,
    }
}

/// Whether `text` is a scheme (RFC 3986, section 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Whether `host` is a name or an address in the form of a URL, and nothing more.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Whether `host` (with or without a port) can only mean this machine: `localhost`, a name under it (RFC 6761, section
/// 6.3), or a loopback address.
fn is_loopback_name(host: &str) -> bool {
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

    #[test]
    fn entries_that_can_never_match_are_refused() {
        for entry in ["", " e.com", "http://g.com/", "*", "*.f.com", "ws://h.com", "h.com:x", "http://", "a.com:99999"]
        {
            assert!(ListedOrigin::parse(entry).is_err(), "{entry:?}");
        }
    }
}
