//! Certificates: `--auth=cert`. TLS has verified them (`--sslca`).

use super::proof::{AuthOutcome, Proof};
use crate::peer::Connection;

/// `AUTH_TYPE`.
const KIND: &str = "Certificate";

/// Checks the certificate of a connection.
pub(super) fn check(connection: &Connection) -> AuthOutcome {
    let tls = connection.tls.as_deref();
    let Some(name) = tls.and_then(|tls| tls.client_name.as_deref()) else { return AuthOutcome::NotMine };
    AuthOutcome::Proved(Proof::new(name, KIND))
}
