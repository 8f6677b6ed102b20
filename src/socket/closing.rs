//! The closing handshake (RFC 6455, section 7): sends the last frames, exchanges Close frames, and closes the connection.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    io::AsyncWrite,
    time::{sleep, timeout},
};

use super::{ClientState, Sending, Socket, reader::SocketEvent};
use crate::{
    buffers,
    client::Client,
    close::Close,
    limits::{CLOSE_ANSWER, LAST_OUTPUT_STALL, READS_PER_TURN, SHUTDOWN_ANSWER},
    shutdown::Shutdown,
    turn,
};

/// The silence after which wsd stops reading a client whose session has ended.
const LINGER_QUIET: Duration = Duration::from_secs(1);

impl Socket {
    /// Gives the client time to take all that waits for it and to answer the close, and closes the connection.
    pub(super) async fn close_in_order(mut self, shutdown: &Shutdown) {
        let handshake = async {
            self.send_rest().await;
            match self.peer {
                ClientState::Open => {
                    let _ = timeout(CLOSE_ANSWER, poll_fn(|cx| self.poll_peer(cx))).await;
                }
                ClientState::Faulty | ClientState::Closed => {}
                ClientState::Gone => return,
            }
            // wsd closes its side first, and then reads until the client has closed, too (RFC 6455, section 7.1.1). Closing
            // a connection with unread bytes would reset it, and the client might not see the close.
            let _ = timeout(CLOSE_ANSWER, poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx))).await;
            let _ = timeout(CLOSE_ANSWER, self.drain()).await;
        };
        let shutdown_limit = async {
            shutdown.begun().await;
            sleep(SHUTDOWN_ANSWER).await;
        };
        tokio::select! {
            () = handshake => {}
            () = shutdown_limit => {}
        }
    }

    /// Sends what waits, as far as the kernel takes it, and updates the share. Gives up a client that is gone.
    pub(super) fn send_on(&mut self, cx: &mut Context<'_>) {
        self.send(cx);
        if self.peer == ClientState::Gone || self.share.owner().is_asked(cx) || self.sending == Sending::Broken {
            self.give_up();
            self.share.owner().settle();
        }
        let (own, shared) = self.held();
        self.share.set(own, shared);
    }

    /// Gives up a client that cannot be reached: drops the frames that wait for it.
    pub(super) fn give_up(&mut self) {
        self.peer = ClientState::Gone;
        self.sending = Sending::Broken;
        self.outgoing.clear();
    }

    /// Reads the client. Ready when it will send nothing more.
    pub(super) fn poll_peer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..READS_PER_TURN {
            match self.peer {
                ClientState::Closed | ClientState::Gone => return Poll::Ready(()),
                ClientState::Faulty => {
                    if !ready!(self.poll_discard(cx)) {
                        self.peer = ClientState::Gone;
                    }
                }
                ClientState::Open => ready!(self.poll_close(cx)),
            }
        }
        turn::yield_turn(cx)
    }

    /// Reads once, and handles nothing but a Close frame.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        buffers::with_read(|buffer| {
            let count = ready!(self.poll_fill(cx, buffer));
            let mut closed = None;
            let mut on = |event: SocketEvent<'_>| {
                if let SocketEvent::Close(code, _) = event {
                    closed = Some(code);
                }
            };
            match (count, self.reader.read(&mut buffer[..count], &mut on)) {
                (0, _) => self.peer = ClientState::Gone,
                (_, Err(_)) => self.peer = ClientState::Faulty,
                (_, Ok(left)) => self.put_back(&buffer[count - left..count]),
            }
            if let Some(code) = closed {
                self.peer = ClientState::Closed;
                self.append_close(&Close::echo(code));
                self.send(cx);
            }
            Poll::Ready(())
        })
    }

    /// Reads once and drops the bytes. Ready with whether the connection goes on.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        buffers::with_read(|buffer| self.poll_fill(cx, buffer)).map(|count| count > 0)
    }

    /// Sends what waits, as long as the client takes any of it.
    async fn send_rest(&mut self) {
        let stall_max = if self.peer == ClientState::Open { LAST_OUTPUT_STALL } else { CLOSE_ANSWER };
        while self.peer != ClientState::Gone && !self.outgoing.is_empty() {
            let some = poll_fn(|cx| {
                let before = self.progress;
                self.send_on(cx);
                let _ = self.poll_peer(cx);
                let is_over = self.peer == ClientState::Gone || self.outgoing.is_empty();
                if is_over || self.progress != before { Poll::Ready(()) } else { Poll::Pending }
            });
            if timeout(stall_max, some).await.is_err() {
                self.give_up();
            }
        }
    }

    /// Reads a client until it ends or is silent for [`LINGER_QUIET`]. After its Close frame nothing may follow, so then
    /// this reads only the bytes that are there.
    async fn drain(&mut self) {
        loop {
            let is_closed = self.peer == ClientState::Closed;
            let more = poll_fn(|cx| self.poll_discard(cx));
            let goes_on = if is_closed {
                more.now_or_never() == Some(true)
            } else {
                timeout(LINGER_QUIET, more).await == Ok(true)
            };
            if !goes_on {
                return;
            }
        }
    }
}
