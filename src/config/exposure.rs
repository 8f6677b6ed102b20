//! Finds secrets that others may read: files of secrets, and credentials that cross a network without TLS.
//!
//! wsd warns of both: a password may be a public one, and perhaps a proxy has the TLS. `--check` refuses tokens in URLs without TLS.

use std::{collections::BTreeSet, fs, net::IpAddr, os::unix::fs::MetadataExt as _};

use super::error::Error;
use crate::{
    answer::routes::Routes,
    server::listen::{Addresses, ListenOptions},
};

/// The permission of every user to read a file.
const OTHERS_READ: u32 = 0o004;

/// Secrets that others may read.
#[derive(Debug, Default)]
pub(super) struct Exposure {
    /// Errors for `--check`.
    pub(super) errors: Vec<Error>,
    /// Warnings.
    warnings: BTreeSet<String>,
}

impl Exposure {
    /// Looks at the authentication of all sites.
    pub(super) fn of(routes: &Routes, has_tls: bool, listen: &ListenOptions) -> Self {
        let mut found = Self::default();
        let mut looked = BTreeSet::new();
        for auth in routes.sites().filter_map(|site| site.gate.auth.as_ref()) {
            for (flag, path) in auth.secret_files().filter(|file| looked.insert(file.to_owned())) {
                if fs::metadata(path).is_ok_and(|file| file.mode() & OTHERS_READ != 0) {
                    let path = path.display();
                    found.warnings.insert(format!(
                        "every user of this machine may read `{path}` of {flag}; run chmod o-r {path} if it is secret"
                    ));
                }
            }
            if auth.takes_query()
                && !has_tls
                && found.errors.iter().all(|error| !error.message.contains("--auth-query"))
            {
                let message = "cannot use --auth-query without --ssl: URLs cross the network and stay in logs";
                found.errors.push(Error::new(message, "add --ssl, or send the token in the header Authorization"));
            }
            if !has_tls && is_reachable(listen) {
                let warning = "with --auth, passwords and tokens cross the network without TLS; add --ssl, or listen on loopback only";
                found.warnings.insert(warning.to_owned());
            }
        }
        found
    }

    /// Lists the warnings of a start.
    pub(super) fn warnings(&self) -> impl Iterator<Item = &str> {
        const QUERY: &str = "with --auth-query, tokens in URLs cross the network without TLS and stay in logs; add --ssl, or a proxy with TLS";
        self.errors.iter().map(|_| QUERY).chain(self.warnings.iter().map(String::as_str))
    }
}

/// Whether other machines may reach wsd.
fn is_reachable(listen: &ListenOptions) -> bool {
    match &listen.tcp {
        None | Some((Addresses::Loopback, _)) => false,
        Some((Addresses::All, _)) => true,
        Some((Addresses::These(names), _)) => names.iter().flatten().any(|address: &IpAddr| !address.is_loopback()),
    }
}
