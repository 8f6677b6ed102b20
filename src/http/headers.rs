//! The headers that the user adds to answers: `--header`, `--header-ws`, `--header-http`.

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
    },
};

use super::{
    page::Body,
    template::{Template, TemplateFault},
};
use crate::{event::Event, peer::Connection, worker::variable::Variable};

/// The headers, for the two kinds of answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers {
    /// Sent with a 101: from `--header` and `--header-ws`.
    pub(crate) websocket: Vec<OwnHeader>,
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

/// A header of the user.
#[derive(Clone, Debug)]
pub(crate) struct OwnHeader {
    name: HeaderName,
    value: Template,
}

/// The reason for which the user may not set a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// It breaks this rule of HTTP or of wsd.
    Rule(&'static str),
    /// Its value is no template.
    Template(TemplateFault),
}

impl OwnHeader {
    /// Parses `Name: value`.
    pub(crate) fn parse(text: &str) -> Result<Self, HeaderFault> {
        let (name, value) = text.split_once(':').ok_or(HeaderFault::Rule("it is not `Name: value`"))?;
        let no_name = HeaderFault::Rule("the name has a character that no header's name has");
        let name: HeaderName = name.parse().map_err(|_| no_name)?;
        if RESERVED.contains(&name) {
            return Err(HeaderFault::Rule("wsd sets this header itself"));
        }
        let value = Template::parse(value.trim_matches([' ', '\t'])).map_err(HeaderFault::Template)?;
        if value.fill(&[]).is_none() {
            return Err(HeaderFault::Rule("the value has a control character"));
        }
        Ok(Self { name, value })
    }

    /// Whether this header has the name of `other`.
    pub(crate) fn is_namesake(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// Returns the name of the first variable in its value; `None` if the value is always the same.
    pub(crate) fn variable(&self) -> Option<&str> {
        self.value.variable()
    }

    /// Returns the name and the value with these variables; `None` if the value would break the header.
    pub(crate) fn fill(&self, variables: &[Variable]) -> Option<(HeaderName, HeaderValue)> {
        Some((self.name.clone(), self.value.fill(variables)?))
    }
}

impl Headers {
    /// Adds the headers to the answer of a script; the script's headers of the same name stay, as with websocketd.
    pub(crate) fn add_beside(&self, mut response: Response<Body>) -> Response<Body> {
        for (name, value) in &self.http {
            response.headers_mut().append(name, value.clone());
        }
        response
    }

    /// Adds the headers to an answer; they replace wsd's headers of the same name. A 101 has [its own](Self::websocket) already.
    pub(crate) fn add(&self, mut response: Response<Body>) -> Response<Body> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().extend(self.http.clone());
        }
        response
    }

    /// Returns the headers of a 101 for a session with these variables; they replace wsd's headers of the same name. Drops and
    /// logs a header whose value the variables break.
    pub(crate) fn websocket(&self, variables: &[Variable], connection: &Connection) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.websocket.len());
        for header in &self.websocket {
            match header.fill(variables) {
                Some((name, value)) => {
                    headers.append(name, value);
                }
                None => Event::HeaderDropped {
                    conn: connection.id,
                    name: header.name.as_str(),
                    why: "a variable has a control character",
                }
                .emit(),
            }
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_checked() {
        for good in ["X-A: b", "X-A:b", "X-A:", "x-a: b: c", "Server: me"] {
            assert!(OwnHeader::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "X-A",
            "X A: b",
            ": b",
            "X-A: b\r\nX-B: c",
            "X-A: ${PATH_INFO}\u{1}",
            "X-A: ${",
            "Connection: close",
            "sec-websocket-accept: x",
        ] {
            assert!(OwnHeader::parse(bad).is_err(), "{bad}");
        }
    }
}
