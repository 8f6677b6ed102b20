//! Finds the credentials of a request, and removes them from it: no program, log or answer shows them.

use std::fmt;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use hyper::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue},
    http::request::Parts,
};
use percent_encoding::percent_decode_str;

use super::{cookie, query, ticket::is_ticket};
use crate::http::{handshake::take_offer, refusal::Refusal};

/// The subprotocols that carry a token: wsd's own, those of Kubernetes and Phoenix in base64url, and that of Jupyter, which is
/// percent-encoded. The token follows a dot.
const CARRIERS: [(&str, bool); 4] = [
    ("base64url.bearer.authorization.wsd", true),
    ("base64url.bearer.authorization.k8s.io", true),
    ("base64url.bearer.phx", true),
    ("v1.token.websocket.jupyter.org", false),
];

/// Headers by which a proxy or wsd says who the client is. A client that sends them itself may lie.
const CLAIMS: [&str; 14] = [
    "auth-type",
    "proxy-authorization",
    "remote-user",
    "remote-groups",
    "remote-name",
    "remote-email",
    "x-remote-user",
    "x-forwarded-access-token",
    "x-forwarded-user",
    "x-forwarded-groups",
    "x-forwarded-email",
    "x-forwarded-preferred-username",
    "x-webauth-user",
    "x-authenticated-user",
];

/// The front of such headers, of which there are more.
const CLAIM_FRONTS: [&str; 3] = ["x-auth-request-", "x-authentik-", "wsd-env-"];

/// The credentials of a request.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    /// User and password.
    pub(super) basic: Option<(String, Vec<u8>)>,
    /// A token.
    pub(super) token: Option<String>,
    /// A token of the query, where that is no place for one (`--auth-query`).
    of_query: Option<String>,
    /// The values of wsd's cookie.
    pub(super) cookies: Vec<String>,
    /// The header for those who shall check it: that of the client, or one with the token.
    pub(super) header: Option<HeaderValue>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// The places beside `Authorization` where credentials may be, and stay.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carriers {
    /// Whether the query may carry a token (`--auth-query`).
    pub(crate) has_query: bool,
    /// Whether programs get `Authorization` (`--passauth`).
    pub(crate) passes: bool,
}

impl Credentials {
    /// Takes the credentials out of a request; out of its query if `hides_query`. Those of an earlier call stay known, for a local
    /// redirect of a script.
    pub(super) fn take(request: &mut Parts, carriers: Carriers, hides_query: bool) -> Result<Self, Refusal> {
        let headers = &mut request.headers;
        if headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
            let text = "A request has one `Authorization` (RFC 9110, section 5.3).";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "auth", text));
        }
        let mut found = request.extensions.remove::<Self>().unwrap_or_default();
        let header = if carriers.passes { headers.get(AUTHORIZATION).cloned() } else { headers.remove(AUTHORIZATION) };
        if let Some(mut header) = header {
            header.set_sensitive(true);
            found.basic = scheme(&header, "basic").and_then(basic);
            found.token = scheme(&header, "bearer").map(str::to_owned);
            found.header = Some(header);
        }
        found.choose(take_offer(headers, is_carrier).and_then(|offer| token(&offer)));
        if hides_query {
            found.of_query = query::take_token(request).or(found.of_query);
        }
        found.cookies.extend(take_cookies(&mut request.headers));
        request.extensions.insert(found.clone());
        let of_query = found.of_query.take().filter(|_| carriers.has_query);
        found.choose(of_query);
        Ok(found)
    }

    /// Adds a token, unless there is one. A browser adds the password of its user to each request; the token is what the page has
    /// chosen.
    fn choose(&mut self, token: Option<String>) {
        let Some(token) = token.filter(|_| self.token.is_none()) else { return };
        self.basic = None;
        self.header = HeaderValue::try_from(format!("Bearer {token}")).ok();
        self.token = Some(token);
    }

    /// Removes a ticket, which nobody else knows.
    pub(super) fn forget_ticket(&mut self) {
        if self.token.as_deref().is_some_and(is_ticket) {
            (self.token, self.header) = (None, None);
        }
    }

    /// Whether the client has shown something that may be wrong. A token with a control character has no header.
    pub(super) fn are_shown(&self) -> bool {
        self.header.is_some() || self.token.is_some()
    }
}

/// Returns the name among a client's offers that wsd may choose if it chooses no other: a browser that has offered a token wants one.
pub(crate) fn carrier<'a>(mut offers: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    offers.find(|offer| CARRIERS.iter().any(|(name, _)| name == offer))
}

/// Returns what follows the name of a scheme (RFC 9110, section 11.4).
fn scheme<'a>(header: &'a HeaderValue, name: &str) -> Option<&'a str> {
    let (scheme, rest) = header.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(name).then(|| rest.trim())
}

/// Reads user and password (RFC 7617); some clients leave out the padding.
fn basic(text: &str) -> Option<(String, Vec<u8>)> {
    let mut padded = text.trim_end_matches('=').to_owned();
    while !padded.len().is_multiple_of(4) {
        padded.push('=');
    }
    let decoded = BASE64.decode(padded.as_bytes()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some((String::from_utf8(decoded[..colon].to_vec()).ok()?, decoded[colon + 1..].to_vec()))
}

fn is_carrier(offer: &[u8]) -> bool {
    split_carrier(offer).is_some()
}

/// Splits an offer into the encoding of its token, and the token.
fn split_carrier(offer: &[u8]) -> Option<(bool, &[u8])> {
    CARRIERS.iter().find_map(|(name, is_base64)| {
        Some((*is_base64, offer.strip_prefix(name.as_bytes())?.strip_prefix(b".").filter(|rest| !rest.is_empty())?))
    })
}

fn token(offer: &[u8]) -> Option<String> {
    let (is_base64, token) = split_carrier(offer)?;
    let text = str::from_utf8(token).ok()?;
    if is_base64 {
        let decoded = BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()?;
        return String::from_utf8(decoded).ok();
    }
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

/// Takes wsd's own cookies out of the headers.
fn take_cookies(headers: &mut HeaderMap) -> Vec<String> {
    let is_own = |part: &&[u8]| {
        part.trim_ascii().strip_prefix(cookie::NAME.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
    };
    let values: Vec<_> = headers.get_all(COOKIE).iter().cloned().collect();
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for value in &values {
        let (own, others): (Vec<_>, Vec<_>) = value.as_bytes().split(|byte| *byte == b';').partition(is_own);
        let text = |part: &&[u8]| Some(str::from_utf8(part).ok()?.split_once('=')?.1.trim().to_owned());
        taken.extend(own.iter().filter_map(text));
        left.extend(HeaderValue::from_bytes(others.join(&b';').trim_ascii()).ok().filter(|_| !others.is_empty()));
    }
    if !taken.is_empty() {
        headers.remove(COOKIE);
        for value in left {
            headers.append(COOKIE, value);
        }
    }
    taken
}

/// Removes the headers by which somebody else than wsd says who the client is.
pub(super) fn remove_claims(headers: &mut HeaderMap) {
    let is_claim = |name: &HeaderName| {
        CLAIMS.contains(&name.as_str()) || CLAIM_FRONTS.iter().any(|front| name.as_str().starts_with(front))
    };
    let claims: Vec<_> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn request(target: &str, headers: &[(&str, &str)]) -> Parts {
        let builder = headers.iter().fold(Request::get(target), |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn credentials_are_found_and_removed() {
        const OFFER: &str = "sec-websocket-protocol";
        // The headers, user and password, the token, and the values of the headers that are left.
        type Row = (
            &'static [(&'static str, &'static str)],
            Option<(&'static str, &'static str)>,
            Option<&'static str>,
            &'static [&'static str],
        );
        let table: [Row; 12] = [
            (&[("authorization", "Basic YWRhOnB3OjE=")], Some(("ada", "pw:1")), None, &[]),
            (&[("authorization", "basic  YWRhOnB3OjE")], Some(("ada", "pw:1")), None, &[]),
            (&[("authorization", "Basic !")], None, None, &[]),
            (&[("authorization", "BEARER t.1")], None, Some("t.1"), &[]),
            (&[(OFFER, "chat, base64url.bearer.authorization.wsd.dC4x")], None, Some("t.1"), &["chat"]),
            (&[(OFFER, "base64url.bearer.authorization.k8s.io.dC4x, a, b")], None, Some("t.1"), &["a, b"]),
            (&[(OFFER, "a"), (OFFER, "base64url.bearer.phx.dC4x")], None, Some("t.1"), &["a"]),
            (
                &[(OFFER, "v1.token.websocket.jupyter.org, v1.token.websocket.jupyter.org.t%2E1")],
                None,
                Some("t.1"),
                &["v1.token.websocket.jupyter.org"],
            ),
            (&[(OFFER, "base64url.bearer.authorization.wsd.!")], None, None, &[]),
            (&[(OFFER, "v1.token.websocket.jupyter.org.a%00b")], None, Some("a\0b"), &[]),
            (&[("cookie", "a=b; wsd-auth=c; d=e")], None, None, &["a=b; d=e"]),
            (&[("cookie", "wsd-auth=c")], None, None, &[]),
        ];
        for (headers, basic, token, left) in table {
            let mut request = request("/", headers);
            let found = Credentials::take(&mut request, Carriers::default(), false).expect("it is read");
            assert!(found.are_shown() || token.is_none(), "{headers:?}");
            let found_basic = found.basic.map(|(user, password)| (user, String::from_utf8(password).expect("text")));
            assert_eq!(found_basic, basic.map(|(user, word)| (user.to_owned(), word.to_owned())), "{headers:?}");
            assert_eq!(found.token.as_deref(), token, "{headers:?}");
            let values: Vec<_> = request.headers.values().map(|value| value.to_str().expect("text")).collect();
            assert_eq!(values, left, "{headers:?}");
        }
    }

    #[test]
    fn a_token_of_the_query_is_removed_everywhere_and_read_where_it_may_be() {
        for (has_query, hides_query, token, left) in
            [(true, true, Some("t.1"), "/a"), (false, true, None, "/a"), (false, false, None, "/a?access_token=t.1")]
        {
            let mut parts = request("/a?access_token=t.1", &[]);
            let carriers = Carriers { has_query, passes: false };
            let found = Credentials::take(&mut parts, carriers, hides_query).expect("it is read");
            assert_eq!((found.token.as_deref(), parts.uri.to_string()), (token, left.to_owned()));

            // Elsewhere it may be a token, after a local redirect.
            let carriers = Carriers { has_query: true, passes: false };
            let found = Credentials::take(&mut parts, carriers, hides_query).expect("it is read");
            assert_eq!(found.token.is_some(), hides_query);
        }
    }

    #[test]
    fn a_token_of_a_page_is_preferred_to_the_password_of_its_user() {
        let offer = ("sec-websocket-protocol", "base64url.bearer.authorization.wsd.dC4x");
        let mut parts = request("/", &[("authorization", "Basic YWRhOnB3OjE="), offer]);
        let found = Credentials::take(&mut parts, Carriers::default(), false).expect("it is read");
        assert_eq!((found.basic, found.token.as_deref()), (None, Some("t.1")));
        assert_eq!(found.header.expect("a header"), "Bearer t.1");

        let mut parts = request("/", &[("authorization", "Bearer t.2"), offer]);
        assert_eq!(
            Credentials::take(&mut parts, Carriers::default(), false).expect("it is read").token.as_deref(),
            Some("t.2")
        );
    }

    #[test]
    fn two_headers_are_refused_and_a_passed_one_stays() {
        let two = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert!(Credentials::take(&mut request("/", &two), Carriers::default(), false).is_err());

        let mut passed = request("/", &[("authorization", "Bearer a")]);
        let carriers = Carriers { has_query: false, passes: true };
        assert_eq!(Credentials::take(&mut passed, carriers, false).expect("it is read").token.as_deref(), Some("a"));
        assert!(passed.headers.contains_key(AUTHORIZATION));
    }
}
