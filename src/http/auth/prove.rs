//! Finds out who a client is: by a cookie, a known password, and then by the checks of the list.

use std::time::Instant;

use hyper::{StatusCode, http::request::Parts};

use super::{
    Auth,
    attempt::Attempt,
    cert,
    check::Check,
    cookie::{Cookie, Signer},
    credentials::Credentials,
    proof::{AuthOutcome, Proof},
    refusals::{too_many, unauthorized},
};
use crate::{
    http::{origin::Aim, refusal::Refusal},
    peer::Connection,
};

impl Auth {
    /// Finds out who the client is.
    pub(super) async fn prove(
        &self,
        connection: &Connection,
        request: &Parts,
        credentials: &Credentials,
        aim: Aim,
    ) -> Result<Proof, Refusal> {
        let guesses = &self.state.shared().guesses;
        let signer = self.signer().await;
        // Nobody can guess a cookie.
        if let Some(proof) = self.of_cookies(&signer, credentials).await {
            return Ok(proof);
        }
        let client = guesses.guesser(connection.peer, credentials.basic.as_ref().map(|(user, _)| &**user));
        // First: otherwise the passwords that wsd remembers could be guessed without a limit.
        if let Some(wait) = guesses.wait(client, Instant::now()).filter(|_| credentials.are_shown()) {
            return Err(too_many(wait));
        }
        if let Some(proof) = self.known(&signer, credentials).await {
            return Ok(proof);
        }
        self.ask(&signer, credentials, request, connection, aim, Attempt::new(guesses, client)).await
    }

    /// Asks one check after the other. A guess counts, whatever another kind of check says. The passwords of a client are checked
    /// one after the other; a server or script may take its time.
    async fn ask(
        &self,
        signer: &Signer,
        credentials: &Credentials,
        request: &Parts,
        connection: &Connection,
        aim: Aim,
        mut attempt: Attempt<'_>,
    ) -> Result<Proof, Refusal> {
        let hashing = &self.state.shared().hashing;
        let mut cause = None;
        for check in &self.checks {
            match &**check {
                Check::Basic(_) if credentials.basic.is_some() => attempt.begin().await.map_err(too_many)?,
                Check::Forward(_) | Check::Script(_) => attempt.settle(),
                _ => {}
            }
            let outcome = match &**check {
                Check::Basic(basic) => basic.check(hashing, signer, credentials).await,
                Check::Bearer(bearer) => bearer.check(signer, credentials).await,
                Check::Jwt(jwt) => jwt.check(credentials).await,
                Check::Cert => cert::check(connection),
                Check::Forward(forward) => forward.check(connection, request, credentials).await,
                Check::Script(script) => script.check(connection, request, credentials).await,
            };
            match outcome {
                AuthOutcome::Proved(proof) => {
                    // A password or a token that one file has is no guess at another.
                    if matches!(**check, Check::Cert) {
                        attempt.settle();
                    } else {
                        attempt.succeed();
                    }
                    return Ok(proof);
                }
                AuthOutcome::Refused(mut refusal) => {
                    attempt.is_wrong |= refusal.status == StatusCode::UNAUTHORIZED && credentials.are_shown();
                    attempt.settle();
                    if aim.is_session() {
                        refusal.why.get_or_insert("auth");
                    }
                    return Err(*refusal);
                }
                AuthOutcome::NotMine => {}
                AuthOutcome::Expired => cause = Some("its token has expired"),
                AuthOutcome::Wrong => attempt.is_wrong = true,
                AuthOutcome::WrongToken(why) => {
                    attempt.is_wrong = true;
                    cause.get_or_insert(why);
                }
            }
        }
        attempt.settle();
        Err(unauthorized(self.schemes(), &request.headers, credentials, (aim, cause)))
    }

    /// Returns the proof of a password that was right a little while ago.
    async fn known(&self, signer: &Signer, credentials: &Credentials) -> Option<Proof> {
        for check in &self.checks {
            if let Check::Basic(basic) = &**check
                && let Some(proof) = basic.known(&self.state.shared().hashing, signer, credentials).await
            {
                return Some(proof);
            }
        }
        None
    }

    /// Returns the proof of a cookie, unless the client shows other credentials of another user.
    async fn of_cookies(&self, signer: &Signer, credentials: &Credentials) -> Option<Proof> {
        let is_alone = |cookie: &Cookie| match &credentials.basic {
            Some((user, _)) => *user == cookie.user,
            None => !credentials.are_shown(),
        };
        for cookie in credentials.cookies.iter().filter_map(|value| Cookie::parse(value)).filter(is_alone) {
            for check in &self.checks {
                let proof = match &**check {
                    Check::Basic(basic) => basic.of_cookie(signer, &cookie).await,
                    Check::Bearer(bearer) => bearer.of_cookie(signer, &cookie).await,
                    _ => None,
                };
                if proof.is_some() {
                    return proof;
                }
            }
        }
        None
    }
}
