//! The last messages of a room, for new clients (`--history`).

use std::{collections::VecDeque, mem, sync::Arc};

use crate::{
    budget::{Budget, Owner, OwnerKind, Share},
    limits::HISTORY_BYTES_MAX,
    message::{Batch, Draft, Kind},
};

/// Bytes that each message costs beside its own: the note of its end, and as much spare room.
const MESSAGE_BYTES: usize = 16;

/// Bytes of a chunk of the history, and so the most that wsd copies for a new client. wsd keeps a chunk as long as one of
/// its messages.
const CHUNK_BYTES: usize = 16 << 10;

/// The last messages. New clients share the chunks that hold them, so that each costs one chunk, however many messages there
/// are.
#[derive(Debug)]
pub(super) struct History {
    messages_max: usize,
    /// The full chunks, the oldest first.
    chunks: VecDeque<Arc<Batch>>,
    /// The newest messages.
    last: Draft,
    /// The number of forgotten messages at the front of the first chunk, or of `last` if there is none.
    forgotten: usize,
    messages: usize,
    bytes: usize,
    /// The bytes of `chunks`, forgotten messages included.
    chunk_bytes: usize,
    share: Share,
}

impl History {
    /// Returns an empty history of at most `messages_max` messages and [`HISTORY_BYTES_MAX`].
    pub(super) fn new(messages_max: usize, budget: &Budget) -> Self {
        Self {
            messages_max,
            chunks: VecDeque::new(),
            last: Draft::default(),
            forgotten: 0,
            messages: 0,
            bytes: 0,
            chunk_bytes: 0,
            share: Owner::new(budget, OwnerKind::History).share(),
        }
    }

    /// Returns the owner of its bytes. When the budget asks that owner to give back, [`History::halve`] does it.
    pub(super) fn owner(&self) -> &Owner {
        self.share.owner()
    }

    /// Adds copies of messages: a reference to one message would keep its whole batch.
    pub(super) fn add(&mut self, batch: &Batch) {
        for (kind, payload) in batch.messages().skip(batch.count().saturating_sub(self.messages_max)) {
            self.push(kind, payload);
        }
        self.forget_beyond(self.messages_max, HISTORY_BYTES_MAX);
    }

    fn push(&mut self, kind: Kind, payload: &[u8]) {
        self.last.push(kind, payload);
        self.messages += 1;
        self.bytes += payload.len();
        if self.last.len() >= CHUNK_BYTES {
            let chunk = mem::take(&mut self.last).share(self.share.owner().budget());
            self.chunk_bytes += chunk.len();
            self.chunks.push_back(Arc::new(chunk));
        }
    }

    /// Forgets the older half of the bytes.
    pub(super) fn halve(&mut self) {
        self.forget_beyond(self.messages_max, self.size() / 2);
        self.share.owner().settle();
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.forget_beyond(0, 0);
        self.share.owner().settle();
    }

    /// Forgets the oldest messages until at most `messages_max` messages and `bytes_max` bytes are left.
    fn forget_beyond(&mut self, messages_max: usize, bytes_max: usize) {
        while self.messages > 0 && (self.messages > messages_max || self.size() > bytes_max) {
            self.forget();
        }
        if self.messages == 0 {
            self.last = Draft::default();
            self.forgotten = 0;
        }
        self.share.set(self.last.held(), self.chunk_bytes);
    }

    /// Forgets the oldest message.
    fn forget(&mut self) {
        let (length, is_whole_chunk) = match self.chunks.front() {
            Some(chunk) => (chunk.len_of(self.forgotten, 1), self.forgotten + 1 == chunk.count()),
            None => (self.last.len_of(self.forgotten, 1), self.forgotten + 1 == self.last.count()),
        };
        self.messages -= 1;
        self.bytes -= length;
        self.forgotten = if is_whole_chunk { 0 } else { self.forgotten + 1 };
        if is_whole_chunk {
            match self.chunks.pop_front() {
                Some(chunk) => self.chunk_bytes -= chunk.len(),
                None => self.last = Draft::default(),
            }
        }
    }

    /// Returns the bytes of the messages and of the notes of their ends.
    fn size(&self) -> usize {
        self.bytes + self.messages * MESSAGE_BYTES
    }

    /// Returns the messages, the oldest first.
    pub(super) fn batches(&self) -> impl Iterator<Item = Arc<Batch>> {
        let mut forgotten = self.forgotten;
        let chunks = self.chunks.iter().map(move |chunk| match mem::take(&mut forgotten) {
            0 => Arc::clone(chunk),
            forgotten => self.copy(chunk.messages().skip(forgotten)),
        });
        let of_last = if self.chunks.is_empty() { self.forgotten } else { 0 };
        let last = (self.last.count() > of_last).then(|| self.copy(self.last.messages().skip(of_last)));
        chunks.chain(last)
    }

    fn copy<'a>(&self, messages: impl Iterator<Item = (Kind, &'a [u8])>) -> Arc<Batch> {
        let mut draft = Draft::default();
        messages.for_each(|(kind, payload)| draft.push(kind, payload));
        Arc::new(draft.share(self.share.owner().budget()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(messages_max: usize) -> History {
        History::new(messages_max, &Budget::new(None))
    }

    /// Adds a batch of messages.
    fn add(history: &mut History, messages: &[Vec<u8>]) {
        let mut draft = Draft::default();
        for message in messages {
            draft.push(Kind::Text, message);
        }
        history.add(&draft.share(&Budget::new(None)));
    }

    fn kept(history: &History) -> Vec<Vec<u8>> {
        let batches: Vec<_> = history.batches().collect();
        batches.iter().flat_map(|batch| batch.messages().map(|(_, payload)| payload.to_vec())).collect()
    }

    #[test]
    fn the_last_messages_are_kept() {
        let table = [
            (0, "a,b,c", ""),
            (2, "a,b,c", "bc"),
            (2, "a;bc", "abc"),
            (2, "a;b,cd", "bcd"),
            (9, "a,b,c", "abc"),
            (2, "a;b;c;d;e,f;g", "fg"),
        ];
        for (limit, batches, want) in table {
            // Messages of several lengths, so that some begin inside a chunk and some at its front.
            for width in [1, CHUNK_BYTES / 3, CHUNK_BYTES] {
                let mut history = new(limit);
                for batch in batches.split(';') {
                    let messages: Vec<_> = batch.split(',').map(|message| widen(message, width)).collect();
                    add(&mut history, &messages);
                }
                let kept = kept(&history);
                assert!(kept.concat() == widen(want, width), "{limit} of {batches} by {width}");
                assert_eq!((history.bytes, history.messages), (want.len() * width, kept.len()));
            }
        }
    }

    fn widen(text: &str, width: usize) -> Vec<u8> {
        text.bytes().flat_map(|letter| vec![letter; width]).collect()
    }

    #[test]
    fn few_long_messages_are_kept() {
        let mut history = new(100);
        for _ in 0..20 {
            add(&mut history, &[vec![0; 1 << 20]]);
        }
        // The notes of the ends take the room of the last one.
        assert_eq!(history.messages, (HISTORY_BYTES_MAX >> 20) - 1);
    }

    #[test]
    fn not_too_many_short_messages_are_kept() {
        let mut history = new(usize::MAX);
        for _ in 0..100 {
            add(&mut history, &vec![vec![0]; 10_000]);
        }
        assert_eq!(history.messages, HISTORY_BYTES_MAX / (1 + MESSAGE_BYTES));
        assert!(history.batches().count() <= history.bytes / CHUNK_BYTES + 2);
    }

    #[test]
    fn half_of_it_is_forgotten_where_memory_is_short() {
        let mut history = new(usize::MAX);
        for letter in b'a'..b'e' {
            add(&mut history, &[vec![letter; 1000]]);
        }

        history.halve();

        assert_eq!(kept(&history), [[b'c'; 1000], [b'd'; 1000]]);
        for _ in 0..2 {
            history.halve();
        }
        assert_eq!((history.messages, history.bytes), (0, 0));
    }
}
