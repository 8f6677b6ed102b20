//! Reads the headers in which proxies name the client of a request: `X-Forwarded-For`, `Forwarded` (RFC 7239) and their
//! companions. Pure.
//!
//! Each proxy adds its own part at the right end, so all is read from the right: a part that the client itself has written
//! cannot disturb the parts of the proxies.

use std::net::{IpAddr, SocketAddr};

use super::parts::{is_host, split_port};
use crate::peer::Peer;

/// A hop on the way of a request, as the next proxy has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hop<'a> {
    /// The address of the hop; `None` if the proxy does not know it, or does not tell.
    pub(crate) peer: Option<Peer>,
    /// The scheme by which the hop asked the proxy. Only `Forwarded` has it here.
    pub(crate) scheme: Option<&'a str>,
    /// The `Host` that the hop sent to the proxy. Only `Forwarded` has it here.
    pub(crate) host: Option<&'a str>,
}

/// The error of a part that breaks its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Finds the client: the first hop from the right that is no trusted proxy. If all hops are trusted proxies, it is the first
/// one; behind a hop without an address, it is the hop before that one. `None` if no hop has an address.
pub(crate) fn client<'a>(
    hops: impl Iterator<Item = Result<Hop<'a>, Malformed>>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<Option<Hop<'a>>, Malformed> {
    let mut found = None;
    for hop in hops {
        let hop = hop?;
        let Some(ip) = hop.peer.and_then(Peer::ip) else { break };
        found = Some(hop);
        if !is_trusted(ip) {
            break;
        }
    }
    Ok(found)
}

/// Returns the hops of `X-Forwarded-For`, the last one first. `text` joins the lines of the header with commas.
pub(crate) fn x_forwarded_for(text: &str) -> impl Iterator<Item = Result<Hop<'_>, Malformed>> {
    let nodes = text.rsplit(',').map(str::trim).filter(|node| !node.is_empty());
    nodes.map(|text| Ok(Hop { peer: node(text)?, scheme: None, host: None }))
}

/// Returns the hops of `Forwarded`, the last one first. `text` joins the lines of the header with commas.
pub(crate) fn forwarded(text: &str) -> impl Iterator<Item = Result<Hop<'_>, Malformed>> {
    unquoted_parts(text, b',').map(hop)
}

/// Returns the last value of a list, such as `X-Forwarded-Host`.
pub(crate) fn last(text: &str) -> Option<&str> {
    text.rsplit(',').map(str::trim).find(|value| !value.is_empty())
}

/// Whether a scheme is one over TLS; proxies write that of a WebSocket, too.
pub(crate) fn is_secure(scheme: &str) -> Result<bool, Malformed> {
    let is_one_of = |schemes: [&str; 2]| schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    match () {
        () if is_one_of(["https", "wss"]) => Ok(true),
        () if is_one_of(["http", "ws"]) => Ok(false),
        () => Err(Malformed),
    }
}

/// Checks that a text is a host, perhaps with a port, and nothing more.
pub(crate) fn check_host(text: &str) -> Result<(), Malformed> {
    let (host, port) = split_port(text);
    let is_port = |port: &str| port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_host(host) && port.is_none_or(is_port) { Ok(()) } else { Err(Malformed) }
}

/// Reads an element of `Forwarded`: pairs, each name once.
fn hop(element: &str) -> Result<Hop<'_>, Malformed> {
    let (mut peer, mut scheme, mut host) = (None, None, None);
    for pair in unquoted_parts(element, b';') {
        let (name, value) = pair.split_once('=').ok_or(Malformed)?;
        let value = bare(value)?;
        let place = match () {
            () if name.eq_ignore_ascii_case("for") => &mut peer,
            () if name.eq_ignore_ascii_case("proto") => &mut scheme,
            () if name.eq_ignore_ascii_case("host") => &mut host,
            () => continue,
        };
        if place.replace(value).is_some() {
            return Err(Malformed);
        }
    }
    Ok(Hop { peer: peer.map(node).transpose()?.flatten(), scheme, host })
}

/// Returns the parts between separators outside of quotes, the last one first; leaves out empty ones.
fn unquoted_parts(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    let mut next = move || {
        let text = rest?;
        let mut is_quoted = false;
        let at = text.bytes().rposition(|byte| {
            is_quoted ^= byte == b'"';
            byte == separator && !is_quoted
        });
        rest = at.map(|at| &text[..at]);
        Some(at.map_or(text, |at| &text[at + 1..]).trim())
    };
    std::iter::from_fn(move || {
        loop {
            let part = next()?;
            if !part.is_empty() {
                return Some(part);
            }
        }
    })
}

/// Returns a value without its quotes. No value that matters here has a quote or a backslash within.
fn bare(value: &str) -> Result<&str, Malformed> {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    if inner.is_empty() || inner.contains(['"', '\\']) { Err(Malformed) } else { Ok(inner) }
}

/// Reads a node (RFC 7239, section 6), and the forms without brackets that proxies write into `X-Forwarded-For`. `None` is
/// `unknown` or an obfuscated name.
fn node(text: &str) -> Result<Option<Peer>, Malformed> {
    if let Ok(ip) = text.parse() {
        return Ok(Some(Peer::Portless(ip)));
    }
    let (host, port) = split_port(text);
    if host.eq_ignore_ascii_case("unknown") || is_obfuscated(host) {
        return Ok(None);
    }
    let ip = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(six) => IpAddr::V6(six.parse().map_err(|_| Malformed)?),
        None => IpAddr::V4(host.parse().map_err(|_| Malformed)?),
    };
    Ok(Some(match port {
        None => Peer::Portless(ip),
        Some(port) if is_obfuscated(port) => Peer::Portless(ip),
        Some(port) => Peer::Tcp(SocketAddr::new(ip, port.parse().map_err(|_| Malformed)?)),
    }))
}

/// Whether a proxy hides an address or a port behind this name (RFC 7239, section 6.3).
fn is_obfuscated(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.len() > 1 && text.starts_with('_') && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an address is a proxy of the tests: 10.0.0.0/8.
    fn is_proxy(ip: IpAddr) -> bool {
        matches!(ip, IpAddr::V4(four) if four.octets()[0] == 10)
    }

    /// Returns the client as the log shows it; `-` if there is none, `!` if the header is malformed.
    fn shown(found: Result<Option<Hop<'_>>, Malformed>) -> String {
        match found {
            Ok(hop) => hop.and_then(|hop| hop.peer).map_or_else(|| "-".to_owned(), |peer| peer.to_string()),
            Err(Malformed) => "!".to_owned(),
        }
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_is_the_client() {
        let table = [
            ("203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9, 10.0.0.2,10.0.0.1", "203.0.113.9"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            (" , 203.0.113.9,,", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9:4711"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "[2001:db8::1]:4711"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("203.0.113.9, ::ffff:10.0.0.1", "203.0.113.9"),
            ("unknown", "-"),
            ("1.1.1.1, unknown", "-"),
            ("1.1.1.1, unknown, 10.0.0.1", "10.0.0.1"),
            ("_hidden", "-"),
            ("", "-"),
            (", ,", "-"),
            ("rubbish \", 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9, rubbish", "!"),
            ("203.0.113.9, rubbish, 10.0.0.1", "!"),
            ("203.0.113.009", "!"),
            ("203.0.113.9:99999", "!"),
            ("2001:db8::1:x", "!"),
            ("[203.0.113.9]", "!"),
            ("[2001:db8::1", "!"),
            ("fe80::1%eth0", "!"),
            ("a.example", "!"),
            ("203.0.113.9 1.1.1.1", "!"),
        ];
        for (text, want) in table {
            assert_eq!(shown(client(x_forwarded_for(text), is_proxy)), want, "{text}");
        }
    }

    #[test]
    fn forwarded_is_read_by_its_grammar() {
        let table = [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "[2001:db8:cafe::17]:4711"),
            ("for=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"),
            ("for=1.1.1.1, for=203.0.113.9, for=10.0.0.2", "203.0.113.9"),
            ("for=\"203.0.113.9:_x\"", "203.0.113.9"),
            ("for=203.0.113.9:80", "203.0.113.9:80"),
            ("for=unknown", "-"),
            ("for=\"_gazonk\"", "-"),
            ("proto=https", "-"),
            ("by=\"a,b;c\";for=203.0.113.9", "203.0.113.9"),
            // Quotes of the client do not reach the part of the proxy.
            ("for=\"x, for=203.0.113.9", "203.0.113.9"),
            ("for=1.1.1.1;a=\", for=203.0.113.9;by=\"y\"", "203.0.113.9"),
            ("\\\", for=203.0.113.9", "203.0.113.9"),
            ("for=203.0.113.9;for=1.1.1.1", "!"),
            ("203.0.113.9", "!"),
            ("for=", "!"),
            ("for=\"203.0.113.9", "!"),
            ("for=\"203.0.113\\.9\"", "!"),
            ("for=2001:db8::1:zz", "!"),
        ];
        for (text, want) in table {
            assert_eq!(shown(client(forwarded(text), is_proxy)), want, "{text}");
        }
    }

    #[test]
    fn scheme_and_host_are_those_that_the_client_used() {
        let text = "for=1.1.1.1;proto=http;host=evil.example, for=203.0.113.9;proto=https;host=\"a.example:8443\", \
                    for=10.0.0.1;proto=http;host=inner";
        let hop = client(forwarded(text), is_proxy).expect("well formed").expect("a client");

        assert_eq!((hop.scheme, hop.host), (Some("https"), Some("a.example:8443")));
    }

    #[test]
    fn hosts_and_schemes_are_checked() {
        for (host, want) in [("a.example", true), ("[::1]:80", true), ("a:b", false), ("a/b", false), ("a, b", false)] {
            assert_eq!(check_host(host).is_ok(), want, "{host}");
        }
        let schemes =
            [("HTTPS", Ok(true)), ("wss", Ok(true)), ("http", Ok(false)), ("ws", Ok(false)), ("h2", Err(Malformed))];
        for (scheme, want) in schemes {
            assert_eq!(is_secure(scheme), want, "{scheme}");
        }
        assert_eq!((last("a, b"), last("a,"), last(" ")), (Some("b"), Some("a"), None));
    }
}
