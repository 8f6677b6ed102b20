//! The streams of a session, and the ring of their latest messages, which a client gets again that returns. Pure.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::super::stream::{McpAnswerKind, StreamMessage, StreamSender};
use crate::limits::mcp::MCP_RING_MESSAGES_MAX;

/// The streams of a session.
#[derive(Debug)]
pub(super) struct SessionStreams {
    flows: HashMap<u64, StreamFlow>,
    ring: VecDeque<StreamMessage>,
    ring_bytes: usize,
    ring_bytes_max: usize,
    last: u64,
    /// The stream for messages that belong to no request.
    get: Option<u64>,
    attachments: u64,
}

/// A stream.
#[derive(Debug, Default)]
struct StreamFlow {
    /// The answer that carries it, if the client reads one, and the number of that answer.
    carrier: Option<(u64, StreamSender)>,
    /// The number of its last message.
    last: u64,
    /// Whether more may come.
    is_open: bool,
    /// Whether the client knows its number.
    is_known: bool,
    /// Its messages in the ring.
    kept: usize,
}

/// The number of a stream, and that of the answer that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attachment {
    /// The stream.
    pub(crate) stream: u64,
    answer: u64,
}

impl SessionStreams {
    /// Returns no streams. The ring has up to `ring_bytes_max` bytes.
    pub(super) fn new(ring_bytes_max: usize) -> Self {
        let (flows, ring) = (HashMap::new(), VecDeque::new());
        Self { flows, ring, ring_bytes: 0, ring_bytes_max, last: 0, get: None, attachments: 0 }
    }

    /// Returns the attachment of the next stream.
    pub(super) fn next(&self) -> Attachment {
        Attachment { stream: self.last + 1, answer: self.attachments + 1 }
    }

    /// Returns the attachment of a stream that a client returns to.
    pub(super) fn again(&self, stream: u64) -> Attachment {
        Attachment { stream, answer: self.attachments + 1 }
    }

    /// Opens the next stream, for a request.
    pub(super) fn open(&mut self, sender: StreamSender) {
        self.last += 1;
        self.attachments += 1;
        let flow = StreamFlow { carrier: Some((self.attachments, sender)), is_open: true, ..StreamFlow::default() };
        self.flows.insert(self.last, flow);
    }

    /// Opens the next stream, for messages that belong to no request. It replaces the one before.
    pub(super) fn open_get(&mut self, sender: StreamSender) {
        self.open(sender);
        self.set_known(self.last);
        self.replace_get(self.last);
    }

    fn replace_get(&mut self, stream: u64) {
        if let Some(before) = self.get.replace(stream).filter(|before| *before != stream) {
            self.close(before);
        }
    }

    /// Notes that the client knows the number of a stream.
    pub(super) fn set_known(&mut self, stream: u64) {
        if let Some(flow) = self.flows.get_mut(&stream) {
            flow.is_known = true;
        }
    }

    /// Goes on with a stream after its message with the number `after`. Returns false if messages after that one are gone.
    pub(super) fn resume(&mut self, stream: u64, after: u64, sender: StreamSender) -> bool {
        let Some(flow) = self.flows.get_mut(&stream) else { return false };
        let of_flow = self.ring.iter().filter(|message| message.number.is_some_and(|(of, _)| of == stream));
        let missed: Vec<_> = of_flow.filter(|message| message.number.is_some_and(|(_, at)| at > after)).collect();
        if after > flow.last || (missed.len() as u64) < flow.last - after {
            return false;
        }
        for message in missed {
            sender.send(message.clone());
        }
        if flow.is_open {
            self.attachments += 1;
            flow.carrier = Some((self.attachments, sender));
        }
        true
    }

    /// Whether a stream is the one for messages that belong to no request.
    pub(super) fn is_get(&self, stream: u64) -> bool {
        self.get == Some(stream)
    }

    /// Sends a message over a stream; an answer is the last one.
    pub(super) fn push(&mut self, stream: u64, data: Bytes, answer: Option<McpAnswerKind>) {
        let Some(flow) = self.flows.get_mut(&stream) else { return };
        flow.last += 1;
        let message = StreamMessage { number: Some((stream, flow.last)), data, answer };
        // An answer that is the whole of its stream goes out as JSON, without a number to return with.
        let is_kept = flow.is_known || answer.is_none();
        if let Some((_, sender)) = &flow.carrier {
            sender.send(message.clone());
        }
        if is_kept {
            flow.is_known = true;
            flow.kept += 1;
            self.ring_bytes += message.data.len();
            self.ring.push_back(message);
        }
        if answer.is_some() {
            self.close(stream);
        }
        self.trim(self.ring_bytes_max);
    }

    /// Forgets the oldest messages of the ring beyond the limits.
    fn trim(&mut self, bytes_max: usize) {
        while self.ring_bytes > bytes_max || self.ring.len() > MCP_RING_MESSAGES_MAX {
            let Some(StreamMessage { number: Some((stream, _)), data, .. }) = self.ring.pop_front() else { return };
            self.ring_bytes -= data.len();
            if let Some(flow) = self.flows.get_mut(&stream) {
                flow.kept -= 1;
                if !flow.is_open && flow.kept == 0 {
                    self.flows.remove(&stream);
                }
            }
        }
    }

    /// Forgets the ring.
    pub(super) fn clear(&mut self) {
        self.trim(0);
    }

    /// Gives memory back.
    pub(super) fn shrink(&mut self) {
        self.flows.shrink_to_fit();
        self.ring.shrink_to_fit();
    }

    /// Ends a stream.
    pub(super) fn close(&mut self, stream: u64) {
        let Some(flow) = self.flows.get_mut(&stream) else { return };
        (flow.carrier, flow.is_open) = (None, false);
        if flow.kept == 0 {
            self.flows.remove(&stream);
        }
        self.get.take_if(|get| *get == stream);
    }

    /// Ends all streams.
    pub(super) fn close_all(&mut self) {
        let all: Vec<_> = self.flows.keys().copied().collect();
        for stream in all {
            self.close(stream);
        }
    }

    /// Notes that a client has left an answer. Its stream stays, for a client that returns.
    pub(super) fn detach(&mut self, Attachment { stream, answer }: Attachment) {
        if let Some(flow) = self.flows.get_mut(&stream) {
            flow.carrier.take_if(|(carrier, _)| *carrier == answer);
        }
    }

    /// Whether a client reads a stream.
    pub(super) fn is_read(&self, stream: u64) -> bool {
        self.flows.get(&stream).is_some_and(|flow| flow.carrier.is_some())
    }

    /// Whether a client may return to a stream that is open.
    pub(super) fn is_awaited(&self, stream: u64) -> bool {
        self.flows.get(&stream).is_some_and(|flow| flow.is_open && flow.is_known)
    }

    /// Returns the stream for messages that belong to no request, if a client reads it.
    pub(super) fn get(&self) -> Option<u64> {
        self.get.filter(|stream| self.is_read(*stream))
    }

    /// Whether a client reads any stream.
    pub(super) fn are_read(&self) -> bool {
        self.flows.values().any(|flow| flow.carrier.is_some())
    }

    /// Returns the most bytes that wait for the client in a stream.
    pub(super) fn waiting(&self) -> usize {
        self.all_waiting().max().unwrap_or(0)
    }

    /// Returns the bytes that wait for the client in all streams, or those in the ring if they are more: mostly the ring has
    /// these messages, too.
    pub(super) fn held(&self) -> usize {
        self.all_waiting().sum::<usize>().max(self.ring_bytes)
    }

    fn all_waiting(&self) -> impl Iterator<Item = usize> {
        self.flows.values().filter_map(|flow| Some(flow.carrier.as_ref()?.1.waiting()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::stream::pair;

    #[test]
    fn a_client_may_return_to_the_messages_that_the_ring_has() {
        let mut streams = SessionStreams::new(3);
        let (sender, _reader) = pair(|| {}, || {});
        streams.open(sender);
        for _ in 0..4 {
            streams.push(1, Bytes::from_static(b"x"), None);
        }
        let mut returns = |stream, after| streams.resume(stream, after, pair(|| {}, || {}).0);
        for (stream, after, want) in [(1, 4, true), (1, 1, true), (1, 0, false), (1, 5, false), (2, 0, false)] {
            assert_eq!(returns(stream, after), want, "{stream}.{after}");
        }
        assert!(streams.is_read(1));
        streams.push(1, Bytes::from_static(b"y"), Some(McpAnswerKind::Result));
        assert!(!streams.is_read(1) && streams.resume(1, 4, pair(|| {}, || {}).0), "the answer is in the ring");
        streams.clear();
        assert!(!streams.resume(1, 4, pair(|| {}, || {}).0));
    }

    #[test]
    fn an_answer_alone_is_not_kept() {
        let mut streams = SessionStreams::new(1000);
        let (sender, _reader) = pair(|| {}, || {});
        streams.open(sender);
        streams.push(1, Bytes::from_static(b"x"), Some(McpAnswerKind::Result));
        assert!(streams.flows.is_empty() && streams.ring.is_empty());
    }
}
