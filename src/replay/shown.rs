//! Renders the result of a replay.

use std::{fmt::Write as _, path::Path, time::Duration};

use super::{
    differing::Difference,
    script::{RecordedMessage, Recording, Way},
};
use crate::{event::seconds, message::Kind, record::format::KindWord};

/// Messages that are shown before the difference.
const BEFORE: usize = 3;
/// Messages that are shown after it.
const AFTER: usize = 1;
/// Characters of a message that are shown.
const SHOWN_MAX: usize = 160;
/// Characters that are shown before the first one that differs.
const LEAD: usize = 60;

/// Returns the text for a program that has not differed.
pub(super) fn sameness(recording: &Recording) -> String {
    let count = |way| recording.messages.iter().filter(|message| message.way == way).count();
    let (input, output) = (count(Way::In), count(Way::Out));
    match (recording.end, &recording.why) {
        (Some(end), _) if end.is_stop() => {
            format!("identical: in={input} out={output}; wsd stopped the program in the recording\n")
        }
        (Some(end), _) => format!("identical: in={input} out={output} status={}\n", end.status),
        (None, why) => {
            let why = why.as_ref().map(|why| format!(": {}", escaped(why))).unwrap_or_default();
            format!("identical: in={input} out={output}, as far as the recording goes, which breaks off{why}\n")
        }
    }
}

/// Returns the text for a difference: one sentence, and the messages around it.
pub(super) fn difference(file: &Path, recording: &Recording, difference: &Difference) -> String {
    let messages = &recording.messages;
    let place = |at: usize| format!("message {} (line {} of {})", at + 1, messages[at].line, file.display());
    let end = recording.end.map_or(0, |end| end.status);
    let (at, sentence) = match *difference {
        Difference::Message { at, .. } => (at, format!("different at {}", place(at))),
        Difference::Extra { .. } => (messages.len(), "different: a message more than the recording has".to_owned()),
        Difference::Silent { at, waited } => {
            let did = if messages[at].way == Way::Out { "not send" } else { "not take" };
            (at, format!("different: the program did {did} {} within {}", place(at), secs(waited)))
        }
        Difference::Ended { at, status } => {
            (at, format!("different: the program ended with status {status} before {}", place(at)))
        }
        Difference::Garbled { at, why } => {
            let place = at.map_or_else(|| "its end".to_owned(), place);
            (at.unwrap_or(messages.len()), format!("different: the framing broke before {place}: {why}"))
        }
        Difference::Alive { waited } => {
            (messages.len(), format!("different: the program did not end within {}", secs(waited)))
        }
        Difference::Status { got } => {
            (messages.len(), format!("different: the exit status is {got}, in the recording {end}"))
        }
    };
    let mut text = sentence + "\n";
    for (number, message) in messages.iter().enumerate().take(at).skip(at.saturating_sub(BEFORE)) {
        add(&mut text, ' ', number, message, 0);
    }
    match difference {
        Difference::Message { kind, got, .. } => {
            let want = &messages[at];
            let from = first_difference(&want.payload, got);
            add(&mut text, '-', at, want, from);
            add_line(&mut text, '+', at, Way::Out, *kind, got, from);
        }
        Difference::Extra { kind, got } => add_line(&mut text, '+', at, Way::Out, *kind, got, 0),
        Difference::Silent { .. } | Difference::Ended { .. } | Difference::Garbled { .. } if at < messages.len() => {
            add(&mut text, '-', at, &messages[at], 0);
        }
        _ => return text,
    }
    for (number, message) in messages.iter().enumerate().skip(at + 1).take(AFTER) {
        add(&mut text, ' ', number, message, 0);
    }
    text
}

fn secs(time: Duration) -> String {
    format!("{} s", seconds(time))
}

fn add(text: &mut String, mark: char, number: usize, message: &RecordedMessage, from: usize) {
    add_line(text, mark, number, message.way, message.kind, &message.payload, from);
}

/// Adds a line with a message, which shows the bytes around `from`.
fn add_line(text: &mut String, mark: char, number: usize, way: Way, kind: Kind, payload: &[u8], from: usize) {
    let number = number + 1;
    let way = match way {
        Way::In => "in",
        Way::Out => "out",
        Way::Eof => {
            let _ = writeln!(text, "{mark} {number:>5} eof");
            return;
        }
    };
    let kind = KindWord::from(kind).to_string();
    let _ = writeln!(text, "{mark} {number:>5} {way:<3} {kind:<6} {}", excerpt(payload, from));
}

/// Returns the part of a message around its byte `from`, escaped, so that it cannot control a terminal.
fn excerpt(payload: &[u8], from: usize) -> String {
    let text = String::from_utf8_lossy(payload);
    let at = text.char_indices().take_while(|(at, _)| *at < from).count();
    let start = if at > SHOWN_MAX - LEAD { at - LEAD } else { 0 };
    let mut shown = if start > 0 { "… ".to_owned() } else { String::new() };
    let mut characters = text.chars().skip(start);
    characters.by_ref().take(SHOWN_MAX).for_each(|character| push(&mut shown, character));
    if characters.next().is_some() {
        let _ = write!(shown, " … ({} bytes)", payload.len());
    }
    shown
}

/// Returns a text of a recording, escaped, so that it cannot control a terminal.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::new();
    text.chars().for_each(|character| push(&mut shown, character));
    shown
}

fn push(shown: &mut String, character: char) {
    if character.is_control() || !is_plain(character) {
        shown.extend(character.escape_default());
    } else {
        shown.push(character);
    }
}

/// Whether a character is shown as it is. Format characters, which turn the direction of text, are not.
fn is_plain(character: char) -> bool {
    !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Returns the place of the first byte that differs.
fn first_difference(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_harmless_and_has_the_difference() {
        assert_eq!(excerpt(b"a\x1B[31m\n\"b\"", 0), r#"a\u{1b}[31m\n"b""#);
        assert_eq!(excerpt("\u{202e}é\u{9b}".as_bytes(), 0), r"\u{202e}é\u{9b}");
        let long = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let shown = excerpt(long.as_bytes(), 500);
        assert!(shown.starts_with("… aaa") && shown.contains("aXb") && shown.ends_with("b … (1001 bytes)"), "{shown}");
        assert!(shown.chars().count() < SHOWN_MAX + 30, "{shown}");
    }
}
