//! A worker's standard input.

use std::{
    future::poll_fn,
    io, mem,
    os::fd::OwnedFd,
    task::{Context, Poll},
};

use rustix::io::ioctl_fionread;
use tokio::net::unix::pipe::Sender;

use super::pipe::widen;
use crate::{backlog::Backlog, limits::PIPE_BYTES};

/// The pipe to a worker's standard input, and what it has not taken yet.
///
/// A worker that closed its standard input takes everything and forgets it: it may have much to say still.
#[derive(Debug)]
pub(crate) struct Input {
    pipe: Option<Sender>,
    untaken: Backlog,
    is_wide: bool,
}

impl Input {
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        // What the standard library has just made is a pipe: it need not be looked at.
        Ok(Self { pipe: Some(Sender::from_owned_fd_unchecked(pipe)?), untaken: Backlog::default(), is_wide: false })
    }

    /// Whether all that was sent is in the pipe.
    pub(crate) fn is_drained(&self) -> bool {
        self.untaken.is_empty()
    }

    /// Returns the bytes that wait here for the worker to take them.
    pub(crate) fn held(&self) -> usize {
        self.untaken.held()
    }

    /// Returns the buffer to append to what is written next; [`Input::send`] writes it.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.untaken.buffer()
    }

    /// Writes what was appended, as far as the pipe has room.
    ///
    /// A pipe that cannot hold a large message is widened: the worker then takes it in fewer steps.
    pub(crate) fn send(&mut self, cx: &mut Context<'_>) {
        let is_large = self.untaken.waiting() > PIPE_BYTES;
        let Some(pipe) = &mut self.pipe else { return self.untaken.clear() };
        if is_large && !mem::replace(&mut self.is_wide, true) {
            widen(&*pipe);
        }
        if self.untaken.write_on(cx, pipe).is_err() {
            self.close();
        }
    }

    /// Writes all of `bytes`, as fast as the worker takes them.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.buffer().extend_from_slice(bytes);
        poll_fn(|cx| {
            self.send(cx);
            if self.is_drained() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Returns the bytes that the worker has not read: those in the pipe and those that it had no room for.
    pub(crate) fn unread(&self) -> usize {
        let in_pipe = self.pipe.as_ref().and_then(|pipe| ioctl_fionread(pipe).ok()).unwrap_or(0);
        self.untaken.waiting() + usize::try_from(in_pipe).unwrap_or(usize::MAX)
    }

    /// Closes the pipe: the worker reads an end of file once it has read all that is in it.
    pub(crate) fn close(&mut self) {
        self.pipe = None;
        self.untaken.clear();
    }
}
