//! Tests the base protocol of LSP on both sides, with output cut everywhere.

use super::*;
use crate::limits::LINE_BYTES_HELD;

/// Returns a header and a body.
fn message(body: &str) -> String {
    format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The messages of an output, its junk, and the rule that it breaks at its end.
type Parsed = (Vec<String>, String, Option<&'static str>);

/// Returns the whole messages of `reads`. Each ends with `|` in the text of junk.
fn decode<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Parsed {
    let mut decoder = LspBodies::default();
    let (mut messages, mut junk, mut open) = (Vec::new(), String::new(), None::<String>);
    let mut emit = |decoded: Decoded<'_>| match decoded {
        Decoded::Piece(piece) => {
            assert_eq!((piece.kind, piece.first), (Kind::Text, open.is_none()));
            let text = str::from_utf8(piece.payload).expect("whole characters");
            let whole = open.take().unwrap_or_default() + text;
            if piece.last { messages.push(whole) } else { open = Some(whole) }
        }
        Decoded::Junk(line) => {
            assert!(open.is_none(), "junk is not within a message");
            junk.push_str(&String::from_utf8_lossy(line));
            junk.push('|');
        }
    };
    let mut fault = reads.into_iter().find_map(|read| decoder.decode(read, &mut emit).err());
    if fault.is_none() {
        fault = decoder.finish(&mut emit).err();
    }
    (messages, junk, fault.map(|Garbled(why)| why))
}

fn parsed(messages: &[&str], junk: &str, fault: Option<&'static str>) -> Parsed {
    (messages.iter().map(|text| (*text).to_owned()).collect(), junk.to_owned(), fault)
}

#[test]
fn output_becomes_messages_wherever_it_is_cut() {
    let long = format!("Content-Length: 2\r\n{}\r\n{{}}", "X-Filler: 1\r\n".repeat(316));
    assert!(long.len() > 4096, "with its body it is over the limit: {}", long.len());
    let cut = Some("the output ends within a message");
    let table: [(String, Parsed); 25] = [
        (String::new(), parsed(&[], "", None)),
        (message("{}") + &message("[1]"), parsed(&["{}", "[1]"], "", None)),
        (message("{\"a\":\"é€😀\"}") + &message("x\ny"), parsed(&["{\"a\":\"é€😀\"}", "x\ny"], "", None)),
        (message("") + &message("a"), parsed(&["", "a"], "", None)),
        ("content-length:2\n\n{}".into(), parsed(&["{}"], "", None)),
        ("CONTENT-TYPE: a/b\r\nContent-Length :\t 002 \r\n\r\n{}".into(), parsed(&["{}"], "", None)),
        ("Content-Length: 2\r\nContent-Length: 2\r\nX: y\r\n\r\n{}".into(), parsed(&["{}"], "", None)),
        ("Loading…\n\r\nReady\r\n".to_owned() + &message("{}"), parsed(&["{}"], "Loading…|Ready|", None)),
        (message("{}") + "oops\n" + &message("[]") + "\r\n\nend", parsed(&["{}", "[]"], "oops|end|", None)),
        ("banner Content-Length: 2\n".to_owned() + &message("{}"), parsed(&["{}"], "banner Content-Length: 2|", None)),
        ("Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}".into(), parsed(&[], "", Some("two Content-Lengths"))),
        ("Content-Type: a/b\r\n\r\n{}".into(), parsed(&[], "", Some("a header without Content-Length"))),
        ("Content-Length: -1\r\n\r\n".into(), parsed(&[], "", Some("an invalid Content-Length"))),
        ("Content-Length: +1\r\n\r\n{".into(), parsed(&[], "", Some("an invalid Content-Length"))),
        ("Content-Length: \r\n\r\n{".into(), parsed(&[], "", Some("an invalid Content-Length"))),
        ("Content-Length: 1e3\r\n\r\n{".into(), parsed(&[], "", Some("an invalid Content-Length"))),
        ("Content-Length: 2147483649\r\n\r\n{".into(), parsed(&[], "", Some("an invalid Content-Length"))),
        ("Content-Length: 99999999999999999999999\r\n\r\n".into(), parsed(&[], "", Some("an invalid Content-Length"))),
        ("Content-Length: 2147483648\r\n\r\n{".into(), parsed(&[], "", cut)),
        ("Content-Length\r\n\r\n{}".into(), parsed(&[], "", Some("a header line without a colon"))),
        (long, parsed(&[], "", Some("a header over 4 KiB"))),
        (message("{}") + "Content-Le", parsed(&["{}"], "", cut)),
        (message("{}") + "Content-Length: 5\r\n", parsed(&["{}"], "", cut)),
        (message("{}") + "Content-Length: 5\r\n\r\n{\"a\"", parsed(&["{}"], "", cut)),
        ("x".repeat(5000) + "\n" + &message("{}"), {
            parsed(&["{}"], &format!("{}|{}|", "x".repeat(4096), "x".repeat(904)), None)
        }),
    ];
    for (output, want) in table {
        let output = output.as_bytes();
        assert_eq!(decode([output]), want, "{}", output.escape_ascii());
        for size in [1, 2, 3, 5, 7, 64, 4095, 4096, 4097] {
            assert_eq!(decode(output.chunks(size)), want, "reads of {size}: {}", output.escape_ascii());
        }
        for cut in 0..output.len().min(200) {
            let (front, back) = output.split_at(cut);
            assert_eq!(decode([front, back]), want, "cut at {cut}: {}", output.escape_ascii());
        }
    }
}

#[test]
fn a_header_may_have_4_kib() {
    for (more, fault) in [(0, None), (1, Some("a header over 4 KiB"))] {
        let rest = "Content-Length: 0\r\n\r\n";
        let filler = "x".repeat(LSP_HEADER_BYTES_MAX - rest.len() - "Content-X: \r\n".len() + more);
        let output = format!("Content-X: {filler}\r\n{rest}");
        assert_eq!(decode([output.as_bytes()]).2, fault);
        assert_eq!(decode(output.as_bytes().chunks(100)).2, fault);
    }
}

#[test]
fn a_body_that_is_not_utf_8_breaks_the_framing() {
    for body in [&b"\"\xFF\""[..], b"\"\xE2\x82\"", b"\"\xE2\x82", b"\"\xED\xA0\x80\""] {
        let mut output = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        output.extend_from_slice(body);
        // The next message cannot complete a character.
        output.extend_from_slice(b"\xACContent-Length: 0\r\n\r\n");
        for size in [1, 2, 1000] {
            assert_eq!(decode(output.chunks(size)), parsed(&[], "", Some("a body that is not UTF-8")), "{body:?}");
        }
    }
}

#[test]
fn the_charset_of_a_header_is_noted_unless_it_is_utf_8() {
    let table = [
        ("application/vscode-jsonrpc; charset=utf-8", false),
        ("application/vscode-jsonrpc; charset=utf8", false),
        ("application/vscode-jsonrpc;CharSet=\"UTF-8\"", false),
        ("application/vscode-jsonrpc", false),
        ("application/vscode-jsonrpc; charset=utf-16", true),
        ("a/b; q=1; charset = latin1", true),
    ];
    for (value, want) in table {
        let mut decoder = LspBodies::default();
        let output = format!("Content-Type: {value}\r\nContent-Length: 2\r\n\r\n{{}}");
        decoder.decode(output.as_bytes(), &mut |_| {}).expect("its body is UTF-8");
        assert_eq!(decoder.has_other_charset(), want, "{value}");
    }
}

#[test]
fn memory_stays_flat_within_an_endless_body_and_an_endless_line() {
    for start in ["Content-Length: 2147483648\r\n\r\n", "banner"] {
        let mut decoder = LspBodies::default();
        decoder.decode(start.as_bytes(), &mut |_| {}).expect("it breaks no rule");
        for _ in 0..100 {
            decoder.decode("é".repeat(30_000).as_bytes(), &mut |_| {}).expect("it breaks no rule");
            assert!(decoder.held() <= LINE_BYTES_HELD);
        }
    }
}

#[test]
fn the_stream_begins_after_what_has_begun_to_come() {
    let table: [(&str, &str, &[&str]); 5] = [
        ("", "Content-Length: 2\r\n\r\n{}", &["Content-Length: 2\r\n\r\n{}"]),
        ("banner\n", "raw", &["banner|", "raw"]),
        ("ban", "ner\nraw", &["banner|", "raw"]),
        ("Content-Length: 2\r\n", "\r\n{}raw", &["{}", "raw"]),
        ("Content-Length: 3\r\n\r\n{", "1}raw", &["{", "1}", "raw"]),
    ];
    for (before, after, want) in table {
        let (mut decoder, mut said) = (LspBodies::default(), Vec::new());
        let mut emit = |decoded: Decoded<'_>| match decoded {
            Decoded::Piece(piece) => {
                said.push((piece.kind, String::from_utf8(piece.payload.to_vec()).expect("text")));
            }
            Decoded::Junk(line) => said.push((Kind::Text, String::from_utf8_lossy(line).into_owned() + "|")),
        };
        decoder.decode(before.as_bytes(), &mut emit).expect("it breaks no rule");
        decoder.begin_stream();
        decoder.decode(after.as_bytes(), &mut emit).expect("it breaks no rule");
        decoder.finish(&mut emit).expect("a stream cannot be cut");

        let last = said.last().expect("the stream");
        assert_eq!(last.0, Kind::Binary, "{before:?}");
        assert_eq!(said.iter().map(|(_, text)| &**text).collect::<Vec<_>>(), want, "{before:?}");
    }
}

/// Returns the input for the messages of a client, and how the last one was taken.
fn encode(messages: &[&[u8]]) -> (String, Result<Heard, Rejected>) {
    let (mut client, mut input, mut heard) = (LspClient::default(), Vec::new(), Ok(Heard::Message));
    for message in messages {
        let before = input.len();
        heard = client.encode(Kind::Binary, message, &mut input);
        let is_appended = matches!(heard, Ok(Heard::Message | Heard::Stream));
        assert!(is_appended || input.len() == before, "{}", message.escape_ascii());
    }
    (String::from_utf8(input).expect("text"), heard)
}

#[test]
fn a_message_of_a_client_gets_a_header() {
    let body = "{\"a\":\"é\"}";
    let headed = message(body);
    let lower = format!("content-type: a/b\ncontent-length: {}\n\n{body}", body.len());
    let wrong = Err(Rejected("wrong Content-Length"));
    let table: [(&[&str], String, Result<Heard, Rejected>); 10] = [
        (&[body], headed.clone(), Ok(Heard::Message)),
        (&[body, body], headed.repeat(2), Ok(Heard::Message)),
        (&[body, &headed], headed.repeat(2), Ok(Heard::Message)),
        (&[body, &lower], headed.repeat(2), Ok(Heard::Message)),
        (&[""], String::new(), Ok(Heard::Ignored("it is blank"))),
        (&["", &headed], headed.clone(), Ok(Heard::Stream)),
        (&[body, "Content-Length: 0\r\n\r\n"], headed.clone(), Ok(Heard::Ignored("it is blank"))),
        (&[body, "Content-Length: 1\r\n\r\n{}"], headed.clone(), wrong),
        (&[body, "Content-Length: 2"], headed.clone(), Err(Rejected("a header without an end"))),
        (&[body, "Content-Length: -2\r\n\r\n{}"], headed.clone(), Err(Rejected("an invalid Content-Length"))),
    ];
    for (messages, input, heard) in table {
        let messages: Vec<_> = messages.iter().map(|message| message.as_bytes()).collect();
        assert_eq!(encode(&messages), (input, heard), "{messages:?}");
    }
    assert_eq!(encode(&[b"{\"\xFF\"}"]).1, Err(NOT_TEXT));
    let long = [&b"Content-X: "[..], &[b'x'; 5000], b"\r\n\r\n"].concat();
    assert_eq!(encode(&[b"{}", &long]).1, Err(Rejected("a header over 4 KiB")));
}

#[test]
fn a_client_that_begins_with_a_header_sends_a_stream() {
    for header in ["Content-Length: 2\r\n\r\n", "content-length: 2\r\n\r\n", "Content-Type: a/b\r\n"] {
        let (input, heard) = encode(&[header.as_bytes(), b"", b"{", b"}Content-Length: 9\r\n\r\n"]);
        assert_eq!((input, heard), (format!("{header}{{}}Content-Length: 9\r\n\r\n"), Ok(Heard::Message)));
    }
}
