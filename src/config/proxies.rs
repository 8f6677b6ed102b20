//! Checks the proxies to trust, and the path below which wsd serves everything.

use std::net::IpAddr;

use ipnet::IpNet;

use super::error::Error;
use crate::{
    answer::routes::Pattern,
    cli::{
        server::ProxyFlags,
        value::{Flag, is_on},
    },
    http::proxies::{Proxies, Trusted},
};

/// Returns the proxies of `--trust-proxy`.
pub(super) fn proxies(flags: &ProxyFlags) -> Result<Proxies, Error> {
    let list = flags.trust_proxy.as_ref();
    // Scripts pass variables that may be empty.
    let words = list.iter().flat_map(|list| &list.0).map(|word| word.trim()).filter(|word| !word.is_empty());
    let trusted = words.map(|word| trusted(word).map_err(|error| error.about(list))).collect::<Result<Vec<_>, _>>()?;
    let has_protocol = is_on(&flags.proxy_protocol);
    if has_protocol && trusted.is_empty() {
        let message = "cannot use --proxy-protocol without --trust-proxy: anybody could choose the address of a client";
        let hint = "name the proxies: --trust-proxy=127.0.0.1, or remove --proxy-protocol";
        return Err(Error::new(message, hint).about(&flags.proxy_protocol));
    }
    Ok(Proxies::new(trusted, has_protocol))
}

/// Reads an entry of `--trust-proxy`.
fn trusted(word: &str) -> Result<Trusted, Error> {
    if word == "unix" {
        return Ok(Trusted::Unix);
    }
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    let invalid = |why: &str, hint: String| Error::new(format!("invalid proxy `{word}` in --trust-proxy: {why}"), hint);
    let net: IpNet = match (bare.parse::<IpAddr>(), bare.parse()) {
        (Ok(ip), _) => ip.into(),
        (_, Ok(net)) => net,
        _ => {
            let hint = "write addresses, networks or the word unix, as in --trust-proxy=127.0.0.1,10.0.0.0/8,unix";
            return Err(invalid("not an address or a network", hint.to_owned()));
        }
    };
    if net != net.trunc() {
        return Err(invalid("it has bits beyond its prefix", format!("did you mean {}?", net.trunc())));
    }
    match net.addr() {
        IpAddr::V6(six) if six.to_ipv4_mapped().is_some() => {
            let hint = "write the address of IPv4, as in --trust-proxy=10.0.0.0/8".to_owned();
            Err(invalid("wsd takes addresses of IPv4 within IPv6 for those of IPv4", hint))
        }
        _ => Ok(Trusted::Net(net)),
    }
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
