//! The cookie that a page gets after a password or a token: browsers send it with the page's WebSockets, too.
//!
//! It is `<user>.<expiry>.<HMAC>`. The HMAC covers the user's entry in the file, so a new password or token ends it.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use hyper::header::HeaderValue;

use super::watched::{FileFault, Watched};
use crate::limits::auth::{AUTH_COOKIE_TIME, AUTH_SECRET_BYTES_MIN};

/// Its name.
pub(super) const NAME: &str = "wsd-auth";

/// Signs cookies, and checks them.
#[derive(Clone, Debug)]
pub(super) struct Signer(hmac::Key);

/// A cookie, whose signature is not checked.
#[derive(Debug)]
pub(super) struct Cookie {
    /// The user.
    pub(super) user: String,
    expiry: u64,
    tag: Vec<u8>,
}

/// Opens a file with the secret of a signer (`--auth-key`).
pub(super) fn open_key(path: &Path) -> Result<Arc<Watched<Signer>>, FileFault> {
    Watched::open(path, |text| {
        let secret = text.trim();
        if secret.len() < AUTH_SECRET_BYTES_MIN {
            let cause = format!("the secret has less than {AUTH_SECRET_BYTES_MIN} characters");
            return Err(FileFault::new(cause, "make one with `openssl rand -base64 48`"));
        }
        Ok(Signer::new(secret.as_bytes()))
    })
}

impl Signer {
    /// Returns a signer with a key; cookies of another key are invalid.
    fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Returns a signer with a random key.
    pub(super) fn random() -> Self {
        Self::new(&random())
    }

    /// Returns the value of `Set-Cookie` for a user with this entry of its file. `kind` is the kind of credential.
    pub(super) fn cookie(&self, kind: &str, user: &str, entry: &str, is_secure: bool) -> Option<HeaderValue> {
        let expiry = seconds() + AUTH_COOKIE_TIME.as_secs();
        let tag = hmac::sign(&self.0, text(kind, user, expiry, entry).as_bytes());
        let (user, tag) = (BASE64URL_NOPAD.encode(user.as_bytes()), BASE64URL_NOPAD.encode(tag.as_ref()));
        let (secure, age) = (if is_secure { "; Secure" } else { "" }, AUTH_COOKIE_TIME.as_secs());
        let value = format!("{NAME}={user}.{expiry}.{tag}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}");
        let mut value = HeaderValue::try_from(value).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether a cookie is one of this kind for this entry, and has not expired.
    pub(super) fn has_signed(&self, cookie: &Cookie, kind: &str, entry: &str) -> bool {
        let signed = text(kind, &cookie.user, cookie.expiry, entry);
        cookie.expiry > seconds() && hmac::verify(&self.0, signed.as_bytes(), &cookie.tag).is_ok()
    }
}

impl Cookie {
    /// Reads the value of a cookie.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split('.');
        let (user, expiry, tag) = (parts.next()?, parts.next()?, parts.next()?);
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        let user = String::from_utf8(decode(user)?).ok()?;
        parts.next().is_none().then_some(Self { user, expiry: expiry.parse().ok()?, tag: decode(tag)? })
    }
}

/// Returns 256 random bits.
pub(super) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// Returns the signed text. No part but the last has a NUL.
fn text(kind: &str, user: &str, expiry: u64, entry: &str) -> String {
    format!("{kind}\0{user}\0{expiry}\0{entry}")
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_valid_for_its_user_and_entry_and_key_only() {
        let signer = Signer::random();
        let made = signer.cookie("basic", "ada.b", "$2y$x", false).expect("a header");
        let made = made.to_str().expect("text").to_owned();
        let value = made.strip_prefix("wsd-auth=").and_then(|rest| rest.split(';').next()).expect("a value");
        let cookie = Cookie::parse(value).expect("a cookie");

        assert_eq!(cookie.user, "ada.b");
        assert!(signer.has_signed(&cookie, "basic", "$2y$x"));
        assert!(!signer.has_signed(&cookie, "basic", "$2y$new"), "another password");
        assert!(!signer.has_signed(&cookie, "bearer", "$2y$x"), "another kind");
        assert!(!Signer::random().has_signed(&cookie, "basic", "$2y$x"), "another key");
        assert!(!signer.has_signed(&Cookie { expiry: cookie.expiry + 1, ..cookie }, "basic", "$2y$x"), "prolonged");
        let other = Cookie { user: "eve".to_owned(), ..Cookie::parse(value).expect("a cookie") };
        assert!(!signer.has_signed(&other, "basic", "$2y$x"), "another user");
        let late = Cookie { expiry: 1, ..Cookie::parse(value).expect("a cookie") };
        assert!(!signer.has_signed(&late, "basic", "$2y$x"), "expired");
        assert!(made.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200"), "{made}");
        assert!(signer.cookie("basic", "a", "", true).expect("a header").to_str().expect("text").ends_with("; Secure"));
        for bad in ["", "a", "YQ.1", "YQ.x.YQ", "YQ.1.YQ.YQ", "!.1.YQ"] {
            assert!(Cookie::parse(bad).is_none(), "{bad}");
        }
    }
}
