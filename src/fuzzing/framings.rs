//! Properties of the framings.

use crate::{
    framing::{
        Decoded, Framing, Garbled, Heard,
        events::{self, Command, Commands, ParsedLine, Receivers},
    },
    limits::{LINE_BYTES_HELD, WINDOW_MAX},
    message::Kind,
};

/// Checks the decoders of lines: they follow the rule of lines, and borders of reads do not matter.
pub fn lines(data: &[u8]) {
    let Some(([mode, cut], tail)) = data.split_first_chunk() else { return };
    // Sometimes a long line comes first, so that a few bytes exceed the limit; rarely, since it takes time.
    let before = if mode % 8 == 7 { LINE_BYTES_HELD - usize::from(*mode / 8) } else { 0 };
    let output = [&vec![b'x'; before], tail].concat();
    let cut = (before + usize::from(*cut)).min(output.len());
    let (front, back) = output.split_at(cut);
    let want: Vec<_> = wanted_lines(&output).collect();
    assert_eq!(messages_of(Framing::Lines, [&*output]), want);
    assert_eq!(messages_of(Framing::Lines, [front, back]), want);
    let bytes = [front].into_iter().chain(back.chunks(1));
    assert_eq!(messages_of(Framing::Lines, bytes), want);
    // A `\r` at the end of a message is taken for a part of the line's end.
    comes_back(
        Framing::Lines,
        want.iter().filter(|line| !line.ends_with('\r')).map(|line| (Kind::Text, line.as_bytes())),
    );

    let objects = messages_of(Framing::Streams, [&*output]);
    assert_eq!(messages_of(Framing::Streams, [front].into_iter().chain(back.chunks(1))), objects);
    for object in objects {
        let object: serde_json::Value = serde_json::from_str(&object).expect("an object of JSON");
        assert!(object["stream"] == "stdout" && object["data"].is_string());
    }
}

/// Returns the messages according to the rule of lines.
fn wanted_lines(output: &[u8]) -> impl Iterator<Item = String> {
    output.split_inclusive(|&byte| byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
        String::from_utf8_lossy(line).into_owned()
    })
}

/// Returns the messages of a framing of text that cannot be broken.
fn messages_of<'a>(framing: Framing, reads: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let DecodedOutput { messages, end, .. } = output_of(framing, usize::MAX, reads);
    assert_eq!(end, Ok(()), "this framing cannot be broken");
    messages.into_iter().map(|message| String::from_utf8(message).expect("text")).collect()
}

/// A program's output, as a decoder understands it.
#[derive(Debug, PartialEq, Eq)]
struct DecodedOutput {
    /// The messages; the last one may lack its end if the output breaks the framing.
    messages: Vec<Vec<u8>>,
    /// Whether the last message lacks its end.
    is_open: bool,
    end: Result<(), Garbled>,
}

/// Decodes `reads` to their end, or to the place where they break the framing.
fn output_of<'a>(framing: Framing, bytes_max: usize, reads: impl IntoIterator<Item = &'a [u8]>) -> DecodedOutput {
    let mut decoder = framing.decoder(bytes_max);
    let (mut messages, mut is_open) = (Vec::<Vec<u8>>::new(), false);
    let mut emit = |decoded: Decoded<'_>| {
        let Decoded::Piece(piece) = decoded else { unreachable!("this framing has no junk") };
        assert_eq!(piece.first, !is_open, "a message begins where the last one ended");
        assert!(piece.kind == Kind::Binary || str::from_utf8(piece.payload).is_ok(), "each piece is whole characters");
        if piece.first {
            messages.push(Vec::new());
        }
        messages.last_mut().expect("a first piece came").extend_from_slice(piece.payload);
        is_open = !piece.last;
    };
    let taken = reads.into_iter().try_for_each(|read| decoder.decode(read, &mut emit));
    let end = taken.and_then(|()| decoder.finish(&mut emit));
    assert!(!is_open || end.is_err(), "the last message ends");
    DecodedOutput { messages, is_open, end }
}

/// Checks `--framing=nul`: it follows the rule of NULs, and its own input comes back.
pub fn nul(data: &[u8]) {
    let Some(([mode, cut], tail)) = data.split_first_chunk() else { return };
    // As for lines.
    let before = if mode % 8 == 7 { LINE_BYTES_HELD - usize::from(*mode / 8) } else { 0 };
    let output = [&vec![b'x'; before], tail].concat();
    let texts = output.split_inclusive(|&byte| byte == 0).map(|text| text.strip_suffix(b"\0").unwrap_or(text));
    let want: Vec<_> = texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    for reads in borders(&output, before + usize::from(*cut)) {
        assert_eq!(messages_of(Framing::Nul, reads), want);
    }
    comes_back(Framing::Nul, want.iter().map(|text| (Kind::Text, text.as_bytes())));
}

/// Checks `--framing=length`: the borders of reads do not matter, the limit holds, and its own input comes back.
pub fn length(data: &[u8]) {
    let Some(([limit, cut], output)) = data.split_first_chunk() else { return };
    let cut = usize::from(*cut);
    let bytes_max = if *limit == 0 { usize::MAX } else { usize::from(*limit) * 16 };
    let whole = output_of(Framing::Length, bytes_max, [output]);
    for reads in borders(output, cut) {
        assert_eq!(output_of(Framing::Length, bytes_max, reads), whole);
    }
    assert!(whole.messages.iter().all(|message| message.len() <= bytes_max), "a message over the limit");
    // Sometimes a message is long, so that it comes in pieces; rarely, since it takes time.
    let long = vec![b'x'; if cut % 16 == 15 { LINE_BYTES_HELD + usize::from(*limit) } else { 0 }];
    let messages = output.chunks(cut + 1).chain([&[][..], &long, output]);
    comes_back(Framing::Length, messages.map(|message| (Kind::Binary, message)));
}

/// Checks the subprotocol `tty`: the first byte tells what a client's message is, a size is within the limits, and output
/// comes unchanged, after the title and the preferences.
pub fn tty(data: &[u8]) {
    let Some((&cut, output)) = data.split_first() else { return };
    for message in output.split(|&byte| byte == b'\n').chain([output]) {
        let mut input = Vec::new();
        let heard = Framing::Tty.encoder().encode(Kind::Binary, message, &mut input);
        match heard.expect("no message ends the session") {
            Heard::Message => assert_eq!([b"0", &*input].concat(), message),
            Heard::Pause => assert_eq!(message, b"2"),
            Heard::Resume => assert_eq!(message, b"3"),
            Heard::Resize(size) => {
                let json = message.strip_prefix(b"1").unwrap_or(message);
                // Members that are not read may have half a surrogate, which a whole value may not.
                if let Ok(value) = serde_json::from_slice::<serde_json::Value>(json) {
                    assert_eq!((&value["columns"], &value["rows"]), (&size.columns.into(), &size.rows.into()));
                }
                assert!([size.columns, size.rows].iter().all(|count| (1..=WINDOW_MAX).contains(count)), "{size:?}");
            }
            Heard::Ignored(_) => assert!(!message.starts_with(b"0") && input.is_empty(), "input is never dropped"),
            Heard::Stream => panic!("a terminal has no other stream"),
        }
    }
    for reads in borders(output, usize::from(cut)) {
        let DecodedOutput { messages, end, .. } = output_of(Framing::Tty, usize::MAX, reads);
        assert_eq!(end, Ok(()), "this framing cannot be broken");
        let (front, output_messages) = messages.split_at(messages.len().min(2));
        assert!(messages.is_empty() || front == [&b"1wsd"[..], b"2{}"], "{front:?}");
        let came: Vec<_> =
            output_messages.iter().flat_map(|message| message.strip_prefix(b"0").expect("output")).collect();
        assert!(came.into_iter().eq(output), "every byte comes");
    }
}

/// Returns ways of reading `output`: at once, in two parts, in parts of a size, and its end byte by byte.
fn borders(output: &[u8], cut: usize) -> [Vec<&[u8]>; 4] {
    let (front, back) = output.split_at(cut.min(output.len()));
    [
        vec![output],
        vec![front, back],
        output.chunks(cut + 1).collect(),
        [front].into_iter().chain(back.chunks(1)).collect(),
    ]
}

/// Checks that a program which prints its input as it is sends back the same messages.
fn comes_back<'a>(framing: Framing, messages: impl Iterator<Item = (Kind, &'a [u8])>) {
    let (mut encoder, mut input, mut want) = (framing.encoder(), Vec::new(), Vec::new());
    for (kind, message) in messages {
        assert_eq!(encoder.encode(kind, message, &mut input), Ok(Heard::Message));
        want.push(message.to_vec());
    }
    let back = output_of(framing, usize::MAX, [&*input]);
    assert_eq!(back, DecodedOutput { messages: want, is_open: false, end: Ok(()) });
}

/// Checks `--framing=json`: borders of reads do not matter, and the event for any message is one line.
pub fn json(data: &[u8]) {
    let Some((&cut, output)) = data.split_first() else { return };
    let (front, back) = output.split_at(usize::from(cut).min(output.len()));
    let whole = said(&[output]);
    assert_eq!(said(&[front, back]), whole);
    assert_eq!(said(&output.chunks(1 + usize::from(cut)).collect::<Vec<_>>()), whole);

    let text = String::from_utf8_lossy(output);
    for (kind, payload) in [(Kind::Text, text.as_bytes()), (Kind::Binary, output)] {
        let mut line = Vec::new();
        events::message(&text, kind, payload, &mut line);
        let end = line.iter().position(|&byte| byte == b'\n');
        assert_eq!(end, Some(line.len() - 1), "an event is one line");
        let mut event: serde_json::Map<_, _> = serde_json::from_slice(&line).expect("an object of JSON");
        assert_eq!(event.remove("client"), Some(text.as_ref().into()));
        assert_eq!(event.remove("event"), Some("message".into()));
        // Without these two keys, the event is a command that sends the same message.
        let line = serde_json::to_vec(&event).expect("an object of JSON");
        let command = Command::Send { kind, payload: payload.to_vec(), to: Receivers::All };
        assert_eq!(said(&[&line]), [format!("{command:?}")]);
    }
}

fn said(reads: &[&[u8]]) -> Vec<String> {
    let mut said = Vec::new();
    let mut commands = Commands::default();
    let mut on = |what: ParsedLine<'_>| {
        said.push(match what {
            ParsedLine::Command(command) => format!("{command:?}"),
            invalid @ ParsedLine::Invalid(..) => format!("{invalid:?}"),
        });
    };
    for read in reads {
        commands.decode(read, &mut on);
    }
    commands.finish(&mut on);
    said
}
