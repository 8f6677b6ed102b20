//! The headers that the user adds to answers: `--header`, `--header-ws`, `--header-http`.

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
    },
};

use super::page::Body;

/// The headers, for the two kinds of answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers {
    /// Sent with a 101: from `--header` and `--header-ws`.
    pub(crate) websocket: HeaderMap,
    /// Sent with any other answer, errors included: from `--header` and `--header-http`.
    pub(crate) http: HeaderMap,
}

/// Headers that only wsd sets, for HTTP and the handshake.
const RESERVED: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    UPGRADE,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_VERSION,
];

/// Parses `Name: value`; an error says why the user may not set this header.
pub(crate) fn parse(text: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let (name, value) = text.split_once(':').ok_or("it is not `Name: value`")?;
    let name: HeaderName = name.parse().map_err(|_| "the name has a character that no header's name has")?;
    if RESERVED.contains(&name) {
        return Err("wsd sets this header itself");
    }
    let value = value.trim_matches([' ', '\t']);
    Ok((name, value.parse().map_err(|_| "the value has a control character")?))
}

impl Headers {
    /// Adds the headers to the answer of a script; the script's headers of the same name stay, as with websocketd.
    pub(crate) fn add_beside(&self, mut response: Response<Body>) -> Response<Body> {
        for (name, value) in &self.http {
            response.headers_mut().append(name, value.clone());
        }
        response
    }

    /// Adds the headers to an answer; they replace wsd's headers of the same name.
    pub(crate) fn add(&self, mut response: Response<Body>) -> Response<Body> {
        let is_websocket = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let own = if is_websocket { &self.websocket } else { &self.http };
        response.headers_mut().extend(own.clone());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_checked() {
        for good in ["X-A: b", "X-A:b", "X-A:", "x-a: b: c", "Server: me"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["X-A", "X A: b", ": b", "X-A: b\r\nX-B: c", "Connection: close", "sec-websocket-accept: x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
