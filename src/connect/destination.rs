//! The server that a URL names.

use std::{borrow::Cow, path::PathBuf};

use percent_encoding::percent_decode_str;
use tokio_tungstenite::tungstenite::http::Uri;

use super::error::ConnectError;

/// A server, and the path there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// The address.
    pub(super) place: Place,
    /// Whether the connection is within TLS.
    pub(super) is_tls: bool,
    /// The value of the Host header.
    pub(super) authority: String,
    /// The path and the query.
    pub(super) resource: String,
    /// `USER:PASSWORD`, decoded.
    pub(super) credentials: Option<String>,
}

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A host, and a port of TCP.
    Tcp(String, u16),
    /// A Unix socket; `@NAME` is abstract (Linux).
    Unix(PathBuf),
}

impl Destination {
    /// Reads a URL: `ws`, `wss`, `http`, `https`, or `unix:SOCKET[:/PATH]`.
    pub(super) fn parse(text: &str) -> Result<Self, ConnectError> {
        if let Some(rest) = text.strip_prefix("unix:").or_else(|| text.strip_prefix("ws+unix:")) {
            return Self::parse_unix(text, rest);
        }
        let shown = without_user(text);
        let invalid = |cause: &str| ConnectError::new(format!("invalid URL `{shown}`: {cause}"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(
                invalid("it has no scheme").hint(format!("write ws://{shown}, or wss:// for a server with TLS"))
            );
        };
        let is_tls = match &*scheme.to_ascii_lowercase() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err(invalid("unknown scheme").hint("use ws, wss, http, https or unix:SOCKET")),
        };
        // The scheme in small letters: `Uri` knows no other.
        let scheme = if is_tls { "https" } else { "http" };
        let uri: Uri = format!("{scheme}://{rest}").parse().map_err(|cause| {
            let hint = if rest.is_ascii() {
                "write other characters as %XX"
            } else {
                "write a host in Punycode, a path as %XX"
            };
            invalid(&format!("{cause}")).hint(hint)
        })?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let (credentials, authority) = match authority.rsplit_once('@') {
            Some((credentials, authority)) => (Some(decode(credentials)), authority),
            None => (None, authority),
        };
        let Some((host, port)) = host_and_port(authority) else {
            return Err(invalid("it has no host, or no valid port").hint("write ws://HOST:PORT/PATH"));
        };
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self {
            place: Place::Tcp(host, port),
            is_tls,
            authority: authority.to_owned(),
            resource: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            credentials,
        })
    }

    /// Reads `SOCKET[:/PATH]`; `//` may stand before an absolute SOCKET.
    fn parse_unix(text: &str, rest: &str) -> Result<Self, ConnectError> {
        let rest = if rest.starts_with("///") { &rest[2..] } else { rest };
        let (socket, resource) = rest.find(":/").map_or((rest, "/"), |at| (&rest[..at], &rest[at + 1..]));
        if socket.is_empty() || resource.parse::<Uri>().is_err() {
            let invalid = ConnectError::new(format!("invalid URL `{text}`"));
            return Err(invalid.hint("write unix:SOCKET or unix:SOCKET:/PATH, such as unix:/run/wsd.sock:/chat"));
        }
        Ok(Self {
            place: Place::Unix(socket.into()),
            is_tls: false,
            authority: "localhost".to_owned(),
            resource: resource.to_owned(),
            credentials: None,
        })
    }
}

/// Splits an authority without a user; the brackets of an IPv6 address are no part of the host. `None` if it has no host, or a
/// port that is none.
pub(super) fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (authority, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// Returns a URL for an error: `***` stands for the user and the password. In an invalid one they may end at any `@`.
pub(super) fn without_user(url: &str) -> Cow<'_, str> {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    match url.rfind('@') {
        Some(end) if end >= start => Cow::Owned(format!("{}***{}", &url[..start], &url[end..])),
        _ => Cow::Borrowed(url),
    }
}

/// Decodes `%XX`.
pub(super) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server_and_a_path() {
        let tcp = |host: &str, port| Place::Tcp(host.to_owned(), port);
        let table = [
            ("ws://h", tcp("h", 80), false, "h", "/"),
            ("WSS://h/a?b#c", tcp("h", 443), true, "h", "/a?b"),
            ("http://127.0.0.1:8080/x", tcp("127.0.0.1", 8080), false, "127.0.0.1:8080", "/x"),
            ("https://[::1]:1/", tcp("::1", 1), true, "[::1]:1", "/"),
            ("unix:/run/a.sock", Place::Unix("/run/a.sock".into()), false, "localhost", "/"),
            ("unix:a.sock:/x?y", Place::Unix("a.sock".into()), false, "localhost", "/x?y"),
            ("unix:///run/a.sock:/x", Place::Unix("/run/a.sock".into()), false, "localhost", "/x"),
            ("unix:@a", Place::Unix("@a".into()), false, "localhost", "/"),
        ];
        for (text, place, is_tls, authority, resource) in table {
            let (authority, resource) = (authority.to_owned(), resource.to_owned());
            let want = Destination { place, is_tls, authority, resource, credentials: None };
            assert_eq!(Destination::parse(text).expect(text), want, "{text}");
        }
    }

    #[test]
    fn credentials_are_no_part_of_the_host_header() {
        let server = Destination::parse("ws://ann:p%40ss@h:1/").expect("valid");

        assert_eq!((server.credentials.as_deref(), &*server.authority), (Some("ann:p@ss"), "h:1"));
    }

    #[test]
    fn no_error_shows_the_user_of_a_url() {
        let table = [
            ("ws://ann:secret@h:99999/", "`ws://***@h:99999/`"),
            ("ws://ann:sec ret@h/", "`ws://***@h/`"),
            ("ws://ann:secret/@h/", "`ws://***@h/`"),
            ("ws://a@secret@h:x/", "`ws://***@h:x/`"),
            ("ftp://ann:secret@h/", "`ftp://***@h/`"),
            ("ann:secret@h", "`***@h`"),
        ];
        for (text, want) in table {
            let error = Destination::parse(text).expect_err(text).to_string();
            assert!(error.contains(want) && !error.contains("secret") && !error.contains("ann"), "{error}");
        }
    }

    #[test]
    fn an_invalid_url_is_refused() {
        for text in ["", "h:1", "ftp://h/", "ws://", "ws:///x", "ws://h:99999/", "ws://h/ x", "unix:", "unix::/x"] {
            assert!(Destination::parse(text).is_err(), "{text}");
        }
    }
}
