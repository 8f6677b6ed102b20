//! Compresses the messages of one direction of a session, as long as that pays.

use std::{pin::Pin, sync::Arc, task::Context};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    PackedTraffic,
    negotiation::Agreement,
    options::{AgreedCompression, CompressOptions},
    pool::Loan,
};
use crate::limits::COMPRESSOR_SILENCE;

/// Messages at most that go plain in a row because those before them did not shrink.
const SKIPS_MAX: u32 = 64;

/// Bytes at most of a first message in a window that may grow: the messages after it will shrink because of it. A longer one
/// shrinks by itself, or it is no text.
const FIRST_BYTES_MAX: usize = 512;

/// Compresses messages. It borrows a compressor while messages come.
#[derive(Debug)]
pub(crate) struct Packer {
    options: Arc<CompressOptions>,
    agreement: Agreement,
    compressor: Option<Loan>,
    /// Whether the message is compressed of which a part has been sent.
    is_packing: bool,
    /// Whether only a part of a message has been sent.
    is_within: bool,
    /// The messages that still go plain because those before them did not shrink.
    skips_left: u32,
    /// The messages that go plain after the next one that does not shrink: 0, 1, and then twice as many each time.
    skips: u32,
    used_at: Instant,
    /// Runs while there is a compressor.
    silence: Option<Pin<Box<Sleep>>>,
    traffic: PackedTraffic,
}

impl Packer {
    /// Returns the packer of a connection.
    pub(crate) fn new(agreed: AgreedCompression) -> Self {
        let AgreedCompression { options, agreement } = agreed;
        Self {
            options,
            agreement,
            compressor: None,
            is_packing: false,
            is_within: false,
            skips_left: 0,
            skips: 0,
            used_at: Instant::now(),
            silence: None,
            traffic: PackedTraffic::default(),
        }
    }

    /// Calls `send` with the payload for a part of a message, and whether the message is compressed.
    pub(crate) fn pack(&mut self, first: bool, last: bool, part: &[u8], send: impl FnOnce(&[u8], bool)) {
        if first {
            self.is_packing = self.is_worth_it(part) && self.borrow();
        }
        self.is_within = !last;
        let Self { compressor: Some(compressor), agreement, traffic, is_packing: true, .. } = self else {
            self.traffic.add(part.len(), part.len());
            return send(part, false);
        };
        let may_grow = agreement.keeps && compressor.is_fresh() && part.len() <= FIRST_BYTES_MAX;
        let packed = compressor.compress(part, last);
        let shrinks = packed.len() < part.len();
        if first && !shrinks && !(may_grow && packed.len() < part.len() + growth(part.len())) {
            // The client's window will not have this message.
            compressor.reset();
            (self.skips_left, self.is_packing) = (self.skips, false);
            self.skips = (2 * self.skips).clamp(1, SKIPS_MAX);
            traffic.add(part.len(), part.len());
            return send(part, false);
        }
        traffic.add(part.len(), packed.len());
        send(packed, true);
        self.used_at = Instant::now();
        if shrinks {
            self.skips = 0;
        }
        if last && !agreement.keeps {
            self.give_back();
        }
    }

    /// Whether to try to compress a message that begins with `part`.
    fn is_worth_it(&mut self, part: &[u8]) -> bool {
        if part.is_empty() || part.len() < self.options.bytes_min {
            return false;
        }
        let is_skipped = self.skips_left > 0;
        self.skips_left = self.skips_left.saturating_sub(1);
        !is_skipped
    }

    /// Borrows a compressor, unless there is one. Returns whether there is one now.
    fn borrow(&mut self) -> bool {
        if self.compressor.is_none() {
            self.compressor = self.options.pool.lend(self.agreement.window_bits);
        }
        self.compressor.is_some()
    }

    fn give_back(&mut self) {
        (self.compressor, self.silence) = (None, None);
    }

    /// Notes that the client gets a compressed message from elsewhere, which its window will have.
    pub(crate) fn pass(&mut self, bytes: usize, packed: usize) {
        if let Some(compressor) = &mut self.compressor {
            compressor.reset();
        }
        self.traffic.add(bytes, packed);
    }

    /// Notes that the client gets a message from elsewhere that is not compressed.
    pub(crate) fn pass_plain(&mut self, bytes: usize) {
        self.traffic.add(bytes, bytes);
    }

    /// Gives the compressor back after a silence. The task of `cx` wakes up for that.
    pub(crate) fn poll_silence(&mut self, cx: &mut Context<'_>) {
        while self.compressor.is_some() {
            let end = self.used_at + COMPRESSOR_SILENCE;
            let silence = self.silence.get_or_insert_with(|| Box::pin(sleep_until(end)));
            if silence.as_mut().poll(cx).is_pending() {
                return;
            }
            if end <= Instant::now() && !self.is_within {
                return self.give_back();
            }
            silence.as_mut().reset(end.max(Instant::now() + COMPRESSOR_SILENCE / 4));
        }
    }

    /// Gives the compressor back, unless a message has been sent in part.
    pub(crate) fn rest(&mut self) {
        if !self.is_within {
            self.give_back();
        }
    }

    /// Returns the agreement for the direction of its messages.
    pub(crate) fn agreement(&self) -> Agreement {
        self.agreement
    }

    /// Returns the settings.
    pub(crate) fn options(&self) -> &CompressOptions {
        &self.options
    }

    /// Returns the bytes of the messages so far.
    pub(crate) fn traffic(&self) -> PackedTraffic {
        self.traffic
    }
}

/// Returns the bytes by which a first message of `length` may grow. A byte beyond ASCII takes 9 bits.
fn growth(length: usize) -> usize {
    16 + length / 8
}

#[cfg(test)]
mod tests;
