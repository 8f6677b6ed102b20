//! A link that outlives its connections: the client's half of `wsd.resume.1` (`--resume`).
//!
//! All messages to the server go through a ring, until the server has them. When the connection is lost, the link dials again,
//! for as long as the server keeps the session; the ring is bounded, so that standard input waits meanwhile. What the server
//! sends waits in an intake, which is bounded, too: the link goes on to read acknowledgements while standard output is blocked.

use std::{
    collections::VecDeque,
    mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::coding::{CloseCode, Data, OpCode},
    },
};

use super::{
    call::{Call, OpenedSession},
    codec::push_piece,
    end::Finish,
    error::ConnectError,
    flow::LinkSight,
    intake::{Intake, IntakeItem},
    say::say,
    socket::ClientSocket,
};
use crate::{
    close::Close,
    limits::{CONNECT_KEEP_MAX, CONNECT_KEPT_BYTES, CONNECT_MESSAGE_BYTES_MAX, PONG_WITHIN},
    message::{Kind, Piece},
    resume::{carrier::Carrier, control::Greeting, door::Token, inbound::Inbound, ring::Ring},
};

/// A link of a session that the server keeps.
pub(super) struct ResumableLink {
    pub(super) call: Rc<Call>,
    pub(super) state: LinkState,
    pub(super) token: Token,
    /// The time for which the server keeps the session.
    pub(super) keep: Duration,
    /// The messages that the server may not have.
    pub(super) ring: Ring,
    /// The type of the message that is being taken.
    pub(super) kind: Kind,
    /// The frames for the connection.
    pub(super) outbox: Outbox,
    pub(super) inbound: Inbound,
    pub(super) intake: Intake,
    /// Whether the missing of messages was told, and that there is no connection.
    pub(super) has_told_gap: bool,
    pub(super) has_told_loss: bool,
    /// The close for the server, behind all messages; and when it was sent over this connection.
    pub(super) close: Option<CloseFrame>,
    pub(super) closed_at: Option<Instant>,
    /// The end of the link, which is not told yet.
    pub(super) failure: Option<Finish>,
    pub(super) hearing: Hearing,
    /// The question before the close whether the connection is alive.
    pub(super) check: LifeCheck,
    /// The time of the last byte of the server.
    pub(super) heard_at: Instant,
    /// The time since which the server acknowledges nothing.
    pub(super) unacknowledged_since: Option<Instant>,
    pub(super) deadline: Option<Pin<Box<Sleep>>>,
    /// Whether any message has got through over this connection, in either direction.
    pub(super) has_progress: bool,
    /// The time since when there is no connection, and the number of attempts without success.
    pub(super) away_since: Option<Instant>,
    pub(super) losses: u32,
    pub(super) opened_at: Instant,
    /// The session that the server opened in place of this one.
    pub(super) fresh: Option<OpenedSession>,
}

/// The state of the connection.
pub(super) enum LinkState {
    /// It is there.
    Open(Box<ClientSocket>),
    /// It is lost; the next attempt comes later.
    Waiting(Pin<Box<Sleep>>),
    /// An attempt.
    Dialing(Pin<Box<dyn Future<Output = Result<OpenedSession, ConnectError>>>>),
    /// No other will follow.
    Over,
}

/// Whether the server is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// It is.
    Open,
    /// Nothing more is taken: the server has closed, or broken a rule of `wsd.resume.1`.
    Deaf,
    /// Nothing can be read: the server has broken a rule of WebSockets.
    Broken,
}

/// A question over the current connection, whose answer comes behind all that the server has sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LifeCheck {
    /// It is to be asked.
    Due,
    /// It was asked at this time.
    Asked(Instant),
    /// It was answered.
    Answered,
    /// It is not asked: the client is in a hurry.
    Needless,
}

/// The frames of whole messages for a connection.
#[derive(Default)]
pub(super) struct Outbox(pub(super) VecDeque<Message>);

impl Outbox {
    /// Appends a control message.
    pub(super) fn text(&mut self, text: &str) {
        self.append(Piece::whole(Kind::Text, text.as_bytes()));
    }

    fn append(&mut self, piece: Piece<'_>) {
        push_piece(piece, &mut |frame| self.0.push_back(frame));
    }
}

impl Carrier for Outbox {
    fn message(&mut self, _: u64, kind: Kind, payload: &[u8]) {
        let is_escaped = kind == Kind::Text && payload.first() == Some(&0);
        if is_escaped {
            self.append(Piece { kind, first: true, last: false, payload: b"\0" });
        }
        self.append(Piece { kind, first: !is_escaped, last: true, payload });
    }

    /// A client keeps all its messages.
    fn gap(&mut self, _: u64, _: u64) {}
}

impl ResumableLink {
    /// Returns the link of a new session.
    pub(super) fn new(call: &Rc<Call>, socket: ClientSocket, greeting: Greeting) -> Self {
        let now = Instant::now();
        Self {
            call: Rc::clone(call),
            state: LinkState::Open(Box::new(socket)),
            keep: keep(&greeting),
            token: greeting.session,
            ring: Ring::default(),
            kind: Kind::Text,
            outbox: Outbox::default(),
            inbound: Inbound::default(),
            intake: Intake::default(),
            has_told_gap: false,
            has_told_loss: false,
            close: None,
            closed_at: None,
            failure: None,
            hearing: Hearing::Open,
            check: LifeCheck::Due,
            heard_at: now,
            unacknowledged_since: None,
            deadline: None,
            has_progress: false,
            away_since: None,
            losses: 0,
            opened_at: now,
            fresh: None,
        }
    }

    /// Goes on in a new session, with the messages that were not sent in this one.
    pub(super) fn begin_again(&mut self, socket: ClientSocket, greeting: Greeting) {
        let mut next = Self::new(&self.call, socket, greeting);
        (next.ring, next.kind) = (mem::take(&mut self.ring), self.kind);
        next.ring.begin_again();
        *self = next;
    }

    pub(super) fn is_away(&self) -> bool {
        !matches!(self.state, LinkState::Open(_))
    }

    /// Whether the server has all messages.
    pub(super) fn is_settled(&self) -> bool {
        self.ring.count() == 0
    }

    /// Returns the state of the link.
    pub(super) fn sight(&self) -> LinkSight {
        let is_behind = self.is_away() || !self.outbox.0.is_empty() || self.ring.has_unsent();
        let LinkState::Open(socket) = &self.state else {
            return LinkSight { is_behind, arriving: None, heard_at: self.heard_at };
        };
        let sight = LinkSight::of(socket.get_ref());
        // The server sends whole messages: one that does not go on is a sign of a dead connection, which a close finds out.
        let arriving = sight.arriving.filter(|_| sight.heard_at.elapsed() < PONG_WITHIN);
        LinkSight { is_behind, arriving, ..sight }
    }

    /// Returns the time at which the close was sent, once the server has all messages before it.
    pub(super) fn closed_at(&self) -> Option<Instant> {
        self.closed_at.filter(|_| self.is_settled())
    }

    pub(super) fn take_fresh(&mut self) -> Option<OpenedSession> {
        self.fresh.take()
    }

    /// Ready when the ring has room for a message.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.drive(cx);
        if self.ring.is_full(CONNECT_KEPT_BYTES) { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Takes a frame for the server. Fails if the message is longer than the link can keep.
    pub(super) fn take(&mut self, message: Message) -> Result<(), ()> {
        match message {
            Message::Text(text) => self.keep(Piece::whole(Kind::Text, text.as_bytes())),
            Message::Binary(bytes) => self.keep(Piece::whole(Kind::Binary, &bytes)),
            Message::Frame(frame) => {
                let (opcode, is_final) = (frame.header().opcode, frame.header().is_final);
                let (kind, first) = match opcode {
                    OpCode::Data(Data::Text) => (Kind::Text, true),
                    OpCode::Data(Data::Binary) => (Kind::Binary, true),
                    _ => (self.kind, false),
                };
                self.kind = kind;
                self.keep(Piece { kind, first, last: is_final, payload: frame.payload() })
            }
            ping => {
                if !self.is_away() && self.close.is_none() {
                    self.outbox.0.push_back(ping);
                }
                Ok(())
            }
        }
    }

    fn keep(&mut self, piece: Piece<'_>) -> Result<(), ()> {
        self.ring.append(piece, usize::MAX);
        if self.ring.unfinished_bytes() <= CONNECT_MESSAGE_BYTES_MAX {
            return Ok(());
        }
        self.failure = Some(Finish::Garbled("a message is over 64 MiB, which --resume cannot keep"));
        Err(())
    }

    /// Closes the session for good behind all messages, without a question whether the connection is alive.
    pub(super) fn close_soon(&mut self, frame: CloseFrame) {
        self.check = LifeCheck::Needless;
        self.close(frame);
    }

    /// Closes the session for good, once both sides have all messages.
    pub(super) fn close(&mut self, mut frame: CloseFrame) {
        // A server takes 1001 for a lost connection.
        if frame.code == CloseCode::Away {
            frame.code = CloseCode::from(Close::NORMAL);
        }
        self.close.get_or_insert(frame);
    }

    /// Takes the next message of the server.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Finish>>> {
        self.drive(cx);
        while let Some(item) = self.intake.pop(&mut self.inbound) {
            match item {
                IntakeItem::Message(message) => return Poll::Ready(Some(Ok(message))),
                IntakeItem::Close(frame) => return Poll::Ready(Some(Ok(Message::Close(self.with_loss(frame))))),
                IntakeItem::Gap(count) => {
                    if !mem::replace(&mut self.has_told_gap, true) {
                        say(&format!(
                            "missed {count} messages, which the server did not keep; later ones are not told"
                        ));
                    }
                }
            }
        }
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        if matches!(self.state, LinkState::Over) { Poll::Ready(None) } else { Poll::Pending }
    }
}

/// Returns the time for which the server keeps the session.
pub(super) fn keep(greeting: &Greeting) -> Duration {
    Duration::try_from_secs_f64(greeting.keep).unwrap_or_default().min(CONNECT_KEEP_MAX)
}
