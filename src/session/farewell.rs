//! The end of a session: the last output, the Close frames, and a connection closed in good order.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    io,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::{sleep, timeout};

use super::{bridge::Counts, end::End};
use crate::{
    budget::{Owner, Share},
    buffers,
    limits::{CLOSE_ANSWER, LAST_OUTPUT_STALL, LINGER_QUIET, READS_PER_TURN, SHUTDOWN_ANSWER},
    peer::Connection,
    room::seat::Rest,
    shutdown::Shutdown,
    socket::{Read, Socket, close::Close, reader::Event, writer},
    turn,
    worker::outputs::Outputs,
};

/// What is left of a session once one side is over.
#[derive(Debug)]
pub(super) struct Farewell {
    pub(super) connection: Connection,
    pub(super) socket: Socket,
    /// The worker's output streams, if it is this session's own.
    pub(super) outputs: Option<Outputs>,
    pub(super) counts: Counts,
    /// No Close frame is to be sent: one has been, or nobody is left to read it.
    pub(super) has_closed: bool,
    /// What the client may still say.
    pub(super) client: Client,
    /// Frames that other clients of a room have, too; the first `sent` bytes of the first have gone.
    rest: VecDeque<Bytes>,
    sent: usize,
    /// The Close frame that is to follow `rest`.
    close: Vec<u8>,
    owner: Owner,
    share: Share,
}

/// What a client may still say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// A Close frame, an answer to ours or its own.
    Talks,
    /// Rubbish: it broke the protocol.
    Babbles,
    /// Nothing: its Close frame has come.
    Closed(Option<u16>),
    /// Nothing: the connection is over.
    Gone,
}

impl Client {
    /// What a client may still say after this end.
    pub(super) fn after(end: End) -> Self {
        match end {
            End::Exit | End::Slow | End::Overload | End::Shutdown => Self::Talks,
            End::Fault(_) => Self::Babbles,
            End::Closed(code) => Self::Closed(code),
            End::Left | End::Silent => Self::Gone,
        }
    }
}

impl Farewell {
    /// The end of a session over `socket`: what the client says is forgotten from now on.
    pub(super) fn new(connection: Connection, mut socket: Socket, client: Client, owner: Owner) -> Self {
        socket.forget_messages();
        owner.settle();
        Self {
            connection,
            socket,
            outputs: None,
            counts: Counts::default(),
            has_closed: false,
            client,
            rest: VecDeque::new(),
            sent: 0,
            close: Vec::new(),
            share: owner.share(),
            owner,
        }
    }

    /// While the worker is being stopped: its output is read to the end, so that it is not stuck in a write, and the
    /// client gets what is already its own.
    pub(super) fn poll_meanwhile(&mut self, cx: &mut Context<'_>) -> Poll<Infallible> {
        if let Some(outputs) = &mut self.outputs {
            buffers::with(|buffers| outputs.drain(cx, &mut buffers.read, &self.connection));
        }
        self.send_on(cx);
        let _ = self.poll_client(cx);
        Poll::Pending
    }

    /// Logs the rest of the worker's standard error. If that takes a while, the client does not wait for what is its own.
    pub(super) async fn log_to_the_end(&mut self) {
        let Some(outputs) = &mut self.outputs else { return };
        if outputs.log_to_the_end(&self.connection).now_or_never().is_some() {
            return;
        }
        self.tell(None).await;
        if let Some(outputs) = &mut self.outputs {
            outputs.log_to_the_end(&self.connection).await;
        }
    }

    /// Tells the client why, behind all that waits, as far as the kernel takes it at once.
    pub(super) async fn tell(&mut self, close: Option<Close>) {
        self.queue_close(close);
        poll_fn(|cx| {
            self.send_on(cx);
            Poll::Ready(())
        })
        .await;
    }

    /// Gives the client time to take all that is its own and to answer, and closes the connection.
    pub(super) async fn take_leave(mut self, shutdown: &Shutdown) {
        let in_peace = async {
            self.send_rest().await;
            match self.client {
                Client::Talks => {
                    let _ = timeout(CLOSE_ANSWER, poll_fn(|cx| self.poll_client(cx))).await;
                }
                Client::Babbles | Client::Closed(_) => {}
                Client::Gone => return,
            }
            // The server ends first, and then reads until the client has ended, too (RFC 6455, section 7.1.1): closing a
            // connection with unread bytes would reset it, and the client might never see why.
            let _ = timeout(CLOSE_ANSWER, poll_fn(|cx| self.socket.poll_shutdown(cx))).await;
            let _ = timeout(CLOSE_ANSWER, self.hear_out()).await;
        };
        let in_haste = async {
            shutdown.begun().await;
            sleep(SHUTDOWN_ANSWER).await;
        };
        tokio::select! {
            () = in_peace => {}
            () = in_haste => {}
        }
    }

    /// Puts frames of a room behind all that waits, `sending` and then `rest`; of a laggard's only the rest of what it has in
    /// part. The first `sent` bytes of the first have gone.
    pub(super) fn queue_rest(&mut self, mut sending: VecDeque<Bytes>, sent: usize, rest: Rest, is_laggard: bool) {
        if is_laggard {
            sending.truncate(usize::from(sent > 0));
        } else {
            self.counts.output += rest.messages;
            sending.extend(rest.frames);
        }
        (self.rest, self.sent) = (sending, sent);
        self.count();
    }

    /// Puts a Close frame behind all that waits, unless one has been sent.
    pub(super) fn queue_close(&mut self, close: Option<Close>) {
        if let Some(close) = close
            && !std::mem::replace(&mut self.has_closed, true)
        {
            writer::close(&close, &mut self.close);
            if self.rest.is_empty() {
                self.socket.unsent().keep(&std::mem::take(&mut self.close));
            }
        }
    }

    /// Sends what waits, as long as the client takes any of it.
    async fn send_rest(&mut self) {
        let stall_max = if self.client == Client::Talks { LAST_OUTPUT_STALL } else { CLOSE_ANSWER };
        while self.client != Client::Gone && !self.is_sent() {
            let some = poll_fn(|cx| {
                let before = self.waiting();
                self.send_on(cx);
                let _ = self.poll_client(cx);
                let is_over = self.client == Client::Gone || self.is_sent();
                if is_over || self.waiting() != before { Poll::Ready(()) } else { Poll::Pending }
            });
            if timeout(stall_max, some).await.is_err() {
                self.client = Client::Gone;
            }
        }
    }

    /// Reads a client until it ends, or falls silent for a while; of one that has sent its Close frame, after which
    /// nothing may follow, only what is there.
    async fn hear_out(&mut self) {
        loop {
            let more = poll_fn(|cx| buffers::with(|buffers| self.socket.poll_discard_once(cx, &mut buffers.read)));
            let goes_on = match self.client {
                Client::Closed(_) => more.now_or_never() == Some(true),
                _ => timeout(LINGER_QUIET, more).await == Ok(true),
            };
            if !goes_on {
                return;
            }
        }
    }

    fn send_on(&mut self, cx: &mut Context<'_>) {
        if self.client == Client::Gone || self.owner.is_asked(cx) || self.try_send_on(cx).is_err() {
            self.client = Client::Gone;
            self.socket.unsent().clear();
            self.rest = VecDeque::new();
            self.owner.settle();
        }
        self.count();
    }

    /// Counts what waits for the client.
    fn count(&mut self) {
        let in_rest = self.rest.iter().map(Bytes::len).sum();
        self.share.set(self.socket.held() + self.rest.capacity() * size_of::<Bytes>(), in_rest);
    }

    fn try_send_on(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.socket.send_on(cx)?;
        if self.rest.is_empty() && self.close.is_empty() || !self.socket.unsent().is_empty() {
            return Ok(());
        }
        match self.socket.poll_send_shared(cx, &mut self.rest, &mut self.sent) {
            Poll::Ready(sent) => sent?,
            Poll::Pending => return Ok(()),
        }
        self.socket.send(cx, &std::mem::take(&mut self.close))
    }

    /// Whether nothing waits to be sent.
    fn is_sent(&mut self) -> bool {
        self.rest.is_empty() && self.close.is_empty() && self.socket.unsent().is_empty()
    }

    /// Changes as the client takes what waits.
    fn waiting(&mut self) -> (usize, usize, usize) {
        (self.socket.unsent().len(), self.rest.len(), self.sent)
    }

    /// Reads the client; ready when it has nothing more to say.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        buffers::with(|buffers| {
            for _ in 0..READS_PER_TURN {
                match self.client {
                    Client::Closed(_) | Client::Gone => return Poll::Ready(()),
                    Client::Babbles => match self.socket.poll_discard_once(cx, &mut buffers.read) {
                        Poll::Ready(true) => {}
                        Poll::Ready(false) => self.client = Client::Gone,
                        Poll::Pending => return Poll::Pending,
                    },
                    Client::Talks => {
                        let mut closed = None;
                        let mut on = |event: Event<'_>| {
                            if let Event::Close(code, _) = event {
                                closed = Some(code);
                            }
                        };
                        match (self.socket.poll_read(cx, &mut buffers.read, &mut on), closed) {
                            (Poll::Pending, _) => return Poll::Pending,
                            (Poll::Ready(_), Some(code)) => {
                                self.client = Client::Closed(code);
                                self.queue_close(Some(Close::echo(code)));
                            }
                            (Poll::Ready(Read::Some), None) => {}
                            (Poll::Ready(Read::Fault(_)), None) => self.client = Client::Babbles,
                            (Poll::Ready(Read::End), None) => self.client = Client::Gone,
                        }
                    }
                }
            }
            turn::over(cx)
        })
    }
}
