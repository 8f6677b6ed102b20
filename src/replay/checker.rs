//! Compares the messages of a program with those of a recording. It is the client of the program.

use std::{
    collections::VecDeque,
    convert::Infallible,
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    differing::Difference,
    masked::Masks,
    script::{RecordedMessage, Recording, Way},
};
use crate::{
    client::{Client, Departure},
    close::Close,
    framing::Framing,
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
};

/// Bytes by which a message may be longer than the recorded one before the checker looks at it.
const LONGER_MAX: usize = 1 << 20;

/// The begin of a message with a line of standard error (`--passstderr`).
const OF_STDERR: &[u8] = br#"{"stream":"stderr","#;

/// The comparison.
#[derive(Debug)]
pub(super) struct Checker<'a> {
    recording: &'a Recording,
    masks: Masks,
    /// The messages that the program has not given yet. With `--passstderr` the two streams come in any order: each has a list.
    expected: [VecDeque<usize>; 2],
    /// The front of a message, or the bytes of the expected message that have come already.
    part: Vec<u8>,
    /// The number of messages that have come.
    pub(super) came: u64,
    /// The first difference.
    pub(super) found: Option<Difference>,
}

impl<'a> Checker<'a> {
    /// Expects the messages of a recording.
    pub(super) fn new(recording: &'a Recording, masks: Masks) -> Self {
        let mut expected = [VecDeque::new(), VecDeque::new()];
        for (at, message) in recording.messages.iter().enumerate().filter(|(_, message)| message.way == Way::Out) {
            expected[lane(recording.framing, &message.payload)].push_back(at);
        }
        Self { recording, masks, expected, part: Vec::new(), came: 0, found: None }
    }

    /// Returns the first message that the program has not given yet.
    pub(super) fn next(&self) -> Option<usize> {
        self.expected.iter().filter_map(VecDeque::front).min().copied()
    }

    /// Takes bytes of a stream without borders of messages.
    fn take_bytes(&mut self, kind: Kind, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(&at) = self.expected[0].front() else { return self.extra(kind, bytes) };
            let want = &self.recording.messages[at].payload[self.part.len()..];
            let (now, rest) = bytes.split_at(want.len().min(bytes.len()));
            if !want.starts_with(now) {
                let got = [&self.part, bytes].concat();
                return self.find(Difference::Message { at, kind, got });
            }
            self.part.extend_from_slice(now);
            if now.len() == want.len() {
                self.part.clear();
                self.pass(0);
            }
            bytes = rest;
        }
    }

    /// Takes a whole message.
    fn take_message(&mut self, kind: Kind, got: Vec<u8>) {
        let lane = lane(self.recording.framing, &got);
        let Some(&at) = self.expected[lane].front() else { return self.extra(kind, &got) };
        let RecordedMessage { kind: want, payload, .. } = &self.recording.messages[at];
        if *want == kind && self.masks.are_same(payload, &got) {
            self.pass(lane);
        } else {
            self.find(Difference::Message { at, kind, got });
        }
    }

    fn pass(&mut self, lane: usize) {
        self.expected[lane].pop_front();
        self.came += 1;
    }

    /// Takes a message beyond the recorded ones. It counts only if the recording has all that the program gave.
    fn extra(&mut self, kind: Kind, got: &[u8]) {
        if self.recording.end.is_some_and(|end| end.is_of_program) {
            self.find(Difference::Extra { kind, got: got.to_vec() });
        }
    }

    fn find(&mut self, difference: Difference) {
        self.found.get_or_insert(difference);
    }
}

/// Returns the list of a message.
fn lane(framing: Framing, payload: &[u8]) -> usize {
    usize::from(framing == Framing::Streams && payload.starts_with(OF_STDERR))
}

impl Client for Checker<'_> {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut impl FnMut(Kind, &[u8]) -> bool) -> Poll<Option<Departure>> {
        Poll::Pending
    }

    fn append(&mut self, piece: Piece<'_>) {
        if self.found.is_some() {
            return;
        }
        if self.recording.framing == Framing::Chunks {
            return self.take_bytes(piece.kind, piece.payload);
        }
        self.part.extend_from_slice(piece.payload);
        let expected = self.expected.iter().filter_map(VecDeque::front);
        let want = expected.map(|at| self.recording.messages[*at].payload.len()).max().unwrap_or(0);
        if piece.last || self.part.len() > want + LONGER_MAX {
            let got = mem::take(&mut self.part);
            self.take_message(piece.kind, got);
        }
    }

    fn append_batch(&mut self, batch: &Arc<Batch>) {
        batch.messages().for_each(|(kind, payload)| self.append(Piece::whole(kind, payload)));
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn progress(&self) -> u64 {
        self.came
    }

    fn poll_upkeep(&mut self, _: &mut Context<'_>, _: bool) -> Poll<()> {
        Poll::Pending
    }

    fn probe(&mut self, _: &mut Context<'_>) -> bool {
        false
    }

    fn held(&self) -> (usize, usize) {
        (self.part.capacity(), 0)
    }

    fn forget_messages(&mut self) {}

    fn begin_close(&mut self, _: bool) {}

    fn send_close(&mut self, _: &mut Context<'_>, _: Option<&Close>) {}

    fn poll_closing(&mut self, _: &mut Context<'_>) -> Poll<Infallible> {
        Poll::Pending
    }

    fn discard(&mut self) {}

    async fn finish(self, _: &Shutdown) {}
}
