//! A client of a session, such as a WebSocket.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    close::Close,
    deflate::BothTraffic,
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
};

/// Why a client will send nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// It sent a close with this code, if any, and this reason.
    Closed(Option<u16>, String),
    /// Its connection ended without a close.
    Left,
    /// It broke its protocol or a limit.
    Fault(Fault),
}

/// A rule that a client broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A rule of its protocol, in a few words: 1002.
    Protocol(&'static str),
    /// Text must be UTF-8: 1007.
    NotText,
    /// A message must not be longer than `--maxframesize`: 1009.
    TooBig,
    /// A message must suit the partner's framing, which says why not: 1007.
    Invalid(&'static str),
}

/// The client's end of a session.
///
/// A client follows its own protocol: it keeps its connection alive and does the closing handshake. It holds the bytes that
/// it cannot send at once, and its session reads nothing more from the partner until they have gone.
pub(crate) trait Client {
    /// Reads once and hands every message that this completes to `on`, which returns whether the session takes the message.
    /// Ready with a departure if the client will send nothing more; the session must not read after it.
    ///
    /// It wakes the task of `cx` when there is more to read.
    fn poll_read(&mut self, cx: &mut Context<'_>, on: &mut impl FnMut(Kind, &[u8]) -> bool) -> Poll<Option<Departure>>;

    /// Notes that the session does not read the client, since the partner takes nothing. A client that acknowledges messages may
    /// read ahead, and keep its messages for [`Client::poll_read`]. Returns how it has departed behind them, if it has.
    fn poll_ahead(&mut self, _cx: &mut Context<'_>) -> Option<Departure> {
        None
    }

    /// Returns the bytes of the control frames that have come since the last call. They count for the rate of the client.
    fn take_control_bytes(&mut self) -> usize {
        0
    }

    /// Appends a piece of a message, for [`Client::poll_flush`] to send. A client that cannot be reached any more drops it.
    fn append(&mut self, piece: Piece<'_>);

    /// Appends messages that it shares with other clients, without copying them.
    fn append_batch(&mut self, batch: &Arc<Batch>);

    /// Sends what was appended. Ready once all has gone, or once the client cannot be reached any more.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Returns a number that changes whenever the client takes bytes that waited for it.
    fn progress(&self) -> u64;

    /// Whether the client is away and may return. It takes nothing, but it has not ended.
    fn is_away(&self) -> bool {
        false
    }

    /// Keeps the connection alive. Ready when the client has been silent for too long.
    ///
    /// `is_read` is whether the session reads the client at present. If it does not, silence proves nothing.
    fn poll_upkeep(&mut self, cx: &mut Context<'_>, is_read: bool) -> Poll<()>;

    /// Whether the connection is known to have ended, although the session does not read it. If not, this may send something
    /// to the client whose failure reveals the end.
    fn probe(&mut self, cx: &mut Context<'_>) -> bool;

    /// Returns the bytes that wait here: those of this client, and those that it shares with other clients.
    fn held(&self) -> (usize, usize);

    /// Returns the bytes of messages that it keeps until the client acknowledges them.
    fn replay_bytes(&self) -> usize {
        0
    }

    /// Returns the bytes of the messages so far, before and after compression; `None` if the client has agreed to none.
    fn traffic(&self) -> Option<BothTraffic> {
        None
    }

    /// Drops the client's messages from now on, since the partner does not take them any more.
    fn forget_messages(&mut self);

    /// Drops the client's messages from now on, since its session is over. `is_reachable` is whether the client may still
    /// take the bytes that wait for it, and a close. From now on the client itself counts the bytes that wait for it.
    fn begin_close(&mut self, is_reachable: bool);

    /// Appends a close behind all that waits, unless there is one already, and sends as much as the client takes at once.
    fn send_close(&mut self, cx: &mut Context<'_>, close: Option<&Close>);

    /// Sends what waits and reads what comes while the partner ends. Never ready.
    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Infallible>;

    /// Drops the messages that wait for the client, except the rest of one that it has in part.
    fn discard(&mut self);

    /// Gives the client time to take what waits for it and to answer the close, and then closes the connection.
    fn finish(self, shutdown: &Shutdown) -> impl Future<Output = ()> + Send;
}

/// A client in a box, for one that would make the task of its session large.
impl<C: Client + Send> Client for Box<C> {
    fn poll_read(&mut self, cx: &mut Context<'_>, on: &mut impl FnMut(Kind, &[u8]) -> bool) -> Poll<Option<Departure>> {
        C::poll_read(self, cx, on)
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Option<Departure> {
        C::poll_ahead(self, cx)
    }

    fn take_control_bytes(&mut self) -> usize {
        C::take_control_bytes(self)
    }

    fn append(&mut self, piece: Piece<'_>) {
        C::append(self, piece);
    }

    fn append_batch(&mut self, batch: &Arc<Batch>) {
        C::append_batch(self, batch);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        C::poll_flush(self, cx)
    }

    fn progress(&self) -> u64 {
        C::progress(self)
    }

    fn is_away(&self) -> bool {
        C::is_away(self)
    }

    fn poll_upkeep(&mut self, cx: &mut Context<'_>, is_read: bool) -> Poll<()> {
        C::poll_upkeep(self, cx, is_read)
    }

    fn probe(&mut self, cx: &mut Context<'_>) -> bool {
        C::probe(self, cx)
    }

    fn held(&self) -> (usize, usize) {
        C::held(self)
    }

    fn replay_bytes(&self) -> usize {
        C::replay_bytes(self)
    }

    fn traffic(&self) -> Option<BothTraffic> {
        C::traffic(self)
    }

    fn forget_messages(&mut self) {
        C::forget_messages(self);
    }

    fn begin_close(&mut self, is_reachable: bool) {
        C::begin_close(self, is_reachable);
    }

    fn send_close(&mut self, cx: &mut Context<'_>, close: Option<&Close>) {
        C::send_close(self, cx, close);
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Infallible> {
        C::poll_closing(self, cx)
    }

    fn discard(&mut self) {
        C::discard(self);
    }

    async fn finish(self, shutdown: &Shutdown) {
        C::finish(*self, shutdown).await;
    }
}
