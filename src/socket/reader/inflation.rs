//! Inflates the compressed messages of a client (RFC 7692).

use super::{Reader, SocketEvent, message::Message};
use crate::{
    client::Fault,
    deflate::{
        Traffic,
        inflater::{LentInflater, Unfit},
    },
    message::Kind,
};

/// The state of a connection whose client may compress messages.
#[derive(Debug, Default)]
pub(super) struct Inflation {
    /// Inflates the unfinished message, if it is a compressed one.
    inflater: Option<LentInflater>,
    pub(super) traffic: Traffic,
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
}

impl Reader {
    /// Takes the next bytes of a compressed message.
    pub(super) fn on_packed(
        &mut self,
        kind: Kind,
        ends: bool,
        part: &[u8],
        on: &mut impl FnMut(SocketEvent<'_>),
    ) -> Result<(), Fault> {
        let Self { inflation: Some(inflation), message, message_bytes_max: bytes_max, .. } = self else {
            return Ok(());
        };
        let Inflation { inflater: Some(inflater), traffic } = &mut **inflation else { return Ok(()) };
        let message = message.get_or_insert_with(|| Message::new(kind));
        let before = message.payload.len();
        inflater.inflate(part, *bytes_max, &mut message.payload)?;
        if ends {
            inflater.end_last(*bytes_max, &mut message.payload)?;
        }
        traffic.add(message.payload.len() - before, part.len());
        message.check()?;
        if ends {
            inflation.inflater = None;
            let message = self.message.take().expect("was just put there");
            message.finish()?;
            on(SocketEvent::Message(message.kind, &message.payload));
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
