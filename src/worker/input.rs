//! A worker's standard input.

use std::{
    future::poll_fn,
    io, mem,
    os::fd::OwnedFd,
    task::{Context, Poll},
};

use bytes::Bytes;
use rustix::io::ioctl_fionread;
use tokio::net::unix::pipe::Sender;

use super::{pipe::widen, terminal::Master};
use crate::{backlog::Backlog, framing::window::WindowSize, limits::PIPE_BYTES};

/// The pipe or the terminal to a worker's standard input, and the bytes that the worker has not taken yet.
///
/// If a worker has closed its standard input, wsd drops further input and goes on: the worker may still write output.
#[derive(Debug)]
pub(crate) struct Input {
    sink: Option<Sink>,
    untaken: Backlog,
}

#[derive(Debug)]
enum Sink {
    /// A pipe, and whether it is widened. Both together keep an idle session small.
    Pipe(Sender, bool),
    Terminal(Master),
}

impl Input {
    /// Wraps wsd's end of the pipe, and makes it non-blocking.
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        // Unchecked, since the standard library has just made this pipe.
        let pipe = Sender::from_owned_fd_unchecked(pipe)?;
        Ok(Self { sink: Some(Sink::Pipe(pipe, false)), untaken: Backlog::default() })
    }

    /// Writes to a terminal.
    pub(super) fn of_terminal(master: Master) -> Self {
        Self { sink: Some(Sink::Terminal(master)), untaken: Backlog::default() }
    }

    /// Whether it is a terminal that is not closed.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self.sink, Some(Sink::Terminal(_)))
    }

    /// Tells a terminal its size.
    pub(super) fn resize(&self, size: WindowSize) {
        if let Some(Sink::Terminal(master)) = &self.sink {
            master.resize(size);
        }
    }

    /// Whether the worker has closed its standard input, so that it takes nothing more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sink.is_none()
    }

    /// Whether the pipe has taken all that was appended.
    pub(crate) fn is_drained(&self) -> bool {
        self.untaken.is_empty()
    }

    /// Returns the bytes that wait here for the worker.
    pub(crate) fn held(&self) -> usize {
        self.untaken.held()
    }

    /// Returns the buffer, for appending the bytes that [`Input::send`] writes.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.untaken.buffer()
    }

    /// Writes the bytes that were appended, as far as the pipe has room.
    ///
    /// Widens a pipe that cannot hold a large message, so that the worker takes it in fewer steps.
    pub(crate) fn send(&mut self, cx: &mut Context<'_>) {
        let is_large = self.untaken.waiting() > PIPE_BYTES;
        let Some(sink) = &mut self.sink else { return self.untaken.clear() };
        let written = match sink {
            Sink::Pipe(pipe, is_wide) => {
                if is_large && !mem::replace(is_wide, true) {
                    widen(&*pipe);
                }
                self.untaken.write_on(cx, pipe)
            }
            Sink::Terminal(master) => self.untaken.write_on(cx, master),
        };
        if written.is_err() {
            self.close();
        }
    }

    /// Writes all of `bytes`. Resolves once the pipe has taken them. Tells `count` how many bytes wait here.
    pub(crate) async fn write(&mut self, bytes: Bytes, mut count: impl FnMut(usize)) {
        self.buffer().extend_from_slice(&bytes);
        // Not held twice while they wait.
        drop(bytes);
        poll_fn(|cx| {
            self.send(cx);
            count(self.held());
            if self.is_drained() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Returns the bytes that the worker has not read: those in the pipe and those that wait here.
    pub(crate) fn unread(&self) -> usize {
        let in_pipe = match &self.sink {
            Some(Sink::Pipe(pipe, _)) => ioctl_fionread(pipe).unwrap_or(0),
            _ => 0,
        };
        self.untaken.waiting() + usize::try_from(in_pipe).unwrap_or(usize::MAX)
    }

    /// Closes the pipe and drops the bytes that wait here. The worker reads an end of file after all that is in the pipe. A
    /// terminal stays open as long as wsd reads it.
    pub(crate) fn close(&mut self) {
        self.sink = None;
        self.untaken.clear();
    }
}
