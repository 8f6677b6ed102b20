//! The entries of `--origin`. Pure.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use super::parts::{default_port, ends_in_number, is_host, is_scheme, split, split_port};

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
        /// In lower case. `*.example.com` matches every name below `example.com`.
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

/// The schemes of origins that browsers, their extensions and frameworks for apps are known to send.
const SCHEMES: [&str; 23] = [
    "http",
    "https",
    "file",
    "chrome-extension",
    "moz-extension",
    "safari-web-extension",
    "safari-extension",
    "ms-browser-extension",
    "extension",
    "chrome",
    "chrome-untrusted",
    "devtools",
    "resource",
    "app",
    "asset",
    "tauri",
    "wails",
    "capacitor",
    "capacitor-electron",
    "ionic",
    "electron",
    "vscode-webview",
    "vscode-file",
];

impl ListedOrigin {
    /// Returns the scheme of an entry if no browser or app is known to send it. It may be right: any app can choose its own.
    pub(crate) fn unknown_scheme(&self) -> Option<&str> {
        match self {
            Self::Server { scheme: Some(scheme), .. } => Some(&**scheme).filter(|scheme| !SCHEMES.contains(scheme)),
            _ => None,
        }
    }

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
        if rest.contains(['/', '?', '#']) {
            return Err(NOTHING_ELSE);
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
        let name = host.strip_prefix("*.").unwrap_or(host);
        if name.contains('*') {
            return Err("a wildcard is the first label of a host, as in *.example.com");
        }
        if !is_host(name) {
            return Err(NOTHING_ELSE);
        }
        if let Ok(address) = name.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
            // A browser sends the shortest form.
            return if name == host {
                Ok(Self::Server { scheme, host: format!("[{address}]"), port })
            } else {
                Err(BELOW_ADDRESS)
            };
        }
        if name.trim_end_matches('.').split('.').any(str::is_empty) || name.ends_with("..") {
            return Err("a label of the host is empty");
        }
        let is_of_web = scheme.as_deref().is_none_or(|scheme| default_port(scheme).is_some());
        if is_of_web && ends_in_number(name) {
            if name.parse::<Ipv4Addr>().is_err() {
                return Err("the host ends in a number, but is not an IPv4 address");
            }
            if name != host {
                return Err(BELOW_ADDRESS);
            }
        }
        Ok(Self::Server { scheme, host: host.to_ascii_lowercase(), port })
    }

    /// Whether a page of this origin may connect; `None` is a request without `Origin`.
    pub(super) fn admits(&self, origin: Option<&str>) -> bool {
        match (self, origin) {
            (Self::File, None | Some("" | "file://")) | (Self::Null, Some("null")) => true,
            (Self::Server { scheme, host, port }, Some(origin)) => {
                let Some((page_scheme, page_host, page_port)) = split(origin) else { return false };
                let is_scheme = match scheme {
                    None => default_port(page_scheme).is_some(),
                    Some(scheme) => page_scheme.eq_ignore_ascii_case(scheme),
                };
                is_scheme
                    && is_below_or_same(page_host, host)
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

impl fmt::Display for ListedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Server { scheme, host, port } = self else {
            return f.write_str(if *self == Self::File { "file://" } else { "null" });
        };
        if let Some(scheme) = scheme {
            write!(f, "{scheme}://")?;
        }
        f.write_str(host)?;
        match port {
            Port::Default => Ok(()),
            Port::Is(port) => write!(f, ":{port}"),
            Port::Any => f.write_str(":*"),
        }
    }
}

const NOTHING_ELSE: &str = "an origin is scheme, host and port, nothing else";

const BELOW_ADDRESS: &str = "there are no names below an address";

/// Whether the host of a page is that of an entry, or below it if the entry has a wildcard.
fn is_below_or_same(page: &str, host: &str) -> bool {
    let Some(parent) = host.strip_prefix('*') else { return page.eq_ignore_ascii_case(host) };
    let Some((below, rest)) = page.len().checked_sub(parent.len()).and_then(|at| page.split_at_checked(at)) else {
        return false;
    };
    rest.eq_ignore_ascii_case(parent) && !below.is_empty() && below.split('.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_matches_the_names_below_a_host() {
        let entry = ListedOrigin::parse("*.Example.com").expect("an entry");
        let table = [
            ("https://a.example.com", true),
            ("http://A.EXAMPLE.com", true),
            ("https://a.b.example.com", true),
            ("https://example.com", false),
            ("https://.example.com", false),
            ("https://a..example.com", false),
            ("https://evilexample.com", false),
            ("https://a.example.com.evil.org", false),
            ("https://a.example.com:8443", false),
            ("null", false),
        ];
        for (origin, want) in table {
            assert_eq!(entry.admits(Some(origin)), want, "{origin}");
        }
        let any_port = ListedOrigin::parse("https://*.example.com:*").expect("an entry");
        assert!(
            any_port.admits(Some("https://a.example.com:8443")) && !any_port.admits(Some("http://a.example.com:80"))
        );
    }

    #[test]
    fn an_entry_is_shown_as_it_was_written() {
        for entry in ["file://", "null", "a.com", "https://*.a.com:*", "http://[2001:db8::1]:81", "app://obsidian.md"] {
            assert_eq!(ListedOrigin::parse(entry).expect("an entry").to_string(), entry);
        }
    }

    #[test]
    fn entries_that_can_never_match_are_refused() {
        for entry in [
            "",
            " e.com",
            "http://g.com/",
            "*",
            "*.",
            "*.*.f.com",
            "a.*.f.com",
            "*f.com",
            "ws://h.com",
            "h.com:x",
            "http://",
            "a.com:99999",
            "*.[::1]",
            "*.127.0.0.1",
            "a..b",
            ".a.com",
            "a.com..",
            "*.a..b",
            ".",
            "256.1.1.1",
            "1.2.3",
            "https://a.b.7",
        ] {
            assert!(ListedOrigin::parse(entry).is_err(), "{entry:?}");
        }
    }

    #[test]
    fn an_address_is_the_one_that_a_browser_sends() {
        let entry = ListedOrigin::parse("[2001:DB8:0:0::1]:81").expect("an entry");
        assert!(entry.admits(Some("http://[2001:db8::1]:81")));
        for entry in ["127.0.0.1", "example.com.", "a_b.example", "moz-extension://0a1b.7", "app://1"] {
            assert!(ListedOrigin::parse(entry).is_ok(), "{entry:?}");
        }
    }

    #[test]
    fn a_scheme_that_no_app_is_known_for_is_told_apart() {
        for (entry, want) in [
            ("foo://x", Some("foo")),
            ("FOO://x", Some("foo")),
            ("https://x", None),
            ("x", None),
            ("file://", None),
            ("null", None),
            ("tauri://localhost", None),
        ] {
            assert_eq!(ListedOrigin::parse(entry).expect("an entry").unknown_scheme(), want, "{entry}");
        }
    }
}
