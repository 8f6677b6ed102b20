//! The body of an answer with events: a message in each, and a comment now and then.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::Frame;
use tokio::time::{Instant, Sleep, sleep};

use crate::{
    limits::HEARTBEAT_INTERVAL,
    mcp::stream::{StreamMessage, StreamReader},
};

/// The events.
pub(super) struct McpEvents {
    /// The events that are there already.
    first: Option<Bytes>,
    reader: StreamReader,
    is_over: bool,
    heartbeat: Pin<Box<Sleep>>,
}

impl McpEvents {
    /// Returns the events of a stream. The first tells its number if it is `primed`; `message` has been read already.
    pub(super) fn new(reader: StreamReader, primed: Option<u64>, message: Option<StreamMessage>) -> Self {
        let mut first = primed.map(|stream| format!("id: {stream}.0\ndata: \n\n").into_bytes()).unwrap_or_default();
        if let Some(message) = message {
            append(&message, &mut first);
        }
        let first = (!first.is_empty()).then(|| first.into());
        Self { first, reader, is_over: false, heartbeat: Box::pin(sleep(HEARTBEAT_INTERVAL)) }
    }
}

/// Appends a message as an event. JSON on one line needs no more than that.
fn append(message: &StreamMessage, events: &mut Vec<u8>) {
    if let Some((stream, number)) = message.number {
        events.extend_from_slice(format!("id: {stream}.{number}\n").as_bytes());
    }
    events.extend_from_slice(b"event: message\ndata: ");
    events.extend_from_slice(&message.data);
    events.extend_from_slice(b"\n\n");
}

impl hyper::body::Body for McpEvents {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if this.is_over {
            return Poll::Ready(None);
        }
        let events = match this.reader.poll_next(cx) {
            Poll::Ready(Some(message)) => {
                this.is_over = message.answer.is_some();
                let mut event = Vec::with_capacity(message.data.len() + 64);
                append(&message, &mut event);
                event
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {
                ready!(this.heartbeat.as_mut().poll(cx));
                b":\n\n".to_vec()
            }
        };
        this.heartbeat.as_mut().reset(Instant::now() + HEARTBEAT_INTERVAL);
        Poll::Ready(Some(Ok(Frame::data(events.into()))))
    }
}
