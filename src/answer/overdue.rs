//! The terms of a request with a program behind it: those of a session (`--idle`, `--lifetime`, the expiry of a token).

use std::{future::pending, sync::atomic::Ordering};

use hyper::{
    StatusCode,
    header::{HeaderValue, WWW_AUTHENTICATE},
};

use super::carried::Carried;
use crate::{
    close::Close,
    http::refusal::Refusal,
    session::terms::{Deadline, Terms},
};

/// Resolves with the deadline that has ended an exchange; never without terms.
pub(super) async fn overdue(terms: &mut Option<Box<Terms>>, carried: &Carried) -> Deadline {
    let Some(terms) = terms else { return pending().await };
    terms
        .over(|| {
            let bytes = carried.input.load(Ordering::Relaxed) + carried.output.load(Ordering::Relaxed);
            (bytes, carried.is_rationed.load(Ordering::Relaxed))
        })
        .await
}

/// Returns the refusal of a request whose time was over before its answer began: 401 if the token has expired, 408 if the client
/// has not sent the whole request, and otherwise 504.
pub(super) fn refusal(deadline: &Deadline, carried: &Carried) -> Refusal {
    if deadline.close.code == Some(Close::UNAUTHORIZED) {
        let challenge = HeaderValue::from_static("Bearer realm=\"wsd\", error=\"invalid_token\"");
        return Refusal::new(StatusCode::UNAUTHORIZED, deadline.word, "The token has expired.")
            .with_header(WWW_AUTHENTICATE, challenge);
    }
    if carried.is_whole.load(Ordering::Relaxed) {
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, deadline.word, "The program did not answer in time.")
    } else {
        Refusal::new(StatusCode::REQUEST_TIMEOUT, deadline.word, "The body of the request did not come in time.")
    }
}
