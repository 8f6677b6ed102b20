//! Reads the servers of the bus between the rooms of several machines.

use std::{ffi::OsString, fs, path::Path};

use data_encoding::HEXLOWER;

use super::error::Error;
use crate::{
    answer::routes::Routes,
    bus::{
        handle::{Bus, BusOptions},
        target::{BusIdentity, BusTarget},
    },
    cli::{server::BusFlags, value::Flag},
    server::tls::{TlsError, read_certs, read_key},
};

/// Returns the bus of `--bus`, which connects to nothing yet.
pub(super) fn bus(flags: &BusFlags) -> Result<Option<Bus>, Error> {
    let Some(list) = &flags.bus else {
        let without = [
            ("--bus-prefix", flags.bus_prefix.as_ref().map(|flag| flag.at)),
            ("--node", flags.node.as_ref().map(|flag| flag.at)),
            ("--bus-cert", flags.bus_cert.as_ref().map(|flag| flag.at)),
            ("--bus-key", flags.bus_key.as_ref().map(|flag| flag.at)),
        ];
        return match without.into_iter().find_map(|(name, at)| at.map(|at| (name, at))) {
            Some((name, at)) => {
                Err(Error::new(format!("cannot use {name} without --bus"), "add --bus=redis://HOST").at(at))
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
    let identity = identity(flags, &target)?;
    let prefix = flags.bus_prefix.as_ref().map_or_else(|| "wsd".to_owned(), |prefix| prefix.value.clone());
    let node = flags.node.as_ref().map_or_else(random_name, |node| node.value.clone());
    Bus::new(BusOptions { target, identity, prefix, node }).map(Some).map_err(|error| invalid(&error.to_string()))
}

/// Reads the certificate that wsd shows to Redis, and its key.
fn identity(flags: &BusFlags, target: &BusTarget) -> Result<Option<BusIdentity>, Error> {
    let alone = |given: &str, missing: &str, flag| {
        let error = Error::new(format!("cannot use {given} without {missing}"), format!("add {missing}"));
        Err(error.about::<OsString>(flag))
    };
    let (cert, key) = match (&flags.bus_cert, &flags.bus_key) {
        (None, None) => return Ok(None),
        (Some(cert), None) => return alone("--bus-cert", "--bus-key", cert),
        (None, Some(key)) => return alone("--bus-key", "--bus-cert", key),
        (Some(cert), Some(key)) => (cert, key),
    };
    if !target.is_tls() {
        let message = "cannot use --bus-cert without TLS to Redis";
        return Err(Error::new(message, "write the URLs of --bus as rediss://HOST").about(cert));
    }
    let unusable = |error: TlsError| Error::new(error.message, error.hint);
    read_certs("--bus-cert", Path::new(&cert.value)).map_err(|error| unusable(error).about(cert))?;
    read_key("--bus-key", Path::new(&key.value)).map_err(|error| unusable(error).about(key))?;
    let text = |flag: &Flag<OsString>| {
        let unread = |cause| Error::new(format!("cannot read `{}`: {cause}", flag.display()), "try again").about(flag);
        fs::read(&flag.value).map_err(unread)
    };
    Ok(Some(BusIdentity::new(text(cert)?, text(key)?)))
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
