//! `--framing=json`: an object of JSON on every line, for programs that distinguish their clients. To the
//! program, in this order of keys:
//!
//! ```json
//! {"event":"open","client":"ID","env":{"REMOTE_ADDR":"127.0.0.1"}}
//! {"event":"message","client":"ID","text":"…"}
//! {"event":"message","client":"ID","binary":"base64"}
//! {"event":"close","client":"ID","code":1000,"reason":"…"}
//! ```
//!
//! From the program: `text` or `binary`, to all clients, or with `to` or `except`; or `close`.

use data_encoding::BASE64;
use memchr::memchr;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{limits::COMMAND_BYTES_MAX, message::Kind};

/// An event for the program.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum ClientEvent<'a> {
    Open {
        client: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        node: Option<&'a str>,
        env: serde_json::Map<String, serde_json::Value>,
    },
    Message {
        client: &'a str,
        #[serde(flatten)]
        content: MessageContent<'a>,
    },
    Close {
        client: &'a str,
        code: u16,
        reason: &'a str,
    },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum MessageContent<'a> {
    Text(&'a str),
    Binary(String),
}

/// Appends an `open` event for a new client; `node` is that of the client in a cluster, `variables` are those of CGI.
pub(crate) fn open<'a>(
    client: &str,
    node: Option<&str>,
    variables: impl Iterator<Item = (&'a str, &'a str)>,
    input: &mut Vec<u8>,
) {
    let env = variables.map(|(name, value)| (name.to_owned(), value.into())).collect();
    append(&ClientEvent::Open { client, node, env }, input);
}

/// Appends a `message` event with a client's message; text is UTF-8.
pub(crate) fn message(client: &str, kind: Kind, payload: &[u8], input: &mut Vec<u8>) {
    let content = match (kind, str::from_utf8(payload)) {
        (Kind::Text, Ok(text)) => MessageContent::Text(text),
        _ => MessageContent::Binary(BASE64.encode(payload)),
    };
    append(&ClientEvent::Message { client, content }, input);
}

/// Returns the bytes that [`message`] appends at most.
pub(crate) fn message_bytes(client: &str, kind: Kind, payload: &[u8]) -> usize {
    let content = match kind {
        Kind::Text => {
            payload.iter().map(|byte| if *byte < 0x20 { 6 } else { 1 + usize::from(b"\"\\".contains(byte)) }).sum()
        }
        Kind::Binary => payload.len().div_ceil(3) * 4,
    };
    content + client.len() + r#"{"event":"message","client":"","binary":""}"#.len() + 1
}

/// Appends a `close` event for a client that is gone.
pub(crate) fn close(client: &str, code: u16, reason: &str, input: &mut Vec<u8>) {
    append(&ClientEvent::Close { client, code, reason }, input);
}

fn append(event: &ClientEvent<'_>, input: &mut Vec<u8>) {
    serde_json::to_writer(&mut *input, event).expect("a vector takes all");
    input.push(b'\n');
}

/// A command of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A message for some clients.
    Send { kind: Kind, payload: Vec<u8>, to: Receivers },
    /// A close for one client.
    Close { client: String, code: u16, reason: String },
}

/// The receivers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Receivers {
    /// Every client.
    All,
    /// Every client except this one.
    Except(String),
    /// These clients, each once.
    Only(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CommandKeys {
    #[serde(deserialize_with = "given")]
    text: Option<String>,
    #[serde(deserialize_with = "given")]
    binary: Option<String>,
    #[serde(deserialize_with = "given")]
    to: Option<Names>,
    #[serde(deserialize_with = "given")]
    except: Option<String>,
    #[serde(deserialize_with = "given")]
    close: Option<String>,
    #[serde(deserialize_with = "given")]
    code: Option<u16>,
    #[serde(deserialize_with = "given")]
    reason: Option<String>,
}

/// Reads the value of a present key, and refuses a null: with `"to":null`, a message for one client would go to all.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`to` is an ID, or a list of them")]
enum Names {
    One(String),
    Several(Vec<String>),
}

/// The UTF-8 of U+FEFF, which some programs print first.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads one line of the program. The error says why the line is invalid.
///
/// Invalid characters cost themselves only: bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD, and a
/// byte-order mark is skipped.
fn command(line: &[u8]) -> Result<Command, String> {
    let text = String::from_utf8_lossy(line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line));
    read(text.as_bytes()).or_else(|why| mend_surrogates(&text).map_or(Err(why), |mended| read(mended.as_bytes())))
}

/// Replaces the escapes of half surrogate pairs (`\ud83d`); `None` if there is none.
fn mend_surrogates(text: &str) -> Option<String> {
    let unit = |at: usize| u16::from_str_radix(text.get(at..)?.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let (mut mended, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(found) = memchr(b'\\', &text.as_bytes()[at..]) {
        at += found;
        at += match (unit(at), unit(at + 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                mended += &text[copied..at];
                mended += "\u{fffd}";
                copied = at + 6;
                6
            }
            (Some(_), _) => 6,
            (None, _) => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    (copied > 0).then(|| mended + &text[copied..])
}

fn read(line: &[u8]) -> Result<Command, String> {
    if !line.trim_ascii_start().starts_with(b"{") {
        // serde would also accept a list, and take its values in the order of the keys.
        return Err("it is not a JSON object".to_owned());
    }
    let CommandKeys { text, binary, to, except, close, code, reason } =
        serde_json::from_slice(line).map_err(|error| null_in(line).unwrap_or_else(|| error.to_string()))?;
    let (kind, payload) = match (text, binary, close) {
        (Some(text), None, None) => (Kind::Text, text.into_bytes()),
        (None, Some(binary), None) => match BASE64.decode(binary.as_bytes()) {
            Ok(payload) => (Kind::Binary, payload),
            Err(error) => return Err(format!("`binary` is not base64: {error}")),
        },
        (None, None, Some(client)) if to.is_none() && except.is_none() => {
            let (code, reason) = (code.unwrap_or(1000), reason.unwrap_or_default());
            if code != 1000 && !(4000..=4999).contains(&code) {
                return Err("`code` is 1000, or 4000 to 4999".to_owned());
            }
            if reason.len() > 123 {
                return Err("`reason` is longer than 123 bytes".to_owned());
            }
            return Ok(Command::Close { client, code, reason });
        }
        _ => return Err("it must have one of `text`, `binary` and `close`".to_owned()),
    };
    if code.is_some() || reason.is_some() {
        return Err("`code` and `reason` go with `close`".to_owned());
    }
    let to = match (to, except) {
        (None, None) => Receivers::All,
        (None, Some(client)) => Receivers::Except(client),
        (Some(Names::One(client)), None) => Receivers::Only(vec![client]),
        (Some(Names::Several(mut clients)), None) => {
            clients.sort_unstable();
            clients.dedup();
            Receivers::Only(clients)
        }
        (Some(_), Some(_)) => return Err("`to` and `except` contradict each other".to_owned()),
    };
    Ok(Command::Send { kind, payload, to })
}

/// Returns the error for a line with a null value; `None` if there is no null.
fn null_in(line: &[u8]) -> Option<String> {
    let keys: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).ok()?;
    let (key, _) = keys.iter().find(|(_, value)| value.is_null())?;
    Some(format!("`{key}` is null: leave the key out, or give it a value"))
}

/// A line of the program's output.
#[derive(Debug)]
pub(crate) enum ParsedLine<'a> {
    /// A command.
    Command(Command),
    /// An invalid line: its beginning, and the reason.
    Invalid(&'a [u8], String),
}

/// Bytes of an invalid line that go to the log.
const BEGINNING_BYTES: usize = 80;

/// Splits output into lines, and reads a command from each.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    /// The front of an unfinished line: at most [`COMMAND_BYTES_MAX`] and one read.
    held: Vec<u8>,
    /// Whether the current line is too long, so that its rest is skipped.
    is_skipping: bool,
}

impl Commands {
    /// Takes the next bytes of the output and calls `on` with each line that they complete, in order.
    pub(crate) fn decode(&mut self, mut output: &[u8], on: &mut impl FnMut(ParsedLine<'_>)) {
        while let Some(end) = memchr(b'\n', output) {
            let (line, rest) = (&output[..end], &output[end + 1..]);
            output = rest;
            if std::mem::take(&mut self.is_skipping) {
                continue;
            }
            let mut held = std::mem::take(&mut self.held);
            if held.is_empty() {
                say(line, on);
            } else {
                held.extend_from_slice(line);
                say(&held, on);
            }
        }
        if self.is_skipping {
            return;
        }
        self.held.extend_from_slice(output);
        if self.held.len() > COMMAND_BYTES_MAX {
            let held = std::mem::take(&mut self.held);
            self.is_skipping = true;
            on(ParsedLine::Invalid(beginning(&held), "the line is too long".to_owned()));
        }
    }

    /// Returns the bytes of memory that an unfinished line takes up.
    pub(crate) fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Calls `on` with a last line without a newline.
    pub(crate) fn finish(&mut self, on: &mut impl FnMut(ParsedLine<'_>)) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            say(&held, on);
        }
    }
}

fn say(line: &[u8], on: &mut impl FnMut(ParsedLine<'_>)) {
    if line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii().is_empty() {
        return;
    }
    match command(line) {
        Ok(command) => on(ParsedLine::Command(command)),
        Err(why) => on(ParsedLine::Invalid(beginning(line), why)),
    }
}

fn beginning(line: &[u8]) -> &[u8] {
    &line[..line.len().min(BEGINNING_BYTES)]
}

#[cfg(test)]
mod tests;
