//! Properties that hold for any input, for the fuzz targets: the head of a CGI script's answer, a target among routes.

use std::sync::Arc;

use hyper::{
    HeaderMap, Request, Uri,
    header::{CONNECTION, CONTENT_LENGTH, LOCATION, TRANSFER_ENCODING, UPGRADE},
};
use tokio::runtime::Builder;

use super::{
    files::{folder::Folder, respond_with_file, split_base},
    routes::Routes,
};
use crate::http::{
    cgi_head::{Head, parse},
    path::{decode, is_clean},
};

/// Checks a head: the bytes after it do not change it, no shorter part is complete, and it sets no header of wsd's own.
pub(crate) fn cgi_head(output: &[u8]) {
    let Ok(Some((head, length))) = parse(output) else { return };
    let again = parse(&output[..length]).expect("it is a head by itself").expect("it is whole");
    assert_eq!(format!("{:?}", (&head, length)), format!("{again:?}"));
    for shorter in [length - 1, length / 2, 0] {
        assert!(matches!(parse(&output[..shorter]), Ok(None)), "the first {shorter} of {length} bytes are no head");
    }
    match head {
        Head::LocalRedirect(target) => assert!(target.path().starts_with('/') && target.host().is_none(), "{target}"),
        Head::Document(status, headers) => {
            assert!(!status.is_informational(), "{status}");
            let has = |name| headers.contains_key(name);
            assert!(!has(CONNECTION) && !has(TRANSFER_ENCODING) && !has(UPGRADE), "{headers:?}");
            check_length(&headers);
        }
    }
}

fn check_length(headers: &HeaderMap) {
    let lengths: Vec<_> = headers.get_all(CONTENT_LENGTH).iter().collect();
    assert!(lengths.len() <= 1, "{lengths:?}");
    assert!(lengths.iter().all(|length| length.to_str().is_ok_and(|length| length.parse::<u64>().is_ok())));
}

/// Checks a target: route, script and rest together are the whole path, and a redirect of a folder stays in its route.
pub(crate) fn target(routes: &Routes, target: &[u8]) {
    let Ok(uri) = Uri::try_from(target) else { return };
    if uri.path_and_query().is_none() {
        // The service answers 400.
        return;
    }
    let path = decode(uri.path());
    let (site, base) = routes.find(&path);
    let (front, rest) = split_base(uri.path(), base.bytes);
    assert_eq!(format!("{front}{rest}"), uri.path());
    assert_eq!((&*decode(front), &*decode(rest)), path.split_at(base.bytes));
    if let Some(script) = site.scripts.as_ref().and_then(|scripts| scripts.find(&path, base.bytes)) {
        let whole = [&*script.name, &*script.path_info].concat();
        assert!(whole == *path || script.name == b"/" && script.path_info == *path, "{script:?}");
    }
    if !is_clean(&path) {
        return;
    }
    if let Some(found) = site.cgi.as_ref().and_then(|cgi| cgi.find(&path, base.bytes)) {
        assert_eq!([found.name, found.path_info].concat(), *path);
    }
    let Some(root) = &site.files else { return };
    let folder = Arc::new(Folder::new(root.clone(), routes.sources.clone()));
    let mut request = Request::new(());
    *request.uri_mut() = uri.clone();
    let runtime = Builder::new_current_thread().build().expect("an event loop");
    let response = runtime.block_on(respond_with_file(&folder, request, base));
    assert!(!response.status().is_server_error(), "{}", response.status());
    if let Some(location) = response.headers().get(LOCATION).map(|location| location.as_bytes().to_vec()) {
        assert!(location.starts_with(b"/") && !location.starts_with(b"//"), "{}", location.escape_ascii());
        assert!(location.starts_with(front.as_bytes()), "{}", location.escape_ascii());
    }
}
