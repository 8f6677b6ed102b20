//! TLS: loads and reloads certificates, and describes the handshake.

use std::{
    borrow::Cow,
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tokio::sync::watch;
use tokio_rustls::rustls::{
    Error, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use x509_parser::{
    certificate::X509Certificate, parse_x509_certificate, public_key::PublicKey, time::ASN1Time, x509::X509Version,
};

use super::subject::{client_name, distinguished_name};
use crate::{event::Event, metrics::counts::COUNTS, peer::Tls, worker::advice};

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

/// The smallest RSA key that TLS can use.
const RSA_BITS_MIN: usize = 2048;

/// The curves of ECDSA that TLS can use: P-256, P-384 and P-521.
const CURVES: [&str; 3] = ["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"];

/// The kinds of keys that wsd knows by name and TLS here cannot use.
const KINDS: [(&str, &str); 3] =
    [("1.3.101.113", "an Ed448"), ("1.2.840.113549.1.1.10", "an RSA-PSS"), ("1.2.840.10040.4.1", "a DSA")];

/// The curve of Bitcoin, which TLS does not have.
const SECP256K1: &str = "1.3.132.0.10";

/// The error of certificates that wsd cannot use.
#[derive(Debug)]
pub(crate) struct TlsError {
    /// The error.
    pub(crate) message: String,
    /// Advice.
    pub(crate) hint: Cow<'static, str>,
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
            Err(cause) => Event::CertificatesNotLoaded { cause: &cause.message, hint: &cause.hint }.emit(),
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
    let x509 = parse(&options.cert, &certs[0])?;
    warn_of_dates(&options.cert, &certs);
    let key = read_key("--sslkey", &options.key)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("the provider knows both versions");
    let builder = match &options.ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            let authorities = read_certs("--sslca", path)?;
            warn_of_dates(path, &authorities);
            let (added, _) = roots.add_parsable_certificates(authorities);
            let no_root = || TlsError {
                message: format!("cannot use `{}` of --sslca: it has no usable certificate", path.display()),
                hint: "name a PEM file with the certificates of the authorities that sign those of your clients".into(),
            };
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(aws_lc_rs::default_provider()));
            let verifier = verifier.build().ok().filter(|_| added > 0).ok_or_else(no_root)?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let expiry =
        certs.iter().filter_map(|cert| Some(parse_x509_certificate(cert).ok()?.1.validity().not_after.timestamp()));
    let mut config =
        builder.with_single_cert(certs.clone(), key).map_err(|cause| unfit_pair(options, &x509, &cause))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if let Some(first) = expiry.min() {
        COUNTS.set_cert_expiry(first);
    }
    Ok(Arc::new(config))
}

/// Fails if this user may not read the file of `flag`.
fn check_readable(flag: &str, path: &Path) -> Result<(), TlsError> {
    let Err(cause) = fs::File::open(path) else { return Ok(()) };
    let Some(hint) = advice::for_error(&cause) else { return Ok(()) };
    Err(TlsError { message: format!("cannot read `{}` of {flag}: {cause}", path.display()), hint })
}

/// Returns the error of a certificate and a key that TLS cannot use together.
fn unfit_pair(options: &TlsOptions, x509: &X509Certificate<'_>, cause: &Error) -> TlsError {
    if let Error::InvalidCertificate(_) = cause {
        let cause = match x509.version() {
            X509Version::V3 => cause.to_string(),
            X509Version(version) => format!("it has version {} of X.509, not 3", version + 1),
        };
        let message = format!("cannot use `{}` of --sslcert: {cause}", options.cert.display());
        return TlsError { message, hint: "make the certificate with version 3, as openssl req -x509 does".into() };
    }
    let (cause, hint) = if let Error::InconsistentKeys(_) = cause {
        ("it is not the key of the certificate".to_owned(), "name the private key that the certificate was made with")
    } else {
        let cause = weakness(x509).unwrap_or_else(|| "TLS cannot use a key of its kind or size".to_owned());
        (cause, "make a key with RSA of 2048 bits or more, P-256, P-384 or Ed25519")
    };
    let message = format!("cannot use `{}` of --sslkey with --sslcert: {cause}", options.key.display());
    TlsError { message, hint: hint.into() }
}

/// Reads the certificates of a PEM file; fails if it has none.
pub(crate) fn read_certs(flag: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    check_readable(flag, path)?;
    let bad = |cause: &dyn fmt::Display| TlsError {
        message: format!("cannot read certificates from `{}` of {flag}: {cause}", path.display()),
        hint: "name a readable PEM file with lines like -----BEGIN CERTIFICATE-----".into(),
    };
    let certs = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| bad(&why_not_pem(&cause)))?;
    if certs.is_empty() { Err(bad(&"it has none")) } else { Ok(certs) }
}

/// Reads the private key of a PEM file.
pub(crate) fn read_key(flag: &str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    check_readable(flag, path)?;
    PrivateKeyDer::from_pem_file(path).map_err(|cause| {
        let is_encrypted = fs::read_to_string(path).is_ok_and(|text| text.contains("ENCRYPTED"));
        let name = path.display();
        if is_encrypted {
            let message = format!("cannot use `{name}` of {flag}: it is encrypted with a passphrase");
            TlsError { message, hint: "decrypt it: openssl pkey -in ENCRYPTED.pem -out KEY.pem".into() }
        } else {
            let message = format!("cannot read a private key from `{name}` of {flag}: {}", why_not_pem(&cause));
            TlsError { message, hint: "name a PEM file with an unencrypted private key".into() }
        }
    })
}

/// Returns the reason why a PEM file cannot be read. The library shows lines of the file as numbers.
fn why_not_pem(cause: &pem::Error) -> String {
    match cause {
        pem::Error::MissingSectionEnd { end_marker } => {
            let name = String::from_utf8_lossy(end_marker);
            format!("it is cut short: the line -----END {name}----- is missing")
        }
        pem::Error::IllegalSectionStart { line } => {
            format!("the line `{}` is invalid", String::from_utf8_lossy(line).trim_end())
        }
        pem::Error::NoItemsFound => "it has none".to_owned(),
        cause => cause.to_string(),
    }
}

/// Parses the server's own certificate.
fn parse<'a>(path: &Path, cert: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, TlsError> {
    parse_x509_certificate(cert).map(|(_, x509)| x509).map_err(|_| TlsError {
        message: format!("cannot use `{}` of --sslcert: it does not begin with an X.509 certificate", path.display()),
        hint: "put the server's own certificate first in the file".into(),
    })
}

/// Warns of certificates that have expired or are not yet valid. wsd uses them: a machine without a clock starts in 1970, and
/// some clients do not check.
fn warn_of_dates(path: &Path, certs: &[CertificateDer<'_>]) {
    let dates = certs.iter().filter_map(|cert| Some(parse_x509_certificate(cert).ok()?.1.validity().clone()));
    for validity in dates.filter(|validity| !validity.is_valid()) {
        let cause = if validity.not_after < ASN1Time::now() { "it has expired" } else { "it is not yet valid" };
        let hint = "renew the certificate, or correct the clock of this machine";
        let (file, from, to) = (&path.display(), &validity.not_before, &validity.not_after);
        Event::CertificateNotValid { file, cause, from, to, hint }.emit();
    }
}

/// Returns the reason why TLS cannot use the key of a certificate, if it is a weak or an unsupported one.
fn weakness(cert: &X509Certificate<'_>) -> Option<String> {
    let key = cert.public_key();
    let kind = key.algorithm.algorithm.to_id_string();
    if let Some((_, name)) = KINDS.iter().find(|(known, _)| kind == *known) {
        return Some(format!("{name} key is not supported"));
    }
    match key.parsed().ok()? {
        PublicKey::RSA(rsa) if rsa.key_size() < RSA_BITS_MIN => {
            Some(format!("an RSA key of {} bits is too weak", rsa.key_size()))
        }
        PublicKey::EC(_) => {
            let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
            let name = if curve == SECP256K1 { "secp256k1" } else { &curve };
            (!CURVES.contains(&&*curve)).then(|| format!("the curve {name} is not supported"))
        }
        _ => None,
    }
}

/// Returns the result of a handshake: protocol, cipher, and the subject of the client's certificate.
pub(crate) fn describe(connection: &ServerConnection) -> Tls {
    let protocol = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let cipher = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default();
    let certs = connection.peer_certificates().and_then(|certs| certs.first());
    let shown = certs.and_then(|cert| Some(parse_x509_certificate(cert).ok()?.1));
    Tls {
        protocol,
        cipher: cipher.replacen("TLS13_", "TLS_", 1),
        client: shown.as_ref().map(|cert| distinguished_name(cert.subject())),
        client_name: shown.as_ref().and_then(client_name),
    }
}

/// The response to plain HTTP on a TLS port.
pub(crate) const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    connection: close\r\ncontent-length: 62\r\n\r\n400 Bad Request\n\nThis port speaks TLS: use https:// or wss://\n";
