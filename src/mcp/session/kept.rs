//! The messages of a program for which the client has no stream yet. Pure, but for the clock that is handed in.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

use crate::limits::mcp::{MCP_KEPT_BYTES_MAX, MCP_KEPT_MESSAGES_MAX, MCP_KEPT_TIME_MAX};

/// The messages, in order.
#[derive(Debug, Default)]
pub(super) struct KeptMessages {
    messages: VecDeque<KeptMessage>,
    bytes: usize,
}

#[derive(Debug)]
struct KeptMessage {
    since: Instant,
    data: Bytes,
    /// The id of a request, as JSON.
    id: Option<Box<[u8]>>,
}

impl KeptMessages {
    /// Keeps a message; `id` is that of a request.
    pub(super) fn add(&mut self, data: Bytes, id: Option<&[u8]>, now: Instant) {
        self.bytes += data.len();
        self.messages.push_back(KeptMessage { since: now, data, id: id.map(Into::into) });
    }

    /// Forgets the messages beyond the limits. Returns the ids of the requests among them, which nobody will answer.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Box<[u8]>> {
        let mut ids = Vec::new();
        while let Some(first) = self.messages.front() {
            let is_over = self.messages.len() > MCP_KEPT_MESSAGES_MAX || self.bytes > MCP_KEPT_BYTES_MAX;
            if !is_over && now < first.since + MCP_KEPT_TIME_MAX {
                break;
            }
            let Some(first) = self.messages.pop_front() else { break };
            self.bytes -= first.data.len();
            ids.extend(first.id);
        }
        ids
    }

    /// Returns the time at which the first message expires.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.messages.front().map(|first| first.since + MCP_KEPT_TIME_MAX)
    }

    /// Takes all messages.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.bytes = 0;
        self.messages.drain(..).map(|message| message.data).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_messages_go_beyond_the_number_the_bytes_and_the_time() {
        let start = Instant::now();
        let ids =
            |ids: Vec<Box<[u8]>>| ids.iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect::<Vec<_>>();
        let mut kept = KeptMessages::default();
        for number in 0..=MCP_KEPT_MESSAGES_MAX {
            kept.add(Bytes::from_static(b"x"), Some(number.to_string().as_bytes()), start);
        }
        assert_eq!(ids(kept.expire(start)), ["0"]);
        kept.add(vec![b'x'; MCP_KEPT_BYTES_MAX - 1].into(), None, start + Duration::from_secs(1));
        assert_eq!(kept.expire(start).len(), MCP_KEPT_MESSAGES_MAX - 1);
        assert_eq!(kept.next_look(), Some(start + MCP_KEPT_TIME_MAX));
        let late = start + MCP_KEPT_TIME_MAX;
        assert_eq!(ids(kept.expire(late)), [MCP_KEPT_MESSAGES_MAX.to_string()]);
        assert_eq!((kept.take().len(), kept.next_look()), (1, None));
    }
}
