//! The HTTP proxy of the environment: finds it as curl does, and asks it for a tunnel (RFC 9110, section 9.3.6).

use std::net::IpAddr;

use data_encoding::BASE64;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::http::{StatusCode, Uri};

use super::{
    destination::{decode, host_and_port, without_user},
    error::ConnectError,
};
use crate::limits::HEAD_BYTES_MAX;

/// The port of a proxy whose URL has none: curl's.
const PORT: u16 = 1080;

/// An HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    /// Its host.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
    /// The variable that names it.
    variable: &'static str,
    /// `USER:PASSWORD`, decoded.
    credentials: Option<String>,
}

impl Proxy {
    /// Returns the proxy for a server, from the variables that `variable` reads. An empty variable is none.
    ///
    /// Source: curl(1), "ENVIRONMENT". `http_proxy` in small letters only: a CGI script gets a header as `HTTP_PROXY`.
    pub(super) fn of_environment(
        host: &str,
        is_tls: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ConnectError> {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| Some((*name, variable(name).filter(|value| !value.is_empty())?)))
        };
        let own: &[&str] = if is_tls { &["https_proxy", "HTTPS_PROXY"] } else { &["http_proxy"] };
        let Some((name, text)) = first(own).or_else(|| first(&["all_proxy", "ALL_PROXY"])) else { return Ok(None) };
        if first(&["no_proxy", "NO_PROXY"]).is_some_and(|(_, list)| is_excepted(host, &list)) {
            return Ok(None);
        }
        Self::parse(&text, name).map(Some).ok_or_else(|| {
            let shown = without_user(&text);
            ConnectError::new(format!("cannot use the proxy `{shown}` of {name}: it is no HTTP proxy"))
                .hint(format!("write http://HOST:PORT, or connect without it: no_proxy={host}"))
        })
    }

    /// Reads the URL of a proxy; its scheme may be missing.
    fn parse(text: &str, variable: &'static str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let uri: Uri = format!("http://{rest}").parse().ok()?;
        let authority = uri.authority()?;
        let (credentials, place) = match authority.as_str().rsplit_once('@') {
            Some((credentials, place)) => (Some(decode(credentials)), place),
            None => (None, authority.as_str()),
        };
        let (host, port) = host_and_port(place)?;
        Some(Self { host, port: port.unwrap_or(PORT), variable, credentials })
    }

    /// Returns advice for a proxy that cannot be reached on the way to `host`.
    pub(super) fn advice(&self, host: &str) -> String {
        format!("check {}; no_proxy={host} goes without it", self.variable)
    }

    /// Asks for a tunnel to a server, on a connection to the proxy.
    pub(super) async fn tunnel<S>(&self, stream: &mut S, host: &str, port: u16) -> Result<(), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let authorization = self.credentials.as_ref().map_or_else(String::new, |credentials| {
            format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(credentials.as_bytes()))
        });
        let request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization}\r\n");
        let proxy = format!("the proxy {}:{}", self.host, self.port);
        let failed = |cause: &dyn std::fmt::Display| ConnectError::passing(format!("cannot use {proxy}: {cause}"));
        stream.write_all(request.as_bytes()).await.map_err(|cause| failed(&cause))?;
        let mut head = Vec::new();
        // Byte by byte, so that no byte of the server is lost; a head is short.
        while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
            head.push(stream.read_u8().await.map_err(|_| failed(&"it has closed the connection without an answer"))?);
        }
        if !head.ends_with(b"\r\n\r\n") {
            let kib = HEAD_BYTES_MAX >> 10;
            return Err(ConnectError::new(format!("cannot use {proxy}: its answer has no end in {kib} KiB")));
        }
        let code = head.strip_prefix(b"HTTP/1.").and_then(|rest| str::from_utf8(rest.get(2..5)?).ok()?.parse().ok());
        let Some(status) = code.and_then(|code| StatusCode::from_u16(code).ok()) else {
            return Err(ConnectError::new(format!("cannot use {proxy}: it does not speak HTTP")));
        };
        if status.is_success() {
            return Ok(());
        }
        let refused = ConnectError::new(format!("cannot connect to {host}:{port}: {proxy} answered {status}"));
        Err(match status.as_u16() {
            407 => refused.hint("write user and password into the variable: http://USER:PASSWORD@HOST:PORT"),
            502..=504 => refused.that_may_pass(),
            _ => refused.hint(format!("ask who runs the proxy to allow it, or connect without it: no_proxy={host}")),
        })
    }
}

/// Whether `no_proxy` names the host: `*`, the name or a domain of it, an address, or a block of addresses.
fn is_excepted(host: &str, list: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    let mut entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    entries.any(|entry| {
        let entry = entry.trim_end_matches('.').trim_start_matches('.').to_ascii_lowercase();
        let entry = entry.trim_start_matches('[').trim_end_matches(']');
        match address {
            _ if entry == "*" => true,
            Some(address) => is_in_block(address, entry),
            None => host.strip_suffix(entry).is_some_and(|front| front.is_empty() || front.ends_with('.')),
        }
    })
}

/// Whether an address is this one or in this block, such as `10.0.0.0/8`.
fn is_in_block(address: IpAddr, block: &str) -> bool {
    let (start, bits) = block.split_once('/').map_or((block, None), |(start, bits)| (start, bits.parse::<u32>().ok()));
    let number = |address: IpAddr| match address {
        IpAddr::V4(four) => (u128::from(four.to_bits()) << 96, 32),
        IpAddr::V6(six) => (six.to_bits(), 128),
    };
    let Ok(start) = start.parse::<IpAddr>() else { return false };
    if start.is_ipv4() != address.is_ipv4() || block.contains('/') && bits.is_none() {
        return false;
    }
    let ((start, width), (address, _)) = (number(start), number(address));
    let bits = bits.unwrap_or(width);
    bits <= width && (bits == 0 || (start ^ address) >> (128 - bits) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A variable and its value.
    type Pair = (&'static str, &'static str);

    /// Returns the proxy for a server in an environment, or the error.
    fn proxy(host: &str, is_tls: bool, environment: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variable =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let found = Proxy::of_environment(host, is_tls, variable).map_err(|error| error.to_string())?;
        Ok(found.map(|proxy| format!("{}:{}", proxy.host, proxy.port)))
    }

    #[test]
    fn the_proxy_is_that_of_curl() {
        let table: [(bool, &[Pair], Option<&str>); 10] = [
            (false, &[], None),
            (false, &[("http_proxy", "http://p:1")], Some("p:1")),
            (false, &[("HTTP_PROXY", "http://p:1")], None),
            (false, &[("https_proxy", "http://p:1")], None),
            (true, &[("HTTPS_PROXY", "p:1/")], Some("p:1")),
            (true, &[("https_proxy", "p"), ("all_proxy", "q:2")], Some("p:1080")),
            (true, &[("https_proxy", ""), ("ALL_PROXY", "http://u:w@[::1]:2")], Some("::1:2")),
            (false, &[("http_proxy", "p:1"), ("no_proxy", "x, .Example.com")], None),
            (false, &[("http_proxy", "p:1"), ("NO_PROXY", "*")], None),
            (false, &[("http_proxy", "p:1"), ("no_proxy", "ample.com")], Some("p:1")),
        ];
        for (is_tls, environment, want) in table {
            let got = proxy("a.example.com", is_tls, environment).expect("valid");
            assert_eq!(got.as_deref(), want, "{environment:?}");
        }
        for (block, is_in) in [("10.1.2.3", true), ("10.0.0.0/8", true), ("11.0.0.0/8", false), ("0.0.0.0/0", true)] {
            let got = proxy("10.1.2.3", false, &[("http_proxy", "p:1"), ("no_proxy", block)]).expect("valid");
            assert_eq!(got.is_none(), is_in, "{block}");
        }
    }

    #[test]
    fn another_kind_of_proxy_is_an_error_without_its_password() {
        for text in ["socks5://u:secret@p:1", "https://u:secret@p:1", "http://"] {
            let error = proxy("h", false, &[("http_proxy", text)]).expect_err(text);
            assert!(!error.contains("secret") && error.contains("of http_proxy"), "{error}");
        }
    }
}
