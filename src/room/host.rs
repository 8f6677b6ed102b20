//! Runs a room's worker: carries its output to the seats and the inbox to its input, and stops it.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{
    Room,
    hub::Idle,
    invalid::InvalidLines,
    lock::lock,
    spoken::{collect, dispatch},
    telling,
};
use crate::{
    budget::Share,
    buffers,
    framing::{
        Decoder, Garbled,
        events::{Commands, Receivers},
    },
    limits::{LAST_INPUT_STALL_MAX, PIPE_BYTES, READ_BYTES_WHEN_FULL, READS_PER_TURN, ROOM_MESSAGE_BYTES_MAX},
    message::Draft,
    partner::Verdict,
    peer::Connection,
    record::tape::Tape,
    shutdown::Shutdown,
    stall::StallWatch,
    status::Status,
    turn,
    worker::{
        Worker,
        input::Input,
        outputs::{Outputs, Read, Source},
        stop::stop,
    },
};

/// Runs the worker of `room` to its end, and returns its status.
///
/// The end is when the worker ends, when the last client has left for long enough, or when wsd ends. `connection` stands for
/// the worker in the log: the connection that made the room, or none.
pub(super) async fn run(room: Arc<Room>, worker: Worker, connection: &Connection, shutdown: &Shutdown) -> Status {
    let Worker { mut child, input, output, stderr, silence, tape } = worker;
    telling::started(&room.live);
    let framing = room.options.framing;
    // A longer message would become several.
    let message_bytes_max = room.options.message_bytes_max.min(ROOM_MESSAGE_BYTES_MAX);
    let mut host = Host {
        parser: if framing.names_clients() {
            Parser::Commands(Commands::default(), InvalidLines::default())
        } else {
            Parser::Messages(framing.decoder(message_bytes_max), Vec::new())
        },
        share: room.owner.share(),
        room: Arc::clone(&room),
        connection: connection.clone(),
        input,
        outputs: Outputs::new(&child, output, stderr, silence, framing.wants_stderr()),
        last_input: None,
        linger: None,
        tape,
    };
    let verdict = tokio::select! {
        verdict = poll_fn(|cx| host.poll(cx)) => verdict,
        () = shutdown.begun() => None,
        () = room.fenced() => None,
    };
    room.close();
    let Host { input, mut outputs, connection, parser, share, mut tape, .. } = host;
    child.remember();
    drop((input, parser, share));
    lock(&room.inbox).take();
    room.owner.settle();
    let patience = if room.is_fenced() { Duration::ZERO } else { room.options.patience };
    let drain = poll_fn(|cx| {
        buffers::with_read(|buffer| outputs.drain(cx, buffer, &connection));
        Poll::<Infallible>::Pending
    });
    let status = tokio::select! {
        status = stop(&mut child, patience, &connection, None) => status,
        never = drain => match never {},
    };
    let usage = child.usage();
    drop(child);
    outputs.log_to_the_end(&connection).await;
    if let Some(tape) = &mut tape {
        tape.end(status);
    }
    telling::ended(&room.live, status, usage);
    if room.is_fenced() {
        // Another node has the room: its clients here stay.
        lock(&room.hub).free_slot();
        return status;
    }
    let has_ended = verdict.is_some() || !room.is_idle();
    let verdict = verdict.unwrap_or(Verdict::Exit(Some(status)));
    if let (Some(far), false) = (&room.far, shutdown.has_begun()) {
        far.end(has_ended.then_some(&verdict));
    }
    room.end(&verdict);
    status
}

struct Host {
    room: Arc<Room>,
    connection: Connection,
    input: Input,
    outputs: Outputs,
    parser: Parser,
    /// The bytes that wait for the worker, those of an unfinished line or message from it, and those of the path.
    share: Share,
    /// Runs while no client is left and the worker does not read.
    last_input: Option<StallWatch>,
    /// Waits for the end of the time without clients.
    linger: Option<Linger>,
    /// The recording, if there is one.
    tape: Option<Box<Tape>>,
}

/// The time at which a room without clients ends, and a future that resolves then or when the fork slot is wanted.
type Linger = (Instant, Pin<Box<dyn Future<Output = ()> + Send>>);

/// The parser of the worker's output.
enum Parser {
    /// Parses messages for all clients; with the front of an unfinished message.
    Messages(Decoder, Vec<u8>),
    /// Parses commands; with a count of invalid lines.
    Commands(Commands, InvalidLines),
}

impl Host {
    /// Ready when the worker has ended, or when no client is left and the worker has read the last input. Ready
    /// with a verdict when the worker has broken its framing, or when the budget asks the room to give back.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Verdict>> {
        if self.room.history.is_asked(cx) {
            lock(&self.room.hub).history.halve();
        }
        if self.room.owner.is_asked(cx) {
            return Poll::Ready(Some(Verdict::Overload));
        }
        let polled = self.poll_both(cx);
        let in_part = match &self.parser {
            Parser::Messages(decoder, part) => decoder.held() + part.capacity(),
            Parser::Commands(commands, _) => commands.held(),
        };
        let of_tape = self.tape.as_ref().map_or(0, |tape| tape.held());
        self.share.set(self.input.held() + in_part + of_tape + self.room.path.len(), 0);
        polled
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<Option<Verdict>> {
        buffers::with_read(|buffer| self.outputs.log(cx, buffer, &self.connection));
        if let Poll::Ready(ended) = self.poll_output(cx) {
            return Poll::Ready(ended.err().map(|Garbled(why)| Verdict::Garbled(why)));
        }
        self.outputs.tidy();
        self.linger(cx);
        self.poll_input(cx).map(|()| None)
    }

    /// Ends the room if it has been without clients for long enough, or if another program needs its fork slot.
    fn linger(&mut self, cx: &mut Context<'_>) {
        let idle = lock(&self.room.hub).idle.clone();
        let Some(Idle { until, wanted }) = idle else {
            self.linger = None;
            return;
        };
        if self.linger.as_ref().is_none_or(|(known, _)| *known != until) {
            self.linger = Some((
                until,
                Box::pin(async move {
                    tokio::select! { () = sleep_until(until) => {}, () = wanted.cancelled() => {} }
                }),
            ));
        }
        if self.linger.as_mut().is_some_and(|(_, end)| end.as_mut().poll(cx).is_ready()) {
            // The next round makes a new future, should a client have come and gone meanwhile.
            self.linger = None;
            lock(&self.room.hub).end_idle(until);
        }
    }

    /// Carries output from the worker to the seats. Ready at the end of the output, or when it breaks the framing.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Garbled>> {
        for _ in 0..READS_PER_TURN {
            ready!(self.room.pressure.poll_none(cx));
            ready!(self.room.poll_open());
            match ready!(buffers::with_read(|buffer| self.poll_output_once(cx, buffer)))? {
                0 => return Poll::Ready(self.finish()),
                PIPE_BYTES.. => break,
                _ => {}
            }
        }
        turn::yield_turn(cx)
    }

    /// Reads once and delivers all complete messages. Ready with the number of bytes read, 0 at the end. When the
    /// program has closed its output and goes on, it delivers the rest and is ready with 1.
    fn poll_output_once(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, Garbled>> {
        let portion = if self.room.options.budget.is_full() { READ_BYTES_WHEN_FULL } else { PIPE_BYTES };
        let read = ready!(self.outputs.poll_read(cx, &mut buffer[..portion], &self.connection));
        let (source, count) = match read {
            Read::Bytes(source, count) => (source, count),
            Read::Closed => return Poll::Ready(self.finish().map(|()| 1)),
            Read::Over => {
                if let Some(tape) = &mut self.tape {
                    tape.over();
                }
                return Poll::Ready(Ok(0));
            }
        };
        let output = &buffer[..count];
        source.record(&mut self.tape, output);
        let mut draft = Draft::default();
        let decoded = match (&mut self.parser, source) {
            (Parser::Messages(decoder, part), Source::Output) => {
                decoder.decode(output, &mut |decoded| collect(decoded, part, &mut draft, &self.connection))
            }
            (Parser::Messages(decoder, part), Source::Stderr) => {
                decoder.decode_stderr(output, &mut |decoded| collect(decoded, part, &mut draft, &self.connection));
                Ok(())
            }
            (Parser::Commands(commands, invalid), _) => {
                invalid.log_count(&self.connection);
                commands.decode(output, &mut |said| {
                    dispatch(&self.room, &self.connection, said, &mut draft, invalid);
                });
                Ok(())
            }
        };
        self.room.publish(&mut draft, &Receivers::All);
        Poll::Ready(decoded.map(|()| count))
    }

    /// Delivers the messages that the end of the output completes.
    fn finish(&mut self) -> Result<(), Garbled> {
        if let Some(tape) = &mut self.tape {
            tape.finish();
        }
        let mut draft = Draft::default();
        let finished = match &mut self.parser {
            Parser::Messages(decoder, part) => {
                decoder.finish(&mut |decoded| collect(decoded, part, &mut draft, &self.connection))
            }
            Parser::Commands(commands, invalid) => {
                commands.finish(&mut |said| dispatch(&self.room, &self.connection, said, &mut draft, invalid));
                invalid.finish(&self.connection);
                Ok(())
            }
        };
        self.room.publish(&mut draft, &Receivers::All);
        finished
    }

    /// Carries input from the inbox to the worker. Ready when no client is left and the inbox is empty.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The room wakes this task on new input, when a client leaves, and when a seat has room again.
        self.room.pressure.host.register(cx.waker());
        loop {
            self.input.send(cx);
            self.outputs.watch_silence(cx, &self.connection);
            if !self.input.is_drained() {
                return if self.room.is_over() { self.poll_last_input(cx) } else { Poll::Pending };
            }
            let is_over = self.room.is_over();
            let mut inbox = lock(&self.room.inbox);
            inbox.written = inbox.taken;
            let (has_messages, said) = (inbox.has_messages(), inbox.take());
            drop(inbox);
            if said.is_empty() {
                return if is_over { Poll::Ready(()) } else { Poll::Pending };
            }
            if has_messages {
                self.outputs.expect_output();
            }
            // The input is drained, so nothing of its buffer is lost.
            *self.input.buffer() = said;
        }
    }

    /// Ready when no client is left and the worker has read nothing for [`LAST_INPUT_STALL_MAX`].
    fn poll_last_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let unread = self.input.unread() as u64;
        let watch = self.last_input.get_or_insert_with(StallWatch::new);
        loop {
            ready!(watch.poll_look(cx));
            if watch.stalled(unread, true) >= LAST_INPUT_STALL_MAX {
                return Poll::Ready(());
            }
        }
    }
}
