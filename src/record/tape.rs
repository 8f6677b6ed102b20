//! A tape: hears the streams of one program and writes its messages to a track.

use std::sync::Arc;

use tracing::Span;

use super::{
    format::{Dir, Ender, Step},
    options::Recorded,
    track::Track,
};
use crate::{
    framing::{Decoded, Decoder},
    message::{Kind, Piece},
    status::Status,
};

/// The recording of a running program. Dropping it ends the recording.
///
/// It decodes the output for itself, so that a room, whose clients get other messages than the program prints, is recorded as a
/// program of one client is.
#[derive(Debug)]
pub(crate) struct Tape {
    track: Arc<Track>,
    decoder: Decoder,
    /// Whether the program has ended by itself.
    has_ended: bool,
}

impl Tape {
    /// Begins the recording of a program that has just started for the connection of this number. Its lines in the log are in
    /// `span`.
    pub(crate) fn begin(recorded: &Recorded, conn: u64, span: Span) -> Self {
        let decoder = recorded.framing.decoder(recorded.options.message_bytes_max);
        Self { track: Track::begin(recorded, conn, span), decoder, has_ended: false }
    }

    /// Returns the track, for others that hear the program.
    pub(crate) fn track(&self) -> Arc<Track> {
        Arc::clone(&self.track)
    }

    /// Returns the bytes of messages that have not ended.
    pub(crate) fn held(&self) -> usize {
        self.decoder.held()
    }

    /// Notes a message that the program gets.
    pub(crate) fn input(&mut self, kind: Kind, payload: &[u8]) {
        self.track.input(None, kind, payload);
    }

    /// Takes the output as it is from now on; see [`Heard::Stream`](crate::framing::Heard::Stream).
    pub(crate) fn begin_stream(&mut self) {
        self.decoder.begin_stream();
    }

    /// Notes the messages that the next bytes of standard output complete.
    pub(crate) fn output(&mut self, bytes: &[u8]) {
        let track = &self.track;
        if track.is_over() {
            // It has broken off. The program may print for days.
            return;
        }
        // The session ends when the output breaks its framing.
        let _ = self.decoder.decode(bytes, &mut |decoded| note(track, decoded));
    }

    /// Notes the messages that the next bytes of standard error complete, if clients get it.
    pub(crate) fn errors(&mut self, bytes: &[u8]) {
        let track = &self.track;
        self.decoder.decode_stderr(bytes, &mut |decoded| note(track, decoded));
    }

    /// Notes the messages that the end of the output completes.
    pub(crate) fn finish(&mut self) {
        let track = &self.track;
        let _ = self.decoder.finish(&mut |decoded| note(track, decoded));
    }

    /// Notes that the program has ended by itself.
    pub(crate) fn over(&mut self) {
        self.has_ended = true;
    }

    /// Ends the recording with the status of the program.
    pub(crate) fn end(&mut self, status: Status) {
        let by = if self.has_ended { Ender::Program } else { Ender::Wsd };
        self.track.end(&mut Step { by: Some(by), status: Some(status.shell()), ..Step::new(Dir::End) });
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.track.close();
    }
}

fn note(track: &Arc<Track>, decoded: Decoded<'_>) {
    if let Decoded::Piece(Piece { kind, last, payload, .. }) = decoded {
        track.add(&mut Step { more: !last, ..Step::message(Dir::Out, kind, payload) });
    }
}
