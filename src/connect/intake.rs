//! The messages of a server that wait for standard output, on a link that may return.

use std::collections::VecDeque;

use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use crate::{
    limits::{CONNECT_KEPT_BYTES, CONNECT_WAITING_MAX},
    resume::inbound::Inbound,
};

/// The messages and other news of the server that wait for standard output.
///
/// A message counts as received when it is taken from here, so that the server's window includes those that wait: the link
/// can then always read the acknowledgements behind them. When the connection is lost, those that wait count, too.
#[derive(Default)]
pub(super) struct Intake {
    items: VecDeque<IntakeItem>,
    bytes: usize,
    /// The number of items at the front that were counted.
    counted: usize,
}

/// One thing that a server has sent.
pub(super) enum IntakeItem {
    /// A message of the application.
    Message(Message),
    /// So many messages no longer exist.
    Gap(u64),
    /// A Close frame.
    Close(Option<CloseFrame>),
}

impl IntakeItem {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Gap(_) | Self::Close(_) => 0,
        }
    }

    fn count(&self, inbound: &mut Inbound) {
        match self {
            Self::Message(message) => inbound.take(message.len()),
            Self::Gap(count) => inbound.miss(*count),
            Self::Close(_) => {}
        }
    }
}

impl Intake {
    /// Adds an item.
    pub(super) fn push(&mut self, item: IntakeItem) {
        self.bytes += item.bytes();
        self.items.push_back(item);
    }

    /// Whether to read no more.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= CONNECT_KEPT_BYTES || self.items.len() >= CONNECT_WAITING_MAX
    }

    /// Takes the oldest item, and counts it.
    pub(super) fn pop(&mut self, inbound: &mut Inbound) -> Option<IntakeItem> {
        let item = self.items.pop_front()?;
        self.bytes -= item.bytes();
        match self.counted.checked_sub(1) {
            Some(counted) => self.counted = counted,
            None => item.count(inbound),
        }
        Some(item)
    }

    /// Counts all items.
    pub(super) fn count(&mut self, inbound: &mut Inbound) {
        self.items.iter().skip(self.counted).for_each(|item| item.count(inbound));
        self.counted = self.items.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_without_payload_fills_the_intake() {
        let empty: [fn() -> IntakeItem; 2] = [|| IntakeItem::Message(Message::text("")), || IntakeItem::Gap(1)];
        for item in empty {
            let (mut intake, mut inbound) = (Intake::default(), Inbound::default());

            let mut count = 0;
            while !intake.is_full() && count < 10 << 20 {
                intake.push(item());
                count += 1;
            }

            let bytes = count * size_of::<IntakeItem>();
            assert!(bytes < 8 * CONNECT_KEPT_BYTES, "{count} items, {bytes} bytes");
            intake.pop(&mut inbound);
            assert!(!intake.is_full(), "after one was taken");
        }
    }
}
