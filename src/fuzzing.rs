//! Properties that hold for any input: one function for each target in `fuzz/`, which panics if a property fails.

use std::sync::LazyLock;

use crate::{
    answer::{self, routes::Routes},
    config,
    framing::{
        Decoded, Decoder, Framing,
        events::{self, Command, Commands, ParsedLine, Receivers},
    },
    http::{
        listed::ListedOrigin,
        origin::{Aim, Policy, RefusedHeader},
    },
    limits::LINE_BYTES_HELD,
    message::Kind,
    socket::reader::{Reader, SocketEvent},
};

/// Checks the reader of frames: borders of reads do not matter, and a frame yields the payload that was put into it.
pub fn frames(data: &[u8]) {
    let Some(([limit, cut], frames)) = data.split_first_chunk() else { return };
    let limit = if *limit == 0 { usize::MAX } else { usize::from(*limit) * 16 };
    let whole = events_of(limit, [frames]);
    let (front, back) = frames.split_at(usize::from(*cut).min(frames.len()));
    assert_eq!(events_of(limit, [front, back]), whole);
    assert_eq!(events_of(limit, frames.chunks(usize::from(*cut) + 1)), whole);
    assert_eq!(events_of(usize::MAX, [&*masked(frames)]), [format!("Message {frames:?}")]);
}

/// Returns a reader's events with their bytes, and the fault at the end.
fn events_of<'a>(limit: usize, portions: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut reader = Reader::new(limit);
    let mut said = Vec::new();
    for portion in portions {
        let read = reader.read(&mut portion.to_vec(), &mut |event| match event {
            SocketEvent::Message(kind, payload) => {
                assert!(payload.len() <= limit, "a message over the limit");
                assert!(kind == Kind::Binary || str::from_utf8(payload).is_ok(), "text is UTF-8");
                said.push(format!("Message {payload:?}"));
            }
            event => said.push(format!("{event:?}")),
        });
        if let Err(fault) = read {
            said.push(format!("{fault:?}"));
            break;
        }
    }
    said
}

/// Returns a binary message as a client sends it.
fn masked(payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = vec![0x82, 0x80 | 127];
    frame.extend((payload.len() as u64).to_be_bytes());
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

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

fn messages_of<'a>(framing: Framing, reads: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut decoder: Decoder = framing.decoder(usize::MAX);
    let mut messages = Vec::new();
    let mut is_open = false;
    let mut emit = |decoded: Decoded<'_>| {
        let Decoded::Piece(piece) = decoded else { unreachable!("this framing has no junk") };
        assert_eq!(piece.first, !is_open, "a message begins where the last one ended");
        if piece.first {
            messages.push(String::new());
        }
        let text = str::from_utf8(piece.payload).expect("each piece is whole characters");
        messages.last_mut().expect("a first piece came").push_str(text);
        is_open = !piece.last;
    };
    reads.into_iter().for_each(|read| decoder.decode(read, &mut emit).expect("this framing cannot be broken"));
    decoder.finish(&mut emit).expect("nor can its end");
    assert!(!is_open, "the last message ends");
    messages
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

/// Checks the parser of the head of a CGI script's answer.
pub fn cgi_head(data: &[u8]) {
    answer::fuzzing::cgi_head(data);
}

/// Checks how the target of a request finds its route.
pub fn target(data: &[u8]) {
    static ROUTES: LazyLock<Routes> = LazyLock::new(|| {
        let folder = env!("CARGO_MANIFEST_DIR");
        let route = |path: &str, what: &str| format!("[[route]]\npath = {path:?}\n{what}\n");
        let files = format!("staticdir = {folder:?}");
        let (cgi, programs) = (format!("cgidir = '{folder}/examples'"), format!("dir = '{folder}/packaging'"));
        let all = [
            route("/é/*", &files),
            route("/日本/*", &format!("staticdir = '{folder}/src'")),
            route("/日/*", &programs),
            route("/a b/*", &cgi),
            route("/*", "command = ['/bin/cat']"),
            route("/é/é", "command = ['/bin/cat']"),
            route("/", &format!("staticdir = '{folder}/static'")),
        ];
        config::fuzzing::routes(&all.concat()).expect("good routes")
    });
    answer::fuzzing::target(&ROUTES, data);
}

/// Checks Origin, Host and `--origin`, a line each: a stricter policy admits less, and the case of a host does not matter.
pub fn origin(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n').map(|line| Some(line).filter(|line| !line.is_empty()));
    let mut next = || lines.next().flatten();
    let (origin, host, list) = (next(), next(), next().unwrap_or_default());
    let entries: Vec<_> = list.split(',').filter_map(|entry| ListedOrigin::parse(entry).ok()).collect();
    let listed = |sameorigin| Policy::Listed { entries: entries.clone(), sameorigin };
    let (origin_up, host_up) = (origin.map(str::to_ascii_uppercase), host.map(str::to_ascii_uppercase));
    for is_loopback in [false, true] {
        let check = |policy: &Policy| policy.check(Aim::Session, origin, host, is_loopback);
        let implies =
            |strict: &Policy, lax: &Policy| assert!(check(strict).is_err() || check(lax).is_ok(), "{strict:?}");
        implies(&listed(true), &listed(false));
        implies(&listed(true), &Policy::Sameorigin);
        assert_eq!(check(&Policy::Any), Ok(()));
        for policy in [Policy::Same, Policy::Sameorigin] {
            let up = policy.check(Aim::Session, origin_up.as_deref(), host_up.as_deref(), is_loopback);
            assert_eq!(up, check(&policy), "{policy:?}");
            let is_passed = policy.check(Aim::Script, origin, host, is_loopback).is_ok();
            assert!(!is_passed || policy.check(Aim::Page, origin, host, is_loopback).is_ok());
        }
    }
    let same = |is_loopback| Policy::Same.check(Aim::Session, origin, host, is_loopback);
    assert!(same(true).is_err() || same(false).is_ok(), "loopback is stricter");
    assert!(same(false) != Err(RefusedHeader::Host), "elsewhere any name will do");
    if origin.is_some() {
        assert_eq!(Policy::Sameorigin.check(Aim::Session, origin, host, false), same(false));
    }
}

/// Checks the parser of a file of settings.
pub fn config(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        config::fuzzing::config(text);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn the_seeds_of_the_fuzz_targets_break_no_law() {
        type Named = (&'static str, fn(&[u8]));
        const TARGETS: [Named; 7] = [
            ("frames", super::frames),
            ("lines", super::lines),
            ("json", super::json),
            ("cgi_head", super::cgi_head),
            ("target", super::target),
            ("origin", super::origin),
            ("config", super::config),
        ];
        for (name, target) in TARGETS {
            let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
            let seeds: Vec<_> = fs::read_dir(seeds).expect("a folder of seeds").collect();
            assert!(!seeds.is_empty(), "{name} has seeds");
            for seed in seeds {
                target(&fs::read(seed.expect("an entry").path()).expect("a seed"));
            }
        }
    }
}
