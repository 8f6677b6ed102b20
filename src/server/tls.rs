//! TLS: loads and reloads certificates, and describes the handshake.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tokio::sync::watch;
use tokio_rustls::rustls::{
    ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use x509_parser::parse_x509_certificate;

use super::subject::distinguished_name;
use crate::{event::Event, peer::Tls};

/// The files of `--sslcert`, `--sslkey` and `--sslca`, all PEM.
#[derive(Clone, Debug)]
pub(crate) struct TlsOptions {
    /// The server's certificate, then the intermediate ones.
    pub(crate) cert: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
    /// The roots of clients' certificates; if given, every client must present a certificate.
    pub(crate) ca: Option<PathBuf>,
}

/// The error of certificates that wsd cannot use.
#[derive(Debug)]
pub(crate) struct TlsError {
    message: String,
    hint: &'static str,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message, self.hint)
    }
}

/// The current certificates; a reload replaces them.
pub(crate) type Certificates = watch::Receiver<Arc<ServerConfig>>;

/// Reloads the certificates.
#[derive(Debug)]
pub(crate) struct Reloader {
    options: TlsOptions,
    current: watch::Sender<Arc<ServerConfig>>,
    seen: Vec<Option<Stamp>>,
}

/// Identifies a version of a file: modification time, length in bytes, inode.
type Stamp = (SystemTime, u64, u64);

/// Loads and checks the certificates.
pub(crate) fn open(options: TlsOptions) -> Result<(Certificates, Reloader), TlsError> {
    let seen = stamps(&options);
    let (current, certificates) = watch::channel(load(&options)?);
    Ok((certificates, Reloader { options, current, seen }))
}

impl Reloader {
    /// Reloads the files. New connections get the new certificates; if these are invalid, wsd logs it and keeps the old ones.
    pub(crate) fn reload(&mut self) {
        self.seen = stamps(&self.options);
        match load(&self.options) {
            Ok(config) => {
                self.current.send_replace(config);
                Event::CertificatesLoaded {}.emit();
            }
            Err(cause) => Event::CertificatesNotLoaded { cause: &cause.message, hint: cause.hint }.emit(),
        }
    }

    /// Reloads the files if one has changed since the last call.
    pub(crate) fn look(&mut self) {
        if stamps(&self.options) != self.seen {
            self.reload();
        }
    }
}

fn stamps(options: &TlsOptions) -> Vec<Option<Stamp>> {
    use std::os::unix::fs::MetadataExt;

    let stamp = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
    };
    [Some(&options.cert), Some(&options.key), options.ca.as_ref()].into_iter().flatten().map(stamp).collect()
}

fn load(options: &TlsOptions) -> Result<Arc<ServerConfig>, TlsError> {
    let certs = read_certs("--sslcert", &options.cert)?;
    check_dates(&options.cert, &certs[0])?;
    let key = PrivateKeyDer::from_pem_file(&options.key).map_err(|cause| TlsError {
        message: format!("cannot read a private key from `{}` of --sslkey: {cause}", options.key.display()),
        hint: "name a PEM file with an unencrypted private key",
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("the provider knows both versions");
    let builder = match &options.ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            let (added, _) = roots.add_parsable_certificates(read_certs("--sslca", path)?);
            let no_root = || TlsError {
                message: format!("cannot use `{}` of --sslca: it has no usable certificate", path.display()),
                hint: "name a PEM file with the certificates of the authorities that sign those of your clients",
            };
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(aws_lc_rs::default_provider()));
            let verifier = verifier.build().ok().filter(|_| added > 0).ok_or_else(no_root)?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(certs, key).map_err(|cause| TlsError {
        message: format!("cannot use `{}` of --sslkey with --sslcert: {cause}", options.key.display()),
        hint: "name the private key that the certificate was made with",
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Reads the certificates of a PEM file; fails if it has none.
fn read_certs(flag: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |cause: &dyn fmt::Display| TlsError {
        message: format!("cannot read certificates from `{}` of {flag}: {cause}", path.display()),
        hint: "name a readable PEM file with lines like -----BEGIN CERTIFICATE-----",
    };
    let certs = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| bad(&cause))?;
    if certs.is_empty() { Err(bad(&"it has none")) } else { Ok(certs) }
}

/// Refuses a certificate that is not yet valid or has expired: no client would accept it.
fn check_dates(path: &Path, cert: &CertificateDer<'_>) -> Result<(), TlsError> {
    let Ok((_, parsed)) = parse_x509_certificate(cert) else {
        let message =
            format!("cannot use `{}` of --sslcert: it does not begin with an X.509 certificate", path.display());
        return Err(TlsError { message, hint: "put the server's own certificate first in the file" });
    };
    let validity = parsed.validity();
    if validity.is_valid() {
        return Ok(());
    }
    let message = format!(
        "cannot use `{}` of --sslcert: it is valid from {} to {} only",
        path.display(),
        validity.not_before,
        validity.not_after
    );
    Err(TlsError { message, hint: "renew the certificate, or correct the clock of this machine" })
}

/// Returns the result of a handshake: protocol, cipher, and the subject of the client's certificate.
pub(crate) fn describe(connection: &ServerConnection) -> Tls {
    let protocol = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let cipher = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default();
    let subject = |cert: &CertificateDer<'_>| Some(distinguished_name(parse_x509_certificate(cert).ok()?.1.subject()));
    Tls {
        protocol,
        cipher: cipher.replacen("TLS13_", "TLS_", 1),
        client: connection.peer_certificates().and_then(|certs| subject(certs.first()?)),
    }
}

/// The response to plain HTTP on a TLS port.
pub(crate) const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    connection: close\r\ncontent-length: 62\r\n\r\n400 Bad Request\n\nThis port speaks TLS: use https:// or wss://\n";
