//! The answer to a POST for which a program runs: its head, and that of a program without output.

use std::sync::atomic::Ordering;

use hyper::{
    Response, StatusCode,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, TE, TRAILER, X_CONTENT_TYPE_OPTIONS},
};

use super::{ask::Ask, carried::Carried};
use crate::{
    framing::Framing,
    http::page::{Body, text_body},
    status::Status,
};

/// The exit status of a program, as a shell shows it: a header, or a trailer if the answer had begun.
pub(super) const EXIT: HeaderName = HeaderName::from_static("wsd-exit");

/// Tells nginx to pass the answer on as it comes.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Says that the connection closes after the answer, unless the whole request has come: a client then need not send the rest.
pub(super) fn closing(mut response: Response<Body>, carried: &Carried) -> Response<Body> {
    if !carried.is_whole.load(Ordering::Relaxed) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Returns the answer of a program that has ended without output.
pub(super) fn ended(status: Status) -> Response<Body> {
    let is_good = status == Status::Exit(0);
    let mut response = Response::new(text_body(if is_good { String::new() } else { format!("{status}\n") }));
    *response.status_mut() = if is_good { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    let headers = response.headers_mut();
    headers.insert(EXIT, status.shell().into());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The type of an answer with lines.
const TEXT: &str = "text/plain; charset=utf-8";

/// The head of an answer with output.
#[derive(Debug)]
pub(super) struct ReplyHead {
    kind: &'static str,
    /// Whether the client takes trailers. hyper sends them to no other one (RFC 9110, section 6.5.1).
    takes_trailers: bool,
}

impl ReplyHead {
    /// Returns the head for a request.
    pub(super) fn new(ask: &Ask) -> Self {
        let kind = match ask.site.framings.default() {
            Framing::Chunks | Framing::Nul | Framing::Length | Framing::Lsp => "application/octet-stream",
            _ => TEXT,
        };
        let values = ask.request.headers.get_all(TE).iter().filter_map(|value| value.to_str().ok());
        let mut codings = values.flat_map(|value| value.split(','));
        Self { kind, takes_trailers: codings.any(|coding| coding.trim().eq_ignore_ascii_case("trailers")) }
    }

    /// Returns the answer with this body.
    pub(super) fn response(&self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
        headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
        if self.takes_trailers {
            headers.insert(TRAILER, HeaderValue::from_static("Wsd-Exit"));
        }
        response
    }
}
