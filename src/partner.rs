//! A partner: whatever answers a client. A process of the client's own is one, and so is a seat in a room.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use crate::{budget::Owner, client::Client, close::Close, message::Kind, status::Status};

/// How one read of a partner went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It said so many messages, which have been handed to the client.
    Some(u64),
    /// So many messages, and there is likely more: others get their turn first.
    Much(u64),
    /// So many messages, and most likely these are the last: the close may leave together with them.
    Last(u64),
    /// It will say nothing more. So many messages were handed over that its end has completed.
    End(u64, Verdict),
}

/// Why a partner will say nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its program has ended, or closed its output. The status is `None` while it is not known.
    Exit(Option<Status>),
    /// The program ends this session, with this close.
    Dismissed(Close),
    /// The client did not keep up.
    Slow,
    /// What the program said cannot be understood, for this reason.
    Garbled(&'static str),
}

/// The partner's end of a session.
pub(crate) trait Partner {
    /// Returns the id of the process, if the session has one of its own.
    fn pid(&self) -> Option<i32>;

    /// Returns the owner of all that waits in the session.
    fn owner(&self) -> &Owner;

    /// Whether a client that closes is answered at once. If not, it is once the partner has taken what the client said, and
    /// has ended: the client may rely on that.
    fn lets_go_at_once(&self) -> bool;

    /// Reads once and hands what was said to `client`.
    ///
    /// The task of `cx` is woken when there is more to read.
    fn poll_read(&mut self, cx: &mut Context<'_>, client: &mut impl Client) -> Poll<Said>;

    /// Notes that the client takes no more for now, so that nothing is read. Ready with [`Said::End`] when the session must
    /// end all the same: what it is still to get has been handed to `client`.
    fn poll_blocked(&mut self, cx: &mut Context<'_>, client: &mut impl Client) -> Poll<Said>;

    /// Returns how long the client may take nothing of what waits for it, and what happens then; `None` while that holds
    /// nobody up.
    fn patience(&self) -> Option<(Duration, Verdict)>;

    /// Appends a message of the client to what is written next.
    fn write(&mut self, kind: Kind, payload: &[u8]);

    /// Writes what was appended. Ready once all has been taken.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Returns a number that changes whenever the partner takes some of what the client said.
    fn progress(&self) -> u64;

    /// Returns the bytes that wait here: those of this client, and those that count elsewhere, too.
    fn held(&mut self) -> (usize, usize);

    /// Does what can wait until nothing else is to be done: closes what has ended.
    fn tidy(&mut self);

    /// Ends the partner, whose client was closed with `code` and `reason`. Returns how its process ended, if it has.
    ///
    /// Everything that the client could ask for again is given back by then.
    fn end(&mut self, code: u16, reason: &str) -> impl Future<Output = Option<Status>> + Send;
}
