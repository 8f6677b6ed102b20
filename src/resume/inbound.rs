//! The messages of the other side: their number, and the acknowledgement that is owed.

use std::{pin::Pin, task::Context};

use tokio::time::{Sleep, sleep};

use super::control;
use crate::limits::{ACK_BYTES, ACK_DELAY, ACK_MESSAGES, FLOOD_ACK_BYTES, FLOOD_ACK_MESSAGES};

/// The messages that one side has of the other.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    /// The number of messages.
    got: u64,
    /// The number and the bytes of those that are not acknowledged.
    messages: u32,
    bytes: usize,
    /// Whether more may have come already.
    has_more: bool,
    /// Whether to acknowledge them now.
    is_due: bool,
    /// The time at which to acknowledge them.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Inbound {
    /// Returns the number of messages.
    pub(crate) fn got(&self) -> u64 {
        self.got
    }

    /// Counts a message of this size.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.got += 1;
        self.messages += 1;
        self.bytes += bytes;
    }

    /// Notes whether more messages may have come already.
    pub(super) fn note_more(&mut self, has_more: bool) {
        self.has_more = has_more;
    }

    /// Counts a message that needs no acknowledgement here: the answer to its POST is one.
    pub(crate) fn note(&mut self) {
        self.got += 1;
    }

    /// Counts messages that no longer exist.
    pub(crate) fn miss(&mut self, count: u64) {
        self.got = self.got.saturating_add(count);
        self.messages += 1;
    }

    /// Owes no acknowledgement: the connection is lost, or the greeting of a new one tells the number.
    pub(crate) fn forget_debt(&mut self) {
        *self = Self { got: self.got, ..Self::default() };
    }

    /// Whether an acknowledgement is due. Wakes the task of `cx` when one will be.
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>) -> bool {
        if self.messages == 0 || self.is_due {
            return self.is_due;
        }
        let (messages_max, bytes_max) =
            if self.has_more { (FLOOD_ACK_MESSAGES, FLOOD_ACK_BYTES) } else { (ACK_MESSAGES, ACK_BYTES) };
        let is_much = self.messages >= messages_max || self.bytes >= bytes_max;
        let mut is_late = || self.timer.get_or_insert_with(|| Box::pin(sleep(ACK_DELAY))).as_mut().poll(cx).is_ready();
        self.is_due = is_much || is_late();
        self.is_due
    }

    /// Returns the acknowledgement, if it is due.
    pub(crate) fn take_ack(&mut self) -> Option<String> {
        self.is_due.then(|| {
            self.forget_debt();
            control::ack(self.got)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn messages_are_acknowledged_in_larger_steps_while_more_come() {
        let table = [
            (false, ACK_MESSAGES - 1, 0, false),
            (false, ACK_MESSAGES, 0, true),
            (false, 1, ACK_BYTES, true),
            (true, ACK_MESSAGES, ACK_BYTES, false),
            (true, FLOOD_ACK_MESSAGES, 0, true),
            (true, 1, FLOOD_ACK_BYTES, true),
        ];
        for (row, (has_more, messages, bytes, want)) in table.into_iter().enumerate() {
            let mut inbound = Inbound::default();
            inbound.take(bytes);
            (1..messages).for_each(|_| inbound.take(0));
            inbound.note_more(has_more);

            assert_eq!(inbound.poll_due(&mut Context::from_waker(Waker::noop())), want, "row {row}");
            assert_eq!(inbound.take_ack().is_some(), want, "row {row}");
        }
    }
}
