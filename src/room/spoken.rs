//! Carries out what a room's worker says: collects messages for clients, and closes clients.

use std::mem;

use super::{Room, invalid::InvalidLines};
use crate::{
    close::Close,
    framing::{
        Decoded,
        events::{Command, ParsedLine, Receivers},
    },
    limits::ROOM_MESSAGE_BYTES_MAX,
    message::Draft,
    peer::Connection,
    worker::output::log_junk,
};

/// Adds a piece to the draft, and logs junk. Joins the pieces of a message in `part` first.
pub(super) fn collect(decoded: Decoded<'_>, part: &mut Vec<u8>, draft: &mut Draft, connection: &Connection) {
    let piece = match decoded {
        Decoded::Piece(piece) => piece,
        Decoded::Junk(line) => return log_junk(line, connection),
    };
    if piece.first && piece.last {
        return draft.push(piece.kind, piece.payload);
    }
    part.extend_from_slice(piece.payload);
    if piece.last && !part.is_empty() || part.len() >= ROOM_MESSAGE_BYTES_MAX {
        draft.push(piece.kind, &mem::take(part));
    }
}

/// Carries out a command. Collects messages for all clients in the draft, and keeps the order.
pub(super) fn dispatch(
    room: &Room,
    connection: &Connection,
    said: ParsedLine<'_>,
    draft: &mut Draft,
    invalid: &mut InvalidLines,
) {
    match said {
        ParsedLine::Command(Command::Send { kind, payload, to: Receivers::All }) => draft.push(kind, &payload),
        ParsedLine::Command(Command::Send { kind, payload, to }) => {
            room.publish(draft, &Receivers::All);
            draft.push(kind, &payload);
            room.publish(draft, &to);
        }
        ParsedLine::Command(Command::Close { client, code, reason }) => {
            room.publish(draft, &Receivers::All);
            room.dismiss(&client, Close::new(code, reason));
        }
        ParsedLine::Invalid(beginning, why) => invalid.add(connection, beginning, &why),
    }
}
