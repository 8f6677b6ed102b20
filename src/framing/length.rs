//! `--framing=length`: a message is its length, four bytes with the highest first, and its bytes. Both ways; binary.

use std::mem;

use super::{
    lines::join,
    results::{Garbled, Rejected},
};
use crate::{
    limits::LINE_BYTES_HELD,
    message::{Kind, Piece},
};

/// Bytes of a length.
const LENGTH_BYTES: usize = size_of::<u32>();

/// Appends a client's message to a worker's input, after its length. Fails if four bytes cannot tell the length.
pub(super) fn encode(message: &[u8], input: &mut Vec<u8>) -> Result<(), Rejected> {
    let length = u32::try_from(message.len()).map_err(|_| Rejected("message longer than 4 GiB"))?;
    input.extend_from_slice(&length.to_be_bytes());
    input.extend_from_slice(message);
    Ok(())
}

/// Splits output into the messages whose lengths it tells.
///
/// It emits a message whole up to [`LINE_BYTES_HELD`]. It emits the bytes of a longer one as they come, so that memory does not
/// grow with its length.
#[derive(Debug)]
pub(crate) struct LengthMessages {
    message_bytes_max: usize,
    /// The front of an unfinished message that is to leave whole, or of its length.
    held: Vec<u8>,
    /// The bytes that a long message still lacks; 0 between messages.
    lacking: usize,
    /// Whether a part of the long message has left.
    is_open: bool,
}

impl LengthMessages {
    /// Returns a decoder that takes messages of `message_bytes_max` bytes at most.
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, held: Vec::new(), lacking: 0, is_open: false }
    }

    /// See [`Decoder::decode`](super::Decoder::decode).
    pub(super) fn decode(&mut self, mut output: &[u8], emit: &mut impl FnMut(Piece<'_>)) -> Result<(), Garbled> {
        while !output.is_empty() {
            output = if self.lacking > 0 { self.go_on(output, emit) } else { self.take(output, emit)? };
        }
        Ok(())
    }

    /// See [`Decoder::finish`](super::Decoder::finish).
    pub(super) fn finish(&mut self) -> Result<(), Garbled> {
        let is_whole = self.lacking == 0 && self.held.is_empty();
        is_whole.then_some(()).ok_or(Garbled("output ends within a message"))
    }

    /// See [`Decoder::held`](super::Decoder::held).
    pub(super) fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Takes bytes of one message: emits it, holds its front, or begins a long one. Returns the bytes of `output` behind them.
    fn take<'a>(&mut self, output: &'a [u8], emit: &mut impl FnMut(Piece<'_>)) -> Result<&'a [u8], Garbled> {
        let length = length(&self.held, output);
        if length.is_some_and(|length| length > self.message_bytes_max) {
            return Err(Garbled("message over the limit"));
        }
        if let Some(length) = length.filter(|length| *length > LINE_BYTES_HELD) {
            self.lacking = length;
            // It was not known to be long before, so no more than a part of the length is held.
            let rest = &output[LENGTH_BYTES - self.held.len()..];
            self.held = Vec::new();
            return Ok(rest);
        }
        let missing = length.map_or(usize::MAX, |length| LENGTH_BYTES + length - self.held.len());
        let Some((front, rest)) = output.split_at_checked(missing) else {
            self.held.extend_from_slice(output);
            return Ok(&[]);
        };
        let mut held = mem::take(&mut self.held);
        let whole = join(&mut held, front);
        emit(Piece::whole(Kind::Binary, &whole[LENGTH_BYTES..]));
        Ok(rest)
    }

    /// Emits bytes of a long message. Returns the bytes of `output` behind them.
    fn go_on<'a>(&mut self, output: &'a [u8], emit: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
        let (payload, rest) = output.split_at(self.lacking.min(output.len()));
        self.lacking -= payload.len();
        let last = self.lacking == 0;
        let first = !mem::replace(&mut self.is_open, !last);
        emit(Piece { kind: Kind::Binary, first, last, payload });
        rest
    }
}

/// Returns the length at the beginning of `held` and `output` together; `None` if it is not complete.
fn length(held: &[u8], output: &[u8]) -> Option<usize> {
    let mut bytes = [0; LENGTH_BYTES];
    let (of_held, of_output) = bytes.split_at_mut(held.len().min(LENGTH_BYTES));
    of_held.copy_from_slice(&held[..of_held.len()]);
    of_output.copy_from_slice(output.get(..of_output.len())?);
    // Saturates where addresses have 16 bits.
    Some(u32::from_be_bytes(bytes).try_into().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the messages of `reads`, each as its pieces, and the failure.
    fn decode<'a>(
        bytes_max: usize,
        reads: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<Vec<Vec<u8>>>, Result<(), Garbled>) {
        let (mut decoder, mut messages) = (LengthMessages::new(bytes_max), Vec::<Vec<Vec<u8>>>::new());
        let mut is_open = false;
        let mut emit = |piece: Piece<'_>| {
            assert_eq!(
                (piece.kind, piece.first),
                (Kind::Binary, !is_open),
                "a message begins where the last one ended"
            );
            if piece.first {
                messages.push(Vec::new());
            }
            messages.last_mut().expect("a first piece came").push(piece.payload.to_vec());
            is_open = !piece.last;
        };
        let taken = reads.into_iter().try_for_each(|read| decoder.decode(read, &mut emit));
        let finished = taken.and_then(|()| decoder.finish());
        (messages, finished)
    }

    #[test]
    fn output_becomes_messages_wherever_reads_end() {
        let output = b"\0\0\0\x03a\n\xFF\0\0\0\0\0\0\0\x01b\0\0\0\0";
        let want = [&[&b"a\n\xFF"[..]], &[b""], &[b"b"], &[b""]].map(|pieces| pieces.map(<[u8]>::to_vec).to_vec());
        for first in 0..=output.len() {
            for second in first..=output.len() {
                let reads = [&output[..first], &output[first..second], &output[second..]];
                assert_eq!(decode(usize::MAX, reads), (want.to_vec(), Ok(())), "{first}, {second}");
            }
        }
    }

    #[test]
    fn a_message_is_whole_up_to_the_limit_and_in_pieces_beyond() {
        let message = |bytes: u32| [&bytes.to_be_bytes(), &*vec![b'x'; bytes as usize]].concat();
        let short = message(u32::try_from(LINE_BYTES_HELD).expect("a number"));
        let long = message(u32::try_from(LINE_BYTES_HELD + 1).expect("a number"));
        let lengths = |output: &[u8], size| -> Vec<Vec<usize>> {
            let (messages, finished) = decode(usize::MAX, output.chunks(size));
            assert_eq!(finished, Ok(()));
            messages.iter().map(|pieces| pieces.iter().map(Vec::len).collect()).collect()
        };
        assert_eq!(lengths(&short, 1000), [[LINE_BYTES_HELD]]);
        assert_eq!(lengths(&long, 60_000), [[59_996, LINE_BYTES_HELD + 1 - 59_996]]);
        assert_eq!(lengths(&long, 4), [vec![4; LINE_BYTES_HELD / 4].into_iter().chain([1]).collect::<Vec<_>>()]);
    }

    #[test]
    fn memory_stays_flat_within_a_long_message() {
        let mut decoder = LengthMessages::new(usize::MAX);
        decoder.decode(&u32::MAX.to_be_bytes(), &mut |_| {}).expect("a length");
        for _ in 0..100 {
            decoder.decode(&vec![b'x'; 60_000], &mut |_| {}).expect("a part");
            assert_eq!(decoder.held(), 0);
        }
    }

    #[test]
    fn a_length_over_the_limit_and_a_cut_message_break_the_framing() {
        let over = Err(Garbled("message over the limit"));
        let cut = Err(Garbled("output ends within a message"));
        let table: [(&[u8], usize, Result<(), Garbled>); 8] = [
            (b"\0\0\0\x02ab", 2, Ok(())),
            (b"\0\0\0\x03", 2, over),
            (b"\xFF\xFF\xFF\xFF", 1 << 20, over),
            (b"\xFF\xFF\xFF\xFF", usize::MAX, cut),
            (b"\0", usize::MAX, cut),
            (b"\0\0\0\x02", usize::MAX, cut),
            (b"\0\0\0\x02a", usize::MAX, cut),
            (b"\0\x02\0\0a", usize::MAX, cut),
        ];
        for (output, bytes_max, want) in table {
            assert_eq!(decode(bytes_max, [output]).1, want, "{}", output.escape_ascii());
            assert_eq!(decode(bytes_max, output.chunks(1)).1, want, "{}", output.escape_ascii());
        }
    }

    #[test]
    fn messages_before_a_broken_one_arrive() {
        let (messages, finished) = decode(9, [&b"\0\0\0\x01a\0\0\0\x01b\xFF\xFF\xFF\xFF"[..]]);
        assert_eq!((messages.concat().concat(), finished.is_err()), (b"ab".to_vec(), true));
    }

    #[test]
    fn a_message_follows_its_length() {
        let mut input = Vec::new();
        for message in [&b"a\0\n"[..], b"", &[b'x'; 258]] {
            encode(message, &mut input).expect("a short message");
        }
        assert_eq!(input, [&b"\0\0\0\x03a\0\n\0\0\0\0\0\0\x01\x02"[..], &[b'x'; 258]].concat());
    }
}
