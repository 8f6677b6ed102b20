//! The rate of a client (`--rate-in`) for the body of a request that is no message of a session.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::carried::Carried;
use crate::session::{inflow::Inflow, terms::Terms};

/// The rate for the body of a request; without one, all passes at once.
#[derive(Debug, Default)]
pub(super) struct Ration {
    inflow: Option<Inflow>,
    /// The byte that ends each message; `None` if the body has no such ends.
    delimiter: Option<u8>,
}

impl Ration {
    /// Takes the rate out of the terms of a request, for a body whose messages end with `delimiter`.
    pub(super) fn new(terms: &mut Option<Box<Terms>>, delimiter: Option<u8>) -> Self {
        Self { inflow: terms.as_mut().and_then(|terms| terms.take_inflow()), delimiter }
    }

    /// Takes the part of `data` that may pass next, once it may: all of it, or one message if their number is limited.
    pub(super) async fn next(&mut self, data: &mut Bytes, carried: &Carried) -> Bytes {
        self.open(carried).await;
        let Some(inflow) = &mut self.inflow else { return data.split_off(0) };
        let delimiter = self.delimiter.filter(|_| inflow.counts_messages());
        let end = delimiter.and_then(|delimiter| data.iter().position(|byte| *byte == delimiter));
        let part = data.split_to(end.map_or(data.len(), |end| end + 1));
        inflow.count(part.len(), u64::from(end.is_some()));
        part
    }

    /// Counts bytes and messages that have come, once the client may send more.
    pub(super) async fn count(&mut self, bytes: usize, messages: u64, carried: &Carried) {
        self.open(carried).await;
        if let Some(inflow) = &mut self.inflow {
            inflow.count(bytes, messages);
        }
    }

    /// Resolves when the client may send more.
    async fn open(&mut self, carried: &Carried) {
        if let Some(inflow) = &mut self.inflow {
            carried.is_rationed.store(true, Ordering::Relaxed);
            inflow.open().await;
            carried.is_rationed.store(false, Ordering::Relaxed);
        }
    }
}
