//! The records of a room on the bus: messages and their receivers.

use serde::{Deserialize, Serialize};

use crate::{
    close::Close,
    framing::events::Receivers,
    message::{Draft, Kind},
    partner::Verdict,
    status::Status,
};

/// A client has come: its variables in JSON.
pub(crate) const OPEN: &str = "open";
/// A client's messages.
pub(crate) const MESSAGE: &str = "message";
/// A client has left: the code and the reason.
pub(crate) const CLOSE: &str = "close";

/// The kind of a record of the output.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RecordKind {
    /// Messages for all clients.
    All,
    /// Messages for all clients but one.
    Except(String),
    /// Messages for these clients.
    Only(Vec<String>),
    /// The program closes a client.
    Close {
        /// The client.
        client: String,
        /// The code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// The room has ended.
    End {
        /// The close for all clients; `None` if there were none.
        close: Option<(u16, String)>,
    },
    /// This many records were dropped.
    Gap(u64),
}

impl RecordKind {
    /// Returns the kind of messages for these receivers.
    pub(super) fn messages(to: &Receivers) -> Self {
        match to {
            Receivers::All => Self::All,
            Receivers::Except(client) => Self::Except(client.clone()),
            Receivers::Only(clients) => Self::Only(clients.clone()),
        }
    }

    /// Returns the kind that closes a client.
    pub(super) fn close(client: &str, close: &Close) -> Self {
        let (client, reason) = (client.to_owned(), close.reason.to_string());
        Self::Close { client, code: close.code.unwrap_or(Close::NO_STATUS), reason }
    }

    /// Returns its text.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("a kind has a text")
    }

    /// Reads its text.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }
}

/// Returns the close for the clients of other nodes.
pub(crate) fn close_of(verdict: &Verdict) -> (u16, String) {
    match verdict {
        Verdict::Exit(None | Some(Status::Exit(0))) => (Close::NORMAL, String::new()),
        Verdict::Exit(Some(status)) => (4000 + status.shell(), status.to_string()),
        Verdict::Dismissed(close) => (close.code.unwrap_or(Close::NORMAL), close.reason.to_string()),
        Verdict::Slow => (Close::TRY_LATER, "too slow".to_owned()),
        Verdict::Overload => (Close::TRY_LATER, "server is out of buffers".to_owned()),
        Verdict::Garbled(why) => (Close::SERVER_ERROR, (*why).to_owned()),
    }
}

/// Returns the payload of a `close` record.
pub(super) fn close_data(code: u16, reason: &str) -> Vec<u8> {
    format!("{code} {reason}").into_bytes()
}

/// Reads the payload of a `close` record.
pub(crate) fn parse_close(data: &[u8]) -> (u16, String) {
    let text = String::from_utf8_lossy(data);
    let (code, reason) = text.split_once(' ').unwrap_or((&text, ""));
    (code.parse().unwrap_or(Close::ABNORMAL), reason.to_owned())
}

/// Returns the messages as one payload: type, length and bytes of each.
pub(super) fn encode<'a>(messages: impl Iterator<Item = (Kind, &'a [u8])>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, payload) in messages {
        bytes.push(u8::from(kind == Kind::Binary));
        bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(payload);
    }
    bytes
}

/// Reads the messages of a payload.
pub(crate) fn decode(mut bytes: &[u8]) -> Draft {
    let mut draft = Draft::default();
    while let Some((&[kind, a, b, c, d], rest)) = bytes.split_first_chunk::<5>() {
        let Some((payload, rest)) = rest.split_at_checked(u32::from_le_bytes([a, b, c, d]) as usize) else { break };
        draft.push(if kind == 0 { Kind::Text } else { Kind::Binary }, payload);
        bytes = rest;
    }
    draft
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_were() {
        let sent = [(Kind::Text, &b"a"[..]), (Kind::Binary, b""), (Kind::Text, b"\n\0x")];

        let draft = decode(&encode(sent.into_iter()));

        assert_eq!(draft.messages().collect::<Vec<_>>(), sent);
    }

    #[test]
    fn kinds_come_back_as_they_were() {
        let closes = RecordKind::Close { client: "a b".to_owned(), code: 4001, reason: "\"".to_owned() };
        let ends = RecordKind::End { close: Some((1000, String::new())) };
        for kind in [
            RecordKind::All,
            RecordKind::Except("x".to_owned()),
            RecordKind::Only(vec![]),
            closes,
            ends,
            RecordKind::Gap(3),
        ] {
            assert_eq!(RecordKind::parse(kind.text().as_bytes()), Some(kind));
        }
    }
}
