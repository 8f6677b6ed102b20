//! The partner of a client in its session: a process of its own, or its seat in a room.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    budget::Owner,
    client::Client,
    close::Close,
    framing::{Heard, Rejected},
    message::Kind,
    metrics::live::{LiveRoom, Traffic},
    status::Status,
    sys::ResourceUsage,
};

/// The result of one read of a partner. Each variant has the messages that it handed to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The messages of a usual read.
    Messages(Traffic),
    /// The messages of a read that filled its buffer: more are likely, so the session yields first.
    FullRead(Traffic),
    /// The end of the partner, with the messages that it completed.
    Ended(Traffic, Verdict),
}

/// Why a partner will send nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its program has ended. The status is `None` while it is not known.
    Exit(Option<Status>),
    /// The program closes this session, with this code and reason.
    Dismissed(Close),
    /// The client was too slow.
    Slow,
    /// The client or its room held most of the bytes that waited when `--maxbuffer` was nearly used up.
    Overload,
    /// The program's output breaks its framing, for this reason.
    Garbled(&'static str),
}

/// The partner's end of a session.
pub(crate) trait Partner {
    /// Returns the id of the process, if the session has one of its own.
    fn pid(&self) -> Option<i32>;

    /// Returns the room, if it is a seat in one.
    fn room(&self) -> Option<Arc<LiveRoom>> {
        None
    }

    /// Returns the resources that the process has used, if the session had one of its own and it has ended.
    fn usage(&self) -> Option<ResourceUsage> {
        None
    }

    /// Returns the owner of all bytes that wait in the session.
    fn owner(&self) -> &Owner;

    /// Whether the session answers a client's close at once. If not, it answers once the partner has taken the client's
    /// messages and has ended; the client may rely on that.
    fn answers_close_at_once(&self) -> bool;

    /// Reads once and hands the messages to `client`.
    ///
    /// It wakes the task of `cx` when there is more to read.
    fn poll_read(&mut self, cx: &mut Context<'_>, client: &mut impl Client) -> Poll<Delivery>;

    /// Notes that the client takes no more for now; the session does not read the partner meanwhile. Ready with
    /// [`Delivery::Ended`] when the session must end nevertheless, after it has handed the remaining messages to `client`.
    fn poll_blocked(&mut self, cx: &mut Context<'_>, client: &mut impl Client) -> Poll<Delivery>;

    /// Returns how long the client may take nothing of what waits for it, and the verdict after that. `None` if nobody waits
    /// for the client.
    fn patience(&self) -> Option<(Duration, Verdict)>;

    /// Appends a message of the client, for [`Partner::poll_flush`] to write.
    ///
    /// Fails if the partner cannot take the message; the session ends then, after the earlier messages.
    fn write(&mut self, kind: Kind, payload: &[u8]) -> Result<Heard, Rejected>;

    /// Writes the messages that were appended. Ready once the partner has taken all.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Returns a number that changes whenever the partner takes bytes of the client's messages.
    fn progress(&self) -> u64;

    /// Returns the bytes that wait here: those of this client, and those that other owners count.
    fn held(&mut self) -> (usize, usize);

    /// Closes streams that have ended. The session calls it when it has nothing else to do.
    fn tidy(&mut self);

    /// Ends the partner of a client that was closed with `code` and `reason`. Returns how its process ended, if it has one.
    ///
    /// The client's own fork slot is free when it returns, so that the client may come again at once.
    fn end(&mut self, code: u16, reason: &str) -> impl Future<Output = Option<Status>> + Send;
}
