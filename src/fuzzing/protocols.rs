//! Properties of the framings of protocols that carry JSON: JSON-RPC and LSP.

use crate::{
    framing::{Decoded, Decoder, Framing, Heard},
    message::{Kind, Piece},
};

/// The output of a program, as its framing tells it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    /// The whole messages.
    messages: Vec<String>,
    /// All junk. Long lines of it may be in several parts.
    junk: Vec<u8>,
    /// The rule that the output breaks.
    fault: Option<&'static str>,
}

/// Decodes what a program writes, read by read. With `is_stream`, the client begins a stream after the first read.
fn told<'a>(framing: Framing, is_stream: bool, reads: impl IntoIterator<Item = &'a [u8]>) -> Told {
    let mut decoder: Decoder = framing.decoder(usize::MAX);
    let (mut told, mut open) = (Told::default(), None::<Vec<u8>>);
    let mut emit = |decoded: Decoded<'_>| match decoded {
        Decoded::Piece(Piece { kind: Kind::Binary, first, last, .. }) => {
            assert!(is_stream && first && last && open.is_none(), "a stream comes between messages");
        }
        Decoded::Piece(piece) => {
            assert_eq!(piece.first, open.is_none(), "a message begins where the last one ended");
            let mut message = open.take().unwrap_or_default();
            message.extend_from_slice(piece.payload);
            if piece.last {
                told.messages.push(String::from_utf8(message).expect("text is UTF-8"));
            } else {
                open = Some(message);
            }
        }
        Decoded::Junk(line) => {
            assert!(open.is_none() && !line.is_empty(), "junk comes between messages");
            told.junk.extend_from_slice(line);
        }
    };
    let mut fault = None;
    for read in reads {
        fault = fault.or_else(|| decoder.decode(read, &mut emit).err());
        if is_stream {
            decoder.begin_stream();
        }
    }
    fault = fault.or_else(|| decoder.finish(&mut emit).err());
    assert!(open.is_none() || fault.is_some(), "the last message ends");
    told.fault = fault.map(|fault| fault.0);
    told
}

/// Checks that borders of reads do not matter, and returns the output.
fn told_anyhow(framing: Framing, cut: u8, output: &[u8]) -> Told {
    let (front, back) = output.split_at(usize::from(cut).min(output.len()));
    let whole = told(framing, false, [output]);
    assert_eq!(told(framing, false, [front, back]), whole);
    assert_eq!(told(framing, false, output.chunks(1)), whole);
    whole
}

/// Checks `--framing=jsonrpc`: it follows its rule of lines, and JSON of a client becomes the same JSON on one line.
pub fn jsonrpc(data: &[u8]) {
    let Some((&cut, output)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(output);
    let lines = text.split_inclusive('\n').map(|line| {
        let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        line.strip_prefix('\u{feff}').unwrap_or(line).trim_ascii_start()
    });
    let (values, junk): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with(['{', '[']));
    let told = told_anyhow(Framing::JsonRpc, cut, output);
    assert_eq!((told.messages, told.fault), (values.into_iter().map(str::to_owned).collect(), None));
    assert_eq!(told.junk, junk.concat().into_bytes());

    for (kind, message) in [(Kind::Text, text.as_bytes()), (Kind::Binary, output)] {
        let mut input = Vec::new();
        let heard = Framing::JsonRpc.encoder().encode(kind, message, &mut input);
        if let Ok(Heard::Message) = heard {
            let end = input.iter().position(|byte| *byte < b' ');
            assert!(end == Some(input.len() - 1) && input.ends_with(b"\n"), "a message is one line");
        } else {
            assert!(input.is_empty(), "{heard:?}");
        }
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(message) {
            assert_eq!(heard, Ok(Heard::Message));
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&input).expect("JSON"), value);
        }
    }
}

/// Checks `--framing=lsp`: a client may begin a stream at any time, and a body that it sends is the body that it gets back.
pub fn lsp(data: &[u8]) {
    let Some((&cut, output)) = data.split_first() else { return };
    told_anyhow(Framing::Lsp, cut, output);
    let (front, back) = output.split_at(usize::from(cut).min(output.len()));
    told(Framing::Lsp, true, [front, back]);

    let text = String::from_utf8_lossy(output);
    let (mut encoder, mut input) = (Framing::Lsp.encoder(), Vec::new());
    assert_eq!(encoder.encode(Kind::Text, b"{}", &mut input), Ok(Heard::Message));
    if encoder.encode(Kind::Text, text.as_bytes(), &mut input) == Ok(Heard::Message) {
        let back = told_anyhow(Framing::Lsp, cut, &input);
        assert_eq!((back.fault, back.messages.len(), &*back.messages[0]), (None, 2, "{}"));
        assert!(text.ends_with(&back.messages[1]) && back.junk.is_empty(), "{back:?}");
    }
}
