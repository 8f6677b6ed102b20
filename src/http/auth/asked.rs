//! The answer of an authentication server or script: an identity, or a response for the client.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, HeaderName, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};

use super::{
    proof::{AuthOutcome, Proof},
    refusals::unavailable,
};
use crate::{
    event::Event,
    http::refusal::Refusal,
    peer::Connection,
    worker::{names::CGI_NAMES, variable::Variable},
};

/// `AUTH_TYPE`.
const KIND: &str = "Proxy";

/// The headers that name the user, as Authelia and `oauth2-proxy` spell them; the first counts.
const USERS: [&str; 3] = ["remote-user", "x-auth-request-user", "x-forwarded-user"];

/// Further headers for programs, which get them as `HTTP_REMOTE_GROUPS` and so on.
const PASSED: [&str; 3] = ["remote-groups", "remote-name", "remote-email"];

/// The front of the headers that set variables of programs.
const VARIABLE: &str = "wsd-env-";

/// Bytes of the name of a user.
const USER_BYTES_MAX: usize = 1024;

/// Headers that are about a connection and not for another one (RFC 9110, section 7.6.1).
const OF_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    CONTENT_LENGTH,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Whether a header among `headers` is about their connection: by its nature, or since `Connection` names it.
pub(super) fn is_of_connection(name: &HeaderName, headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let mut named = lines.flat_map(|line| line.split(',')).map(str::trim);
    OF_CONNECTION.contains(name) || named.any(|named| named.eq_ignore_ascii_case(name.as_str()))
}

/// Returns the verdict of an answer: 2xx admits the client, and it gets any other answer as it is.
pub(super) fn verdict(status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Result<AuthOutcome, &'static str> {
    if status.is_success() {
        return proof(&headers).map(AuthOutcome::Proved);
    }
    if status.is_informational() {
        return Err("the answer has a status of 1xx");
    }
    let of_connection: Vec<_> = headers.keys().filter(|name| is_of_connection(name, &headers)).cloned().collect();
    for name in of_connection {
        headers.remove(name);
    }
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(AuthOutcome::refused(Refusal::with_response(response)))
}

/// Returns the proof in the headers of an answer.
fn proof(headers: &HeaderMap) -> Result<Proof, &'static str> {
    let mut user = String::new();
    if let Some(name) = USERS.iter().find(|name| headers.contains_key(**name)) {
        let mut values = headers.get_all(*name).iter();
        let text =
            values.next().filter(|_| values.next().is_none()).and_then(|value| str::from_utf8(value.as_bytes()).ok());
        let is_name = |text: &&str| text.len() <= USER_BYTES_MAX && !text.chars().any(char::is_control);
        text.filter(is_name).ok_or("the name of the user is no text, too long, or there twice")?.clone_into(&mut user);
    }
    let mut proof = Proof::new(&user, KIND);
    for (name, value) in headers {
        if PASSED.contains(&name.as_str()) {
            proof.headers.push((name.clone(), value.clone()));
        }
        if let Some(variable) = name.as_str().strip_prefix(VARIABLE) {
            let variable = variable.to_ascii_uppercase().replace('-', "_");
            if !is_free(&variable) {
                return Err("a header Wsd-Env-NAME has a name that programs may not have from there");
            }
            proof.variables.push(Variable::new(variable, value.as_bytes()));
        }
    }
    Ok(proof)
}

/// Whether an answer may set the variable of this name.
fn is_free(name: &str) -> bool {
    const FRONTS: [&str; 5] = ["HTTP_", "LD_", "DYLD_", "SSL_", "SCRIPT_"];
    let is_letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(is_letter)
        && name != "PATH"
        && !CGI_NAMES.contains(&name)
        && !FRONTS.iter().any(|front| name.starts_with(front))
}

/// Returns the refusal of a client if a server or script gives no valid answer: it admits nobody. Logs the cause.
pub(super) fn failed(connection: &Connection, asked: &str, cause: &dyn std::fmt::Display) -> Refusal {
    Event::AuthNotAnswered { peer: connection.peer, asked, cause }.emit();
    unavailable()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn of(headers: &[(&'static str, &str)]) -> Result<Proof, &'static str> {
        let one = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().map(one) {
            map.append(name, value);
        }
        proof(&map)
    }

    #[test]
    fn an_answer_names_the_user_and_sets_variables() {
        assert_eq!(of(&[]).expect("a proof").user, "");
        assert_eq!(of(&[("x-auth-request-user", "b"), ("remote-user", "a")]).expect("a proof").user, "a");
        assert!(of(&[("remote-user", "a"), ("remote-user", "b")]).is_err());
        assert!(of(&[("remote-user", "a\tb")]).is_err());
        assert!(of(&[("remote-user", &"x".repeat(2000))]).is_err());
        let proof =
            of(&[("wsd-env-team", "red"), ("wsd-env-home-page_2", "x"), ("remote-groups", "g")]).expect("a proof");
        let names: Vec<_> = proof.variables.iter().map(|variable| variable.name().to_string_lossy()).collect();
        assert_eq!((names, proof.headers.len()), (vec!["TEAM".into(), "HOME_PAGE_2".into()], 1));
    }

    #[test]
    fn no_answer_sets_a_variable_that_changes_programs_or_facts() {
        for name in
            ["PATH", "LD_PRELOAD", "DYLD_X", "HTTP_HOST", "REMOTE_USER", "HTTPS", "SSL_CLIENT_S_DN", "1A", "_A", ""]
        {
            assert!(!is_free(name), "{name}");
        }
    }
}
