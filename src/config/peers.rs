//! Reads lists of peers: addresses, networks, the word `unix`, and files with one of these in each line.

use std::{fs, io::Read, net::IpAddr};

use ipnet::IpNet;

use super::error::Error;
use crate::{
    cli::{site::PageFlags, types::Items, value::Flag},
    http::{
        access::AccessLists,
        peers::{PeerNet, PeerSet},
    },
    limits::LIST_BYTES_MAX,
    worker::advice,
};

/// The flag of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// `--trust-proxy`.
    TrustProxy,
    /// `--allow`.
    Allow,
    /// `--deny`.
    Deny,
}

impl Use {
    /// Returns the flag, and the word for an entry.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::TrustProxy => ("--trust-proxy", "proxy"),
            Self::Allow => ("--allow", "address"),
            Self::Deny => ("--deny", "address"),
        }
    }
}

/// Whether a list has a file.
pub(crate) fn has_file(list: Option<&Flag<Items>>) -> bool {
    list.is_some_and(|list| list.0.iter().any(|word| word.trim().starts_with('@')))
}

/// Takes `--allow` and `--deny` out of the flags, and reads their files. A change of a list needs no new site.
pub(super) fn access_lists(flags: &mut PageFlags) -> Result<AccessLists, Error> {
    let allow = flags.allow.take().map(|list| read(&list, Use::Allow)).transpose()?;
    let deny = flags.deny.take().map(|list| read(&list, Use::Deny)).transpose()?;
    Ok(AccessLists { allow: allow.flatten(), deny: deny.flatten().unwrap_or_default() })
}

/// Reads a list; `None` if it has no entry. A file without entries is a list of nobody.
fn read(list: &Flag<Items>, of: Use) -> Result<Option<PeerSet>, Error> {
    // A variable within the list may be empty; `empty` refuses an empty list.
    let words: Vec<_> = list.0.iter().map(|word| word.trim()).filter(|word| !word.is_empty()).collect();
    let mut peers = Vec::new();
    for word in &words {
        match word.strip_prefix('@') {
            Some(name) => read_file(name, of, &mut peers).map_err(|error| error.about(list))?,
            None => peers.push(peer_net(word, of).map_err(|error| error.about(list))?),
        }
    }
    Ok((!words.is_empty()).then(|| PeerSet::new(&peers)))
}

/// Reads a file: an entry in each line. `#` begins a comment.
fn read_file(name: &str, of: Use, peers: &mut Vec<PeerNet>) -> Result<(), Error> {
    let (flag, _) = of.names();
    let mut text = String::new();
    let opened = fs::File::open(name).and_then(|file| file.take(LIST_BYTES_MAX as u64 + 1).read_to_string(&mut text));
    opened.map_err(|cause| {
        let hint = advice::for_error(&cause).unwrap_or("name a readable text file with an address in each line".into());
        Error::new(format!("cannot read the file `{name}` of {flag}: {cause}"), hint)
    })?;
    if text.len() > LIST_BYTES_MAX {
        let hint = "join addresses to networks, such as 10.0.0.0/8";
        return Err(Error::new(format!("cannot read the file `{name}` of {flag}: it has more than 16 MiB"), hint));
    }
    for (index, line) in text.lines().enumerate() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if !entry.is_empty() {
            let place = |error: Error| Error { message: format!("{name}:{}: {}", index + 1, error.message), ..error };
            peers.push(peer_net(entry, of).map_err(place)?);
        }
    }
    Ok(())
}

/// Reads an entry of a list.
pub(super) fn peer_net(word: &str, of: Use) -> Result<PeerNet, Error> {
    if word == "unix" {
        return Ok(PeerNet::Unix);
    }
    let (flag, thing) = of.names();
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    let invalid = |why: &str, hint: String| Error::new(format!("invalid {thing} `{word}` in {flag}: {why}"), hint);
    let net: IpNet = match (bare.parse::<IpAddr>(), bare.parse()) {
        (Ok(ip), _) => ip.into(),
        (_, Ok(net)) => net,
        _ => {
            let hint = format!("write addresses, networks or the word unix, as in {flag}=127.0.0.1,10.0.0.0/8,unix");
            return Err(invalid("not an address or a network", hint));
        }
    };
    if net != net.trunc() {
        return Err(invalid("it has bits beyond its prefix", format!("did you mean {}?", net.trunc())));
    }
    match net.addr() {
        IpAddr::V6(six) if six.to_ipv4_mapped().is_some() => {
            let hint = format!("write the address of IPv4, as in {flag}=10.0.0.0/8");
            Err(invalid("wsd takes addresses of IPv4 within IPv6 for those of IPv4", hint))
        }
        _ => Ok(PeerNet::Net(net)),
    }
}
