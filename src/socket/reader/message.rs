//! A message whose end has not come, and the check of its text.

use crate::{client::Fault, message::Kind};

/// An unfinished data message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: Kind,
    pub(super) payload: Vec<u8>,
    /// Bytes of the payload known to be UTF-8.
    checked: usize,
}

impl Message {
    /// Returns a message without bytes so far.
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, payload: Vec::new(), checked: 0 }
    }

    /// Drops the bytes so far.
    pub(super) fn forget(&mut self) {
        (self.payload, self.checked) = (Vec::new(), 0);
    }

    /// Appends the next bytes, and checks text as far as it has come.
    pub(super) fn extend(&mut self, payload: &[u8], is_ascii: bool) -> Result<(), Fault> {
        let is_at_character = self.checked == self.payload.len();
        self.payload.extend_from_slice(payload);
        if is_ascii && is_at_character {
            self.checked = self.payload.len();
            return Ok(());
        }
        self.check()
    }

    /// Checks text as far as it has come.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        if self.kind == Kind::Text {
            match str::from_utf8(&self.payload[self.checked..]) {
                Ok(text) => self.checked += text.len(),
                Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
                Err(_) => return Err(Fault::NotText),
            }
        }
        Ok(())
    }

    /// Checks that text does not end inside a character.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        if self.kind == Kind::Text && self.checked < self.payload.len() { Err(Fault::NotText) } else { Ok(()) }
    }
}
