//! Checks the proxies to trust, and the path below which wsd serves everything.

use super::{
    error::Error,
    peers::{Use, peer_net},
};
use crate::{
    answer::routes::Pattern,
    cli::{
        server::ProxyFlags,
        value::{Flag, is_on},
    },
    http::proxies::Proxies,
};

/// Returns the proxies of `--trust-proxy`.
pub(super) fn proxies(flags: &ProxyFlags) -> Result<Proxies, Error> {
    let list = flags.trust_proxy.as_ref();
    // A variable within the list may be empty; `empty` refuses an empty list.
    let words = list.iter().flat_map(|list| &list.0).map(|word| word.trim()).filter(|word| !word.is_empty());
    let trusted = words
        .map(|word| peer_net(word, Use::TrustProxy).map_err(|error| error.about(list)))
        .collect::<Result<Vec<_>, _>>()?;
    let has_protocol = is_on(&flags.proxy_protocol);
    if has_protocol && trusted.is_empty() {
        let message = "cannot use --proxy-protocol without --trust-proxy: anybody could choose the address of a client";
        let hint = "name the proxies: --trust-proxy=127.0.0.1, or remove --proxy-protocol";
        return Err(Error::new(message, hint).about(&flags.proxy_protocol));
    }
    Ok(Proxies::new(trusted, has_protocol))
}

/// Returns the path of `--base` without a slash at its end; empty if there is none.
pub(super) fn base(flag: Option<&Flag<String>>) -> Result<String, Error> {
    let Some(flag) = flag.filter(|flag| !flag.is_empty()) else { return Ok(String::new()) };
    let base = flag.strip_suffix('/').unwrap_or(flag);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '.' | '_' | '~');
    let fault = match Pattern::parse(&format!("{base}/*")) {
        Err(why) => Some(why),
        Ok(_) => (!base.chars().all(is_plain)).then_some("it has letters and digits of ASCII, `-`, `.`, `_` and `~`"),
    };
    let hint = match flag.trim_start_matches('/') {
        path if !flag.starts_with('/') && path.chars().all(is_plain) => format!("write --base=/{path}"),
        _ => "write a path such as --base=/live".to_owned(),
    };
    // The path alone is no base, but harmless.
    match fault.filter(|_| !base.is_empty()) {
        Some(why) => Err(Error::new(format!("invalid path `{}` of --base: {why}", flag.value), hint).about(flag)),
        None => Ok(base.to_owned()),
    }
}
