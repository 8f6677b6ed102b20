//! A process for one client: the partner of a session without a room.

use std::{
    convert::Infallible,
    future::poll_fn,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{
    Worker,
    child::Child,
    input::Input,
    output::log_junk,
    outputs::{Outputs, Read, Source},
    pause::Pause,
    stop::stop,
};
use crate::{
    admission::Permit,
    budget::{Budget, Owner, OwnerKind},
    buffers,
    client::Client,
    event::Event,
    framing::{Decoded, Decoder, Encoder, Framing, Garbled, Heard, Rejected},
    limits::{LAST_OUTPUT_STALL, PIPE_BYTES, READ_BYTES_WHEN_FULL},
    message::Kind,
    metrics::{live::Traffic, route::RouteName},
    partner::{Delivery, Partner, Verdict},
    peer::Connection,
    record::tape::Tape,
    status::Status,
    sys::ResourceUsage,
};

/// The settings of such processes.
#[derive(Clone, Debug)]
pub(crate) struct ProcessOptions {
    /// The limit of a message whose length the program's output tells (`--maxframesize`).
    pub(crate) message_bytes_max: usize,
    /// The time added to each wait before a signal (`--closems`).
    pub(crate) patience: Duration,
    /// Whether wsd drops what clients type (`--readonly`).
    pub(crate) is_readonly: bool,
    /// The budget for all bytes that wait (`--maxbuffer`).
    pub(crate) budget: Budget,
    /// The route, for the metrics.
    pub(crate) route: RouteName,
}

/// A process, its streams, and its fork slot.
#[derive(Debug)]
pub(crate) struct Process {
    connection: Connection,
    child: Child,
    input: Input,
    outputs: Outputs,
    encoder: Encoder,
    decoder: Decoder,
    pause: Pause,
    is_readonly: bool,
    patience: Duration,
    /// The fork slot, given back once the process has ended and its standard error is logged.
    permit: Option<Permit>,
    owner: Owner,
    /// Its recording, if there is one.
    tape: Option<Box<Tape>>,
}

impl Process {
    /// Wraps the process that wsd has just started for `connection`; `framing` is that of its streams.
    pub(crate) fn new(
        connection: Connection,
        worker: Worker,
        permit: Permit,
        framing: Framing,
        options: &ProcessOptions,
    ) -> Self {
        let Worker { child, input, output, stderr, silence, tape } = worker;
        let &ProcessOptions { message_bytes_max, patience, is_readonly, ref budget, .. } = options;
        Self {
            connection,
            outputs: Outputs::new(&child, output, stderr, silence, framing.wants_stderr()),
            child,
            input,
            encoder: framing.encoder(),
            decoder: framing.decoder(message_bytes_max),
            pause: Pause::default(),
            is_readonly,
            patience,
            permit: Some(permit),
            owner: Owner::new(budget, OwnerKind::Client),
            tape,
        }
    }

    /// Closes the program's standard input, and goes on with its output.
    pub(crate) fn close_input(&mut self) {
        self.input.close();
    }

    /// Hands the client the messages that the end of the output completes.
    fn finish_output(&mut self, client: &mut impl Client) -> Delivery {
        if let Some(tape) = &mut self.tape {
            tape.finish();
        }
        let mut taken = Traffic::default();
        let Self { decoder, connection, .. } = self;
        let finished = decoder.finish(&mut |decoded| take(decoded, client, &mut taken, connection));
        Delivery::Ended(taken, finished.err().map_or(Verdict::Exit(None), |Garbled(why)| Verdict::Garbled(why)))
    }
}

impl Partner for Process {
    fn pid(&self) -> Option<i32> {
        Some(self.child.pid())
    }

    fn usage(&self) -> Option<ResourceUsage> {
        self.child.usage()
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn answers_close_at_once(&self) -> bool {
        true
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, client: &mut impl Client) -> Poll<Delivery> {
        ready!(self.pause.poll_none(cx));
        buffers::with_read(|buffer| {
            self.outputs.log(cx, buffer, &self.connection);
            let portion = if self.owner.budget().is_full() { READ_BYTES_WHEN_FULL } else { PIPE_BYTES };
            let buffer = &mut buffer[..portion];
            let (source, count) = match ready!(self.outputs.poll_read(cx, buffer, &self.connection)) {
                Read::Bytes(source, count) => (source, count),
                Read::Closed => {
                    return Poll::Ready(match self.finish_output(client) {
                        Delivery::Ended(messages, Verdict::Exit(_)) => Delivery::Messages(messages),
                        garbled => garbled,
                    });
                }
                Read::Over => {
                    if let Some(tape) = &mut self.tape {
                        tape.over();
                    }
                    return Poll::Ready(self.finish_output(client));
                }
            };
            let mut taken = Traffic::default();
            source.record(&mut self.tape, &buffer[..count]);
            let had_hint = self.decoder.utf8_hint().is_some();
            let Self { decoder, connection, .. } = self;
            let mut emit = |decoded: Decoded<'_>| take(decoded, client, &mut taken, connection);
            let decoded = match source {
                Source::Output => decoder.decode(&buffer[..count], &mut emit),
                Source::Stderr => {
                    decoder.decode_stderr(&buffer[..count], &mut emit);
                    Ok(())
                }
            };
            if let Some(hint) = self.decoder.utf8_hint().filter(|_| !had_hint) {
                Event::WorkerNotText { conn: self.connection.id, hint }.emit();
            }
            Poll::Ready(match decoded {
                Err(Garbled(why)) => Delivery::Ended(taken, Verdict::Garbled(why)),
                Ok(()) if count >= PIPE_BYTES => Delivery::FullRead(taken),
                Ok(()) => Delivery::Messages(taken),
            })
        })
    }

    fn poll_blocked(&mut self, cx: &mut Context<'_>, client: &mut impl Client) -> Poll<Delivery> {
        buffers::with_read(|buffer| self.outputs.log(cx, buffer, &self.connection));
        if self.outputs.is_over() {
            client.forget_messages();
        }
        Poll::Pending
    }

    fn patience(&self) -> Option<(Duration, Verdict)> {
        self.outputs.is_over().then_some((LAST_OUTPUT_STALL, Verdict::Exit(None)))
    }

    fn write(&mut self, kind: Kind, payload: &[u8]) -> Result<Heard, Rejected> {
        let input = self.input.buffer();
        let before = input.len();
        let heard = self.encoder.encode(kind, payload, input)?;
        match heard {
            Heard::Message if self.is_readonly => input.truncate(before),
            Heard::Message => self.outputs.expect_output(),
            Heard::Ignored(_) => {}
            Heard::Stream => {
                self.outputs.expect_output();
                self.decoder.begin_stream();
            }
            Heard::Resize(size) => self.input.resize(size),
            Heard::Pause => self.pause.begin(self.child.leader()),
            Heard::Resume => self.pause.end(),
        }
        if let Some(tape) = &mut self.tape {
            match heard {
                Heard::Message => tape.input(kind, payload),
                Heard::Stream => {
                    tape.input(kind, payload);
                    tape.begin_stream();
                }
                Heard::Ignored(_) | Heard::Resize(_) | Heard::Pause | Heard::Resume => {}
            }
        }
        Ok(heard)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.input.send(cx);
        self.outputs.watch_silence(cx, &self.connection);
        self.pause.wake(cx);
        if self.input.is_drained() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn progress(&self) -> u64 {
        self.input.unread() as u64
    }

    fn held(&mut self) -> (usize, usize) {
        let of_tape = self.tape.as_ref().map_or(0, |tape| tape.held());
        (self.input.held() + self.decoder.held() + of_tape, 0)
    }

    fn tidy(&mut self) {
        self.outputs.tidy();
    }

    async fn end(&mut self, _: u16, _: &str) -> Option<Status> {
        self.child.remember();
        let hang_up = self.input.is_terminal().then(AtomicBool::default);
        self.input.close();
        let Self { child, outputs, connection, .. } = self;
        // Reads the output meanwhile, so that the process does not block in a write.
        let drain = poll_fn(|cx| {
            if hang_up.as_ref().is_some_and(|hang_up| hang_up.load(Ordering::Relaxed)) {
                outputs.hang_up();
            }
            buffers::with_read(|buffer| outputs.drain(cx, buffer, connection));
            Poll::<Infallible>::Pending
        });
        let status = tokio::select! {
            biased;
            status = stop(child, self.patience, connection, hang_up.as_ref()) => status,
            never = drain => match never {},
        };
        self.outputs.log_to_the_end(&self.connection).await;
        if let Some(tape) = &mut self.tape {
            tape.end(status);
        }
        self.permit = None;
        Some(status)
    }
}

/// Hands a piece to the client, and logs junk.
fn take(decoded: Decoded<'_>, client: &mut impl Client, taken: &mut Traffic, connection: &Connection) {
    match decoded {
        Decoded::Piece(piece) => {
            taken.add_piece(piece.payload.len(), piece.last);
            client.append(piece);
        }
        Decoded::Junk(line) => log_junk(line, connection),
    }
}
