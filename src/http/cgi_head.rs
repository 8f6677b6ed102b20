//! Parses the head of a CGI script's output (RFC 3875, section 6). Pure.

use hyper::{
    HeaderMap, StatusCode, Uri,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING, UPGRADE},
};

use crate::limits::CGI_HEADERS_MAX;

/// The head of a script's output.
#[derive(Debug)]
pub(crate) enum Head {
    /// Status and headers; the rest of the output is the body.
    Document(StatusCode, HeaderMap),
    /// The script asks wsd to answer as if the request were for this target.
    LocalRedirect(Uri),
}

/// Parses the head at the start of `output`; returns it and its length in bytes, or `None` while it is incomplete.
pub(crate) fn parse(output: &[u8]) -> Result<Option<(Head, usize)>, &'static str> {
    let mut slots = [httparse::EMPTY_HEADER; CGI_HEADERS_MAX];
    let (length, headers) = match httparse::parse_headers(output, &mut slots) {
        Ok(httparse::Status::Partial) => return Ok(None),
        Ok(httparse::Status::Complete(parsed)) => parsed,
        Err(httparse::Error::TooManyHeaders) => return Err("the script's answer has more than 100 headers"),
        Err(_) => return Err("the script's answer does not begin with a header"),
    };
    let mut map = HeaderMap::new();
    for header in headers {
        let name: HeaderName = header.name.parse().map_err(|_| "the script's answer has a bad header")?;
        let value = HeaderValue::from_bytes(header.value).map_err(|_| "the script's answer has a bad header")?;
        map.append(name, value);
    }
    Ok(Some((head(map)?, length)))
}

fn head(mut headers: HeaderMap) -> Result<Head, &'static str> {
    // wsd controls the connection, not the script.
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE, HeaderName::from_static("keep-alive")] {
        headers.remove(name);
    }
    let lengths: Vec<_> = headers.get_all(CONTENT_LENGTH).iter().collect();
    let is_length = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.parse::<u64>().is_ok());
    if lengths.len() > 1 || !lengths.iter().all(|value| is_length(value)) {
        return Err("the script's Content-Length is not a number");
    }
    let status = match headers.remove("status") {
        None => None,
        Some(status) => Some(parse_status(&status).ok_or("the script's Status is not a status code")?),
    };
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    match (status, location) {
        (None, Some(path)) if path.starts_with('/') && !path.starts_with("//") => {
            let target = path.parse().map_err(|_| "the script's Location is not a path")?;
            Ok(Head::LocalRedirect(target))
        }
        (None, Some(_)) => Ok(Head::Document(StatusCode::FOUND, headers)),
        (None, None) if !headers.contains_key(CONTENT_TYPE) => {
            Err("the script's answer has neither Content-Type nor Status nor Location")
        }
        (status, _) => {
            let status = status.unwrap_or(StatusCode::OK);
            if status == StatusCode::NO_CONTENT {
                // A 204 has no length (RFC 9110, section 8.6). In a 304 it is that of the 200 that the client has cached.
                headers.remove(CONTENT_LENGTH);
            }
            Ok(Head::Document(status, headers))
        }
    }
}

/// Parses `200 OK` or `200`; a script must not send 1xx.
fn parse_status(status: &HeaderValue) -> Option<StatusCode> {
    let code = status.to_str().ok()?.split_ascii_whitespace().next()?;
    code.parse().ok().filter(|status: &StatusCode| !status.is_informational())
}

/// Returns the value of a header as text; empty if there is none.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(output: &str) -> String {
        match parse(output.as_bytes()) {
            Ok(None) => "more".to_owned(),
            Ok(Some((Head::Document(status, headers), length))) => {
                let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
                format!("{} {} +{}", status.as_u16(), names.join(","), output.len() - length)
            }
            Ok(Some((Head::LocalRedirect(uri), _))) => format!("to {uri}"),
            Err(_) => "bad".to_owned(),
        }
    }

    #[test]
    fn heads_are_read() {
        let table = [
            ("", "more"),
            ("Content-Type: text/plain\n", "more"),
            ("Content-Type: text/plain\n\nbody", "200 content-type +4"),
            ("Content-Type: text/plain\r\nX-A: b\r\n\r\n", "200 content-type,x-a +0"),
            ("Status: 404 Not found\nContent-Type: text/plain\n\nno", "404 content-type +2"),
            ("Status: 204\n\n", "204  +0"),
            ("Status: 204\nContent-Length: 4\n\nbody", "204  +4"),
            ("Status: 304\nContent-Length: 4\n\n", "304 content-length +0"),
            ("Location: https://example.com/\n\n", "302 location +0"),
            ("Status: 301 Gone\nLocation: /there\n\n", "301 location +0"),
            ("Location: /there?x=1\n\n", "to /there?x=1"),
            ("Location: //evil.example/\n\n", "302 location +0"),
            ("Content-Type: a/b\nTransfer-Encoding: chunked\nConnection: close\n\n", "200 content-type +0"),
            ("Content-Type: a/b\nContent-Length: x\n\n", "bad"),
            ("Content-Type: a/b\nContent-Length: 1\nContent-Length: 2\n\n", "bad"),
            ("X-A: b\n\n", "bad"),
            ("Status: 99999\n\n", "bad"),
            ("Status: 101\n\n", "bad"),
            ("hello world\n\n", "bad"),
            ("\n", "bad"),
        ];
        for (output, want) in table {
            assert_eq!(summary(output), want, "{output:?}");
        }
    }
}
