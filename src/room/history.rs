//! The last messages of a room, for newcomers (`--history`).

use std::collections::VecDeque;

use bytes::Bytes;

use super::seat::Item;
use crate::limits::HISTORY_BYTES_MAX;

/// The last messages, as frames.
#[derive(Debug)]
pub(super) struct History {
    messages_max: usize,
    messages: VecDeque<Bytes>,
    bytes: usize,
}

impl History {
    /// At most `messages_max` messages, and [`HISTORY_BYTES_MAX`].
    pub(super) fn new(messages_max: usize) -> Self {
        Self { messages_max, messages: VecDeque::new(), bytes: 0 }
    }

    /// Adds messages, whose frames end at `ends`. They are copied: a part of a batch would keep all of it.
    pub(super) fn add(&mut self, frames: &[u8], ends: &[usize]) {
        let skipped = ends.len().saturating_sub(self.messages_max);
        let mut start = if skipped == 0 { 0 } else { ends[skipped - 1] };
        for &end in &ends[skipped..] {
            self.messages.push_back(Bytes::copy_from_slice(&frames[start..end]));
            self.bytes += end - start;
            start = end;
        }
        while self.messages.len() > self.messages_max || self.bytes > HISTORY_BYTES_MAX {
            self.bytes -= self.messages.pop_front().map_or(0, |message| message.len());
        }
    }

    /// The messages, the oldest first.
    pub(super) fn items(&self) -> impl Iterator<Item = Item> {
        self.messages.iter().map(|frames| Item { messages: 1, frames: frames.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_messages_are_kept() {
        let table =
            [(0, "a,b,c", ""), (2, "a,b,c", "b,c"), (2, "a;bc", "a,bc"), (2, "a;b,cd", "b,cd"), (9, "a,b,c", "a,b,c")];
        for (limit, batches, want) in table {
            let mut history = History::new(limit);
            for batch in batches.split(';') {
                let messages: Vec<_> = batch.split(',').collect();
                let ends: Vec<_> = (1..=messages.len()).map(|count| messages[..count].concat().len()).collect();
                history.add(messages.concat().as_bytes(), &ends);
            }
            let kept: Vec<_> = history.items().map(|item| item.frames).collect();
            let want: Vec<_> = want.split(',').filter(|message| !message.is_empty()).collect();
            assert_eq!(kept, want, "{limit} of {batches}");
            assert_eq!(history.bytes, kept.iter().map(Bytes::len).sum::<usize>());
        }
    }

    #[test]
    fn few_long_messages_are_kept() {
        let mut history = History::new(100);
        for _ in 0..20 {
            history.add(&vec![0; 1 << 20], &[1 << 20]);
        }
        assert_eq!(history.items().count(), HISTORY_BYTES_MAX >> 20);
    }
}
