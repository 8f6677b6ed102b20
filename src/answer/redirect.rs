//! `--redirport`: redirects requests to the site.

use hyper::{
    Response, StatusCode,
    header::{HOST, HeaderValue, LOCATION},
    http::request::Parts,
};

use crate::http::page::{Body, page, text_body};

/// The scheme and port of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// The TCP port.
    pub(crate) port: u16,
}

impl Target {
    /// Returns a 301 to the same host, path and query, with the site's scheme and port; a 400 if `Host` is invalid.
    pub(super) fn respond(&self, request: &Parts) -> Response<Body> {
        let host = request.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        match self.location(host, target).and_then(|location| HeaderValue::try_from(location).ok()) {
            None => page(StatusCode::BAD_REQUEST, "The header `Host` names no host."),
            Some(location) => {
                let mut response = Response::new(text_body(""));
                *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
                response.headers_mut().insert(LOCATION, location);
                response
            }
        }
    }

    /// Returns the URL of `target` at the site; `None` if `host` is not a host.
    fn location(&self, host: &str, target: &str) -> Option<String> {
        let authority: hyper::http::uri::Authority = host.parse().ok()?;
        // Some clients would take a name before an `@` for the host.
        let host = Some(authority.host()).filter(|host| !host.is_empty() && !authority.as_str().contains('@'))?;
        let is_default = matches!((self.scheme, self.port), ("http", 80) | ("https", 443));
        let port = if is_default { String::new() } else { format!(":{}", self.port) };
        let target = if target.starts_with('/') { target } else { "/" };
        Some(format!("{}://{host}{port}{target}", self.scheme))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_location_keeps_host_path_and_query() {
        let table = [
            ("https", 443, "example.com", "/a?b=c", Some("https://example.com/a?b=c")),
            ("https", 8443, "example.com:80", "/", Some("https://example.com:8443/")),
            ("http", 8080, "[::1]", "/x", Some("http://[::1]:8080/x")),
            ("http", 80, "[::1]:99", "/x", Some("http://[::1]/x")),
            ("http", 80, "", "/x", None),
            ("http", 80, "a b", "/x", None),
            ("http", 80, "good.example@evil.example", "/x", None),
            ("http", 80, "example.com", "*", Some("http://example.com/")),
        ];
        for (scheme, port, host, target, want) in table {
            assert_eq!(Target { scheme, port }.location(host, target).as_deref(), want, "{host} {target}");
        }
    }
}
