//! The way from a POST to the session of its token.

use std::sync::Arc;

use tokio::time::timeout;

use super::{
    door::{Door, Doors, Token},
    mailbox::{Letter, Receipt},
};
use crate::limits::INPUT_WAIT;

/// The client's side of the mailbox of a session.
#[derive(Debug)]
pub(crate) struct Postbox {
    door: Arc<Door>,
    doors: Doors,
}

/// Withdraws a letter whose sender does not wait any more.
struct Withdrawal<'a> {
    door: &'a Door,
    number: u64,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        self.door.mailbox.withdraw(self.number);
    }
}

impl Doors {
    /// Finds the session of a token. `None` if there is none, or if it is bound to other facts.
    pub(crate) fn postbox(&self, token: &Token, binding: u64) -> Option<Postbox> {
        Some(Postbox { door: self.find(token, binding)?, doors: self.clone() })
    }
}

impl Postbox {
    /// Hands messages to the session, once its program has taken all earlier ones. Waits for [`INPUT_WAIT`] at most.
    ///
    /// If it is dropped, the session takes all of them or none.
    pub(crate) async fn send(&self, letter: Letter) -> Receipt {
        let mailbox = &self.door.mailbox;
        let (number, mut told) = match mailbox.post(letter) {
            Ok(posted) => posted,
            Err(fate) => return fate,
        };
        let _withdrawal = Withdrawal { door: &self.door, number };
        self.door.wake();
        match timeout(INPUT_WAIT, &mut told).await {
            Ok(fate) => fate.unwrap_or(Receipt::Over),
            Err(_) if mailbox.withdraw(number) => Receipt::Busy(mailbox.got()),
            Err(_) => told.await.unwrap_or(Receipt::Over),
        }
    }

    /// Whether each line of a body is a message.
    pub(crate) fn has_lines(&self) -> bool {
        self.door.has_lines
    }

    /// Notes that the client has `count` messages. Returns false if it cannot have so many.
    pub(crate) fn acknowledge(&self, count: u64) -> bool {
        if count > self.door.sent() {
            return false;
        }
        self.door.mailbox.acknowledge(count);
        self.door.wake();
        true
    }

    /// Returns the number of messages that the session has taken of its client.
    pub(crate) fn got(&self) -> u64 {
        self.door.mailbox.got()
    }

    /// Ends the session: its client has left for good.
    pub(crate) fn leave(&self) {
        self.doors.remove(&self.door);
        self.door.mailbox.leave();
        self.door.wake();
    }

    /// Notes that the client knows how the session has ended, if it has.
    pub(crate) fn confirm(&self) {
        if self.door.has_ended() {
            self.leave();
        }
    }
}
