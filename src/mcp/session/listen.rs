//! The streams of a session, as answers carry them.

use std::sync::{Arc, atomic::Ordering};

use tokio::time::Instant;

use super::{
    super::{
        fault::{McpFault, code},
        lock::lock,
        stream::{self, StreamReader, StreamSender},
        terms::{Launching, Trouble},
    },
    McpSession, OpenStream, SessionCall, SessionPhase,
    streams::Attachment,
    unknown,
};
use crate::{admission::Permit, worker::Worker};

impl McpSession {
    /// Returns the two ends of a stream.
    pub(super) fn pair(self: &Arc<Self>, attachment: Attachment) -> (StreamSender, StreamReader) {
        let (waiting, client) = (Arc::clone(self), Arc::clone(self));
        let taken = move || {
            if waiting.is_blocked.swap(false, Ordering::Relaxed) {
                waiting.wire.wake();
            }
        };
        stream::pair(taken, move || client.left(attachment))
    }

    /// Notes that the client has left an answer. Nothing is cancelled, but a session that never began is over.
    fn left(&self, attachment: Attachment) {
        let mut state = lock(&self.state);
        state.streams.detach(attachment);
        state.idle_since = Instant::now();
        let begins = |call: &SessionCall| matches!(call, SessionCall::Client { stream, begins: true, .. } if *stream == attachment.stream);
        if state.calls.iter().any(|(_, call)| begins(&call.facts)) {
            state.finish();
        }
        drop(state);
        self.wire.wake();
    }

    /// Opens the stream for messages that belong to no request, or goes on with one after a message.
    pub(crate) async fn listen<E, F>(
        self: &Arc<Self>,
        after: Option<(u64, u64)>,
        launching: Launching<F>,
    ) -> Result<OpenStream, Trouble<E>>
    where
        E: Send + 'static,
        F: Future<Output = Result<(Worker, Permit), E>> + Send + 'static,
    {
        self.wake(&mut Some(launching)).await?;
        let mut state = lock(&self.state);
        if matches!(state.phase, SessionPhase::Over) {
            // It has ended meanwhile, and nothing would close a stream.
            return Err(unknown().into());
        }
        let attachment = after.map_or_else(|| state.streams.next(), |(stream, _)| state.streams.again(stream));
        let (sender, reader) = self.pair(attachment);
        let stream = attachment.stream;
        match after {
            Some((stream, number)) => {
                if !state.streams.resume(stream, number, sender) {
                    drop(state);
                    return Err(McpFault::new(400, code::REFUSED, "those events are gone").into());
                }
            }
            None => state.streams.open_get(sender),
        }
        if state.streams.is_get(stream) {
            for message in state.kept.take() {
                state.streams.push(stream, message, None);
            }
        }
        // Only a new stream has a number to tell.
        let is_primed = after.is_none() && state.record.is_primed();
        drop(state);
        self.wire.wake();
        Ok(OpenStream { reader, stream, is_primed })
    }

    /// Notes that the client learns the number of a stream, so that it may return.
    pub(crate) fn set_known(&self, stream: u64) {
        lock(&self.state).streams.set_known(stream);
    }
}
