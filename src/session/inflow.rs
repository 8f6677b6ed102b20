//! The rate of a client (`--rate-in`). The session does not read a client that has used it up: so the client waits, and loses
//! nothing.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep};

use crate::{
    message::Kind,
    rate::{FlowRate, Meter},
};

/// The rate of a client, and the messages that a read brought beyond it. These are the messages of one read, since the session
/// reads again when there are none.
#[derive(Debug)]
pub(crate) struct Inflow {
    bytes: Option<(FlowRate, Meter)>,
    messages: Option<(FlowRate, Meter)>,
    /// The messages that wait, one after the other: the kind, the length, the payload.
    waiting: Vec<u8>,
    /// The part of them that has gone.
    gone: usize,
    /// Wakes the session when the next message may pass.
    timer: Option<Pin<Box<Sleep>>>,
}

/// The bytes before the payload of a message that waits.
const HEAD_BYTES: usize = 1 + size_of::<usize>();

impl Inflow {
    /// Returns the state for these rates; `None` if there is none.
    pub(super) fn new(bytes: Option<FlowRate>, messages: Option<FlowRate>) -> Option<Self> {
        (bytes.is_some() || messages.is_some()).then(|| Self {
            bytes: bytes.map(|rate| (rate, Meter::default())),
            messages: messages.map(|rate| (rate, Meter::default())),
            waiting: Vec::new(),
            gone: 0,
            timer: None,
        })
    }

    /// Ready when the client may send another message.
    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            let now = Instant::now();
            let rates = [&self.bytes, &self.messages].into_iter().flatten();
            let Some(wait) = rates.filter_map(|(rate, meter)| meter.wait(rate, now)).max() else {
                return Poll::Ready(());
            };
            self.timer = Some(Box::pin(sleep(wait)));
        }
    }

    /// Resolves when the client may send another message. Cancel safe.
    pub(crate) async fn open(&mut self) {
        poll_fn(|cx| self.poll_open(cx)).await;
    }

    /// Whether the session does not read the client at present.
    pub(super) fn is_shut(&self) -> bool {
        self.timer.is_some() || !self.waiting.is_empty()
    }

    /// Takes a message that has come: returns whether it may pass now. If not, it waits.
    pub(super) fn pass(&mut self, kind: Kind, payload: &[u8]) -> bool {
        let now = Instant::now();
        let rates = [&self.bytes, &self.messages];
        if self.waiting.is_empty() && rates.into_iter().flatten().all(|(rate, meter)| meter.wait(rate, now).is_none()) {
            self.take(payload.len(), 1, now);
            return true;
        }
        self.waiting.push(u8::from(kind == Kind::Binary));
        self.waiting.extend_from_slice(&payload.len().to_ne_bytes());
        self.waiting.extend_from_slice(payload);
        false
    }

    /// Takes the next message that waits, and hands it to `on`. Returns whether there was one.
    pub(super) fn pop(&mut self, on: impl FnOnce(Kind, &[u8])) -> bool {
        let Some((&[kind, ref length @ ..], rest)) = self.waiting[self.gone..].split_first_chunk::<HEAD_BYTES>() else {
            self.forget();
            return false;
        };
        let payload = &rest[..usize::from_ne_bytes(*length)];
        on(if kind == 0 { Kind::Text } else { Kind::Binary }, payload);
        let bytes = payload.len();
        self.gone += HEAD_BYTES + bytes;
        self.take(bytes, 1, Instant::now());
        true
    }

    /// Drops the messages that wait.
    pub(super) fn forget(&mut self) {
        (self.waiting, self.gone) = (Vec::new(), 0);
    }

    /// Returns the bytes that wait here.
    pub(super) fn held(&self) -> usize {
        self.waiting.capacity()
    }

    /// Counts bytes and messages that pass now.
    pub(crate) fn count(&mut self, bytes: usize, messages: u64) {
        self.take(bytes, messages, Instant::now());
    }

    /// Whether the number of messages is limited.
    pub(crate) fn counts_messages(&self) -> bool {
        self.messages.is_some()
    }

    fn take(&mut self, bytes: usize, messages: u64, now: Instant) {
        for (rates, units) in [(&mut self.bytes, bytes as u64), (&mut self.messages, messages)] {
            if let Some((rate, meter)) = rates {
                meter.take(rate, units, now);
            }
        }
    }
}
