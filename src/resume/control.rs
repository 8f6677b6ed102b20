//! The control messages of `wsd.resume.1`: texts of U+0000 and a JSON object. Pure.
//!
//! A text of the application that begins with U+0000 gets one more of them in front, so that it is no control message.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::door::Token;
use crate::message::Kind;

/// A message of a client, by its meaning.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming<'a> {
    /// A message for the program.
    Message(&'a [u8]),
    /// The client has this number of messages; `None` if it is no number of messages.
    Ack(Option<u64>),
    /// A question for a [`pong`] with this value.
    Ping(Value),
    /// A control message of a later version.
    Unknown,
}

/// The largest number of messages: the integers that JavaScript has.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;

#[derive(Deserialize)]
struct ControlKeys {
    #[serde(default, deserialize_with = "given")]
    ack: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    ping: Option<Value>,
}

/// Reads a value, which may be `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads a message of a client.
pub(super) fn read(kind: Kind, payload: &[u8]) -> Incoming<'_> {
    match payload {
        [0, message @ ..] if kind == Kind::Text && message.first() == Some(&0) => Incoming::Message(message),
        [0, control @ ..] if kind == Kind::Text => read_control(control),
        _ => Incoming::Message(payload),
    }
}

fn read_control(json: &[u8]) -> Incoming<'static> {
    // The derived reader would take the values of an array, too.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Incoming::Unknown;
    }
    match serde_json::from_slice(json) {
        Ok(ControlKeys { ack: Some(ack), .. }) => Incoming::Ack(count(&ack)),
        Ok(ControlKeys { ping: Some(ping), .. }) if !ping.is_object() && !ping.is_array() => Incoming::Ping(ping),
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
#[derive(Debug, Serialize)]
pub(super) struct Greeting<'a> {
    /// The token, with which the client may return.
    pub(super) session: &'a Token,
    /// The number of messages that wsd has of the client.
    pub(super) got: u64,
    /// Whether the session is an earlier one.
    pub(super) resumed: bool,
    /// The seconds that the session waits for its client.
    pub(super) keep: f64,
    /// Bytes of messages that may be unacknowledged.
    pub(super) window: usize,
    /// The reason for which the client did not get its earlier session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lost: Option<&'static str>,
}

impl Greeting<'_> {
    /// Returns the text of the message.
    pub(super) fn text(&self) -> String {
        format!("\0{}", self.json())
    }

    /// Returns the object of the message.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("it is JSON")
    }
}

/// Tells the client that wsd has this number of messages.
pub(super) fn ack(count: u64) -> String {
    format!("\0{}", json!({ "ack": count }))
}

/// Tells the client that this number of messages no longer exist.
pub(super) fn gap(count: u64) -> String {
    format!("\0{}", json!({ "gap": count }))
}

/// Answers a ping.
pub(super) fn pong(value: &Value) -> String {
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
            (Kind::Text, "\0{\"more\":1}", Incoming::Unknown),
            (Kind::Text, "\0", Incoming::Unknown),
            (Kind::Text, "\0[1]", Incoming::Unknown),
        ];
        for (kind, text, want) in table {
            assert_eq!(read(kind, text.as_bytes()), want, "{kind:?} {text:?}");
        }
    }
}
