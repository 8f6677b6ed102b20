//! `--loglevel=trace`: each message in the log, with its direction, its type, its size and its beginning.

use crate::harness::eventsource::EventSource;
use crate::harness::server::{Server, field};
use crate::harness::websocket::Client;

const TRACE: &str = "--loglevel=trace";

/// The messages in a log, as `DIRECTION TYPE BYTES DATA`.
fn messages(log: &str) -> Vec<String> {
    let lines = log.lines().filter(|line| line.contains(" TRACE message conn="));
    let shown = |line: &str| ["direction", "type", "bytes", "data"].map(|key| field(line, key).unwrap()).join(" ");
    lines.map(shown).collect()
}

#[test]
fn each_message_is_shown_with_its_direction_type_size_and_beginning() {
    let mut server = Server::command(&[TRACE, "--framing=length"], &["cat"]);
    let mut client = server.connect("/");
    let umlauts = "é".repeat(100);
    for text in ["one two", "quote\" \\ \u{1b}[2J\r\n\u{2028}", &umlauts, ""] {
        client.text(text);
        client.message();
    }
    client.close(1000);
    client.drain();

    let log = server.stop();

    let (shown, front) = ("quote\\\" \\\\ \\u{1b}[2J\\r\\n\\u{2028}", "é".repeat(80));
    let size = "quote\" \\ \u{1b}[2J\r\n\u{2028}".len();
    let of = |direction: &str, kind: &str| {
        let data = [(7, "one two"), (size, shown), (200, &front), (0, "")];
        data.map(|(bytes, data)| format!("{direction} {kind} {bytes} {data}"))
    };
    let (sent, got) = (of("in", "text"), of("out", "binary"));
    let want: Vec<_> = sent.into_iter().zip(got).flat_map(|(sent, got)| [sent, got]).collect();
    assert_eq!(messages(&log), want, "{log}");
}

#[test]
fn a_message_in_fragments_is_shown_once() {
    let mut server = Server::shell(&[TRACE], "head -c 200000 /dev/zero | tr '\\0' 'x'; echo; echo end", &[]);
    let mut client = server.connect("/");
    assert_eq!(client.message().payload.len(), 200_000);
    client.rest();

    let log = server.stop();

    assert_eq!(messages(&log), [format!("out text 200000 {}", "x".repeat(80)), "out text 3 end".to_owned()]);
}

#[test]
fn more_than_20_messages_a_second_are_shown() {
    let mut server = Server::command(&[TRACE], &["seq", "1000"]);
    server.connect("/").rest();

    assert_eq!(messages(&server.stop()).len(), 1000);
}

#[test]
fn no_message_is_shown_at_debug_or_below() {
    for level in ["debug", "access", "info", "warn", "error", "fatal", "none"] {
        let mut server = Server::command(&[&format!("--loglevel={level}")], &["cat"]);
        let mut client = server.connect("/");
        client.text("private");
        assert_eq!(client.line(), "private");
        client.close(1000);
        client.drain();

        let log = server.stop();

        assert!(!log.contains("private") && !log.contains(" message "), "{level}: {log}");
    }
}

#[test]
fn messages_of_rooms_posts_and_event_streams_are_shown() {
    let mut server = Server::command(&[TRACE, "--shared", "--http"], &["cat"]);
    let mut clients = [server.connect("/"), server.connect("/")];
    clients[0].text("to all");
    assert_eq!(clients.each_mut().map(Client::line), ["to all", "to all"]);
    server.post("/", "", "posted\n");
    assert_eq!(clients.each_mut().map(Client::line), ["posted", "posted"]);
    let mut stream = EventSource::new(server.address, "/", "");
    stream.connect().unwrap();
    assert_eq!(stream.post("", "by stream\n").0, 204);
    assert_eq!(stream.line(), "by stream");
    assert_eq!(clients.each_mut().map(Client::line), ["by stream", "by stream"]);

    let mut shown = messages(&server.stop());

    shown.sort();
    let of = |text: &str, receivers| -> Vec<_> {
        let out = format!("out text {} {text}", text.len());
        std::iter::repeat_n(out, receivers).chain([format!("in text {} {text}", text.len())]).collect()
    };
    let mut want = [of("to all", 2), of("posted", 2), of("by stream", 3)].concat();
    want.sort();
    assert_eq!(shown, want);
}
