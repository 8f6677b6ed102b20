//! Server-sent events: splits an answer into the messages that it carries. Pure.
//!
//! Source: HTML, "Interpreting an event stream".

use std::{mem, time::Duration};

/// The reader of an event stream.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    /// The bytes of an unfinished line.
    rest: Vec<u8>,
    /// Whether the last byte was a carriage return, which a line feed may follow.
    is_after_return: bool,
    data: Vec<u8>,
    has_data: bool,
    is_other: bool,
    /// The id of the last event.
    pub(super) last_id: Option<String>,
    /// The pause before a return that the server asks for.
    pub(super) retry: Option<Duration>,
}

impl EventReader {
    /// Returns a reader for a stream that goes on after this event.
    pub(super) fn after(last_id: Option<String>, retry: Option<Duration>) -> Self {
        Self { last_id, retry, ..Self::default() }
    }

    /// Reads bytes. Calls `on` with the data of each event of the type `message`.
    pub(super) fn read(&mut self, bytes: &[u8], mut on: impl FnMut(Vec<u8>)) {
        let mut from = 0;
        for at in memchr::memchr2_iter(b'\n', b'\r', bytes) {
            let part = &bytes[mem::replace(&mut from, at + 1)..at];
            let is_second = mem::take(&mut self.is_after_return) && part.is_empty() && bytes[at] == b'\n';
            self.is_after_return = bytes[at] == b'\r';
            if is_second {
                continue;
            }
            let mut line = mem::take(&mut self.rest);
            line.extend_from_slice(part);
            if let Some(data) = self.line(line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&line)) {
                on(data);
            }
        }
        if from < bytes.len() {
            self.is_after_return = false;
            self.rest.extend_from_slice(&bytes[from..]);
        }
    }

    /// Returns the bytes that wait for the end of their event.
    pub(super) fn held(&self) -> usize {
        self.rest.len() + self.data.len()
    }

    /// Reads a line. Returns the data of the event that it ends.
    fn line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        if line.is_empty() {
            let (has_data, is_other) = (mem::take(&mut self.has_data), mem::take(&mut self.is_other));
            let data = mem::take(&mut self.data);
            return (has_data && !is_other && !data.trim_ascii().is_empty()).then_some(data);
        }
        let (name, value) = line.iter().position(|&byte| byte == b':').map_or((line, &b""[..]), |at| {
            let value = &line[at + 1..];
            (&line[..at], value.strip_prefix(b" ").unwrap_or(value))
        });
        match name {
            b"data" => {
                if mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"event" => self.is_other = !value.is_empty() && value != b"message",
            b"id" if !value.contains(&0) => self.last_id = str::from_utf8(value).ok().map(str::to_owned),
            b"retry" => {
                let millis = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                self.retry = millis.map(Duration::from_millis).or(self.retry);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_wherever_the_bytes_are_cut() {
        let stream = "\u{feff}: hello\nid: 0\nretry: 250\ndata:\n\nevent: message\r\nid: 1\r\ndata: {\"a\":\r\ndata:  1}\r\n\r\n\
                      event: other\ndata: no\n\ndata: two\r\revent\ndata:three\n\nid: 9\ndata: unfinished";
        for size in 1..stream.len() {
            let (mut reader, mut seen) = (EventReader::default(), Vec::new());
            for part in stream.as_bytes().chunks(size) {
                reader.read(part, |data| seen.push(String::from_utf8(data).expect("text")));
            }
            assert_eq!(seen, ["{\"a\":\n 1}", "two", "three"], "{size}");
            assert_eq!((reader.last_id.as_deref(), reader.retry), (Some("9"), Some(Duration::from_millis(250))));
        }
    }
}
