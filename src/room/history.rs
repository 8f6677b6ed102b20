//! The last messages of a room, for newcomers (`--history`).

use std::{collections::VecDeque, mem};

use bytes::Bytes;

use super::seat::Item;
use crate::{
    budget::{Budget, Kind, Owner, Share},
    limits::{HISTORY_BYTES_MAX, HISTORY_CHUNK_BYTES, HISTORY_MESSAGE_BYTES},
};

/// The last messages, as frames. They are kept in chunks that all newcomers share, so that one who comes costs a chunk,
/// however many messages there are.
#[derive(Debug)]
pub(super) struct History {
    messages_max: usize,
    /// Those that do not grow any more, the oldest first.
    chunks: VecDeque<Chunk<Bytes>>,
    /// The newest messages.
    last: Chunk<Vec<u8>>,
    messages: usize,
    bytes: usize,
    /// Bytes of `chunks`, forgotten messages included.
    chunk_bytes: usize,
    owner: Owner,
    share: Share,
}

/// Messages one behind the other, some of which may be forgotten.
#[derive(Debug, Default)]
struct Chunk<T> {
    frames: T,
    /// Where the first message begins.
    start: usize,
    /// Where each message ends.
    ends: VecDeque<usize>,
}

impl History {
    /// At most `messages_max` messages, and [`HISTORY_BYTES_MAX`].
    pub(super) fn new(messages_max: usize, budget: &Budget) -> Self {
        let owner = Owner::new(budget, Kind::History);
        let (chunks, last, share) = (VecDeque::new(), Chunk::default(), owner.share());
        Self { messages_max, chunks, last, messages: 0, bytes: 0, chunk_bytes: 0, owner, share }
    }

    /// The owner of its bytes, which is asked to [`History::halve`] it where memory is short.
    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Adds messages, whose frames end at `ends`. They are copied: a part of a batch would keep all of it.
    pub(super) fn add(&mut self, frames: &[u8], ends: &[usize]) {
        let skipped = ends.len().saturating_sub(self.messages_max);
        let mut start = if skipped == 0 { 0 } else { ends[skipped - 1] };
        for &end in &ends[skipped..] {
            self.last.frames.extend_from_slice(&frames[start..end]);
            self.last.ends.push_back(self.last.frames.len());
            self.messages += 1;
            self.bytes += end - start;
            start = end;
            if self.last.frames.len() >= HISTORY_CHUNK_BYTES {
                let Chunk { mut frames, start, ends } = mem::take(&mut self.last);
                frames.shrink_to_fit();
                self.chunk_bytes += frames.len();
                self.chunks.push_back(Chunk { frames: self.owner.budget().bytes(frames), start, ends });
            }
        }
        self.forget_beyond(self.messages_max, HISTORY_BYTES_MAX);
    }

    /// Forgets the older half of the bytes.
    pub(super) fn halve(&mut self) {
        self.forget_beyond(self.messages_max, self.size() / 2);
        self.owner.settle();
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.forget_beyond(0, 0);
        self.owner.settle();
    }

    /// Forgets the oldest messages until so many messages and bytes are left at most.
    fn forget_beyond(&mut self, messages_max: usize, bytes_max: usize) {
        while self.messages > 0 && (self.messages > messages_max || self.size() > bytes_max) {
            self.messages -= 1;
            self.bytes -= self.forget();
        }
        if self.messages == 0 {
            self.last = Chunk::default();
        }
        self.share.set(self.last.frames.capacity() + self.messages * HISTORY_MESSAGE_BYTES, self.chunk_bytes);
    }

    /// The bytes of the messages, and those that it takes to note where each ends.
    fn size(&self) -> usize {
        self.bytes + self.messages * HISTORY_MESSAGE_BYTES
    }

    /// Forgets the oldest message, and returns its length.
    fn forget(&mut self) -> usize {
        let Some(chunk) = self.chunks.front_mut() else { return self.last.forget() };
        let bytes = chunk.forget();
        if chunk.ends.is_empty() {
            self.chunk_bytes -= chunk.frames.len();
            self.chunks.pop_front();
        }
        bytes
    }

    /// The messages, the oldest first.
    pub(super) fn items(&self) -> impl Iterator<Item = Item> {
        let chunks = self.chunks.iter().map(|chunk| chunk.item(chunk.frames.slice(chunk.start..)));
        let last = self.last.item(self.owner.budget().bytes(self.last.frames[self.last.start..].to_vec()));
        chunks.chain((last.messages > 0).then_some(last))
    }
}

impl<T> Chunk<T> {
    fn forget(&mut self) -> usize {
        let end = self.ends.pop_front().unwrap_or(self.start);
        end - mem::replace(&mut self.start, end)
    }

    fn item(&self, frames: Bytes) -> Item {
        Item { messages: self.ends.len() as u64, frames }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(history: &History) -> Vec<u8> {
        history.items().flat_map(|item| item.frames).collect()
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
            // Letters that fill chunks, so that some begin in the middle of one, and some do not.
            for width in [1, HISTORY_CHUNK_BYTES / 3, HISTORY_CHUNK_BYTES] {
                let mut history = History::new(limit, &Budget::new(None));
                for batch in batches.split(';') {
                    let messages: Vec<_> = batch.split(',').map(|message| widen(message, width)).collect();
                    let ends: Vec<_> = (1..=messages.len()).map(|count| messages[..count].concat().len()).collect();
                    history.add(&messages.concat(), &ends);
                }
                assert!(kept(&history) == widen(want, width), "{limit} of {batches} by {width}");
                assert_eq!(history.bytes, want.len() * width);
                assert_eq!(history.items().map(|item| item.messages).sum::<u64>(), history.messages as u64);
            }
        }
    }

    fn widen(text: &str, width: usize) -> Vec<u8> {
        text.bytes().flat_map(|letter| vec![letter; width]).collect()
    }

    #[test]
    fn few_long_messages_are_kept() {
        let mut history = History::new(100, &Budget::new(None));
        for _ in 0..20 {
            history.add(&vec![0; 1 << 20], &[1 << 20]);
        }
        // What is noted down of each takes a bit of the last one.
        assert_eq!(history.messages, (HISTORY_BYTES_MAX >> 20) - 1);
    }

    #[test]
    fn not_too_many_short_messages_are_kept() {
        let mut history = History::new(usize::MAX, &Budget::new(None));
        let ends: Vec<_> = (1..=10_000).collect();
        for _ in 0..100 {
            history.add(&[0; 10_000], &ends);
        }
        assert_eq!(history.messages, HISTORY_BYTES_MAX / (1 + HISTORY_MESSAGE_BYTES));
        assert!(history.items().count() <= history.bytes / HISTORY_CHUNK_BYTES + 2);
    }

    #[test]
    fn half_of_it_is_forgotten_where_memory_is_short() {
        let mut history = History::new(usize::MAX, &Budget::new(None));
        for letter in b'a'..b'e' {
            history.add(&[letter; 1000], &[1000]);
        }

        history.halve();

        assert_eq!(kept(&history), [[b'c'; 1000], [b'd'; 1000]].concat());
        for _ in 0..2 {
            history.halve();
        }
        assert_eq!((history.messages, history.bytes), (0, 0));
    }
}
