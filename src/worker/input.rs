//! A worker's standard input.

use std::{
    future::poll_fn,
    io, mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll},
};

use rustix::io::{Errno, ioctl_fionbio, ioctl_fionread, retry_on_intr, write};
use tokio::{io::AsyncWrite, net::unix::pipe::Sender};

use super::widen;
use crate::{backlog::Backlog, limits::PIPE_BYTES};

/// The pipe to a worker's standard input, and what it has not taken yet.
///
/// A worker that closed its standard input takes everything and forgets it: it may have much to say still.
#[derive(Debug)]
pub(crate) struct Input {
    pipe: Option<Pipe>,
    untaken: Backlog,
    is_wide: bool,
}

impl Input {
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        ioctl_fionbio(&pipe, true)?;
        Ok(Self {
            pipe: Some(Pipe { unwatched: Some(pipe), watched: None }),
            untaken: Backlog::default(),
            is_wide: false,
        })
    }

    /// Whether all that was sent is in the pipe.
    pub(crate) fn is_drained(&self) -> bool {
        self.untaken.is_empty()
    }

    /// Bytes that wait here for the worker to take them.
    pub(crate) fn held(&self) -> usize {
        self.untaken.held()
    }

    /// Writes `bytes`, and keeps what the pipe has no room for.
    ///
    /// A pipe that cannot hold a large message is widened: the worker then takes it in fewer steps.
    pub(crate) fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        let Some(pipe) = fit(&mut self.pipe, bytes.len(), &mut self.is_wide) else { return };
        if self.untaken.offer(cx, pipe, bytes).is_err() {
            self.close();
        }
    }

    /// The same for a buffer, which may be taken.
    pub(crate) fn send_buffer(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<u8>) {
        let Some(pipe) = fit(&mut self.pipe, buffer.len(), &mut self.is_wide) else { return };
        if self.untaken.offer_buffer(cx, pipe, buffer).is_err() {
            self.close();
        }
    }

    /// Writes what is left, as far as the pipe has room.
    pub(crate) fn send_on(&mut self, cx: &mut Context<'_>) {
        let Some(pipe) = &mut self.pipe else { return };
        if self.untaken.write_on(cx, pipe).is_err() {
            self.close();
        }
    }

    /// Writes all of `bytes`, as fast as the worker takes them.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let mut bytes = Some(bytes);
        poll_fn(|cx| {
            match bytes.take() {
                Some(bytes) => self.send(cx, bytes),
                None => self.send_on(cx),
            }
            if self.is_drained() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Bytes that the worker has not read: those in the pipe and those that it had no room for.
    pub(crate) fn unread(&self) -> usize {
        let in_pipe = self.pipe.as_ref().and_then(|pipe| ioctl_fionread(pipe).ok()).unwrap_or(0);
        self.untaken.len() + usize::try_from(in_pipe).unwrap_or(usize::MAX)
    }

    /// Closes the pipe: the worker reads an end of file once it has read all that is in it.
    pub(crate) fn close(&mut self) {
        self.pipe = None;
        self.untaken.clear();
    }
}

/// The pipe, wide enough for `count` bytes if it can be.
fn fit<'a>(pipe: &'a mut Option<Pipe>, count: usize, is_wide: &mut bool) -> Option<&'a mut Pipe> {
    let pipe = pipe.as_mut()?;
    if count > PIPE_BYTES && !mem::replace(is_wide, true) {
        widen(&pipe);
    }
    Some(pipe)
}

/// A nonblocking pipe, which the event loop watches only once it has been found full: most never are.
#[derive(Debug)]
struct Pipe {
    /// Until it was found full.
    unwatched: Option<OwnedFd>,
    /// From then on.
    watched: Option<Sender>,
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match (&self.unwatched, &self.watched) {
            (Some(pipe), _) => pipe.as_fd(),
            (None, Some(pipe)) => pipe.as_fd(),
            (None, None) => unreachable!("it is one of the two, or closed"),
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(pipe) = self.unwatched.take() {
            match retry_on_intr(|| write(&pipe, bytes)) {
                // What the standard library has made is a pipe: it need not be looked at.
                Err(Errno::AGAIN) => self.watched = Some(Sender::from_owned_fd_unchecked(pipe)?),
                result => {
                    self.unwatched = Some(pipe);
                    return Poll::Ready(result.map_err(io::Error::from));
                }
            }
        }
        match &mut self.watched {
            Some(pipe) => Pin::new(pipe).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
