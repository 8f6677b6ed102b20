//! The pump from a worker's output to its client.

use std::{
    task::{Context, Poll, ready},
    time::Instant,
};

use tracing::warn;

use super::Bridge;
use crate::{
    buffers::{self, Buffers},
    framing::Framing,
    limits::{READS_PER_TURN, SENT_HEADER_BYTES_MAX},
    message::Piece,
    session::{busy::Side, end::End},
    socket::writer,
    turn,
    worker::outputs::Source,
};

impl Bridge {
    /// Worker to client.
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let is_alone = turn::is_alone(self.connection.id);
        for _ in 0..READS_PER_TURN {
            if !self.has_last_words {
                ready!(self.poll_unsent(cx));
            }
            match ready!(buffers::with(|buffers| self.poll_output_once(cx, buffers, is_alone))) {
                0 => return Poll::Ready(self.finish_output()),
                count if self.outputs.is_full(count) => break,
                _ => {}
            }
        }
        turn::over(cx)
    }

    /// One read, all frames that are in it, one write; ready with the number of bytes read, 0 at the end.
    fn poll_output_once(&mut self, cx: &mut Context<'_>, buffers: &mut Buffers, is_alone: bool) -> Poll<usize> {
        let Buffers { read, write } = buffers;
        let after_header = &mut read[SENT_HEADER_BYTES_MAX..];
        let Some((source, count)) = ready!(self.outputs.poll_read(cx, after_header, &self.connection)) else {
            return Poll::Ready(0);
        };
        if self.is_mute {
            return Poll::Ready(count);
        }
        turn::take(self.connection.id);
        // A client that leaves gets what it still can at once.
        self.has_last_words = self.leaving.is_none() && self.outputs.was_last(count);
        if self.framing == Framing::Chunks {
            self.counts.output += 1;
            let frame = writer::binary_in_place(&mut read[..SENT_HEADER_BYTES_MAX + count]);
            if self.has_last_words {
                self.socket.unsent().keep(frame);
            } else if self.socket.send(cx, frame).is_err() {
                self.mute();
            }
            self.busy.hear(Instant::now(), Side::Worker);
            return Poll::Ready(count);
        }
        let output = &after_header[..count];
        let had_replaced = self.decoder.has_replaced();
        let before = self.counts.output;
        let mut emit = |piece: Piece<'_>| {
            self.counts.output += u64::from(piece.last);
            writer::piece(piece, write);
        };
        match source {
            Source::Output => self.decoder.decode(output, &mut emit),
            Source::Stderr => self.decoder.decode_stderr(output, &mut emit),
        }
        if self.decoder.has_replaced() && !had_replaced {
            warn!(conn = self.connection.id, hint = "--binary sends bytes as they are", "worker output not UTF-8");
        }
        self.outputs.measure(self.counts.output - before, is_alone);
        if self.has_last_words {
            self.socket.unsent().keep(write);
        } else if !write.is_empty() && self.socket.send_buffer(cx, write).is_err() {
            self.mute();
        }
        self.busy.hear(Instant::now(), Side::Worker);
        Poll::Ready(count)
    }

    /// Puts what the end of the output completes behind all that waits: the farewell sends it.
    fn finish_output(&mut self) -> End {
        let mut frames = Vec::new();
        self.decoder.finish(&mut |piece| {
            self.counts.output += u64::from(piece.last);
            writer::piece(piece, &mut frames);
        });
        if !self.is_mute {
            self.socket.unsent().keep(&frames);
        }
        self.leaving.unwrap_or(End::Exit)
    }
}
