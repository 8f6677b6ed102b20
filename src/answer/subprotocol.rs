//! The choice of a subprotocol: it may name a framing, or be for the program, and either within `wsd.resume.1`.

use std::sync::Arc;

use hyper::HeaderMap;

use super::site::Site;
use crate::{
    framing::Framing,
    http::{auth::credentials::carrier, handshake::offers},
    resume::{ResumeOptions, offer::application},
};

/// The subprotocol of a session.
#[derive(Debug)]
pub(super) struct Subprotocol<'a> {
    /// The offer that the 101 repeats.
    pub(super) offer: Option<&'a str>,
    /// The name for the program.
    pub(super) name: Option<&'a str>,
    /// The framing of a process of the client's own.
    pub(super) framing: Framing,
    /// The settings of a session to which the client can return.
    pub(super) resume: Option<&'a Arc<ResumeOptions>>,
}

/// Chooses among the client's offers. The name of a framing has precedence, then the first that is listed.
pub(super) fn choose<'a>(site: &'a Site, headers: &'a HeaderMap) -> Subprotocol<'a> {
    let resumable = site.resume.as_ref().and_then(|resume| {
        let bare = |(_, name): &(&str, &str)| name.is_empty();
        let named = || offers(headers).filter_map(|offer| Some((offer, application(offer)?)));
        let (offer, name) = first(site, named).or_else(|| named().find(bare))?;
        Some((offer, Some(name).filter(|name| !name.is_empty()), Some(resume)))
    });
    let plain = || first(site, || offers(headers).map(|offer| (offer, offer)));
    let chosen = resumable.or_else(|| plain().map(|(offer, name)| (offer, Some(name), None)));
    // A browser gives up if wsd chooses none, and the token that it offered is not to be chosen.
    let carrier = || carrier(offers(headers)).filter(|_| site.gate.open.hides_credentials());
    let (offer, name, resume) =
        chosen.map_or_else(|| (carrier(), None, None), |(offer, name, resume)| (Some(offer), name, resume));
    let framing = name.and_then(|name| site.framings.chosen(name)).unwrap_or(site.framings.default());
    Subprotocol { offer, name, framing, resume }
}

/// Returns the first offer, with the name in it, that names a framing, or else that is listed.
fn first<'a, I: Iterator<Item = (&'a str, &'a str)>>(site: &Site, named: impl Fn() -> I) -> Option<(&'a str, &'a str)> {
    let is_framing = |(_, name): &(&str, &str)| site.framings.chosen(name).is_some();
    let is_listed = |(_, name): &(&str, &str)| site.subprotocols.iter().any(|listed| listed == name);
    named().find(is_framing).or_else(|| named().find(is_listed))
}
