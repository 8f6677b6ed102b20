//! Answers outside of the path of `--base`, and at the path itself.

use hyper::{
    Response, StatusCode,
    header::{HeaderValue, LOCATION},
};

use super::ask::{Answered, Ask, HttpAnswer};
use crate::http::{
    handshake,
    page::{not_found, text_body},
    refusal::Refusal,
};

/// Answers a request outside of the base with a 404 that tells where everything is, and redirects one for the base itself to
/// its folder: the links of a page need the slash. A session may be at either path.
pub(super) fn answer(ask: &Ask) -> Answered {
    let base = &*ask.routes.base;
    let is_session = handshake::is_wanted(&ask.request.headers);
    if ask.base.is_outside {
        if is_session {
            let text = "There is no program at this path. The server's log names the path of all programs.";
            let hint = format!("connect below {base}/, which is the path of --base");
            return Err(Refusal::new(StatusCode::NOT_FOUND, "path", text).with_hint(hint));
        }
        let page = not_found(&format!("There is nothing at this path: everything here is below {base}/."));
        return Ok(Some(HttpAnswer::Page(page)));
    }
    if base.is_empty() || ask.path != base.as_bytes() || is_session {
        return Ok(None);
    }
    let query = ask.request.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut response = Response::new(text_body(""));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::try_from(format!("{base}/{query}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(Some(HttpAnswer::Page(response)))
}
