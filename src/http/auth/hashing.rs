//! Checks passwords on threads of their own, a few at a time, and remembers those that were right.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use argon2::{Argon2, PasswordVerifier as _};
use aws_lc_rs::hmac;
use sha_crypt::ShaCrypt;
use tokio::sync::Semaphore;

use super::{cookie::random, expiring::Expiring};
use crate::{
    limits::auth::{AUTH_HASHES_MAX, AUTH_HASHES_WAIT_MAX, AUTH_KNOWN_MAX, AUTH_KNOWN_TIME},
    turn::run_blocking,
};

/// Checks passwords.
#[derive(Debug)]
pub(super) struct Hashing {
    places: Semaphore,
    slots: Arc<Semaphore>,
    key: hmac::Key,
    known: Mutex<Expiring<[u8; 32], ()>>,
}

/// The reason that a password was not checked: too many wait.
#[derive(Debug)]
pub(super) struct Busy;

impl Hashing {
    /// Returns a check that knows no password.
    pub(super) fn new() -> Self {
        Self {
            places: Semaphore::new(AUTH_HASHES_WAIT_MAX + AUTH_HASHES_MAX),
            slots: Arc::new(Semaphore::new(AUTH_HASHES_MAX)),
            key: hmac::Key::new(hmac::HMAC_SHA256, &random()),
            known: Mutex::new(Expiring::new(AUTH_KNOWN_MAX, AUTH_KNOWN_TIME)),
        }
    }

    /// Whether the password was right for this hash a little while ago.
    pub(super) fn knows(&self, hash: &str, password: &[u8]) -> bool {
        self.known().get(&self.mark(hash, password), Instant::now()).is_some()
    }

    /// Notes that the password is right for this hash.
    pub(super) fn remember(&self, hash: &str, password: &[u8]) {
        self.known().insert(self.mark(hash, password), (), Instant::now());
    }

    /// Whether the password is right for this hash. Takes the same time whatever the answer is.
    pub(super) async fn is_right(&self, hash: &str, password: &[u8]) -> Result<bool, Busy> {
        let _place = self.places.try_acquire().map_err(|_| Busy)?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| Busy)?;
        let (hash, password) = (hash.to_owned(), password.to_vec());
        let check = move || {
            let is_right = verify(&hash, &password);
            // Here, so that a client that leaves does not let a third one in.
            drop(slot);
            is_right
        };
        run_blocking(check).ok_or(Busy)?.await.map_err(|_| Busy)
    }

    /// Returns a name for the pair that says nothing of the password.
    fn mark(&self, hash: &str, password: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(hash.as_bytes());
        context.update(b"\0");
        context.update(password);
        context.sign().as_ref().try_into().expect("32 bytes of SHA-256")
    }

    fn known(&self) -> MutexGuard<'_, Expiring<[u8; 32], ()>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn verify(hash: &str, password: &[u8]) -> bool {
    if hash.starts_with("$2") {
        return bcrypt::verify(password, hash).unwrap_or(false);
    }
    if hash.starts_with("$argon2id$") {
        return Argon2::default().verify_password(password, hash).is_ok();
    }
    ShaCrypt::default().verify_password(password, hash).is_ok()
}

/// Whether wsd can check passwords against this hash.
pub(super) fn is_valid(hash: &str) -> bool {
    match hash.split('$').nth(1) {
        Some("2y" | "2b" | "2a") => hash.parse::<bcrypt::HashParts>().is_ok(),
        Some("argon2id") => {
            argon2::PasswordHash::new(hash).is_ok_and(|hash| hash.salt.is_some() && hash.hash.is_some())
        }
        // `$6$rounds=5000$salt$hash` or `$6$salt$hash`, with 43 or 86 letters.
        Some(kind @ ("5" | "6")) => {
            let parts: Vec<_> = hash.split('$').skip(2).collect();
            let (salt, digest) = match parts[..] {
                [rounds, salt, digest] if rounds.starts_with("rounds=") => (salt, digest),
                [salt, digest] => (salt, digest),
                _ => return false,
            };
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
            digest.len() == if kind == "5" { 43 } else { 86 } && digest.bytes().all(is_letter) && !salt.is_empty()
        }
        _ => false,
    }
}
