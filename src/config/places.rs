//! Checks the addresses, sockets and certificates to listen with.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs},
    path::PathBuf,
};

use super::error::Error;
use crate::{
    cli::{CommandLine, server::ListenFlags, server::TlsFlags, value::Flag, value::is_on},
    limits::{PORT, TLS_PORT},
    server::{
        listen::{Addresses, ListenOptions},
        tls::TlsOptions,
        unix::UnixOptions,
    },
};

/// Returns the places to listen on: as in websocketd, only the Unix socket if flags name one but no port and no address.
pub(super) fn listen(flags: &ListenFlags, tls: &TlsFlags, line: &CommandLine) -> Result<ListenOptions, Error> {
    let port = match (flags.port.as_deref(), line.is_websocketd, is_on(&tls.ssl)) {
        // Under the name of websocketd, port 0 does not pick a free port.
        (None | Some(0), true, false) => 80,
        (None | Some(0), true, true) => 443,
        (Some(port), ..) => *port,
        (None, false, false) => PORT,
        (None, false, true) => TLS_PORT,
    };
    let redirect_port = flags.redirport.as_deref().copied().filter(|port| *port != 0);
    if redirect_port == Some(port) {
        let message = "cannot listen twice on one port: --redirport and --port are the same";
        return Err(Error::new(message, "change one of them").about(&flags.redirport).about(&flags.port));
    }
    let unix = unix(flags)?;
    // Scripts pass variables that may be empty: wsd ignores an empty address.
    let named: Vec<_> = flags.address.iter().flatten().filter(|text| !text.is_empty()).collect();
    let names_tcp = flags.port.is_some() || !named.is_empty() || redirect_port.is_some();
    let is_default = !names_tcp && unix.is_none();
    let addresses = (names_tcp || is_default).then(|| addresses(&named, line)).transpose()?;
    Ok(ListenOptions { tcp: addresses.map(|addresses| (addresses, port)), unix, redirect_port, is_default })
}

fn unix(flags: &ListenFlags) -> Result<Option<UnixOptions>, Error> {
    let path = flags.unixsocket.as_deref().filter(|path| !path.is_empty());
    let refused = |message, hint| Err(Error::new(message, hint).about(&flags.socketmode));
    match (path, flags.socketmode.as_deref()) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            refused("cannot use --socketmode without --unixsocket", "name the socket with --unixsocket=PATH")
        }
        (Some(path), Some(_)) if path.as_encoded_bytes().starts_with(b"@") => {
            refused("cannot use --socketmode with @NAME: that socket has no file", "remove --socketmode")
        }
        (Some(path), mode) => Ok(Some(UnixOptions { path: path.clone(), mode: mode.map(|mode| mode.0) })),
    }
}

/// Resolves the values of `--address`.
fn addresses(values: &[&Flag<String>], line: &CommandLine) -> Result<Addresses, Error> {
    let mut names: Vec<Vec<IpAddr>> = Vec::new();
    for text in values {
        let addresses = resolve(text).ok_or_else(|| {
            let hint = hint_for_address(text);
            let message = format!("cannot listen on `{}`: not an address or a known host name", text.value);
            Error::new(message, hint).about(*text)
        })?;
        names.push(Vec::new());
        for address in addresses {
            if !names.iter().flatten().any(|known| *known == address) {
                names.last_mut().expect("just pushed").push(address);
            }
        }
    }
    if names.concat().contains(&Ipv6Addr::UNSPECIFIED.into()) {
        // One socket serves both families; the system would refuse a second one.
        for name in &mut names {
            name.retain(|address| *address != Ipv4Addr::UNSPECIFIED);
        }
    }
    Ok(match line.is_websocketd {
        _ if !names.is_empty() => Addresses::These(names),
        false => Addresses::Loopback,
        true => Addresses::All,
    })
}

/// Returns advice for an address that is none.
fn hint_for_address(text: &Flag<String>) -> String {
    let parts: Vec<_> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > 1 && text.at.is_some() {
        return format!("write a list: `address = {parts:?}`");
    }
    if parts.len() > 1 {
        return format!("write each address with a flag of its own: --address={}", parts.join(" --address="));
    }
    let bare = text.split_once("://").map_or(&***text, |(_, rest)| rest).trim_end_matches('/');
    let port = bare.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    match port.filter(|(host, _)| resolve(host).is_some()) {
        Some((host, port)) => format!("write the port apart: --address={host} --port={port}"),
        None if bare != **text && resolve(bare).is_some() => format!("write the address alone: --address={bare}"),
        None => "name an address of this machine, such as --address=127.0.0.1, or --address=:: for all".to_owned(),
    }
}

/// Resolves an address, an IPv6 address with or without brackets, or a host name.
fn resolve(text: &str) -> Option<Vec<IpAddr>> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse() {
        return Some(vec![address]);
    }
    let found: Vec<_> = (text, 0).to_socket_addrs().ok()?.map(|address| address.ip()).collect();
    Some(found).filter(|found| !found.is_empty())
}

/// Returns the certificate and the key if `--ssl` is set, otherwise `None`.
pub(super) fn tls(flags: &TlsFlags, line: &CommandLine) -> Result<Option<TlsOptions>, Error> {
    // Scripts pass variables that may be empty: wsd ignores an empty file name, as websocketd does.
    let named = |file: &Option<Flag<OsString>>| file.as_deref().filter(|file| !file.is_empty()).map(PathBuf::from);
    let files = [("--sslcert", &flags.sslcert), ("--sslkey", &flags.sslkey), ("--sslca", &flags.sslca)];
    if !is_on(&flags.ssl) {
        let Some((flag, file)) = files.into_iter().find(|(_, file)| named(file).is_some()) else { return Ok(None) };
        let error = Error::new(format!("cannot use {flag} without --ssl"), "add --ssl to serve over TLS");
        return Err(error.about(file));
    }
    if let Some(file) = flags.sslca.as_ref().filter(|file| file.is_empty() && !line.is_websocketd) {
        let message = "cannot use an empty value for --sslca: clients would need no certificate";
        return Err(Error::new(message, "name a file of authorities: --sslca=FILE, or remove --sslca").about(file));
    }
    let (Some(cert), Some(key)) = (named(&flags.sslcert), named(&flags.sslkey)) else {
        let message = "cannot serve over TLS without --sslcert and --sslkey";
        return Err(Error::new(message, "name the certificate and its key").about(&flags.ssl));
    };
    Ok(Some(TlsOptions { cert, key, ca: named(&flags.sslca) }))
}
