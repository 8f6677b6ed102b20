//! The files of `--staticdir`: nothing outside of it, nothing hidden, no program's source.

mod folder;

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE, X_CONTENT_TYPE_OPTIONS,
    },
};
use tower_http::services::ServeDir;
use tower_service::Service;

use super::{
    Body,
    page::{not_found, page},
    path::Root,
    sources::Sources,
};
use crate::limits::FILE_READ_BYTES;
use folder::{Access, Folder};

/// A folder of files to serve.
#[derive(Clone, Debug)]
pub(super) struct Files {
    folder: Arc<Folder>,
}

impl Files {
    /// The files in `root`, except `sources`.
    pub(super) fn new(root: Root, sources: Arc<Sources>) -> Self {
        Self { folder: Arc::new(Folder::new(root, sources)) }
    }

    /// Answers with a file: GET and HEAD, ranges, validators, precompressed siblings.
    pub(super) async fn respond(&self, request: Request<()>) -> Response<Body> {
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

    /// Mends what the library makes of ranges.
    async fn serve_part(&self, request: Request<()>) -> Response<Body> {
        let mut request = self.check_if_range(request).await;
        if request.headers().get(RANGE).is_some_and(|range| !range.as_bytes().starts_with(b"bytes=")) {
            // An unknown unit is to be ignored (RFC 9110, section 14.2).
            request.headers_mut().remove(RANGE);
        }
        let is_suffix = |range: &HeaderValue| {
            range.as_bytes().strip_prefix(b"bytes=-").is_some_and(|length| length.iter().any(|digit| *digit != b'0'))
        };
        let suffix = request.headers().get(RANGE).is_some_and(is_suffix).then(|| request.clone());
        let response = self.serve(request).await;
        match suffix {
            Some(mut whole) if response.status() == StatusCode::RANGE_NOT_SATISFIABLE => {
                // A suffix longer than the file is the whole file (RFC 9110, section 14.1.2).
                whole.headers_mut().insert(RANGE, HeaderValue::from_static("bytes=0-"));
                self.serve(whole).await
            }
            _ => response,
        }
    }

    async fn serve(&self, request: Request<()>) -> Response<Body> {
        let mut service = ServeDir::with_backend("", Access::new(&self.folder))
            .precompressed_br()
            .precompressed_gzip()
            .ignore_multi_range_requests(true)
            .with_buf_chunk_size(FILE_READ_BYTES);
        match service.call(request.map(|()| http_body_util::Empty::<bytes::Bytes>::new())).await {
            Ok(response) => response.map(BodyExt::boxed_unsync),
            Err(never) => match never {},
        }
    }

    /// Takes `Range` away if `If-Range` says that the client has another version (RFC 9110, section 13.1.5), which the
    /// library does not look at.
    async fn check_if_range(&self, mut request: Request<()>) -> Request<()> {
        if let Some(validator) = request.headers_mut().remove(IF_RANGE)
            && request.headers().contains_key(RANGE)
        {
            let mut head = Request::new(());
            *head.method_mut() = Method::HEAD;
            head.uri_mut().clone_from(request.uri());
            let now = self.serve(head).await;
            let is_current = [ETAG, LAST_MODIFIED].iter().any(|name| now.headers().get(name) == Some(&validator));
            if !is_current || validator.as_bytes().starts_with(b"W/") {
                request.headers_mut().remove(RANGE);
            }
        }
        request
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
    // A page under work must not be an old one; the validators make asking cheap.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}
