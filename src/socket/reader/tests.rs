//! Tests the reader alone, with streams that are cut at every place.

use super::*;

const MASK: [u8; 4] = [0xA1, 0x02, 0xF3, 0x44];

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).expect("below 126")),
        length => {
            frame.push(0x80 | 0x7E);
            frame.extend_from_slice(&u16::try_from(length).expect("no longer one here").to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Returns the events that a reader finds in portions, each as a text, and the fault at the end.
fn read<'a>(limit: usize, portions: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut reader = Reader::new(limit, false);
    let mut said = Vec::new();
    for portion in portions {
        let result = reader.read(&mut portion.to_vec(), &mut |event| {
            said.push(match event {
                SocketEvent::Message(kind, payload) if payload.len() > 40 => format!("{kind:?} of {}", payload.len()),
                SocketEvent::Message(kind, payload) => format!("{kind:?} {}", String::from_utf8_lossy(payload)),
                SocketEvent::Ping(payload) => format!("Ping {}", String::from_utf8_lossy(payload)),
                SocketEvent::Pong(_) => "Pong".to_owned(),
                SocketEvent::Close(code, reason) => format!("Close {code:?} {reason}"),
            });
        });
        if let Err(fault) = result {
            said.push(format!("{fault:?}"));
            break;
        }
    }
    said
}

#[test]
fn the_borders_of_reads_do_not_matter() {
    let frames = [
        frame(0x81, "héllo".as_bytes()),
        frame(0x82, b""),
        frame(0x01, b"fr\xC3"),
        frame(0x89, b"ping"),
        frame(0x00, b"\xA9ag"),
        frame(0x8A, b""),
        frame(0x80, b"ment"),
        frame(0x82, &[7; 200]),
        frame(0x88, b"\x03\xE8bye"),
        frame(0x81, b"too late"),
    ]
    .concat();
    let want =
        ["Text héllo", "Binary ", "Ping ping", "Pong", "Text fr\u{e9}agment", "Binary of 200", "Close Some(1000) bye"];
    assert_eq!(read(1000, [&frames[..]]), want);
    for size in 1..frames.len() {
        assert_eq!(read(1000, frames.chunks(size)), want, "portions of {size}");
    }
    for cut in 0..frames.len() {
        let (front, back) = frames.split_at(cut);
        assert_eq!(read(1000, [front, back]), want, "cut at {cut}");
    }
}

#[test]
fn a_fault_is_found_at_the_first_byte_that_tells() {
    let table: [(&str, Vec<u8>, &str); 14] = [
        ("reserved bit", frame(0xC1, b"a"), "Protocol(\"reserved bit set\")"),
        ("no mask", vec![0x81, 1, b'a'], "Protocol(\"frame without a mask\")"),
        ("reserved opcode", frame(0x83, b""), "Protocol(\"reserved opcode\")"),
        ("reserved control opcode", frame(0x8B, b""), "Protocol(\"reserved opcode\")"),
        ("control frame of 126 bytes", frame(0x89, &[0; 126])[..8].to_vec(), "Protocol(\"control frame too long\")"),
        ("control frame in fragments", frame(0x09, b""), "Protocol(\"control frame in fragments\")"),
        ("continuation of nothing", frame(0x80, b""), "Protocol(\"continuation of nothing\")"),
        (
            "message within a message",
            [frame(0x01, b""), frame(0x81, b"")].concat(),
            "Protocol(\"new message within a message\")",
        ),
        ("close of one byte", frame(0x88, b"a"), "Protocol(\"close code of one byte\")"),
        ("close with 1005", frame(0x88, &1005_u16.to_be_bytes()), "Protocol(\"close code not allowed\")"),
        ("close reason that is no text", frame(0x88, b"\x03\xE8\xFF"), "NotText"),
        ("text that is no text", frame(0x81, b"a\xFF"), "NotText"),
        ("text ending within a character", frame(0x81, b"\xE2\x82"), "NotText"),
        ("the header of a long message", frame(0x82, &[0; 2000])[..8].to_vec(), "TooBig"),
    ];
    for (what, bytes, want) in table {
        assert_eq!(read(1000, [&bytes[..]]), [want], "{what}");
        assert_eq!(read(1000, bytes.chunks(1)), [want], "{what}, byte by byte");
    }
    let lie = [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    assert_eq!(read(usize::MAX, [&lie[..]]), ["Protocol(\"length over 63 bits\")"]);
    let vast = [0x82, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    assert!(read(usize::MAX, [&vast[..], b"abc"]).is_empty(), "a vast claim costs nothing");
}

#[test]
fn text_is_checked_before_it_is_whole() {
    let text = frame(0x01, b"abc\xF4\x90");
    assert_eq!(read(1000, [&text[..text.len() - 1]]), Vec::<String>::new());
    assert_eq!(read(1000, [&text[..]]), ["NotText"]);
    let cut_by_ascii = [frame(0x01, b"abc\xC3"), frame(0x80, b"abc")].concat();
    assert_eq!(read(1000, [&cut_by_ascii[..]]), ["NotText"]);
}

#[test]
fn wherever_it_stands_a_byte_that_is_no_text_is_found() {
    for length in 1..20 {
        for at in 0..length {
            let mut text = vec![b'a'; length];
            text[at] = 0xFF;
            let text = frame(0x81, &text);
            for cut in 0..text.len() {
                let (front, back) = text.split_at(cut);
                assert_eq!(read(1000, [front, back]), ["NotText"], "{length} bytes, byte {at}, cut at {cut}");
            }
        }
    }
}

#[test]
fn the_limit_counts_whole_messages() {
    let two = |last: usize| [frame(0x02, &[0; 600]), frame(0x80, &vec![0; last])].concat();
    assert_eq!(read(1000, [&frame(0x82, &[0; 1000])[..]]), ["Binary of 1000"]);
    assert_eq!(read(1000, [&frame(0x82, &[0; 1001])[..]]), ["TooBig"]);
    assert_eq!(read(1000, [&two(400)[..]]), ["Binary of 1000"]);
    assert_eq!(read(1000, [&two(401)[..]]), ["TooBig"]);
}
