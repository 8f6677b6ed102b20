//! What a browser says of a request that it sends without an `Origin`: Fetch Metadata (`Sec-Fetch-*`). Pure.

use hyper::{HeaderMap, Method, header::ORIGIN, http::request::Parts};

/// Whether a page of another site has the browser send this request and must not: for an image, a frame or a script it
/// asks nobody, and sends no `Origin`.
///
/// Who follows a link to here comes from another site, too, but that is how the web works: a GET for a window of its own
/// passes. Where there is an `Origin` it says more, and `Policy` decides.
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
