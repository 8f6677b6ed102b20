//! Parts of the banner: the clients that may connect, and the user of the programs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    answer::routes::Routes,
    cli::{server::Flags, site::SiteFlags, types::Items, value::Flag},
    server::{
        listen::{Addresses, ListenOptions},
        systemd,
    },
};

/// Adds the lines of the main settings: clients, credentials, addresses, their rate, redirects, and the user of programs.
pub(super) fn add_who(add: &mut impl FnMut(&str, &str), flags: &Flags, listen: &ListenOptions) {
    let (pages, limits) = (&flags.site.pages, &flags.site.limits);
    add("clients", &clients(flags, listen));
    let users: Vec<_> = flags.site.auth.kinds().map(|kind| users(kind)).collect();
    if !users.is_empty() {
        add("users", &users.join(", or "));
    }
    let joined = |list: &Flag<Items>| list.0.iter().map(|word| word.trim()).collect::<Vec<_>>().join(", ");
    if let Some(list) = &pages.allow {
        add("allowed", &format!("only {}", joined(list)));
    }
    if let Some(list) = &pages.deny {
        add("denied", &joined(list));
    }
    if let Some(rate) = limits.rate.as_deref().and_then(|rate| rate.0) {
        add("rate", &format!("{rate}, for each address of a client"));
    }
    if let Some(port) = listen.redirect_port {
        add("redirect", &format!("HTTP on port {port} to the URLs below"));
    }
    if let Some(user) = &flags.site.confine.user {
        add("runs as", user);
    }
}

/// Names the rules of a route about its clients and its user that are not those of the main settings, which have lines of their own;
/// empty if there is none.
pub(super) fn own_rules(route: &SiteFlags, main: &SiteFlags) -> String {
    let (own, pages) = (&route.pages, &main.pages);
    let is_open = route.auth.kinds().next().is_none();
    let rules = [
        (if is_open { "--auth=none" } else { "--auth" }, !route.auth.kinds().eq(main.auth.kinds())),
        ("--allow", own.allow != pages.allow),
        ("--deny", own.deny != pages.deny),
        ("--rate", route.limits.rate != main.limits.rate),
        ("--user", route.confine.user != main.confine.user),
    ];
    let names: Vec<_> = rules.into_iter().filter_map(|(name, is_own)| is_own.then_some(name)).collect();
    if names.is_empty() { String::new() } else { format!(", with its own {}", names.join(", ")) }
}

/// Names the clients that a kind of credentials admits. Shows files and programs, but no URL: it may have a password.
fn users(kind: &str) -> String {
    match kind.split_once(':') {
        Some(("basic", file)) => format!("of {file}"),
        Some(("bearer", file)) => format!("with a token of {file}"),
        Some(("jwt", file)) => format!("with a JSON Web Token of {file}"),
        Some(("command", program)) => format!("that {program} admits"),
        Some(("url", _)) => "that the authentication server admits".to_owned(),
        _ => "with a certificate".to_owned(),
    }
}

/// Names the addresses at which clients reach wsd.
fn clients(flags: &Flags, listen: &ListenOptions) -> String {
    let mut who = match &listen.tcp {
        None => "of this machine only, by the Unix socket".to_owned(),
        Some((Addresses::Loopback, _)) => "of this machine only; --address=0.0.0.0 admits others".to_owned(),
        Some((Addresses::All, _)) => "that reach any address of this machine".to_owned(),
        Some((Addresses::These(names), _)) if names.iter().flatten().all(IpAddr::is_loopback) => {
            let addresses: Vec<_> = names.iter().flatten().map(IpAddr::to_string).collect();
            format!("of this machine only, at {}", addresses.join(", "))
        }
        Some((Addresses::These(names), _)) => {
            let shown = |address: &IpAddr| match address {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED) => "any IPv4 address of this machine (0.0.0.0)".to_owned(),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) => "any address of this machine (::)".to_owned(),
                address => address.to_string(),
            };
            let addresses: Vec<_> = names.iter().flatten().map(shown).collect();
            format!("that reach {}", addresses.join(", "))
        }
    };
    if systemd::hands_over() {
        let sockets = "that reach the sockets handed over";
        who = if listen.is_default { sockets.to_owned() } else { format!("{who}, or {sockets}") };
    }
    if flags.tls.sslca.as_ref().is_some_and(|file| !file.is_empty()) {
        who += ", with a certificate";
    }
    who
}

/// Warns of lists of addresses that admit nobody.
pub(super) fn addresses_warning(sites: &Routes) -> Option<String> {
    let warning = "--allow admits nobody: its list is empty, or that of --deny is equal";
    sites.sites().any(|site| site.gate.access.admit_nobody()).then(|| warning.to_owned())
}
