//! A client: whatever carries a visitor's messages. A WebSocket is one.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    budget::Owner,
    close::Close,
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
};

/// How one read of a client went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It said something, or showed that it is there. Its messages have been handed over.
    Some,
    /// It will say nothing more.
    End(Departure),
}

/// Why a client will say nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// It closed in good order, with this code, if any, and this reason.
    Closed(Option<u16>, String),
    /// Its connection ended.
    Left,
    /// It broke its protocol or a limit.
    Fault(Fault),
}

/// A rule that a client broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A rule of its protocol, told in a few words: 1002.
    Protocol(&'static str),
    /// Text must be UTF-8: 1007.
    NotText,
    /// A message must not be longer than `--maxframesize`: 1009.
    TooBig,
}

impl Fault {
    /// Returns the close that tells the client.
    pub(crate) fn close(self) -> Close {
        match self {
            Self::Protocol(rule) => Close::new(Close::PROTOCOL, rule),
            Self::NotText => Close::new(Close::INVALID, "text is not UTF-8"),
            Self::TooBig => Close::new(Close::TOO_BIG, "message too big"),
        }
    }
}

/// The client's end of a session.
///
/// A client answers its own protocol: it keeps its connection alive, and it closes it in good order. What it cannot send at
/// once waits in it, and its session reads nothing more for it until that has gone.
pub(crate) trait Client {
    /// Reads once and hands every message that this completes to `on`.
    ///
    /// The task of `cx` is woken when there is more to read. After [`Heard::End`] nothing may be read.
    fn poll_read(&mut self, cx: &mut Context<'_>, on: &mut impl FnMut(Kind, &[u8])) -> Poll<Heard>;

    /// Appends a piece of a message to what is sent next. A client that cannot be reached any more forgets it.
    fn append(&mut self, piece: Piece<'_>);

    /// Appends messages that other clients are sent, too, without copying them.
    fn append_batch(&mut self, batch: &Arc<Batch>);

    /// Sends what was appended. Ready once all has gone, or the client cannot be reached any more.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Returns a number that changes whenever the client takes some of what waits for it.
    fn progress(&self) -> u64;

    /// Keeps the connection alive. Ready when nothing was heard of the client for too long.
    ///
    /// `is_read` tells whether the session reads the client at present: if it does not, silence proves nothing.
    fn poll_upkeep(&mut self, cx: &mut Context<'_>, is_read: bool) -> Poll<()>;

    /// Returns whether the connection is known to have ended, though nothing is read of it. If it is not, the client may be
    /// sent something that makes its end known.
    fn probe(&mut self, cx: &mut Context<'_>) -> bool;

    /// Returns the bytes that wait here: those of this client, and those that other clients have, too.
    fn held(&self) -> (usize, usize);

    /// Forgets what the client says from now on: nobody is there to take it.
    fn forget_messages(&mut self);

    /// Forgets what the client says from now on: its session is over. `is_reachable` is whether it may still take what
    /// waits for it, and a close. What waits from now on counts for `owner`.
    fn begin_close(&mut self, owner: Owner, is_reachable: bool);

    /// Puts a close behind all that waits, unless there is one already, and sends as much as is taken at once.
    fn send_close(&mut self, cx: &mut Context<'_>, close: Option<Close>);

    /// Sends what waits and reads what comes, while the partner is brought to its end. Never ready.
    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Infallible>;

    /// Forgets what waits for the client, but for the rest of a message that it has in part.
    fn discard(&mut self);

    /// Gives the client time to take what waits for it and to answer the close, and ends the connection in good order.
    fn finish(self, shutdown: &Shutdown) -> impl Future<Output = ()> + Send;
}
