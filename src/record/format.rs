//! The lines of a recording: an object of JSON each. The first is the head, the others are steps.

use std::{borrow::Cow, fmt};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

use crate::message::Kind;

/// The version of the format.
pub(crate) const VERSION: u32 = 1;

/// The first line. It has no query, no header and no argument of the program: they may be secret.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RecordHead {
    /// The version of the format; the key tells what the file is.
    pub(crate) recording: u32,
    /// The version of wsd.
    pub(crate) wsd: String,
    /// The time of the beginning in UTC.
    pub(crate) began: String,
    /// The number of the connection; 0 for a program that started without one.
    pub(crate) conn: u64,
    /// The path of the program.
    pub(crate) route: String,
    /// The name of the program's file.
    pub(crate) program: String,
    /// The word of the framing.
    pub(crate) framing: String,
    /// The limit of a message; 0 is no limit.
    pub(crate) maxframesize: usize,
    /// Whether standard output was a raw terminal.
    pub(crate) unbuffer: bool,
}

/// A line behind the head.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Step<'a> {
    /// Microseconds since the beginning.
    pub(crate) us: u64,
    /// The kind of the step.
    pub(crate) dir: Dir,
    /// The type of a message.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<KindWord>,
    /// The client of a room that sent the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<Cow<'a, str>>,
    /// The content, if it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<Cow<'a, str>>,
    /// The content, if it is binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base64: Option<Cow<'a, str>>,
    /// Whether the message goes on in the next step of this direction.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) more: bool,
    /// In the step of the end: whether the program or wsd ended the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<Ender>,
    /// In the step of the end: the exit status of the program, as a shell shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// In the step of a cut: the reason why the recording breaks off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<Cow<'a, str>>,
}

/// The kinds of steps.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Dir {
    /// A message to the program.
    In,
    /// A message from the program.
    Out,
    /// The end of the program's input, before the end of its output.
    Eof,
    /// A line of standard error.
    Err,
    /// The end of the program.
    End,
    /// The recording breaks off.
    Cut,
}

/// The types of messages.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KindWord {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// The side that ends a session.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ender {
    /// The program has ended, and all its output is in the recording.
    Program,
    /// wsd has closed the program's standard input, since a client left or for another reason.
    Wsd,
}

impl<'a> Step<'a> {
    /// Returns a step without content.
    pub(crate) fn new(dir: Dir) -> Self {
        Self {
            us: 0,
            dir,
            kind: None,
            client: None,
            text: None,
            base64: None,
            more: false,
            by: None,
            status: None,
            why: None,
        }
    }

    /// Returns a message, or a piece of one.
    pub(crate) fn message(dir: Dir, kind: Kind, payload: &'a [u8]) -> Self {
        let step = Self { kind: Some(kind.into()), ..Self::new(dir) };
        match str::from_utf8(payload) {
            Ok(text) if kind == Kind::Text => Self { text: Some(text.into()), ..step },
            // A piece of a text may end inside a character.
            _ => Self { base64: Some(BASE64.encode(payload).into()), ..step },
        }
    }

    /// Returns the content; the error says what is wrong with it.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, String> {
        match (&self.text, &self.base64) {
            (Some(text), None) => Ok(text.as_bytes().to_vec()),
            (None, Some(base64)) => {
                BASE64.decode(base64.as_bytes()).map_err(|error| format!("`base64` is not base64: {error}"))
            }
            _ => Err("a message has `text` or `base64`".to_owned()),
        }
    }
}

impl From<Kind> for KindWord {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Binary => Self::Binary,
        }
    }
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Text => Self::Text,
            KindWord::Binary => Self::Binary,
        }
    }
}

impl fmt::Display for KindWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Text { "text" } else { "binary" })
    }
}

/// Returns the time in UTC with microseconds: `2026-11-21T08:00:00.123456Z`.
pub(super) fn now() -> String {
    let mut time = String::new();
    // Writing to a string cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    time
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was() {
        let table: [(Kind, &[u8], &str); 5] = [
            (Kind::Text, b"a\"\n\x01", r#"{"us":0,"dir":"in","type":"text","text":"a\"\n\u0001"}"#),
            (Kind::Text, b"", r#"{"us":0,"dir":"in","type":"text","text":""}"#),
            (Kind::Text, b"\xC3", r#"{"us":0,"dir":"in","type":"text","base64":"ww=="}"#),
            (Kind::Binary, b"ab", r#"{"us":0,"dir":"in","type":"binary","base64":"YWI="}"#),
            (Kind::Binary, b"", r#"{"us":0,"dir":"in","type":"binary","base64":""}"#),
        ];
        for (kind, payload, line) in table {
            let written = serde_json::to_string(&Step::message(Dir::In, kind, payload)).expect("JSON");
            assert_eq!(written, line);

            let read: Step<'_> = serde_json::from_str(&written).expect("a step");
            assert_eq!((read.payload().as_deref(), read.kind.map(Kind::from)), (Ok(payload), Some(kind)), "{line}");
        }
    }
}
