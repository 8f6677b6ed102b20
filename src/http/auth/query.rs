//! The token in the query of a request (`--auth-query`; RFC 6750, section 2.3), and in the `Referer` of the requests after it.

use hyper::{
    Response, Uri,
    header::{HeaderValue, REFERER, REFERRER_POLICY},
    http::request::Parts,
};
use percent_encoding::percent_decode;

/// The parameter that carries it.
const PARAMETER: &[u8] = b"access_token";

/// Marks a request whose query had a token.
#[derive(Clone, Copy, Debug)]
struct TokenInQuery;

/// Takes the token out of the query of a request, and each token out of its `Referer`.
pub(super) fn take_token(request: &mut Parts) -> Option<String> {
    clean_referrer(request);
    let target = request.uri.path_and_query()?.as_str();
    let (token, rest) = split(target.as_bytes())?;
    // Parts of a target that hyper has accepted.
    let rest = Uri::try_from(rest).ok()?;
    request.uri = rest;
    request.extensions.insert(TokenInQuery);
    Some(token)
}

/// Tells the browser to keep the URL of a request to itself, if it had a token.
pub(crate) fn hide_referrer<B>(request: &Parts, response: &mut Response<B>) {
    if request.extensions.get::<TokenInQuery>().is_some() {
        response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
}

fn clean_referrer(request: &mut Parts) {
    let lines: Vec<_> = request.headers.get_all(REFERER).iter().cloned().collect();
    if lines.iter().all(|line| split(line.as_bytes()).is_none()) {
        return;
    }
    request.headers.remove(REFERER);
    for line in lines {
        let clean = split(line.as_bytes()).map_or(Ok(line), |(_, rest)| HeaderValue::from_bytes(&rest));
        request.headers.extend(clean.ok().map(|line| (REFERER, line)));
    }
}

/// Splits a URL into the first token of its query, and the URL without any; `None` if there is none.
fn split(url: &[u8]) -> Option<(String, Vec<u8>)> {
    let at = url.iter().position(|byte| *byte == b'?')?;
    let value = |part: &[u8]| match part.strip_prefix(PARAMETER)? {
        [] => Some(Vec::new()),
        [b'=', value @ ..] => Some(value.to_vec()),
        _ => None,
    };
    let (tokens, others): (Vec<_>, Vec<_>) =
        url[at + 1..].split(|byte| *byte == b'&').partition(|part| value(part).is_some());
    let mut token = value(tokens.first()?)?;
    token.iter_mut().filter(|byte| **byte == b'+').for_each(|byte| *byte = b' ');
    let token = percent_decode(&token).decode_utf8_lossy().into_owned();
    let question: &[u8] = if others.is_empty() { b"" } else { b"?" };
    Some((token, [&url[..at], question, &others.join(&b'&')].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_split_from_urls() {
        let table = [
            ("/a?access_token=t%2E1", Some("t.1"), "/a"),
            ("/a?x=1&access_token=t.1&y=2", Some("t.1"), "/a?x=1&y=2"),
            ("/a?access_token=1&access_token=2", Some("1"), "/a"),
            ("/a?access_token", Some(""), "/a"),
            ("/a?access_token=a+%FF", Some("a \u{fffd}"), "/a"),
            ("https://a.example/?x?access_token=1", None, ""),
            ("https://a.example/?x&access_token=1", Some("1"), "https://a.example/?x"),
            ("/a?my_access_token=1", None, ""),
            ("/a?access_tokens=1", None, ""),
            ("/access_token=1", None, ""),
        ];
        for (url, token, left) in table {
            let want = token.map(|token| (token.to_owned(), left.as_bytes().to_vec()));
            assert_eq!(split(url.as_bytes()), want, "{url}");
        }
    }
}
