//! Properties of the reader of frames.

use crate::{
    message::Kind,
    socket::reader::{Reader, SocketEvent},
};

/// Checks the reader of frames: borders of reads do not matter, with compression either, and a frame yields the payload that
/// was put into it.
pub fn frames(data: &[u8]) {
    let Some(([limit, cut], frames)) = data.split_first_chunk() else { return };
    let limit = if *limit == 0 { usize::MAX } else { usize::from(*limit) * 16 };
    let (front, back) = frames.split_at(usize::from(*cut).min(frames.len()));
    for inflates in [false, true] {
        let whole = events_of(limit, inflates, [frames]);
        assert_eq!(events_of(limit, inflates, [front, back]), whole);
        assert_eq!(events_of(limit, inflates, frames.chunks(usize::from(*cut) + 1)), whole);
    }
    assert_eq!(events_of(usize::MAX, false, [&*masked(frames)]), [format!("Message {frames:?}")]);
}

/// Returns a reader's events with their bytes, and the fault at the end. A compressed message may have several faults, of which a
/// reader finds the first in its portion.
fn events_of<'a>(limit: usize, inflates: bool, portions: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut reader = Reader::new(limit, inflates);
    let mut said = Vec::new();
    for portion in portions {
        let mut rest = &mut portion.to_vec()[..];
        // The reader leaves the end of a portion if the messages before it inflate to much.
        while !rest.is_empty() {
            let read = reader.read(rest, &mut |event| match event {
                SocketEvent::Message(kind, payload) => {
                    assert!(payload.len() <= limit, "a message over the limit");
                    assert!(kind == Kind::Binary || str::from_utf8(payload).is_ok(), "text is UTF-8");
                    said.push(format!("Message {payload:?}"));
                }
                event => said.push(format!("{event:?}")),
            });
            match read {
                Ok(left) => {
                    let taken = rest.len() - left;
                    rest = &mut rest[taken..];
                }
                Err(fault) => {
                    said.push(if inflates { "fault".to_owned() } else { format!("{fault:?}") });
                    return said;
                }
            }
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
