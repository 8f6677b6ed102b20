//! Finds out who a client is: by a ticket, a cookie, a known password, and then by the checks of the list.

use std::time::{Duration, Instant};

use hyper::{StatusCode, http::request::Parts};

use super::{
    Auth, Check, Shared, cert,
    cookie::Cookie,
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
        let Shared { guesses, tickets, .. } = self.state.shared();
        // Nobody can guess a ticket or a cookie.
        let redeem = |token: &String| tickets.redeem(self.options.list, request.uri.path(), token);
        if let Some(proof) = credentials.token.as_ref().and_then(redeem) {
            return Ok(proof);
        }
        if let Some(proof) = self.of_cookies(credentials).await {
            return Ok(proof);
        }
        if credentials.basic.is_some()
            && let Some(proof) = self.known(credentials).await
        {
            return Ok(proof);
        }
        let source = connection.peer.source();
        let wait = || guesses.wait(source, Instant::now()).filter(|_| credentials.are_shown());
        if let Some(wait) = wait() {
            return Err(too_many(wait));
        }
        let mut turn = None;
        if credentials.basic.is_some() {
            turn = Some(guesses.turn(source).await.ok_or_else(|| too_many(Duration::from_secs(1)))?);
            // The requests before this one may have been guesses.
            if let Some(wait) = wait() {
                return Err(too_many(wait));
            }
        }
        let asked = self.ask(credentials, request, connection, aim).await;
        drop(turn);
        asked
    }

    /// Asks one check after the other. A guess counts, whatever another check says.
    async fn ask(
        &self,
        credentials: &Credentials,
        request: &Parts,
        connection: &Connection,
        aim: Aim,
    ) -> Result<Proof, Refusal> {
        let Shared { guesses, hashing, .. } = self.state.shared();
        let failed = || guesses.failed(connection.peer.source(), Instant::now());
        let mut is_wrong = false;
        for check in &self.checks {
            let outcome = match &**check {
                Check::Basic(basic) => basic.check(hashing, &self.signer, credentials).await,
                Check::Bearer(bearer) => bearer.check(&self.signer, credentials).await,
                Check::Jwt(jwt) => jwt.check(credentials).await,
                Check::Cert => cert::check(connection),
                Check::Forward(forward) => forward.check(connection, request, credentials).await,
                Check::Script(script) => script.check(connection, request, credentials).await,
            };
            match outcome {
                AuthOutcome::Proved(proof) => {
                    if is_wrong {
                        failed();
                    }
                    return Ok(proof);
                }
                AuthOutcome::Refused(mut refusal) => {
                    if is_wrong || refusal.status == StatusCode::UNAUTHORIZED && credentials.are_shown() {
                        failed();
                    }
                    if aim.is_session() {
                        refusal.why = Some("auth");
                    }
                    return Err(*refusal);
                }
                AuthOutcome::NotMine | AuthOutcome::Expired => {}
                AuthOutcome::Wrong => is_wrong = true,
            }
        }
        if is_wrong {
            failed();
        }
        Err(unauthorized(self.schemes(), &request.headers, credentials, aim))
    }

    /// Returns the proof of a password that was right a little while ago.
    async fn known(&self, credentials: &Credentials) -> Option<Proof> {
        for check in &self.checks {
            if let Check::Basic(basic) = &**check
                && let Some(proof) = basic.known(&self.state.shared().hashing, &self.signer, credentials).await
            {
                return Some(proof);
            }
        }
        None
    }

    /// Returns the proof of a cookie, unless the client shows other credentials of another user.
    async fn of_cookies(&self, credentials: &Credentials) -> Option<Proof> {
        let is_alone = |cookie: &Cookie| match &credentials.basic {
            Some((user, _)) => *user == cookie.user,
            None => !credentials.are_shown(),
        };
        for cookie in credentials.cookies.iter().filter_map(|value| Cookie::parse(value)).filter(is_alone) {
            for check in &self.checks {
                let proof = match &**check {
                    Check::Basic(basic) => basic.of_cookie(&self.signer, &cookie).await,
                    Check::Bearer(bearer) => bearer.of_cookie(&self.signer, &cookie).await,
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
