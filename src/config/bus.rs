//! Reads the servers of the bus between the rooms of several machines.

use data_encoding::HEXLOWER;

use super::error::Error;
use crate::{
    answer::routes::Routes,
    bus::{
        handle::{Bus, BusOptions},
        target::BusTarget,
    },
    cli::server::BusFlags,
};

/// Returns the bus of `--bus`, which connects to nothing yet.
pub(super) fn bus(flags: &BusFlags) -> Result<Option<Bus>, Error> {
    let Some(list) = &flags.bus else {
        let without = [("--bus-prefix", flags.bus_prefix.as_ref()), ("--node", flags.node.as_ref())];
        return match without.into_iter().find_map(|(name, flag)| flag.map(|flag| (name, flag))) {
            Some((name, flag)) => {
                Err(Error::new(format!("cannot use {name} without --bus"), "add --bus=redis://HOST").about(flag))
            }
            None => Ok(None),
        };
    };
    let urls: Vec<_> = list.0.iter().map(|url| url.trim().to_owned()).filter(|url| !url.is_empty()).collect();
    // Not the URL itself: it may have a password.
    let invalid = |why: &str| {
        let hint =
            "write redis://HOST:6379, rediss://HOST, unix:/PATH, several of a cluster, or sentinel://HOST:26379/NAME";
        Error::new(format!("invalid URL of --bus: {why}"), hint).about(list)
    };
    let target = BusTarget::parse(&urls).map_err(|why| invalid(&why))?;
    let is_plain = |text: &str| {
        !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c))
    };
    for (name, flag) in [("--bus-prefix", &flags.bus_prefix), ("--node", &flags.node)] {
        if let Some(flag) = flag.as_ref().filter(|flag| !is_plain(flag)) {
            let message = format!("invalid value `{}` of {name}", flag.value);
            let hint = "write 1 to 64 letters and digits of ASCII, `-`, `.`, `_` and `:`";
            return Err(Error::new(message, hint).about(flag));
        }
    }
    let prefix = flags.bus_prefix.as_ref().map_or_else(|| "wsd".to_owned(), |prefix| prefix.value.clone());
    let node = flags.node.as_ref().map_or_else(random_name, |node| node.value.clone());
    Bus::new(BusOptions { target, prefix, node }).map(Some).map_err(|error| invalid(&error.to_string()))
}

/// Warns of a bus that no route uses.
pub(super) fn unused_warning(flags: &BusFlags, sites: &Routes) -> Option<String> {
    let is_unused = flags.bus.is_some() && !sites.sites().any(|site| site.rooms.is_some());
    is_unused.then(|| "--bus changes nothing without --shared: each client has a program of its own".to_owned())
}

fn random_name() -> String {
    let mut random = [0; 4];
    getrandom::fill(&mut random).expect("the system has random numbers");
    HEXLOWER.encode(&random)
}
