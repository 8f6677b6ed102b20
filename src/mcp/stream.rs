//! The messages on their way to one HTTP answer: from the program's task to the body of the answer.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::message::MessageParts;

/// A message for a client.
#[derive(Clone, Debug)]
pub(crate) struct StreamMessage {
    /// The number of its stream, and its number there; `None` if the client cannot return to the stream.
    pub(crate) number: Option<(u64, u64)>,
    /// The message, on one line; empty in the first event of a stream, which only has a number.
    pub(crate) data: Bytes,
    /// Whether it is the answer to the request, after which the stream ends.
    pub(crate) answer: Option<McpAnswerKind>,
}

/// An answer to a request, as far as its status depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum McpAnswerKind {
    /// A result.
    Result,
    /// An error of the program, with its code.
    Error(Option<i64>),
    /// An error of the gateway, with its status.
    Fault(u16),
}

impl McpAnswerKind {
    /// Returns the kind of a program's answer.
    pub(super) fn of(parts: &MessageParts) -> Self {
        if parts.result.is_some() { Self::Result } else { Self::Error(parts.error) }
    }
}

/// The end of the program's task.
#[derive(Debug)]
pub(super) struct StreamSender {
    messages: UnboundedSender<StreamMessage>,
    waiting: Arc<AtomicUsize>,
}

/// The end of the answer. Dropping it tells that the client has left, or has all.
pub(crate) struct StreamReader {
    messages: UnboundedReceiver<StreamMessage>,
    waiting: Arc<AtomicUsize>,
    /// Called after each message that is taken.
    taken: Box<dyn Fn() + Send>,
    /// Called when it is dropped.
    left: Option<Box<dyn FnOnce() + Send>>,
}

/// Returns the two ends of a stream.
pub(in crate::mcp) fn pair(
    taken: impl Fn() + Send + 'static,
    left: impl FnOnce() + Send + 'static,
) -> (StreamSender, StreamReader) {
    let (sender, messages) = unbounded_channel();
    let waiting = Arc::<AtomicUsize>::default();
    let reader =
        StreamReader { messages, waiting: Arc::clone(&waiting), taken: Box::new(taken), left: Some(Box::new(left)) };
    (StreamSender { messages: sender, waiting }, reader)
}

impl StreamSender {
    /// Sends a message, unless the client has left.
    pub(super) fn send(&self, message: StreamMessage) {
        self.waiting.fetch_add(message.data.len(), Ordering::Relaxed);
        let _ = self.messages.send(message);
    }

    /// Returns the bytes that the client has not taken.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl StreamReader {
    /// Ready with the next message, or with `None` at the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamMessage>> {
        let message = ready!(self.messages.poll_recv(cx));
        if let Some(message) = &message {
            self.waiting.fetch_sub(message.data.len(), Ordering::Relaxed);
            (self.taken)();
        }
        Poll::Ready(message)
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            left();
        }
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamReader")
    }
}
