//! The two pumps: a worker's output to its client, a client's messages to its worker's input.
//!
//! Each takes what one read gives, frames all of it, and writes once. What the other end does not take stays in its
//! backlog, and until that is gone nothing more is read: a slow reader slows its writer, and memory stays flat.

mod output;

use std::{
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::time::Interval;

use super::{
    Options,
    busy::{BusyPoll, Side},
    end::End,
    farewell::{Client, Farewell},
    patrol::{Patrol, ticks},
    stall::Stall,
};
use crate::{
    budget::{Kind as OwnerKind, Owner, Share},
    buffers::{self, Buffers},
    framing::{Decoder, Framing},
    limits::{DIRECT_BYTES, LAST_OUTPUT_STALL, READ_BYTES_WHEN_FULL, READS_PER_TURN},
    peer::Connection,
    socket::{
        Read, Socket,
        close::Close,
        keepalive::{Keepalive, Tick},
        reader::Event,
        writer,
    },
    turn,
    worker::{
        input::Input,
        output::{Output, Stderr},
        outputs::Outputs,
    },
};

/// Everything between a client and its worker's pipes.
#[derive(Debug)]
pub(crate) struct Bridge {
    connection: Connection,
    socket: Socket,
    input: Input,
    outputs: Outputs,
    framing: Framing,
    decoder: Decoder,
    /// Messages from the client, and pieces to it.
    pub(super) counts: Counts,
    /// No data can be sent any more: a Close frame has been, or the connection is broken. Output is read and forgotten.
    is_mute: bool,
    /// The client's side is over, for this reason; the worker is still owed what the client sent before.
    leaving: Option<End>,
    /// The payload of the last Ping that came while other frames waited (RFC 6455, section 5.5.3 asks for no more).
    late_pong: Option<Vec<u8>>,
    /// What waits is the last that the worker said: it may leave together with the Close frame.
    has_last_words: bool,
    /// A Ping is due since other frames waited.
    has_late_ping: bool,
    keepalive: Keepalive,
    pings: Option<Interval>,
    patrol: Option<Patrol>,
    /// Runs while the client takes nothing of what waits for it.
    stall: Stall,
    busy: BusyPoll,
    owner: Owner,
    share: Share,
}

/// Messages that a session has carried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// From the client.
    pub(super) input: u64,
    /// To the client.
    pub(super) output: u64,
}

impl Bridge {
    pub(super) fn new(
        connection: Connection,
        socket: Socket,
        (input, output, stderr): (Input, Output, Stderr),
        options: &Options,
    ) -> Self {
        let owner = Owner::new(&options.budget, OwnerKind::Client);
        Self {
            share: owner.share(),
            owner,
            connection,
            socket,
            input,
            outputs: Outputs::new(output, stderr, options.framing == Framing::Streams),
            framing: options.framing,
            decoder: options.framing.decoder(),
            counts: Counts::default(),
            is_mute: false,
            leaving: None,
            late_pong: None,
            has_last_words: false,
            has_late_ping: false,
            keepalive: Keepalive::default(),
            pings: options.ping_interval.map(ticks),
            patrol: None,
            stall: Stall::new(LAST_OUTPUT_STALL),
            busy: BusyPoll::new(Instant::now()),
        }
    }

    /// Carries messages both ways; ready with the reason once either side is over and all owed has been carried.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.owner.is_asked(cx) {
            return Poll::Ready(End::Overload);
        }
        let polled = self.poll_all(cx);
        self.share.set(self.socket.held() + self.input.held(), 0);
        polled
    }

    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        buffers::with(|buffers| self.outputs.log(cx, &mut buffers.read, &self.connection));
        if let Poll::Ready(end) = self.poll_output(cx) {
            return Poll::Ready(end);
        }
        if let Poll::Ready(end) = self.poll_input(cx) {
            return Poll::Ready(end);
        }
        if let Poll::Ready(end) = self.poll_clock(cx) {
            return Poll::Ready(end);
        }
        self.outputs.tidy();
        let is_taken = self.input.is_drained() && self.socket.unsent().is_empty();
        if is_taken && turn::may_stay_awake(self.connection.id) && self.busy.is_on(Instant::now()) {
            return turn::over(cx);
        }
        Poll::Pending
    }

    /// Client to worker.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        for _ in 0..READS_PER_TURN {
            if !self.input.is_drained() {
                self.input.send_on(cx);
                if !self.input.is_drained() {
                    self.patrol.get_or_insert_with(Patrol::new);
                    return Poll::Pending;
                }
            }
            if let Some(end) = self.leaving {
                return Poll::Ready(end);
            }
            ready!(buffers::with(|buffers| self.poll_input_once(cx, buffers)));
        }
        turn::over(cx)
    }

    /// What is there to read, all messages that are in it, one write.
    fn poll_input_once(&mut self, cx: &mut Context<'_>, buffers: &mut Buffers) -> Poll<()> {
        let Buffers { read, write } = buffers;
        let is_busy = !self.socket.unsent().is_empty();
        let before = self.counts.input;
        let (mut replies, mut closed) = (Vec::new(), None);
        let portion = if self.owner.budget().is_full() { READ_BYTES_WHEN_FULL } else { read.len() };
        let count = ready!(self.socket.poll_fill(cx, &mut read[..portion]));
        let mut on = |event: Event<'_>| match event {
            Event::Message(_, payload) => {
                self.counts.input += 1;
                if self.framing == Framing::Chunks && payload.len() >= DIRECT_BYTES && write.is_empty() {
                    self.input.send(cx, payload);
                } else {
                    self.framing.encode(payload, write);
                }
            }
            Event::Ping(payload) if is_busy => self.late_pong = Some(payload.to_vec()),
            Event::Ping(payload) => writer::pong(payload, &mut replies),
            Event::Pong => {}
            Event::Close(code, _) => closed = Some(code),
        };
        let read = self.socket.read(&mut read[..count], &mut on);
        self.keepalive.hear();
        turn::take(self.connection.id);
        if !write.is_empty() {
            self.input.send_buffer(cx, write);
        }
        if self.counts.input > before {
            self.busy.hear(Instant::now(), Side::Client);
        }
        if !replies.is_empty() {
            self.send(cx, &replies);
        }
        self.leaving = match (closed, read) {
            (Some(code), _) => Some(End::Closed(code)),
            (None, Read::Fault(fault)) => Some(End::Fault(fault)),
            (None, Read::End) => Some(End::Left),
            (None, Read::Some) => None,
        };
        if let Some(close) = self.leaving.and_then(|end| end.close(None)) {
            self.send_close(cx, &close);
        }
        Poll::Ready(())
    }

    /// Pings, the patrol, and the wait for a client that takes nothing.
    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        while self.stall.poll(cx).is_ready() {
            if self.outputs.is_ending() {
                self.mute();
                self.stall.give_up();
                return Poll::Ready(End::Exit);
            }
        }
        while let Some(Poll::Ready(_)) = self.pings.as_mut().map(|pings| pings.poll_tick(cx)) {
            if !self.input.is_drained() {
                // Nothing is read of the client, so nothing can be heard.
                self.keepalive.hear();
            }
            match self.keepalive.tick() {
                Tick::Gone => return Poll::Ready(End::Silent),
                Tick::Ping if self.is_mute => {}
                Tick::Ping if !self.socket.unsent().is_empty() => self.has_late_ping = true,
                Tick::Ping => {
                    let mut frame = Vec::new();
                    writer::ping(&mut frame);
                    self.send(cx, &frame);
                }
            }
        }
        while let Some(patrol) = &mut self.patrol {
            ready!(patrol.poll_next(cx));
            if self.input.is_drained() {
                self.patrol = None;
                continue;
            }
            let end = self.leaving.or_else(|| self.socket.is_gone().then_some(End::Left));
            if patrol.finds_stall(self.input.unread() as u64, end) {
                return Poll::Ready(end.unwrap_or(End::Left));
            }
            if end.is_none() && !self.is_mute && self.socket.unsent().is_empty() {
                // A client that left while its own sending was stuck cannot tell: its FIN waits behind what we do not
                // read. Its kernel answers anything sent to it with a reset. A Pong asks nothing of one that is there.
                let mut frame = Vec::new();
                writer::probe(&mut frame);
                self.send(cx, &frame);
            }
        }
        Poll::Pending
    }

    /// Sends whole frames. A client that cannot be written to may still have something to say: the read side tells.
    fn send(&mut self, cx: &mut Context<'_>, frames: &[u8]) {
        if !self.is_mute && !frames.is_empty() && self.socket.send(cx, frames).is_err() {
            self.mute();
        }
    }

    /// Sends a Close frame, the last frame that may be sent (RFC 6455, section 5.5.1).
    fn send_close(&mut self, cx: &mut Context<'_>, close: &Close) {
        let mut frame = Vec::new();
        writer::close(close, &mut frame);
        self.send(cx, &frame);
        self.is_mute = true;
    }

    /// Sends what waits; ready once nothing does.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let before = self.socket.unsent().len();
        if !self.socket.unsent().is_empty() && self.socket.send_on(cx).is_err() {
            self.mute();
        }
        if self.socket.unsent().len() < before {
            // A client that takes what is sent lives, though no Ping can be sent in between.
            self.keepalive.hear();
            self.stall.stop();
        }
        if !self.socket.unsent().is_empty() {
            self.stall.start();
            if self.outputs.is_ending() {
                // The session ends with what waits, and nobody is left to hear the client.
                self.socket.forget_messages();
            }
            return if self.is_mute { Poll::Ready(()) } else { Poll::Pending };
        }
        self.stall.stop();
        if let Some(payload) = self.late_pong.take() {
            let mut frame = Vec::new();
            writer::pong(&payload, &mut frame);
            self.send(cx, &frame);
        }
        if std::mem::take(&mut self.has_late_ping) {
            let mut frame = Vec::new();
            writer::ping(&mut frame);
            self.send(cx, &frame);
        }
        Poll::Ready(())
    }

    fn mute(&mut self) {
        self.is_mute = true;
        self.socket.unsent().clear();
    }

    /// Closes the worker's input and turns to the client for the last words.
    pub(super) fn into_farewell(self, end: End) -> Farewell {
        let client = if self.stall.has_given_up() { Client::Gone } else { Client::after(end) };
        let mut farewell = Farewell::new(self.connection, self.socket, client, self.owner);
        farewell.outputs = Some(self.outputs);
        farewell.counts = self.counts;
        farewell.has_closed = self.is_mute;
        farewell
    }
}
