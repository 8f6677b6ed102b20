//! Serves the files of `--staticdir`: none outside of it, none hidden, no program's source.

pub(super) mod folder;
mod range;

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RANGE, X_CONTENT_TYPE_OPTIONS,
    },
};
use tower_http::services::ServeDir;
use tower_service::Service;

use super::{
    ask::{Answered, Ask, HttpAnswer},
    routes::Base,
};
use crate::{
    http::{
        gate::Visitor,
        page::{Body, not_found, page, text_body},
    },
    limits::FILE_READ_BYTES,
};
use folder::{Access, Folder};

/// Answers with a file. Passes on if the site has no folder, or if the file is missing.
pub(super) async fn answer(ask: &Ask, _: &Visitor) -> Answered {
    let Some(root) = &ask.site.files else { return Ok(None) };
    ask.site.launcher.check_budget()?;
    let folder = Arc::new(Folder::new(root.clone(), Arc::clone(&ask.routes.sources)));
    let request = Request::from_parts(ask.request.clone(), ());
    let response = respond_with_file(&folder, request, ask.base).await;
    Ok((response.status() != StatusCode::NOT_FOUND).then_some(HttpAnswer::Page(response)))
}

impl Folder {
    /// Answers with a file: GET and HEAD, ranges, validators, precompressed siblings.
    async fn respond(self: &Arc<Self>, request: Request<()>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = page(StatusCode::METHOD_NOT_ALLOWED, "Files are read with GET or HEAD.");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let response = self.serve_part(request).await;
        if response.status() == StatusCode::NOT_FOUND {
            not_found("There is no such file. This is wsd, a server of files and of WebSockets.")
        } else {
            with_file_headers(response)
        }
    }

    /// Serves a file, or a range of it.
    async fn serve_part(self: &Arc<Self>, mut request: Request<()>) -> Response<Body> {
        range::tidy(&mut request);
        if request.headers().contains_key(RANGE) {
            let mut head = Request::new(());
            *head.method_mut() = Method::HEAD;
            head.uri_mut().clone_from(request.uri());
            if let Some(encodings) = request.headers().get(ACCEPT_ENCODING) {
                head.headers_mut().insert(ACCEPT_ENCODING, encodings.clone());
            }
            let head = self.serve(head).await;
            range::adapt(&mut request, &head);
        }
        self.serve(request).await
    }

    async fn serve(self: &Arc<Self>, request: Request<()>) -> Response<Body> {
        let mut service = ServeDir::with_backend("", Access::new(self))
            .precompressed_br()
            .precompressed_gzip()
            .ignore_multi_range_requests(true)
            .with_buf_chunk_size(FILE_READ_BYTES);
        match service.call(request.map(|()| http_body_util::Empty::<bytes::Bytes>::new())).await {
            Ok(response) => response.map(BodyExt::boxed_unsync),
            Err(never) => match never {},
        }
    }
}

fn with_file_headers(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    if let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) {
        // RFC 9239: the other names of JavaScript are obsolete.
        let kind = if kind == "application/javascript" { "text/javascript" } else { kind };
        if kind.starts_with("text/")
            && let Ok(kind) = HeaderValue::try_from(format!("{kind}; charset=utf-8"))
        {
            headers.insert(CONTENT_TYPE, kind);
        }
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A page in development must not be stale; the validators make asking cheap.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}

/// Splits the raw path of a request after `base` bytes of the decoded path.
pub(in crate::answer) fn split_base(path: &str, base: usize) -> (&str, &str) {
    // Counts bytes, not characters: a client may send raw UTF-8.
    let bytes = path.as_bytes();
    let mut at = 0;
    for _ in 0..base {
        let is_escape = bytes.get(at) == Some(&b'%') && bytes.get(at + 1..at + 3).is_some_and(is_hex);
        at += if is_escape { 3 } else { 1 };
    }
    path.split_at_checked(at).unwrap_or((path, ""))
}

fn is_hex(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

/// Answers with a file of a folder whose route matched `base`.
pub(in crate::answer) async fn respond_with_file(
    folder: &Arc<Folder>,
    mut request: Request<()>,
    base: Base,
) -> Response<Body> {
    let target = request.uri().clone();
    let (front, rest) = split_base(target.path(), base.bytes);
    let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
    if base.has_more && rest.is_empty() && !front.is_empty() {
        // The relative links of a page in the folder need the slash.
        let mut response = Response::new(text_body(""));
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        if let Ok(location) = HeaderValue::try_from(format!("{front}/{query}")) {
            response.headers_mut().insert(LOCATION, location);
        }
        return response;
    }
    if !front.is_empty() {
        let slash = if rest.starts_with('/') { "" } else { "/" };
        *request.uri_mut() = format!("{slash}{rest}{query}").parse().unwrap_or_default();
    }
    let mut response = folder.respond(request).await;
    let location = response.headers().get(LOCATION).map(|location| [front.as_bytes(), location.as_bytes()].concat());
    if let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
