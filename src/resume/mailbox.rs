//! Messages of a client that come by POST. They wait in the mailbox of its session until the session takes them.
//!
//! A letter is taken whole or not at all: whoever removes it from the mailbox decides, the session or its sender.

use std::{
    collections::VecDeque,
    iter,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::lock::lock;
use crate::{budget::Share, limits::INPUTS_WAITING_MAX, message::Kind};

/// The messages of one POST.
#[derive(Debug)]
pub(crate) struct Letter {
    /// The number of the first message; `None` if the client does not count.
    pub(crate) first: Option<u64>,
    /// The type of the messages.
    pub(crate) kind: Kind,
    /// The borders of the messages in the body.
    pub(crate) borders: Borders,
    /// The messages.
    pub(crate) body: Bytes,
    /// Counts the body while it waits.
    pub(crate) share: Option<Share>,
}

/// The borders of the messages in a body.
#[derive(Debug)]
pub(crate) enum Borders {
    /// Each line is a message if the program's framing has lines. If not, the body is one message.
    Framing,
    /// The body is one message.
    Whole,
    /// The messages end at these places.
    Ends(Vec<usize>),
}

/// The fate of a letter, with the number of messages that the session has taken of its client in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// The session has taken it.
    Taken(u64),
    /// Messages before it are missing.
    Gap(u64),
    /// The program has not taken earlier messages, or too many letters wait.
    Busy(u64),
    /// It breaks the framing of the program, and the session ends.
    Broken,
    /// The session has ended.
    Over,
}

/// The letters of a session, and other news of its client.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    letters: Mutex<Letters>,
    /// The number of letters.
    waiting: AtomicUsize,
    /// The number of messages that the session has taken of its client.
    got: AtomicU64,
    /// The number of messages that the client has, by its last POST.
    acked: AtomicU64,
    /// Whether the client has left for good.
    has_left: AtomicBool,
}

#[derive(Debug, Default)]
struct Letters {
    queue: VecDeque<(u64, Letter, oneshot::Sender<Receipt>)>,
    last: u64,
    is_closed: bool,
}

impl Letter {
    /// Counts the bytes that it takes up.
    pub(crate) fn counted(mut self) -> Self {
        let ends = if let Borders::Ends(ends) = &self.borders { ends.capacity() * size_of::<usize>() } else { 0 };
        if let Some(share) = &mut self.share {
            share.set(self.body.len() + ends, 0);
        }
        self
    }

    /// Returns the messages. `has_lines` is whether the framing makes a message of each line; the last one may lack its end.
    pub(crate) fn messages(&self, has_lines: bool) -> Box<dyn Iterator<Item = &[u8]> + Send + '_> {
        match &self.borders {
            Borders::Whole => Box::new(iter::once(&*self.body)),
            Borders::Ends(ends) => {
                let starts = [0].into_iter().chain(ends.iter().copied());
                Box::new(starts.zip(ends).map(|(start, end)| &self.body[start..*end]))
            }
            Borders::Framing => match self.body.strip_suffix(b"\n").unwrap_or(&self.body) {
                _ if self.body.is_empty() => Box::new(iter::empty()),
                body if has_lines => Box::new(body.split(|byte| *byte == b'\n')),
                _ => Box::new(iter::once(&*self.body)),
            },
        }
    }
}

impl Mailbox {
    /// Adds a letter. Returns its number, or its fate if it cannot wait.
    pub(super) fn post(&self, letter: Letter) -> Result<(u64, oneshot::Receiver<Receipt>), Receipt> {
        let mut letters = lock(&self.letters);
        if letters.is_closed {
            return Err(Receipt::Over);
        }
        if letters.queue.len() >= INPUTS_WAITING_MAX {
            return Err(Receipt::Busy(self.got()));
        }
        letters.last += 1;
        let (number, (tell, told)) = (letters.last, oneshot::channel());
        letters.queue.push_back((number, letter, tell));
        self.waiting.store(letters.queue.len(), Ordering::Relaxed);
        Ok((number, told))
    }

    /// Takes a letter back. Returns whether it was still there.
    pub(super) fn withdraw(&self, number: u64) -> bool {
        let mut letters = lock(&self.letters);
        let before = letters.queue.len();
        letters.queue.retain(|(other, ..)| *other != number);
        self.waiting.store(letters.queue.len(), Ordering::Relaxed);
        letters.queue.len() < before
    }

    /// Takes the next letter for the session.
    pub(super) fn next(&self) -> Option<(Letter, oneshot::Sender<Receipt>)> {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut letters = lock(&self.letters);
        let (_, letter, tell) = letters.queue.pop_front()?;
        self.waiting.store(letters.queue.len(), Ordering::Relaxed);
        Some((letter, tell))
    }

    /// Drops the letters, now and from now on.
    pub(super) fn close(&self) {
        let mut letters = lock(&self.letters);
        letters.is_closed = true;
        letters.queue = VecDeque::new();
        self.waiting.store(0, Ordering::Relaxed);
    }

    /// Returns the number of messages that the session has taken of its client.
    pub(super) fn got(&self) -> u64 {
        self.got.load(Ordering::Relaxed)
    }

    /// Sets that number.
    pub(super) fn set_got(&self, got: u64) {
        self.got.store(got, Ordering::Relaxed);
    }

    /// Returns the number of messages that the client has, by its last POST.
    pub(super) fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }

    /// Raises that number. A POST may overtake another one.
    pub(super) fn acknowledge(&self, count: u64) {
        self.acked.fetch_max(count, Ordering::Relaxed);
    }

    /// Whether the client has left for good.
    pub(super) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Relaxed)
    }

    /// Notes that the client has left for good.
    pub(super) fn leave(&self) {
        self.has_left.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(text: &'static str, borders: Borders) -> Letter {
        Letter { first: None, kind: Kind::Text, borders, body: Bytes::from(text), share: None }
    }

    #[test]
    fn the_borders_of_messages_are_those_of_the_framing_or_the_client_tells_them() {
        use Borders::{Ends, Framing, Whole};
        let table: [(_, _, _, &[&str]); 11] = [
            ("", Framing, true, &[]),
            ("a", Framing, true, &["a"]),
            ("a\n", Framing, true, &["a"]),
            ("a\n\nb\r\n", Framing, true, &["a", "", "b\r"]),
            ("\n", Framing, true, &[""]),
            ("a\nb\n", Whole, true, &["a\nb\n"]),
            ("", Whole, true, &[""]),
            ("a\nb\n", Framing, false, &["a\nb\n"]),
            ("", Framing, false, &[]),
            ("a\nbc", Ends(vec![2, 2, 4]), true, &["a\n", "", "bc"]),
            ("", Ends(Vec::new()), false, &[]),
        ];
        for (text, borders, has_lines, want) in table {
            let want: Vec<_> = want.iter().map(|text| text.as_bytes()).collect();
            let letter = letter(text, borders);
            assert_eq!(letter.messages(has_lines).collect::<Vec<_>>(), want, "{letter:?} {has_lines}");
        }
    }

    #[test]
    fn a_letter_is_taken_once_or_withdrawn() {
        let mailbox = Mailbox::default();
        let (first, mut told) = mailbox.post(letter("a", Borders::Whole)).expect("it waits");
        let (second, _told) = mailbox.post(letter("b", Borders::Whole)).expect("it waits");

        let (taken, tell) = mailbox.next().expect("a letter");

        assert_eq!(taken.body, "a");
        tell.send(Receipt::Taken(1)).expect("its sender waits");
        assert_eq!(told.try_recv(), Ok(Receipt::Taken(1)));
        assert!(!mailbox.withdraw(first));
        assert!(mailbox.withdraw(second));
        assert!(mailbox.next().is_none());
        for _ in 0..INPUTS_WAITING_MAX {
            assert!(mailbox.post(letter("", Borders::Whole)).is_ok());
        }
        assert_eq!(mailbox.post(letter("", Borders::Whole)).err(), Some(Receipt::Busy(0)));
        mailbox.close();
        assert_eq!(mailbox.post(letter("", Borders::Whole)).err(), Some(Receipt::Over));
    }
}
