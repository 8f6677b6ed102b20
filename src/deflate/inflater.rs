//! A stream of DEFLATE that inflates messages, in steps of bounded size.

use std::{
    cell::RefCell,
    fmt,
    ops::{Deref, DerefMut},
};

use zlib_rs::{Inflate, InflateFlush, Status};

use super::TAIL;

/// Bits of the window, the most that a peer can use.
const WINDOW_BITS: u8 = 15;

/// Bytes of a step: wsd looks at the length of a message after so many more.
const STEP_BYTES: usize = 16 << 10;

/// Inflaters that a thread keeps for the next messages.
const FREE_MAX: usize = 2;

/// An empty block that ends a stream. An inflater takes it for the end only if the message before it was whole.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xFF, 0xFF];

thread_local! {
    static FREE: RefCell<Vec<Inflater>> = const { RefCell::new(Vec::new()) };
}

/// The reason for which a message cannot be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It would be longer than it may be.
    TooBig,
    /// It is not in the format of DEFLATE.
    Garbage,
}

/// An inflater.
pub(crate) struct Inflater {
    inflate: Inflate,
    step: Box<[u8]>,
    /// Whether the last block of a stream ended with the bytes so far.
    has_ended: bool,
}

/// An inflater for one message. The thread gets it back when this is dropped.
#[derive(Debug)]
pub(crate) struct LentInflater(Option<Inflater>);

impl Inflater {
    /// Returns an inflater without messages in its window.
    pub(crate) fn new() -> Self {
        let step = vec![0; STEP_BYTES].into_boxed_slice();
        Self { inflate: Inflate::new(false, WINDOW_BITS), step, has_ended: false }
    }

    /// Appends the next bytes of a message, whose payload may have `bytes_max`.
    pub(crate) fn inflate(&mut self, mut part: &[u8], bytes_max: usize, payload: &mut Vec<u8>) -> Result<(), Unfit> {
        if part.is_empty() {
            return Ok(());
        }
        self.has_ended = false;
        loop {
            let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(part, &mut self.step, InflateFlush::NoFlush);
            let status = status.map_err(|_| Unfit::Garbage)?;
            let count = |after: u64, before: u64| usize::try_from(after - before).expect("within a slice");
            let (taken, made) = (count(self.inflate.total_in(), taken), count(self.inflate.total_out(), made));
            part = &part[taken..];
            if made > bytes_max.saturating_sub(payload.len()) {
                return Err(Unfit::TooBig);
            }
            payload.extend_from_slice(&self.step[..made]);
            if status == Status::StreamEnd {
                // The message may go on with another stream (RFC 7692, section 7.2.3.4).
                self.inflate.reset(false);
                self.has_ended = part.is_empty();
            }
            match (part.is_empty(), taken + made) {
                (true, _) if made < STEP_BYTES || self.has_ended => return Ok(()),
                (false, 0) => return Err(Unfit::Garbage),
                _ => {}
            }
        }
    }

    /// Ends a message. Its window stays for the next one.
    pub(crate) fn end(&mut self, bytes_max: usize, payload: &mut Vec<u8>) -> Result<(), Unfit> {
        if self.has_ended { Ok(()) } else { self.inflate(&TAIL, bytes_max, payload) }
    }

    /// Ends the last message. Fails if it breaks off within a block.
    pub(crate) fn end_last(&mut self, bytes_max: usize, payload: &mut Vec<u8>) -> Result<(), Unfit> {
        if self.has_ended {
            return Ok(());
        }
        self.end(bytes_max, payload)?;
        let length = payload.len();
        self.inflate(&LAST_BLOCK, bytes_max, payload)?;
        if self.has_ended && payload.len() == length { Ok(()) } else { Err(Unfit::Garbage) }
    }
}

impl LentInflater {
    /// Bytes of memory of an inflater: its window and its tables, and a step.
    pub(crate) const BYTES: usize = 64 << 10;

    /// Takes an inflater without messages in its window.
    pub(crate) fn take() -> Self {
        Self(Some(FREE.with_borrow_mut(Vec::pop).unwrap_or_else(Inflater::new)))
    }
}

impl Deref for LentInflater {
    type Target = Inflater;

    fn deref(&self) -> &Inflater {
        self.0.as_ref().expect("it was not dropped")
    }
}

impl DerefMut for LentInflater {
    fn deref_mut(&mut self) -> &mut Inflater {
        self.0.as_mut().expect("it was not dropped")
    }
}

impl Drop for LentInflater {
    fn drop(&mut self) {
        let Some(mut inflater) = self.0.take() else { return };
        // Fails at the end of the thread.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < FREE_MAX {
                inflater.inflate.reset(false);
                inflater.has_ended = false;
                free.push(inflater);
            }
        });
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}
