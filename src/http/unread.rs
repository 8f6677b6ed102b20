//! A client that sends more than a program takes: notices that it has left, and lets it have the whole answer.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use crate::{
    limits::{CLIENT_LOOK, CLOSE_LINGER},
    socket::stream::{Stream, is_gone},
};

/// The bytes of a client that hyper has not read.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// Runs while there may be some: only a look tells then that the client has left.
    look_timer: Option<Pin<Box<Sleep>>>,
    /// Whether the client may still send when wsd closes its side.
    is_expecting: bool,
    /// Runs from then on.
    linger_timer: Option<Pin<Box<Sleep>>>,
}

/// Bytes that [`Unread::poll_drop`] drops at a time.
const DROPPED_BYTES: usize = 8 << 10;

impl Unread {
    /// Notes whether there may be unread bytes while an answer is under way: the last read gave some.
    pub(super) fn set(&mut self, is_likely: bool) {
        if is_likely {
            self.look_timer.get_or_insert_with(|| Box::pin(sleep(CLIENT_LOOK)));
        } else {
            self.look_timer = None;
        }
    }

    /// Fails if the client has left. If not, wakes the task of `cx` for the next look.
    pub(super) fn check_client(&mut self, cx: &mut Context<'_>, stream: &Stream) -> io::Result<()> {
        while let Some(timer) = &mut self.look_timer
            && timer.as_mut().poll(cx).is_ready()
        {
            if is_gone(stream) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            timer.as_mut().reset(Instant::now() + CLIENT_LOOK);
        }
        Ok(())
    }

    /// Notes that the client may still send when wsd closes its side.
    pub(super) fn expect_more(&mut self) {
        self.is_expecting = true;
    }

    /// Whether wsd has closed its side, and the client still sends.
    pub(super) fn is_lingering(&self) -> bool {
        self.linger_timer.is_some()
    }

    /// Drops what the client sends, until it closes or for [`CLOSE_LINGER`]. If wsd closed a connection with unread bytes, the
    /// kernel would reset it, and the client could lose the end of its answer.
    pub(super) fn poll_drop(&mut self, cx: &mut Context<'_>, stream: &mut Stream) -> Poll<()> {
        if !self.is_expecting {
            return Poll::Ready(());
        }
        let timer = self.linger_timer.get_or_insert_with(|| Box::pin(sleep(CLOSE_LINGER)));
        while timer.as_mut().poll(cx).is_pending() {
            let mut buffer = [MaybeUninit::uninit(); DROPPED_BYTES];
            let mut buffer = ReadBuf::uninit(&mut buffer);
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(())
    }
}
