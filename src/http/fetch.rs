//! Fetch Metadata (`Sec-Fetch-*`): headers by which a browser describes a request without an `Origin`. Pure.

use hyper::{HeaderMap, Method, header::ORIGIN, http::request::Parts};

/// Whether a page of another site made the browser send this request, without an `Origin`: for an image, a frame or a
/// script. wsd refuses such a request.
///
/// A user may follow a link from another site: a GET or HEAD for a window of its own is allowed. If there is an `Origin`,
/// `Policy` decides.
pub(super) fn is_of_other_site(request: &Parts) -> bool {
    let headers = &request.headers;
    let is_link = matches!(request.method, Method::GET | Method::HEAD)
        && says(headers, "sec-fetch-mode", "navigate")
        && says(headers, "sec-fetch-dest", "document");
    says(headers, "sec-fetch-site", "cross-site") && !headers.contains_key(ORIGIN) && !is_link
}

fn says(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get_all(name).iter().any(|said| said == value)
}
