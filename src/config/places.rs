//! The flags that say where to listen, and how safely.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs},
    path::PathBuf,
};

use super::Error;
use crate::{
    cli::Flags,
    limits::{PORT, TLS_PORT},
    server::{
        listen::{self, Addresses},
        tls, unix,
    },
};

/// Where to listen: as websocketd has it, a Unix socket alone if nothing else is named.
pub(super) fn listen(flags: &Flags) -> Result<listen::Options, Error> {
    let redirport = flags.redirport.filter(|&port| port != 0);
    let names_tcp = flags.port.is_some() || named(flags).next().is_some() || redirport.is_some();
    let unix = flags.unixsocket.clone().filter(|path| !path.is_empty());
    let unix = unix.map(|path| Ok(unix::Options { path, mode: mode(flags)? })).transpose()?;
    if unix.is_none() && flags.socketmode.is_some() {
        return Err(Error::new("--socketmode without --unixsocket", "name the socket with --unixsocket=PATH"));
    }
    if unix.as_ref().is_some_and(|unix| unix.mode.is_some() && unix.path.as_encoded_bytes().starts_with(b"@")) {
        return Err(Error::new("--socketmode: a socket such as @NAME has no file", "leave --socketmode out"));
    }
    let port = port(flags);
    if redirport == Some(port) {
        return Err(Error::new("--redirport and --port are the same", "give another port to one of them"));
    }
    let tcp = (names_tcp || unix.is_none()).then(|| addresses(flags)).transpose()?;
    let is_default = !names_tcp && unix.is_none();
    Ok(listen::Options { tcp: tcp.map(|addresses| (addresses, port)), unix, redirect_port: redirport, is_default })
}

/// The port; under the name of websocketd 0 is no free one, but HTTP's or HTTPS's.
fn port(flags: &Flags) -> u16 {
    match (flags.port, flags.is_websocketd, flags.ssl) {
        (None | Some(0), true, false) => 80,
        (None | Some(0), true, true) => 443,
        (Some(port), ..) => port,
        (None, false, false) => PORT,
        (None, false, true) => TLS_PORT,
    }
}

/// What `--address` names. Scripts pass what may be empty: that is nothing.
fn named(flags: &Flags) -> impl Iterator<Item = &String> {
    flags.address.iter().filter(|text| !text.is_empty())
}

fn addresses(flags: &Flags) -> Result<Addresses, Error> {
    if named(flags).next().is_none() {
        return Ok(if flags.is_websocketd { Addresses::All } else { Addresses::Loopback });
    }
    let mut names: Vec<Vec<IpAddr>> = Vec::new();
    for text in named(flags) {
        let addresses = resolve(text).ok_or_else(|| {
            Error::new(
                format!("--address: `{text}` is no address of a machine"),
                "name an address of this machine, such as --address=127.0.0.1, or --address=:: for all",
            )
        })?;
        names.push(Vec::new());
        for address in addresses {
            if !names.iter().flatten().any(|known| *known == address) {
                names.last_mut().expect("just pushed").push(address);
            }
        }
    }
    if names.concat().contains(&Ipv6Addr::UNSPECIFIED.into()) {
        // One socket serves both kinds; another one would be in its way.
        for name in &mut names {
            name.retain(|address| *address != Ipv4Addr::UNSPECIFIED);
        }
    }
    Ok(Addresses::These(names))
}

/// An address, an IPv6 address with or without brackets, or a name.
fn resolve(text: &str) -> Option<Vec<IpAddr>> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse() {
        return Some(vec![address]);
    }
    let found: Vec<_> = (text, 0).to_socket_addrs().ok()?.map(|address| address.ip()).collect();
    Some(found).filter(|found| !found.is_empty())
}

/// The permissions in octal: 1 to 777.
fn mode(flags: &Flags) -> Result<Option<u32>, Error> {
    let Some(text) = &flags.socketmode else { return Ok(None) };
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| (1..=0o777).contains(mode) && !text.starts_with('+'));
    mode.map(Some).ok_or_else(|| {
        Error::new(format!("--socketmode: `{text}` is no mode of a file"), "it is octal, such as --socketmode=660")
    })
}

/// The files of TLS: with `--ssl` certificate and key, without it none.
pub(super) fn tls(flags: &Flags) -> Result<Option<tls::Options>, Error> {
    // Scripts pass what may be empty: that is none, as for websocketd.
    let path = |file: &Option<OsString>| file.as_ref().filter(|file| !file.is_empty()).map(PathBuf::from);
    let (cert, key, ca) = (path(&flags.sslcert), path(&flags.sslkey), path(&flags.sslca));
    match (flags.ssl, cert, key, ca) {
        (true, Some(cert), Some(key), ca) => Ok(Some(tls::Options { cert, key, ca })),
        (true, ..) => Err(Error::new("--ssl needs both --sslcert and --sslkey", "name the certificate and its key")),
        (false, None, None, None) => Ok(None),
        (false, cert, key, _) => {
            let flag = cert.map(|_| "--sslcert").or(key.map(|_| "--sslkey")).unwrap_or("--sslca");
            Err(Error::new(format!("{flag} without --ssl"), "add --ssl to speak TLS"))
        }
    }
}
