//! Users and passwords: `--auth=basic:FILE`, a file of `htpasswd`.

use std::{collections::HashMap, path::Path, sync::Arc};

use super::{
    cookie::{Cookie, Signer},
    credentials::Credentials,
    hashing::{self, Hashing},
    proof::{AuthOutcome, Proof},
    refusals::unavailable,
    watched::{FileFault, Watched, lines},
};
use crate::limits::auth::PASSWORD_BYTES_MAX;

/// The kind in the log, in cookies and as `AUTH_TYPE`.
const KIND: &str = "Basic";

/// The hashes of the users' passwords, by name.
#[derive(Debug)]
pub(super) struct Users {
    hashes: HashMap<String, String>,
    /// The hash that the password of an unknown user is checked against, so that the time does not tell that it is unknown. Empty if
    /// there is no user.
    dummy: String,
}

/// A file of users.
#[derive(Clone, Debug)]
pub(crate) struct Basic(pub(super) Arc<Watched<Users>>);

impl Basic {
    /// Opens a file of users.
    pub(crate) fn open(path: &Path) -> Result<Self, FileFault> {
        let file = Watched::open(path, parse)?;
        if file.last().hashes.is_empty() { Err(FileFault::new("it has no user", HINT)) } else { Ok(Self(file)) }
    }

    /// Returns the proof of a user whose password was right a little while ago.
    pub(super) async fn known(&self, hashing: &Hashing, signer: &Signer, credentials: &Credentials) -> Option<Proof> {
        let (user, password) = credentials.basic.as_ref()?;
        let users = self.0.current().await;
        let hash = users.hashes.get(user).filter(|hash| hashing.knows(hash, password))?;
        Some(proof(user, hash, signer))
    }

    /// Checks a password.
    pub(super) async fn check(&self, hashing: &Hashing, signer: &Signer, credentials: &Credentials) -> AuthOutcome {
        let Some((user, password)) = credentials.basic.as_ref() else { return AuthOutcome::NotMine };
        let users = self.0.current().await;
        if password.len() > PASSWORD_BYTES_MAX {
            return AuthOutcome::Wrong;
        }
        let hash = users.hashes.get(user);
        match hashing.is_right(hash.unwrap_or(&users.dummy), password).await {
            Err(hashing::Busy) => AuthOutcome::refused(unavailable()),
            Ok(is_right) => match hash.filter(|_| is_right) {
                None => AuthOutcome::Wrong,
                Some(hash) => {
                    hashing.remember(hash, password);
                    AuthOutcome::Proved(proof(user, hash, signer))
                }
            },
        }
    }

    /// Returns the proof of a cookie, if its user still has the password that it was made for.
    pub(super) async fn of_cookie(&self, signer: &Signer, cookie: &Cookie) -> Option<Proof> {
        let users = self.0.current().await;
        let hash = users.hashes.get(&cookie.user)?;
        signer.has_signed(cookie, KIND, hash).then(|| Proof::new(&cookie.user, KIND))
    }
}

fn proof(user: &str, hash: &str, signer: &Signer) -> Proof {
    let (signer, name, hash) = (signer.clone(), user.to_owned(), hash.to_owned());
    let cookie = move |is_secure| signer.cookie(KIND, &name, &hash, is_secure);
    Proof { cookie: Some(Arc::new(cookie)), ..Proof::new(user, KIND) }
}

const HINT: &str = "make the line with `htpasswd -B FILE USER`, or `mkpasswd -m sha512crypt`";

/// Reads lines `user:hash`. Without one the file admits nobody.
fn parse(text: &str) -> Result<Users, FileFault> {
    let mut hashes = HashMap::new();
    let mut dummy = String::new();
    for (number, line) in lines(text) {
        let fault = |cause: &str| Err(FileFault::at(number, cause, HINT));
        let Some((user, rest)) = line.split_once(':') else { return fault("it is not `user:hash`") };
        // Some tools append fields.
        let hash = rest.split(':').next().unwrap_or(rest);
        if user.is_empty() || user.chars().any(char::is_control) {
            return fault("the name of the user is empty, or has a control character");
        }
        if !hashing::is_valid(hash) {
            return fault(match hash {
                _ if hash.starts_with("{SHA}") => "{SHA} has no salt and is too weak",
                _ if hash.starts_with("$apr1$") || hash.starts_with("$1$") => "a hash of MD5 is too weak",
                _ if hash.starts_with('$') => "its hash is not one of $2y$, $argon2id$, $6$ or $5$, or it is cut short",
                _ => "the password is plain text, or a hash of crypt(3), which is too weak",
            });
        }
        if hashes.insert(user.to_owned(), hash.to_owned()).is_some() {
            return fault("this user has a line already");
        }
        if dummy.is_empty() {
            hash.clone_into(&mut dummy);
        }
    }
    Ok(Users { hashes, dummy })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$04$AAAAAAAAAAAAAAAAAAAAA.xZOz7XtXJdVl1ZmVwRkQd1u3R4JqS6e";

    #[test]
    fn errors_name_the_line_and_no_secret() {
        let table = [
            ("ada", "line 1: it is not `user:hash`"),
            ("\n\nada:geheim", "line 3: the password is plain text, or a hash of crypt(3), which is too weak"),
            ("ada:{SHA}geheim", "line 1: {SHA} has no salt and is too weak"),
            ("ada:$apr1$geheim$x", "line 1: a hash of MD5 is too weak"),
            ("ada:$2y$04$geheim", "line 1: its hash is not one of $2y$, $argon2id$, $6$ or $5$, or it is cut short"),
            ("a\u{7}:x", "line 1: the name of the user is empty, or has a control character"),
        ];
        for (text, cause) in table {
            let fault = parse(text).expect_err("it is refused");
            assert_eq!(fault.cause, cause, "{text}");
            assert!(!format!("{fault:?}").contains("geheim"), "{fault:?}");
        }
        let twice = format!("ada:{BCRYPT}\nada:{BCRYPT}\n");
        assert_eq!(parse(&twice).expect_err("it is refused").cause, "line 2: this user has a line already");
        assert_eq!(parse(&format!("# one\nada:{BCRYPT}:more\r\n")).expect("users").hashes["ada"], BCRYPT);
    }
}
