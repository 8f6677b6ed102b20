//! Inflates the compressed messages of a client (RFC 7692).

use super::message::Message;
use crate::{
    client::Fault,
    deflate::{
        PackedTraffic,
        inflater::{LentInflater, Unfit},
    },
    limits::PIPE_BYTES,
    message::Kind,
};

/// Bytes of messages after which the rest of a read waits: 64 KiB of short frames may inflate to 64 MiB.
pub(super) const INFLATED_BYTES_ENOUGH: u64 = PIPE_BYTES as u64;

/// The state of a connection whose client may compress messages.
#[derive(Debug, Default)]
pub(super) struct Inflation {
    /// Inflates the unfinished message, if it is a compressed one.
    inflater: Option<LentInflater>,
    pub(super) traffic: PackedTraffic,
}

impl Inflation {
    /// Begins a message.
    pub(super) fn begin(&mut self, is_packed: bool) {
        self.inflater = is_packed.then(LentInflater::take);
    }

    /// Drops the unfinished message.
    pub(super) fn forget(&mut self) {
        self.inflater = None;
    }

    /// Whether the unfinished message is a compressed one.
    pub(super) fn is_within(&self) -> bool {
        self.inflater.is_some()
    }

    /// Returns the bytes of memory of an unfinished message, beside its payload.
    pub(super) fn held(&self) -> usize {
        if self.is_within() { LentInflater::BYTES } else { 0 }
    }

    /// Takes the next part of a compressed message of at most `bytes_max`, and calls `on` with a whole one.
    pub(super) fn take(
        &mut self,
        (kind, part, ends): (Kind, &[u8], bool),
        unfinished: &mut Option<Message>,
        bytes_max: usize,
        on: impl FnOnce(Kind, &[u8]),
    ) -> Result<(), Fault> {
        let Self { inflater: Some(inflater), traffic } = self else { return Ok(()) };
        let message = unfinished.get_or_insert_with(|| Message::new(kind));
        let before = message.payload.len();
        inflater.inflate(part, bytes_max, &mut message.payload)?;
        if ends {
            inflater.end_last(bytes_max, &mut message.payload)?;
        }
        traffic.add(message.payload.len() - before, part.len());
        message.check()?;
        if ends {
            message.finish()?;
            on(message.kind, &message.payload);
            (self.inflater, *unfinished) = (None, None);
        }
        Ok(())
    }
}

impl From<Unfit> for Fault {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::TooBig => Self::TooBig,
            Unfit::Garbage => Self::Invalid("not compressed by DEFLATE"),
        }
    }
}
