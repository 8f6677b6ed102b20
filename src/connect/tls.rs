//! TLS to a server: whom the client trusts, the certificate that it shows, and its errors in plain words.

use std::{io, path::Path, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        AlertDescription, CertificateError, ClientConfig, Error, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::ServerName,
        version::{TLS12, TLS13},
    },
};

use super::error::ConnectError;
use crate::{
    cli::connect::ConnectFlags,
    server::tls::{read_certs, read_key},
};

/// Loads the certificates that `flags` name, or those of the system.
pub(super) fn connector(flags: &ConnectFlags) -> Result<TlsConnector, ConnectError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("the provider knows both versions")
        .with_root_certificates(roots(flags)?);
    let of_file = |error: &dyn std::fmt::Display| ConnectError::new(error.to_string());
    let config = match (&flags.sslcert, &flags.sslkey) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let certs = read_certs("--sslcert", Path::new(&cert.value)).map_err(|error| of_file(&error))?;
            let key = read_key("--sslkey", Path::new(&key.value)).map_err(|error| of_file(&error))?;
            builder.with_client_auth_cert(certs, key).map_err(|cause| {
                ConnectError::new(format!("cannot use --sslcert with --sslkey: {cause}"))
                    .hint("name the private key that the certificate was made with")
            })?
        }
        (Some(_), None) => return Err(alone("--sslcert", "--sslkey")),
        (None, Some(_)) => return Err(alone("--sslkey", "--sslcert")),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn alone(given: &str, missing: &str) -> ConnectError {
    ConnectError::new(format!("cannot use {given} without {missing}")).hint(format!("add {missing}"))
}

/// Returns the authorities of `--sslca`, or those of the system.
fn roots(flags: &ConnectFlags) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    let (certs, place) = match &flags.sslca {
        Some(file) => {
            let path = Path::new(&file.value);
            let certs = read_certs("--sslca", path).map_err(|error| ConnectError::new(error.to_string()))?;
            (certs, format!("`{}` of --sslca", path.display()))
        }
        None => (rustls_native_certs::load_native_certs().certs, "the system".to_owned()),
    };
    match roots.add_parsable_certificates(certs) {
        (0, _) => {
            Err(ConnectError::new(format!("cannot check the server's certificate: {place} has no authority to trust"))
                .hint("install the package ca-certificates, or name a file with --sslca"))
        }
        _ => Ok(roots),
    }
}

/// Does the handshake of TLS on a connection to this host.
pub(super) async fn secure(
    stream: TcpStream,
    connector: &TlsConnector,
    host: &str,
    port: u16,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| ConnectError::new(format!("cannot use TLS with the host `{host}`: it is no name of a server")))?;
    connector.connect(name, stream).await.map_err(|cause| {
        let place = format!("cannot open TLS with {host}:{port}");
        explained(&place, &cause).unwrap_or_else(|| ConnectError::passing(format!("{place}: {cause}")))
    })
}

/// Describes an error of TLS within one of a stream; `None` if there is none. `doing` is put before the cause.
pub(super) fn explained(doing: &str, error: &io::Error) -> Option<ConnectError> {
    let cause = error.get_ref()?.downcast_ref::<Error>()?;
    let told = |cause: &str, hint: &str| Some(ConnectError::new(format!("{doing}: {cause}")).hint(hint));
    match cause {
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => told(
            "an authority that is not trusted here signed the server's certificate",
            "name a file with the certificate of that authority: --sslca=FILE",
        ),
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => told("the server's certificate is for another name", "write the name of the certificate into the URL"),
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            told("the server's certificate has expired", "renew it, or correct the clock of this machine")
        }
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            // The texts are names of rustls-webpki.
            let (cause, hint) = match &*other.to_string() {
                text if text.contains("CaUsedAsEndEntity") => (
                    "the server's certificate is that of an authority, not of a server",
                    "make one with -addext basicConstraints=critical,CA:FALSE: see docs/operations.md",
                ),
                text if text.contains("UnsupportedCertVersion") => (
                    "the server's certificate has an old version of X.509, not 3",
                    "make the certificate with version 3, as openssl req -x509 does: see docs/operations.md",
                ),
                text => {
                    return Some(ConnectError::new(format!("{doing}: the server's certificate is invalid: {text}")));
                }
            };
            told(cause, hint)
        }
        Error::InvalidMessage(_) => {
            told("the server does not speak TLS", "use ws:// instead of wss://, or http:// instead of https://")
        }
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            told("the server wants a client certificate", "add --sslcert and --sslkey")
        }
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError,
        ) => told(
            "the server does not accept the client certificate",
            "use one that an authority of the server's --sslca has signed",
        ),
        cause => Some(ConnectError::new(format!("{doing}: {cause}"))),
    }
}
