//! A POST to a room: its messages reach the room all at once, and nobody waits for an answer.

use std::future::poll_fn;

use tokio::time::timeout;

use super::Member;
use crate::{
    close::Close,
    framing::Rejected,
    limits::INPUT_WAIT,
    message::Kind,
    partner::{Partner, Verdict},
};

/// Why a room does not take the messages of [`Member::post`]. It has none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotPosted {
    /// The framing of the program cannot take one of them.
    Rejected,
    /// The program has not read earlier messages for [`INPUT_WAIT`].
    Late,
    /// The program has ended.
    Over,
    /// The budget has no room for them.
    Overload,
}

impl Member {
    /// Hands messages to the room all at once, and leaves it with 1000. The room's messages to this client are dropped.
    pub(crate) async fn post<'a>(
        mut self,
        kind: Kind,
        messages: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), NotPosted> {
        // Nobody takes them, and the worker must not wait for that.
        self.seat.leave();
        for payload in messages {
            self.write(kind, payload).map_err(|Rejected(_)| NotPosted::Rejected)?;
        }
        let posted = poll_fn(|cx| self.poll_flush(cx));
        timeout(INPUT_WAIT, posted).await.map_err(|_| NotPosted::Late)?;
        match self.seat.verdict() {
            None => {}
            Some(Verdict::Overload) => return Err(NotPosted::Overload),
            Some(_) => return Err(NotPosted::Over),
        }
        self.leave(Close::NORMAL, "");
        Ok(())
    }
}
