//! An attempt of a client to prove who it is: its turn, and whether it counts as a failure.

use std::{
    mem,
    time::{Duration, Instant},
};

use super::guesses::{Guesser, Guesses, Turn};
use crate::{
    limits::auth::AUTH_HASHES_OF_NETWORK_MAX,
    sources::{SourceSlot, Used},
};

/// The wait of a client while others of its source or network have their passwords checked.
const SOON: Duration = Duration::from_secs(1);

/// An attempt of a client to prove who it is. It counts as a failure at most once. A client that leaves while its password is checked
/// has failed, too: otherwise guesses that nobody waits for would take the processors without a limit.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    guesses: &'a Guesses,
    guesser: Guesser,
    /// The turn, and the share of its network.
    turn: Option<(Turn, Option<SourceSlot>)>,
    /// Whether the client has shown something wrong.
    pub(super) is_wrong: bool,
    is_counted: bool,
}

impl<'a> Attempt<'a> {
    /// Returns the attempt of a client, which has shown nothing wrong so far.
    pub(super) fn new(guesses: &'a Guesses, client: Guesser) -> Self {
        Self { guesses, guesser: client, turn: None, is_wrong: false, is_counted: false }
    }

    /// Waits for the turn of the client, unless it has it; an error is the time that the client has to wait.
    pub(super) async fn begin(&mut self) -> Result<(), Duration> {
        if self.turn.is_some() {
            return Ok(());
        }
        let turn = self.guesses.turn(self.guesser).await.ok_or(SOON)?;
        // The requests before this one may have been guesses.
        if let Some(wait) = self.guesses.wait(self.guesser, Instant::now()) {
            return Err(wait);
        }
        let share = |network| self.guesses.networks.take((0, network), Used::Requests, AUTH_HASHES_OF_NETWORK_MAX);
        let share = self.guesser.0.network().map(|network| share(network).ok_or(SOON)).transpose()?;
        self.turn = Some((turn, share));
        Ok(())
    }

    /// Ends the attempt of a client that has proved who it is: its password or token is no guess.
    pub(super) fn succeed(mut self) {
        self.is_wrong = false;
        self.settle();
    }

    /// Counts what the client has shown if it was wrong, and gives the turn to the next request.
    pub(super) fn settle(&mut self) {
        if mem::take(&mut self.is_wrong) && !mem::replace(&mut self.is_counted, true) {
            self.guesses.failed(self.guesser, Instant::now());
        }
        self.turn = None;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.is_wrong |= self.turn.is_some();
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::{limits::auth::AUTH_FAILURES_A_MINUTE_MAX, peer::Peer};

    fn guesser(guesses: &Guesses, address: &str) -> Guesser {
        guesses.guesser(Peer::Tcp(address.parse().expect("an address")), None)
    }

    #[tokio::test]
    async fn a_network_of_ipv6_has_a_share_of_the_turns_and_another_one_as_many() {
        let guesses = Guesses::new();
        let begin = async |network: usize, number: usize| {
            let mut attempt =
                Attempt::new(&guesses, guesser(&guesses, &format!("[2001:db8:{network:x}:{number:x}::1]:1")));
            attempt.begin().await.map(|()| attempt)
        };
        let mut held = Vec::new();
        for number in 0..AUTH_HASHES_OF_NETWORK_MAX {
            held.push(begin(1, number).await.expect("a turn"));
        }

        assert!(begin(1, AUTH_HASHES_OF_NETWORK_MAX).await.is_err_and(|wait| wait == SOON));
        assert!(begin(2, 0).await.is_ok(), "another network");
        held.pop().expect("one").succeed();
        assert!(begin(1, AUTH_HASHES_OF_NETWORK_MAX).await.is_ok());
    }

    #[tokio::test]
    async fn who_leaves_while_its_password_is_checked_has_failed_and_who_waits_has_not() {
        let guesses = Guesses::new();
        let one = guesser(&guesses, "192.0.2.1:1");
        for failures in 0..AUTH_FAILURES_A_MINUTE_MAX {
            let mut attempt = Attempt::new(&guesses, one);
            assert_eq!(attempt.begin().await, Ok(()), "{failures}");
            {
                let mut waiting = Attempt::new(&guesses, one);
                let turn = std::pin::pin!(waiting.begin());
                assert!(turn.now_or_never().is_none(), "{failures}");
            }
            drop(attempt);
        }
        assert!(Attempt::new(&guesses, one).begin().await.is_err());

        let other = guesser(&guesses, "192.0.2.2:1");
        for _ in 0..=AUTH_FAILURES_A_MINUTE_MAX {
            let mut attempt = Attempt::new(&guesses, other);
            assert_eq!(attempt.begin().await, Ok(()));
            attempt.succeed();
        }
    }
}
