//! Ranges of files (RFC 9110, section 14), as far as the library that serves files differs from it.

use hyper::{
    Method, Request, Response,
    header::{CONTENT_LENGTH, ETAG, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE},
};

/// Rewrites `Range` for the library. Removes it where a server ignores it: with other methods than GET, with other units
/// than bytes, and with several ranges, which are never worth a multipart answer here.
pub(super) fn tidy(request: &mut Request<()>) {
    let Some(range) = request.headers_mut().remove(RANGE) else { return };
    if request.method() == Method::GET
        && let Some(one) = range.to_str().ok().and_then(only_spec)
        && let Ok(range) = HeaderValue::try_from(format!("bytes={}", plain(one)))
    {
        request.headers_mut().insert(RANGE, range);
    }
}

/// Returns the only range of a `Range` header in bytes, without blanks and empty elements of the list.
fn only_spec(range: &str) -> Option<&str> {
    let (unit, list) = range.split_once('=')?;
    let mut specs = list.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty());
    let spec = specs.next().unwrap_or(list);
    (unit.eq_ignore_ascii_case("bytes") && specs.next().is_none()).then_some(spec)
}

/// Returns a range as the library reads it: without leading zeros, and without an end beyond 64 bits. Returns `x` for text that
/// is no range: the library would read signs, and [`adapt`] any text after `0-`.
fn plain(spec: &str) -> String {
    let number = |text: &'_ str| {
        let digits = text.trim_start_matches('0');
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| if digits.is_empty() && !text.is_empty() { "0".to_owned() } else { digits.to_owned() })
    };
    match spec.split_once('-').and_then(|(first, last)| Some((number(first)?, number(last)?))) {
        Some((first, last)) if !first.is_empty() && last.len() > 19 => format!("{first}-"),
        Some((first, last)) => format!("{first}-{last}"),
        None => "x".to_owned(),
    }
}

/// Adapts the range of a tidy request to the file, of which `head` is the answer to HEAD.
///
/// Removes it if `If-Range` names another version of the file (section 13.1.5), or if the file is empty and all of it is
/// asked for. The library ignores that header, refuses a suffix longer than the file, and finds a byte in an empty file.
pub(super) fn adapt<B>(request: &mut Request<()>, head: &Response<B>) {
    let length = head.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let Some(range) = request.headers_mut().remove(RANGE) else { return };
    if let Some(validator) = request.headers_mut().remove(IF_RANGE) {
        let is_current = [ETAG, LAST_MODIFIED].iter().any(|name| head.headers().get(name) == Some(&validator));
        if !is_current || validator.as_bytes().starts_with(b"W/") {
            return;
        }
    }
    // A number too large for 64 bits is larger than any file.
    let number =
        |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().unwrap_or(u64::MAX));
    let suffix =
        range.to_str().ok().and_then(|range| range.strip_prefix("bytes=-")).filter(|digits| !digits.is_empty());
    let suffix = suffix.and_then(number);
    let is_all = range.as_bytes().starts_with(b"bytes=0-");
    let range = match (suffix, length) {
        (Some(1_u64..), Some(0)) => return,
        (None, Some(0)) if is_all => return,
        (Some(suffix), Some(length)) if suffix > length => HeaderValue::from_static("bytes=0-"),
        _ => range,
    };
    request.headers_mut().insert(RANGE, range);
}
