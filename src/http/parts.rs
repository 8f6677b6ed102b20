//! The parts of an origin. Pure.

use std::net::Ipv6Addr;

/// Splits an `Origin` into scheme, host and port. The port is `None` if a scheme other than HTTP's has none; the result is
/// `None` for `null` and for anything that is no origin of a server.
pub(super) fn split(origin: &str) -> Option<(&str, &str, Option<u16>)> {
    let (scheme, rest) = origin.split_once("://")?;
    let (host, port) = split_port(rest);
    let port = match port {
        None => default_port(scheme),
        Some(port) => Some(port.parse().ok()?),
    };
    is_host(host).then_some((scheme, host, port))
}

/// Splits `host[:port]`; an IPv6 address is in brackets and keeps them.
pub(super) fn split_port(text: &str) -> (&str, Option<&str>) {
    let after_address = text.rfind(']').unwrap_or(0);
    match text[after_address..].find(':') {
        None => (text, None),
        Some(at) => (&text[..after_address + at], Some(&text[after_address + at + 1..])),
    }
}

/// Returns the port that a scheme of HTTP has without one.
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ => None,
    }
}

/// Whether `text` is a scheme (RFC 3986, section 3.1).
pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Whether `host` is a name or an address in the form of a URL, and nothing more.
pub(super) fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Whether a browser takes a host for an IPv4 address (URL standard, "ends in a number checker").
pub(super) fn ends_in_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
}
