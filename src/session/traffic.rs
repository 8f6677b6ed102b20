//! Shows each message of a session in the log (`--loglevel=trace`).
//!
//! A session whose messages are shown has its client in [`Shown`]. Any other session has the client itself, so that showing
//! messages costs it nothing.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use tracing::level_filters::LevelFilter;

use crate::{
    client::{Client, Departure},
    close::Close,
    event::Event,
    limits::LOG_MESSAGE_CHARS_MAX,
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
};

/// Bytes of the longest beginning of a message that the log shows.
const FRONT_BYTES_MAX: usize = LOG_MESSAGE_CHARS_MAX * 4;

/// Whether the log shows messages.
pub(crate) fn is_shown() -> bool {
    LevelFilter::current() == LevelFilter::TRACE
}

/// The way of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client to the program.
    In,
    /// From the program to the client.
    Out,
}

/// Shows a message that the log may show, of the connection `conn`.
pub(crate) fn show(conn: u64, direction: Direction, kind: Kind, payload: &[u8]) {
    show_front(conn, direction, kind, payload.len(), payload);
}

/// Shows a message of so many bytes, of which `front` has the first ones.
fn show_front(conn: u64, direction: Direction, kind: Kind, bytes: usize, front: &[u8]) {
    let front = String::from_utf8_lossy(&front[..front.len().min(FRONT_BYTES_MAX)]);
    let end = front.char_indices().nth(LOG_MESSAGE_CHARS_MAX).map_or(front.len(), |(at, _)| at);
    let direction = match direction {
        Direction::In => "in",
        Direction::Out => "out",
    };
    let kind = match kind {
        Kind::Text => "text",
        Kind::Binary => "binary",
    };
    Event::Message { conn, direction, kind, bytes: bytes as u64, data: &front[..end] }.emit();
}

/// A client whose messages the log shows.
#[derive(Debug)]
pub(super) struct Shown<C> {
    client: C,
    conn: u64,
    /// The bytes of the message that is on its way to the client in pieces, and the first of them.
    bytes: usize,
    front: Vec<u8>,
}

impl<C> Shown<C> {
    /// Shows the messages of this client in the log.
    pub(super) fn new(client: C, conn: u64) -> Self {
        Self { client, conn, bytes: 0, front: Vec::new() }
    }
}

impl<C: Client + Send> Client for Shown<C> {
    fn poll_read(&mut self, cx: &mut Context<'_>, on: &mut impl FnMut(Kind, &[u8]) -> bool) -> Poll<Option<Departure>> {
        let conn = self.conn;
        self.client.poll_read(cx, &mut |kind, payload| {
            show(conn, Direction::In, kind, payload);
            on(kind, payload)
        })
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Option<Departure> {
        self.client.poll_ahead(cx)
    }

    fn take_control_bytes(&mut self) -> usize {
        self.client.take_control_bytes()
    }

    fn append(&mut self, piece: Piece<'_>) {
        if piece.first && piece.last {
            show(self.conn, Direction::Out, piece.kind, piece.payload);
        } else {
            if piece.first {
                (self.bytes, self.front) = (0, Vec::new());
            }
            self.bytes += piece.payload.len();
            let room = FRONT_BYTES_MAX.saturating_sub(self.front.len());
            self.front.extend_from_slice(&piece.payload[..piece.payload.len().min(room)]);
            if piece.last {
                show_front(self.conn, Direction::Out, piece.kind, self.bytes, &self.front);
            }
        }
        self.client.append(piece);
    }

    fn append_batch(&mut self, batch: &Arc<Batch>) {
        for (kind, payload) in batch.messages() {
            show(self.conn, Direction::Out, kind, payload);
        }
        self.client.append_batch(batch);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.client.poll_flush(cx)
    }

    fn progress(&self) -> u64 {
        self.client.progress()
    }

    fn is_away(&self) -> bool {
        self.client.is_away()
    }

    fn poll_upkeep(&mut self, cx: &mut Context<'_>, is_read: bool) -> Poll<()> {
        self.client.poll_upkeep(cx, is_read)
    }

    fn probe(&mut self, cx: &mut Context<'_>) -> bool {
        self.client.probe(cx)
    }

    fn held(&self) -> (usize, usize) {
        self.client.held()
    }

    fn forget_messages(&mut self) {
        self.client.forget_messages();
    }

    fn begin_close(&mut self, is_reachable: bool) {
        self.client.begin_close(is_reachable);
    }

    fn send_close(&mut self, cx: &mut Context<'_>, close: Option<&Close>) {
        self.client.send_close(cx, close);
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Infallible> {
        self.client.poll_closing(cx)
    }

    fn discard(&mut self) {
        self.client.discard();
    }

    async fn finish(self, shutdown: &Shutdown) {
        self.client.finish(shutdown).await;
    }
}
