//! The link of a session to its server: one connection, or one after another (`--resume`).

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    call::{Call, OpenedSession},
    end::Finish,
    flow::{Flow, LinkSight},
    resumable::ResumableLink,
    say::say,
    socket::ClientSocket,
};
use crate::close::Close;

/// A link. Clones are the same link: both directions of a session use it, in one task.
#[derive(Clone)]
pub(super) struct ServerLink(Rc<RefCell<LinkKind>>);

enum LinkKind {
    Plain(Box<ClientSocket>),
    Resumable(Box<ResumableLink>),
}

impl ServerLink {
    /// Returns the link of a session that was opened. Warns if the server knows no return.
    pub(super) fn new(call: &Rc<Call>, opened: OpenedSession) -> Self {
        let OpenedSession { socket, greeting } = opened;
        let kind = if let Some(greeting) = greeting {
            LinkKind::Resumable(Box::new(ResumableLink::new(call, socket, greeting)))
        } else {
            if call.resumes {
                say("the server does not keep sessions: a lost connection will end this one\n\
                     hint: start the server with wsd --resume=60, or connect without --resume");
            }
            LinkKind::Plain(Box::new(socket))
        };
        Self(Rc::new(RefCell::new(kind)))
    }

    /// Calls `act` with a link that may return; `None` for another.
    fn resumable<T>(&self, act: impl FnOnce(&mut ResumableLink) -> T) -> Option<T> {
        match &mut *self.0.borrow_mut() {
            LinkKind::Plain(_) => None,
            LinkKind::Resumable(link) => Some(act(link)),
        }
    }

    /// Whether the session outlives its connection.
    pub(super) fn is_resumable(&self) -> bool {
        self.resumable(|_| ()).is_some()
    }

    /// Whether there is no connection at present.
    pub(super) fn is_away(&self) -> bool {
        self.resumable(|link| link.is_away()).unwrap_or(false)
    }

    /// Gives up a connection over which nothing comes. Returns whether another one will follow.
    pub(super) fn give_up(&self) -> bool {
        self.resumable(ResumableLink::give_up).is_some()
    }

    /// Returns the session that the server opened in place of one that it does not have any more.
    pub(super) fn take_fresh(&self) -> Option<OpenedSession> {
        self.resumable(ResumableLink::take_fresh).flatten()
    }

    /// Goes on in a new session. Returns false if the server, or the link, knows no return.
    pub(super) fn begin_again(&self, opened: OpenedSession) -> bool {
        let OpenedSession { socket, greeting: Some(greeting) } = opened else { return false };
        self.resumable(|link| link.begin_again(socket, greeting)).is_some()
    }

    /// Keeps the link alive, and tells the flow its state. Never ready. To be polled after the link was read.
    pub(super) async fn pump(&self, flow: &Flow) {
        poll_fn(|cx| {
            let sight = match &mut *self.0.borrow_mut() {
                LinkKind::Plain(socket) => LinkSight::of(socket.get_ref()),
                LinkKind::Resumable(link) => {
                    link.drive(cx);
                    link.sight()
                }
            };
            flow.follow(sight);
            Poll::<()>::Pending
        })
        .await;
    }

    /// Returns once the server has all that was sent, as far as the link can know.
    pub(super) async fn settled(&self) {
        poll_fn(|cx| {
            let is_settled = self.resumable(|link| {
                link.drive(cx);
                link.is_settled()
            });
            if is_settled == Some(false) { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Sends a Close frame behind all messages; over a link that may return, once all messages of the server are here, too.
    pub(super) async fn close(&mut self, close: Close) {
        let frame = frame(close);
        if self.resumable(|link| link.close(frame.clone())).is_none() {
            return self.send_close(frame).await;
        }
        // It may leave at once.
        let _ = self.flush().await;
    }

    /// Sends a Close frame behind all messages.
    pub(super) async fn close_soon(&mut self, close: Close) {
        let frame = frame(close);
        if self.resumable(|link| link.close_soon(frame.clone())).is_none() {
            return self.send_close(frame).await;
        }
        // It may leave at once.
        let _ = self.flush().await;
    }

    async fn send_close(&mut self, frame: CloseFrame) {
        // A failure shows in what the other half reads.
        let _ = self.send(Message::Close(Some(frame))).await;
    }

    /// Returns once the server has had `limit` to answer the close; with a link that may return, after it has all messages.
    pub(super) async fn overdue(&self, limit: Duration) {
        let Some(mut closed_at) = self.resumable(|link| link.closed_at()) else { return sleep(limit).await };
        loop {
            let until = closed_at.unwrap_or_else(Instant::now) + limit;
            sleep_until(until).await;
            let now = self.resumable(|link| link.closed_at()).flatten();
            if now.is_some() && now == closed_at {
                return;
            }
            closed_at = now;
        }
    }
}

fn frame(close: Close) -> CloseFrame {
    let code = CloseCode::from(close.code.unwrap_or(Close::NORMAL));
    CloseFrame { code, reason: close.reason.into_owned().into() }
}

impl Stream for ServerLink {
    type Item = Result<Message, Finish>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut *self.0.borrow_mut() {
            LinkKind::Plain(socket) => {
                let next = ready!(socket.poll_next_unpin(cx));
                Poll::Ready(next.map(|message| match (message, socket.get_ref().invalid_code()) {
                    (Ok(Message::Close(_)), Some(code)) => Err(Finish::of_invalid_code(code)),
                    (message, _) => message.map_err(Finish::of_error),
                }))
            }
            LinkKind::Resumable(link) => link.poll_next(cx),
        }
    }
}

/// An error shows in what is read.
impl Sink<Message> for ServerLink {
    type Error = ();

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        match &mut *self.0.borrow_mut() {
            LinkKind::Plain(socket) => socket.poll_ready_unpin(cx).map_err(drop),
            LinkKind::Resumable(link) => link.poll_room(cx).map(Ok),
        }
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), ()> {
        match &mut *self.0.borrow_mut() {
            LinkKind::Plain(socket) => socket.start_send_unpin(message).map_err(drop),
            LinkKind::Resumable(link) => link.take(message),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        match &mut *self.0.borrow_mut() {
            LinkKind::Plain(socket) => socket.poll_flush_unpin(cx).map_err(drop),
            LinkKind::Resumable(link) => {
                link.drive(cx);
                Poll::Ready(Ok(()))
            }
        }
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

    use super::{
        super::{unpacked::UnpackedStream, watched::WatchedStream},
        *,
    };
    use crate::limits::PING_INTERVAL;

    #[tokio::test(start_paused = true)]
    async fn a_part_of_a_message_is_a_sign_of_life() {
        let (wire, mut server) = duplex(64);
        let socket = WebSocketStream::from_raw_socket(
            UnpackedStream::plain(WatchedStream::new(Box::new(wire), b"")),
            Role::Client,
            None,
        )
        .await;
        let socket = ClientSocket::new(socket, None);
        let (link, flow) = (ServerLink(Rc::new(RefCell::new(LinkKind::Plain(Box::new(socket))))), Flow::new());
        let is_silent = || {
            assert!(link.clone().next().now_or_never().is_none() && link.pump(&flow).now_or_never().is_none());
            flow.is_silent_for(2 * PING_INTERVAL)
        };

        for part in [&b"\x81"[..], b"\x03", b"a", b"b"] {
            sleep(PING_INTERVAL.mul_f64(1.9)).await;
            server.write_all(part).await.expect("it has room");
            assert!(!is_silent(), "{}", part.escape_ascii());
        }
        sleep(2 * PING_INTERVAL).await;

        assert!(is_silent());
    }
}
