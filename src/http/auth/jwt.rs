//! JSON Web Tokens (RFC 7519): `--auth=jwt:FILE`, a file with the keys of their issuer.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse},
};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    bearer::KIND,
    credentials::Credentials,
    proof::{AuthOutcome, Proof},
    watched::{FileFault, Watched},
};
use crate::limits::auth::{AUTH_SECRET_BYTES_MIN, JWT_LEEWAY};

/// Keys in a file, at most: each is tried with a token that names none.
const KEYS_MAX: usize = 100;

/// A file of keys, and the claims that a token must have.
#[derive(Debug)]
pub(crate) struct Jwt {
    /// The file.
    pub(super) file: Arc<Watched<SigningKeys>>,
    audiences: Option<Vec<String>>,
    issuers: Option<Vec<String>>,
}

/// The keys of a file.
#[derive(Debug)]
pub(super) struct SigningKeys {
    keys: Vec<SigningKey>,
    /// Whether a key is a secret.
    is_secret: bool,
}

/// A key, and the algorithms for which it may be used.
struct SigningKey {
    id: Option<String>,
    key: DecodingKey,
    algorithms: Vec<Algorithm>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({:?} {:?})", self.id, self.algorithms)
    }
}

/// The claims of a token that wsd reads; `decode` checks them.
#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: f64,
}

/// The cause for a token whose keys are others.
const NO_KEY_FITS: &str = "no key of --auth=jwt has its kid and its alg";

/// Returns the cause for a wrong token, for the log; `None` if it is hardly a token.
fn cause(error: &ErrorKind) -> Option<&'static str> {
    Some(match error {
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAudience => "its aud is not in --jwt-aud",
        ErrorKind::InvalidIssuer => "its iss is not in --jwt-iss",
        ErrorKind::ImmatureSignature => "its token is not valid yet: see its nbf, and the clock",
        ErrorKind::MissingRequiredClaim(name) => match &**name {
            "sub" => NO_SUB,
            "aud" => "its token has no aud, which --jwt-aud asks for",
            "iss" => "its token has no iss, which --jwt-iss asks for",
            _ => "its token has no exp",
        },
        ErrorKind::Json(_) => "its token has no exp, or a claim of a wrong type",
        _ => return None,
    })
}

/// The cause for a token without a user.
const NO_SUB: &str = "its token has no sub that may be a user";

impl Jwt {
    /// Opens a file of keys. A token must have one of the audiences and one of the issuers; `None` requires none.
    pub(crate) fn open(
        path: &Path,
        audiences: Option<Vec<String>>,
        issuers: Option<Vec<String>>,
    ) -> Result<Self, FileFault> {
        let file = Watched::open(path, parse)?;
        if file.last().keys.is_empty() {
            Err(FileFault::new(NO_KEY, HINT))
        } else {
            Ok(Self { file, audiences, issuers })
        }
    }

    /// Whether the file has a secret, and not only public keys.
    pub(super) fn is_secret(&self) -> bool {
        self.file.last().is_secret
    }

    /// Checks a token.
    pub(super) async fn check(&self, credentials: &Credentials) -> AuthOutcome {
        let Some(token) = &credentials.token else { return AuthOutcome::NotMine };
        // A header that is critical and unknown makes a token invalid (RFC 7515, section 4.1.11).
        let header = decode_header(token).ok().filter(|header| header.crit.is_none());
        let Some(header) = header else { return AuthOutcome::Wrong };
        let keys = self.file.current().await;
        let is_meant = |key: &&SigningKey| header.kid.is_none() || key.id.is_none() || key.id == header.kid;
        let mut outcome = AuthOutcome::WrongToken(NO_KEY_FITS);
        // A key is tried only with its own algorithms, whatever the token says: a public key is no secret of HMAC.
        let is_of_algorithm = |key: &&SigningKey| key.algorithms.contains(&header.alg);
        for (tried, key) in keys.keys.iter().filter(is_meant).filter(is_of_algorithm).enumerate() {
            match decode::<Claims>(token, &key.key, &self.validation(key)) {
                Ok(token) => return proof(&token.claims),
                Err(error) if *error.kind() == ErrorKind::ExpiredSignature => outcome = AuthOutcome::Expired,
                // Another key may have signed it.
                Err(error) if *error.kind() == ErrorKind::InvalidSignature && tried > 0 => {}
                Err(error) => outcome = cause(error.kind()).map_or(AuthOutcome::Wrong, AuthOutcome::WrongToken),
            }
        }
        outcome
    }

    fn validation(&self, key: &SigningKey) -> Validation {
        let mut validation = Validation::new(key.algorithms[0]);
        validation.algorithms.clone_from(&key.algorithms);
        validation.leeway = JWT_LEEWAY.as_secs();
        validation.validate_nbf = true;
        let mut required = vec!["exp", "sub"];
        match &self.audiences {
            Some(audiences) => {
                required.push("aud");
                validation.set_audience(audiences);
            }
            None => validation.validate_aud = false,
        }
        if let Some(issuers) = &self.issuers {
            required.push("iss");
            validation.set_issuer(issuers);
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

fn proof(claims: &Claims) -> AuthOutcome {
    let is_user = |sub: &&str| !sub.is_empty() && !sub.chars().any(char::is_control);
    let Some(sub) = claims.sub.as_deref().filter(is_user) else { return AuthOutcome::WrongToken(NO_SUB) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let end = Duration::try_from_secs_f64(claims.exp).unwrap_or(Duration::ZERO) + JWT_LEEWAY;
    // A time beyond all clocks is none.
    let expiry = Instant::now().checked_add(end.saturating_sub(now));
    AuthOutcome::Proved(Proof { expiry, ..Proof::new(sub, KIND) })
}

const HINT: &str = "name a file with public keys (PEM), a set of keys (JWKS), or a line secret:TEXT";
const NO_KEY: &str = "it has no key for signatures";

/// Reads keys. An empty file and an empty set of keys admit nobody.
fn parse(text: &str) -> Result<SigningKeys, FileFault> {
    let text = text.trim();
    if let Some(secret) = text.strip_prefix("secret:") {
        return of_secret(secret);
    }
    let keys = if text.starts_with('{') { of_set(text)? } else { of_pem(text)? };
    if keys.is_empty() && !text.is_empty() && !text.starts_with('{') {
        return Err(FileFault::new(NO_KEY, HINT));
    }
    if keys.len() > KEYS_MAX {
        return Err(FileFault::new(format!("it has more than {KEYS_MAX} keys"), "remove keys that are not in use"));
    }
    Ok(SigningKeys { keys, is_secret: false })
}

fn of_secret(secret: &str) -> Result<SigningKeys, FileFault> {
    if secret.len() < AUTH_SECRET_BYTES_MIN || secret.contains('\n') {
        let cause = "line 1: a secret is one line of 32 characters or more (RFC 7518, section 3.2)";
        return Err(FileFault::new(cause, "make one with `openssl rand -base64 48`"));
    }
    let algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
    let key = SigningKey { id: None, key: DecodingKey::from_secret(secret.as_bytes()), algorithms };
    Ok(SigningKeys { keys: vec![key], is_secret: true })
}

/// Reads a set of keys, or one key (RFC 7517). Leaves out keys for encryption.
fn of_set(text: &str) -> Result<Vec<SigningKey>, FileFault> {
    let set =
        serde_json::from_str(text).or_else(|_| serde_json::from_str(text).map(|key: Jwk| JwkSet { keys: vec![key] }));
    let set: JwkSet = set.map_err(|_| FileFault::new("it is no set of keys in JSON (RFC 7517)", HINT))?;
    let is_used = |key: &Jwk| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    set.keys.iter().filter(|key| is_used(key)).map(of_jwk).collect()
}

fn of_jwk(jwk: &Jwk) -> Result<SigningKey, FileFault> {
    if matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_)) {
        return Err(FileFault::new("it has a secret key (`oct`) among public keys", "write it as a line secret:TEXT"));
    }
    let key = DecodingKey::from_jwk(jwk).map_err(|_| FileFault::new("it has a key of an unknown kind", HINT))?;
    let own = jwk.common.key_algorithm.and_then(|own| own.to_string().parse().ok());
    let algorithms = own.map_or_else(|| key.family().algorithms().to_vec(), |own: Algorithm| vec![own]);
    Ok(SigningKey { id: jwk.common.key_id.clone(), key, algorithms })
}

/// Reads public keys in PEM.
fn of_pem(text: &str) -> Result<Vec<SigningKey>, FileFault> {
    if text.contains("PRIVATE KEY-----") {
        let hint = "name the public key: openssl pkey -in KEY.pem -pubout";
        return Err(FileFault::new("it has a private key, which wsd does not need", hint));
    }
    if text.contains("-----BEGIN CERTIFICATE-----") {
        let hint = "name the public key: openssl x509 -in CERT.pem -noout -pubkey";
        return Err(FileFault::new("it has a certificate, not a public key", hint));
    }
    let mut keys = Vec::new();
    let (mut block, mut first) = (String::new(), 1);
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("-----BEGIN ") {
            block.clear();
            first = at + 1;
        }
        block.push_str(line);
        block.push('\n');
        if line.starts_with("-----END ") {
            let pem = block.as_bytes();
            let key = DecodingKey::from_rsa_pem(pem)
                .or_else(|_| DecodingKey::from_ec_pem(pem))
                .or_else(|_| DecodingKey::from_ed_pem(pem));
            let key = key.map_err(|_| FileFault::at(first, "this is no public key of RSA, ECDSA or Ed25519", HINT))?;
            keys.push(SigningKey { id: None, algorithms: key.family().algorithms().to_vec(), key });
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_is_wrong_and_show_no_secret() {
        let table = [
            ("geheim", "it has no key for signatures"),
            ("secret:geheim", "line 1: a secret is one line of 32 characters or more (RFC 7518, section 3.2)"),
            ("{\"geheim\":1}", "it has a key of an unknown kind"),
            ("{geheim", "it is no set of keys in JSON (RFC 7517)"),
            ("{\"keys\":[{\"kty\":\"oct\",\"k\":\"geheim\"}]}", "it has a secret key (`oct`) among public keys"),
            (
                "-----BEGIN PRIVATE KEY-----\ngeheim\n-----END PRIVATE KEY-----",
                "it has a private key, which wsd does not need",
            ),
            (
                "\n-----BEGIN PUBLIC KEY-----\nZ2VoZWlt\n-----END PUBLIC KEY-----",
                "line 1: this is no public key of RSA, ECDSA or Ed25519",
            ),
            ("-----BEGIN CERTIFICATE-----\n", "it has a certificate, not a public key"),
        ];
        for (text, cause) in table {
            let fault = parse(text).expect_err("it is refused");
            assert_eq!(fault.cause, cause, "{text}");
            assert!(!format!("{fault:?}").contains("geheim"), "{fault:?}");
        }
        for nobody in ["", "\n", "{\"keys\":[]}"] {
            assert!(parse(nobody).expect("no keys").keys.is_empty(), "{nobody}");
        }
        let keys = parse(&format!("secret:{}", "x".repeat(32))).expect("a key");
        assert!(keys.is_secret && !format!("{keys:?}").contains("xxx"), "{keys:?}");
    }
}
