//! The text of events (WHATWG HTML, section 9.2.6). Pure.
//!
//! Each event has an id of a token and a number, so that a browser names the last one that it has when it returns.

use data_encoding::BASE64;
use memchr::{memchr, memchr_iter};
use serde_json::json;

use crate::{close::Close, message::Kind};

/// The time in milliseconds after which a browser returns.
const RETRY_MS: u32 = 1000;

/// A comment, which shows that the connection is alive.
pub(super) const HEARTBEAT: &[u8] = b":\n\n";

/// Appends the first event of a connection. The client has `number` messages.
pub(super) fn open(token: &str, number: u64, greeting: &str, events: &mut Vec<u8>) {
    let text = format!("retry: {RETRY_MS}\nevent: open\ndata: {greeting}\nid: {token}.{number}\n\n");
    events.extend_from_slice(text.as_bytes());
}

/// Appends a message.
///
/// A line of an event cannot hold a carriage return. Such a text, and any bytes, are in base64; only that of a text has the
/// field `kind`, which browsers ignore.
pub(super) fn message(token: &str, number: u64, kind: Kind, payload: &[u8], events: &mut Vec<u8>) {
    id(token, number, events);
    if kind == Kind::Text && memchr(b'\r', payload).is_none() {
        let mut start = 0;
        for end in memchr_iter(b'\n', payload).chain([payload.len()]) {
            events.extend_from_slice(b"data: ");
            events.extend_from_slice(&payload[start..end]);
            events.push(b'\n');
            start = end + 1;
        }
    } else {
        events.extend_from_slice(if kind == Kind::Text { b"event: base64\nkind: text\n" } else { b"event: base64\n" });
        events.extend_from_slice(b"data: ");
        let start = events.len();
        events.resize(start + BASE64.encode_len(payload.len()), 0);
        BASE64.encode_mut(payload, &mut events[start..]);
        events.push(b'\n');
    }
    events.push(b'\n');
}

/// Appends a note that `count` messages up to `number` no longer exist.
pub(super) fn gap(token: &str, number: u64, count: u64, events: &mut Vec<u8>) {
    id(token, number, events);
    events.extend_from_slice(format!("event: gap\ndata: {count}\n\n").as_bytes());
}

/// Appends the last event. With its id a browser that returns is told to stop.
///
/// If wsd itself stops there is no id, so that a browser returns to the next wsd. If another connection has taken the session
/// over, the id has no token: the session goes on.
pub(super) fn close(token: &str, close: &Close, events: &mut Vec<u8>) {
    match close.code {
        Some(Close::GOING_AWAY) => {}
        Some(Close::TAKEN_OVER) => events.extend_from_slice(b"id: .closed\n"),
        _ => events.extend_from_slice(format!("id: {token}.closed\n").as_bytes()),
    }
    let data = json!({ "code": close.code.unwrap_or(Close::NO_STATUS), "reason": close.reason });
    events.extend_from_slice(format!("event: close\ndata: {data}\n\n").as_bytes());
}

fn id(token: &str, number: u64, events: &mut Vec<u8>) {
    events.extend_from_slice(format!("id: {token}.{number}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(append: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut events = Vec::new();
        append(&mut events);
        String::from_utf8(events).expect("an event is text")
    }

    #[test]
    fn a_message_of_any_bytes_is_an_event() {
        let table: [(Kind, &[u8], &str); 12] = [
            (Kind::Text, b"", "data: \n"),
            (Kind::Text, b"a", "data: a\n"),
            (Kind::Text, b" a", "data:  a\n"),
            (Kind::Text, b"a\nb", "data: a\ndata: b\n"),
            (Kind::Text, b"\n", "data: \ndata: \n"),
            (Kind::Text, b"a\0b", "data: a\0b\n"),
            (Kind::Text, "\u{1F600}\u{2028}".as_bytes(), "data: \u{1F600}\u{2028}\n"),
            (Kind::Text, b"data: x: y", "data: data: x: y\n"),
            (Kind::Text, b"\r", "event: base64\nkind: text\ndata: DQ==\n"),
            (Kind::Text, b"a\r\nb", "event: base64\nkind: text\ndata: YQ0KYg==\n"),
            (Kind::Binary, b"", "event: base64\ndata: \n"),
            (Kind::Binary, b"\xFF\n", "event: base64\ndata: /wo=\n"),
        ];
        for (kind, payload, want) in table {
            let want = format!("id: T.7\n{want}\n");
            assert_eq!(event(|events| message("T", 7, kind, payload, events)), want, "{kind:?} {payload:?}");
        }
    }

    #[test]
    fn the_other_events_have_their_data_and_their_ids() {
        let told = |code, reason| event(|events| close("T", &Close::new(code, reason), events));
        let table = [
            (event(|events| open("T", 3, "{}", events)), "retry: 1000\nevent: open\ndata: {}\nid: T.3\n\n"),
            (event(|events| gap("T", 9, 4, events)), "id: T.9\nevent: gap\ndata: 4\n\n"),
            (told(4003, "exit 3"), "id: T.closed\nevent: close\ndata: {\"code\":4003,\"reason\":\"exit 3\"}\n\n"),
            (told(1001, ""), "event: close\ndata: {\"code\":1001,\"reason\":\"\"}\n\n"),
            (told(4409, ""), "id: .closed\nevent: close\ndata: {\"code\":4409,\"reason\":\"\"}\n\n"),
        ];
        for (got, want) in table {
            assert_eq!(got, want);
        }
    }
}
