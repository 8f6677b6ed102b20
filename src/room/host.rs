//! A room's worker: its output to the seats, the inbox to its input, and its end.

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::time::{Sleep, sleep};
use tracing::info;

use super::{Batch, Room, rubbish::Rubbish, seat::Parting};
use crate::{
    admission::Permit,
    budget::{Kind as OwnerKind, Owner, Share},
    buffers::{self, Buffers},
    framing::{
        Decoder, Framing,
        events::{Command, Commands, Receivers, Said},
    },
    limits::{CLOSED_STALL_PATROLS, PATROL_INTERVAL, READS_PER_TURN, ROOM_MESSAGE_BYTES_MAX},
    message::{Kind, Piece},
    peer::Connection,
    shutdown::Shutdown,
    socket::writer,
    turn,
    worker::{
        Worker,
        input::Input,
        outputs::{Outputs, Source},
        status::Status,
        stop::stop,
    },
};

/// Runs the worker of `room` to its end, and returns how it ended.
///
/// That is when it closes its output, when the last client has left, or with wsd itself. `connection` stands for it in
/// the log: the one that made the room, or none.
pub(super) async fn run(
    room: Arc<Room>,
    worker: Worker,
    permit: Permit,
    connection: &Connection,
    path: &str,
    shutdown: &Shutdown,
) -> Status {
    let Worker { child, input, output, stderr } = worker;
    let (pid, began) = (child.pid(), Instant::now());
    info!(pid, path, "room started");
    let mut host = Host {
        mouth: match room.options.framing {
            Framing::Json => Mouth::Commands(Commands::default(), Rubbish::default()),
            framing => Mouth::Messages(framing.decoder(), Vec::new()),
        },
        share: Owner::new(&room.options.budget, OwnerKind::Program).share(),
        room: Arc::clone(&room),
        connection: connection.clone(),
        input,
        outputs: Outputs::new(output, stderr, room.options.framing == Framing::Streams),
        last_words: None,
    };
    tokio::select! {
        () = poll_fn(|cx| host.poll(cx)) => {}
        () = shutdown.begun() => {}
    }
    room.close_doors();
    let Host { mut input, mut outputs, connection, .. } = host;
    input.close();
    let drain = poll_fn(|cx| {
        buffers::with(|buffers| outputs.drain(cx, &mut buffers.read, &connection));
        Poll::<std::convert::Infallible>::Pending
    });
    let status = tokio::select! {
        status = stop(&child, room.options.patience, &connection) => status,
        never = drain => match never {},
    };
    child.reap();
    outputs.log_to_the_end(&connection).await;
    drop(permit);
    info!(pid, path, status = status.shell(), secs = format!("{:.1}", began.elapsed().as_secs_f64()), "room ended");
    room.end(status);
    status
}

struct Host {
    room: Arc<Room>,
    connection: Connection,
    input: Input,
    outputs: Outputs,
    mouth: Mouth,
    /// What waits for the worker to take it, and what it has said in part.
    share: Share,
    last_words: Option<LastWords>,
}

/// How the worker's output is understood.
enum Mouth {
    /// Messages for all, and the front of one that is not whole.
    Messages(Decoder, Vec<u8>),
    /// Commands, and what was none.
    Commands(Commands, Rubbish),
}

/// How long a worker is given to read what the last clients said.
struct LastWords {
    next: Pin<Box<Sleep>>,
    unread: usize,
    stalled: u32,
}

impl Host {
    /// Ready when the worker has closed its output, or nobody is left and the last words have been read.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.room.relieve(cx);
        let polled = self.poll_both(cx);
        let in_part = if let Mouth::Messages(_, part) = &self.mouth { part.capacity() } else { 0 };
        self.share.set(self.input.held() + in_part, 0);
        polled
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        buffers::with(|buffers| self.outputs.log(cx, &mut buffers.read, &self.connection));
        if self.poll_output(cx).is_ready() {
            return Poll::Ready(());
        }
        self.outputs.tidy();
        self.poll_input(cx)
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_alone = turn::is_alone(self.connection.id);
        for _ in 0..READS_PER_TURN {
            ready!(self.room.pressure.poll_none(cx));
            match ready!(buffers::with(|buffers| self.poll_output_once(cx, buffers, is_alone))) {
                0 => {
                    self.finish();
                    return Poll::Ready(());
                }
                count if self.outputs.is_full(count) => break,
                _ => {}
            }
        }
        turn::over(cx)
    }

    /// One read, all messages that are in it; ready with the number of bytes read, 0 at the end.
    fn poll_output_once(&mut self, cx: &mut Context<'_>, buffers: &mut Buffers, is_alone: bool) -> Poll<usize> {
        let Some((source, count)) = ready!(self.outputs.poll_read(cx, &mut buffers.read, &self.connection)) else {
            return Poll::Ready(0);
        };
        let output = &buffers.read[..count];
        let mut batch = Batch::default();
        match (&mut self.mouth, source) {
            (Mouth::Messages(decoder, part), Source::Output) => {
                decoder.decode(output, &mut |piece| collect(piece, part, &mut batch));
            }
            (Mouth::Messages(decoder, part), Source::Stderr) => {
                decoder.decode_stderr(output, &mut |piece| collect(piece, part, &mut batch));
            }
            (Mouth::Commands(commands, rubbish), _) => {
                rubbish.log_count(&self.connection);
                commands.decode(output, &mut |said| obey(&self.room, &self.connection, said, &mut batch, rubbish));
            }
        }
        turn::take(self.connection.id);
        self.outputs.measure(batch.ends.len() as u64, is_alone);
        self.room.broadcast(&mut batch);
        Poll::Ready(count)
    }

    /// What the end of the output completes.
    fn finish(&mut self) {
        let mut batch = Batch::default();
        match &mut self.mouth {
            Mouth::Messages(decoder, part) => decoder.finish(&mut |piece| collect(piece, part, &mut batch)),
            Mouth::Commands(commands, rubbish) => {
                commands.finish(&mut |said| obey(&self.room, &self.connection, said, &mut batch, rubbish));
                rubbish.finish(&self.connection);
            }
        }
        self.room.broadcast(&mut batch);
    }

    /// Inbox to worker; ready when nobody is left and all has been said.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.room.listen(cx);
        loop {
            self.input.send_on(cx);
            if !self.input.is_drained() {
                return if self.room.is_over() { self.poll_last_words(cx) } else { Poll::Pending };
            }
            let is_over = self.room.is_over();
            let said = self.room.take_inbox();
            if said.is_empty() {
                return if is_over { Poll::Ready(()) } else { Poll::Pending };
            }
            self.input.send(cx, &said);
        }
    }

    /// Ready when the worker has not read for a while, although nobody will say any more.
    fn poll_last_words(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let unread = self.input.unread();
        let words = self.last_words.get_or_insert_with(|| LastWords {
            next: Box::pin(sleep(PATROL_INTERVAL)),
            unread,
            stalled: 0,
        });
        loop {
            ready!(words.next.as_mut().poll(cx));
            words.next = Box::pin(sleep(PATROL_INTERVAL));
            let has_moved = mem::replace(&mut words.unread, unread) != unread;
            words.stalled = if has_moved { 0 } else { words.stalled + 1 };
            if words.stalled >= CLOSED_STALL_PATROLS {
                return Poll::Ready(());
            }
        }
    }
}

/// Adds a piece to the batch; a message in several is put together first.
fn collect(piece: Piece<'_>, part: &mut Vec<u8>, batch: &mut Batch) {
    if piece.first && piece.last {
        return add(piece.kind, piece.payload, batch);
    }
    part.extend_from_slice(piece.payload);
    if piece.last && !part.is_empty() || part.len() >= ROOM_MESSAGE_BYTES_MAX {
        add(piece.kind, &mem::take(part), batch);
    }
}

fn add(kind: Kind, payload: &[u8], batch: &mut Batch) {
    writer::piece(Piece::whole(kind, payload), batch.frames());
    batch.end_message();
}

/// Does what a line of the worker says; what is for all waits in the batch, in order.
fn obey(room: &Room, connection: &Connection, said: Said<'_>, batch: &mut Batch, rubbish: &mut Rubbish) {
    match said {
        Said::Command(Command::Send { kind, payload, to: Receivers::All }) => add(kind, &payload, batch),
        Said::Command(Command::Send { kind, payload, to }) => {
            room.broadcast(batch);
            let mut frames = Vec::new();
            writer::piece(Piece::whole(kind, &payload), &mut frames);
            room.send(frames, &to);
        }
        Said::Command(Command::Close { client, code, reason }) => {
            room.broadcast(batch);
            room.dismiss(&client, Parting::Dismissed(code, reason));
        }
        Said::Rubbish(beginning, why) => rubbish.add(connection, beginning, &why),
    }
}
