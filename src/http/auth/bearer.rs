//! Tokens: `--auth=bearer:FILE`, a line `name:token` or `name:sha256:HEX` for each.

use std::{path::Path, sync::Arc};

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use super::{
    cookie::{Cookie, Signer},
    credentials::Credentials,
    proof::{AuthOutcome, Proof},
    watched::{FileFault, Watched, lines},
};

/// `AUTH_TYPE`, and the kind in cookies.
pub(super) const KIND: &str = "Bearer";

/// The fronts of the hashes of passwords that tools such as htpasswd write.
const HASHES: [&str; 8] = ["$2y$", "$2b$", "$2a$", "$6$", "$5$", "$apr1$", "$argon2", "{SHA}"];

/// A file of tokens.
#[derive(Clone, Debug)]
pub(crate) struct Bearer(pub(super) Arc<Watched<Tokens>>);

/// The names and the digests of tokens.
#[derive(Debug)]
pub(super) struct Tokens(Vec<(String, [u8; 32])>);

impl Bearer {
    /// Opens a file of tokens.
    pub(crate) fn open(path: &Path) -> Result<Self, FileFault> {
        let file = Watched::open(path, parse)?;
        if file.last().0.is_empty() { Err(FileFault::new("it has no token", HINT)) } else { Ok(Self(file)) }
    }

    /// Checks a token.
    pub(super) async fn check(&self, signer: &Signer, credentials: &Credentials) -> AuthOutcome {
        let Some(token) = &credentials.token else { return AuthOutcome::NotMine };
        let shown = sha256(token.as_bytes());
        let mut found = None;
        // Compares with all, so that the time does not tell which line comes near.
        for (name, digest) in &self.0.current().await.0 {
            if verify_slices_are_equal(digest, &shown).is_ok() {
                found = Some(name.clone());
            }
        }
        let Some(name) = found else { return AuthOutcome::Wrong };
        let (signer, user, entry) = (signer.clone(), name.clone(), HEXLOWER.encode(&shown));
        let cookie = move |is_secure| signer.cookie(KIND, &user, &entry, is_secure);
        AuthOutcome::Proved(Proof { cookie: Some(Arc::new(cookie)), ..Proof::new(&name, KIND) })
    }

    /// Returns the proof of a cookie, if the file still has the token that it was made for.
    pub(super) async fn of_cookie(&self, signer: &Signer, cookie: &Cookie) -> Option<Proof> {
        let tokens = self.0.current().await;
        let mut of_user = tokens.0.iter().filter(|(name, _)| *name == cookie.user);
        let is_signed = of_user.any(|(_, digest)| signer.has_signed(cookie, KIND, &HEXLOWER.encode(digest)));
        is_signed.then(|| Proof::new(&cookie.user, KIND))
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("32 bytes of SHA-256")
}

const HINT: &str = "write lines such as ci:sha256:HEX, where HEX is from `printf %s TOKEN | sha256sum`";

/// Reads lines `name:token`. Without one the file admits nobody.
fn parse(text: &str) -> Result<Tokens, FileFault> {
    let read = |(number, line): (usize, &str)| {
        let fault = |cause| FileFault::at(number, cause, HINT);
        let (name, token) = line.split_once(':').ok_or_else(|| fault("it is not `name:token`"))?;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(fault("the name is empty, or has a control character"));
        }
        let digest = match token.strip_prefix("sha256:") {
            Some(hex) => {
                let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
                bytes.ok_or_else(|| fault("sha256 has 64 hexadecimal digits"))?
            }
            None if HASHES.iter().any(|front| token.starts_with(front)) => {
                let hint = "name a file of htpasswd with --auth=basic:FILE";
                return Err(FileFault::at(number, "the token is the hash of a password", hint));
            }
            None if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                return Err(fault("the token is empty, or has a blank or a character that is not ASCII"));
            }
            None => sha256(token.as_bytes()),
        };
        Ok((name.to_owned(), digest))
    };
    lines(text).map(read).collect::<Result<_, _>>().map(Tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_line_and_no_secret() {
        let table = [
            ("geheim", "line 1: it is not `name:token`"),
            ("#\nci:sha256:geheim", "line 2: sha256 has 64 hexadecimal digits"),
            ("ci:geheim geheim", "line 1: the token is empty, or has a blank or a character that is not ASCII"),
            ("ada:$2y$10$geheim", "line 1: the token is the hash of a password"),
            ("ci:t\nada:{SHA}geheim", "line 2: the token is the hash of a password"),
            (":geheim", "line 1: the name is empty, or has a control character"),
        ];
        for (text, cause) in table {
            let fault = parse(text).expect_err("it is refused");
            assert_eq!(fault.cause, cause, "{text}");
            assert!(!format!("{fault:?}").contains("geheim"), "{fault:?}");
        }
        let both = parse(&format!("a:t:1\nb:sha256:{}\n", HEXLOWER.encode(&sha256(b"t:1")))).expect("tokens").0;
        assert_eq!(both[0].1, both[1].1);
    }
}
