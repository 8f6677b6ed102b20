//! The control messages of `wsd.resume.1`: texts of U+0000 and a JSON object. Pure.
//!
//! A text of the application that begins with U+0000 gets one more of them in front, so that it is no control message.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::door::Token;
use crate::message::Kind;

/// A message of the other side, by its meaning.
#[derive(Debug, PartialEq)]
pub(crate) enum Incoming<'a> {
    /// A message of the application.
    Message(&'a [u8]),
    /// The other side has this number of messages; `None` if it is no number of messages.
    Ack(Option<u64>),
    /// This number of messages no longer exist; `None` if it is no number of messages.
    Gap(Option<u64>),
    /// A question for a [`pong`] with this value.
    Ping(Value),
    /// The answer to a [`ping`].
    Pong,
    /// The first message of a server.
    Greeting(Greeting),
    /// A control message of a later version.
    Unknown,
}

/// The largest number of messages: the integers that JavaScript has.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;

#[derive(Deserialize)]
struct ControlKeys {
    session: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    ack: Option<Value>,
    gap: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    ping: Option<Value>,
    pong: Option<Value>,
}

/// Reads a value, which may be `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads a message of a client or of a server.
pub(crate) fn read(kind: Kind, payload: &[u8]) -> Incoming<'_> {
    match split(kind, payload) {
        Ok(message) => Incoming::Message(message),
        Err(control) => read_control(control),
    }
}

/// Returns a message of the application, or the JSON of a control message as an error.
pub(super) fn split(kind: Kind, payload: &[u8]) -> Result<&[u8], &[u8]> {
    match payload {
        [0, message @ ..] if kind == Kind::Text && message.first() == Some(&0) => Ok(message),
        [0, control @ ..] if kind == Kind::Text => Err(control),
        _ => Ok(payload),
    }
}

/// Reads the JSON of a control message.
pub(super) fn read_control(json: &[u8]) -> Incoming<'static> {
    // The derived reader would take the values of an array, too.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Incoming::Unknown;
    }
    match serde_json::from_slice(json) {
        Ok(ControlKeys { ack: Some(ack), .. }) => Incoming::Ack(count(&ack)),
        Ok(ControlKeys { ping: Some(ping), .. }) if !ping.is_object() && !ping.is_array() => Incoming::Ping(ping),
        Ok(ControlKeys { gap: Some(gap), .. }) => Incoming::Gap(count(&gap)),
        Ok(ControlKeys { pong: Some(_), .. }) => Incoming::Pong,
        Ok(ControlKeys { session: Some(_), .. }) => {
            serde_json::from_slice(json).map_or(Incoming::Unknown, Incoming::Greeting)
        }
        _ => Incoming::Unknown,
    }
}

/// Returns a number of messages, in any form that JSON has for an integer: `1`, `1.0`, `1e0`.
fn count(value: &Value) -> Option<u64> {
    let whole = |number: &f64| number.fract() == 0.0 && (0.0..=COUNT_MAX).contains(number);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
    value.as_u64().or_else(|| value.as_f64().filter(whole).map(|number| number as u64))
}

/// The first message of each connection.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Greeting {
    /// The token, with which the client may return.
    pub(crate) session: Token,
    /// The number of messages that the server has of the client.
    pub(crate) got: u64,
    /// Whether the session is an earlier one.
    pub(crate) resumed: bool,
    /// The seconds that the session waits for its client.
    pub(crate) keep: f64,
    /// Bytes of messages that may be unacknowledged.
    pub(crate) window: usize,
    /// The reason for which the client did not get its earlier session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<Cow<'static, str>>,
}

impl Greeting {
    /// Returns the text of the message.
    pub(super) fn text(&self) -> String {
        format!("\0{}", self.json())
    }

    /// Returns the object of the message.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("it is JSON")
    }
}

/// Tells the other side that this number of its messages has come.
pub(crate) fn ack(count: u64) -> String {
    format!("\0{}", json!({ "ack": count }))
}

/// Tells the client that this number of messages no longer exist.
pub(super) fn gap(count: u64) -> String {
    format!("\0{}", json!({ "gap": count }))
}

/// Asks the other side for a [`pong`].
pub(crate) fn ping() -> String {
    format!("\0{}", json!({ "ping": 1 }))
}

/// Answers a ping.
pub(crate) fn pong(value: &Value) -> String {
    format!("\0{}", json!({ "pong": value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_begins_with_nul_is_a_control_message_unless_it_is_escaped() {
        let table = [
            (Kind::Text, "", Incoming::Message(b"")),
            (Kind::Text, "{\"ack\":1}", Incoming::Message(b"{\"ack\":1}")),
            (Kind::Text, "\0\0", Incoming::Message(b"\0")),
            (Kind::Text, "\0\0{\"ack\":1}", Incoming::Message(b"\0{\"ack\":1}")),
            (Kind::Binary, "\0{\"ack\":1}", Incoming::Message(b"\0{\"ack\":1}")),
            (Kind::Text, "\0{\"ack\":1}", Incoming::Ack(Some(1))),
            (Kind::Text, "\0{\"ack\":-1}", Incoming::Ack(None)),
            (Kind::Text, "\0{\"ack\":\"1\"}", Incoming::Ack(None)),
            (Kind::Text, "\0{\"ack\":null}", Incoming::Ack(None)),
            (Kind::Text, "\0{\"ack\":1.5}", Incoming::Ack(None)),
            (Kind::Text, "\0{\"ack\":-1.0}", Incoming::Ack(None)),
            (Kind::Text, "\0{\"ack\":1e99}", Incoming::Ack(None)),
            (Kind::Text, "\0{\"ack\":1.0}", Incoming::Ack(Some(1))),
            (Kind::Text, "\0 {\"ack\":1e2}", Incoming::Ack(Some(100))),
            (Kind::Text, "\0{\"ping\":null}", Incoming::Ping(Value::Null)),
            (Kind::Text, "\0{\"ping\":false}", Incoming::Ping(false.into())),
            (Kind::Text, "\0[1,null]", Incoming::Unknown),
            (Kind::Text, "\0 [null,1]", Incoming::Unknown),
            (Kind::Text, "\0{\"ping\":\"x\"}", Incoming::Ping("x".into())),
            (Kind::Text, "\0{\"ping\":[1]}", Incoming::Unknown),
            (Kind::Text, "\0{\"pong\":1}", Incoming::Pong),
            (Kind::Text, "\0{\"gap\":7}", Incoming::Gap(Some(7))),
            (Kind::Text, "\0{\"gap\":-7}", Incoming::Gap(None)),
            (
                Kind::Text,
                "\0{\"session\":\"short\",\"got\":0,\"resumed\":false,\"keep\":1,\"window\":1}",
                Incoming::Unknown,
            ),
            (Kind::Text, "\0{\"more\":1}", Incoming::Unknown),
            (Kind::Text, "\0", Incoming::Unknown),
            (Kind::Text, "\0[1]", Incoming::Unknown),
        ];
        for (kind, text, want) in table {
            assert_eq!(read(kind, text.as_bytes()), want, "{kind:?} {text:?}");
        }
    }
    #[test]
    fn a_greeting_is_read_as_it_was_written() {
        let session = Token::parse(&"A".repeat(43)).expect("a token");
        for lost in [None, Some("unknown".into())] {
            let greeting = Greeting { session: session.clone(), got: 3, resumed: true, keep: 1.5, window: 9, lost };
            let text = greeting.text();

            assert_eq!(read(Kind::Text, text.as_bytes()), Incoming::Greeting(greeting));
        }
    }
}
