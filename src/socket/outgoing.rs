//! The frames of a WebSocket that wait for its client: its own, and those that it shares with other clients.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;

use super::stream::Stream;
use crate::backlog::Backlog;

/// Shared frames in one write: `writev` takes 1024 on Linux, but more than 64 gain nothing.
const SLICES_MAX: usize = 64;

/// Places for shared frames that an empty queue keeps: a client that keeps up needs no more.
const PLACES_KEPT: usize = 64;

/// Frames that wait, in order.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// The socket's own frames, which leave before all of `shared`.
    own: Backlog,
    /// Frames that other clients get, too. The first `sent` bytes of the first have gone.
    shared: VecDeque<Bytes>,
    sent: usize,
}

impl Outgoing {
    /// Whether nothing waits, here or in the stream.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.shared.is_empty()
    }

    /// Whether own frames wait here.
    pub(super) fn has_own(&self) -> bool {
        self.own.waiting() > 0
    }

    /// Returns a value that changes whenever the stream takes bytes.
    pub(super) fn position(&self) -> (usize, usize, usize) {
        (self.own.waiting(), self.shared.len(), self.sent)
    }

    /// Returns the buffer of own frames, which leave before all shared ones.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.own.buffer()
    }

    /// Appends an own frame behind all that waits.
    pub(super) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.shared.is_empty() {
            return write(self.own.buffer());
        }
        let mut frame = Vec::new();
        write(&mut frame);
        self.shared.push_back(frame.into());
    }

    /// Appends shared frames behind all that waits.
    pub(super) fn append_shared(&mut self, frames: Bytes) {
        self.shared.push_back(frames);
    }

    /// Writes what waits, as far as the stream takes it. The stream wakes the task of `cx` when it takes more.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, stream: &mut Stream) -> io::Result<()> {
        self.own.write_on(cx, stream)?;
        if !self.own.is_empty() || self.shared.is_empty() {
            return Ok(());
        }
        if let Poll::Ready(sent) = self.poll_send_shared(cx, stream) {
            sent?;
            // Over TLS the stream may still hold some of it.
            self.own.flush(cx, stream)?;
        }
        Ok(())
    }

    /// Writes shared frames. Ready when all have gone.
    fn poll_send_shared(&mut self, cx: &mut Context<'_>, stream: &mut Stream) -> Poll<io::Result<()>> {
        while !self.shared.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            for (slice, frame) in slices.iter_mut().zip(&self.shared) {
                *slice = IoSlice::new(frame);
            }
            slices[0] = IoSlice::new(&self.shared[0][self.sent..]);
            let count = self.shared.len().min(SLICES_MAX);
            let mut taken = ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..count]))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            taken += mem::take(&mut self.sent);
            while self.shared.front().is_some_and(|frame| taken >= frame.len()) {
                taken -= self.shared.pop_front().map_or(0, |frame| frame.len());
            }
            self.sent = taken;
        }
        if self.shared.capacity() > PLACES_KEPT {
            self.shared = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Drops the shared frames, except those of which the client has a part.
    pub(super) fn discard(&mut self) {
        self.shared.truncate(usize::from(self.sent > 0));
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the bytes that wait here: own ones, and shared ones.
    pub(super) fn held(&self) -> (usize, usize) {
        let places = self.shared.capacity() * size_of::<Bytes>();
        (self.own.held() + places, self.shared.iter().map(Bytes::len).sum())
    }
}
