use std::task::Waker;

use super::*;
use crate::{
    deflate::{
        inflater::{Inflater, Unfit},
        pool::Pool,
    },
    limits::COMPRESS_BYTES_MIN,
};

/// A packer, and the inflater of its client.
struct Pair {
    packer: Packer,
    inflater: Inflater,
    packed: usize,
    plain: usize,
}

impl Pair {
    fn new(keeps: bool, window_bits: u8) -> Self {
        let options = Arc::new(CompressOptions { bytes_min: COMPRESS_BYTES_MIN, pool: Pool::new(1 << 20) });
        let packer = Packer::new(AgreedCompression { options, agreement: Agreement { window_bits, keeps } });
        Self { packer, inflater: Inflater::new(), packed: 0, plain: 0 }
    }

    /// Sends a message in parts, and checks that it arrives. Returns the bytes of its payloads.
    fn send(&mut self, parts: &[&[u8]]) -> usize {
        let (mut got, mut bytes, mut was_packed) = (Vec::new(), 0, None);
        for (place, part) in parts.iter().enumerate() {
            self.packer.pack(place == 0, place + 1 == parts.len(), part, |payload, is_packed| {
                bytes += payload.len();
                assert_eq!(*was_packed.get_or_insert(is_packed), is_packed, "a message is of one kind");
                if is_packed {
                    self.inflater.inflate(payload, usize::MAX, &mut got).expect("it can be inflated");
                } else {
                    got.extend_from_slice(payload);
                }
            });
        }
        if was_packed == Some(true) {
            self.inflater.end(usize::MAX, &mut got).expect("it ends");
            self.packed += 1;
        } else {
            self.plain += 1;
        }
        assert_eq!(got, parts.concat());
        bytes
    }
}

/// Returns bytes that do not shrink, others for each seed.
fn noise(seed: usize, count: usize) -> Vec<u8> {
    let mut state = seed as u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).expect("a byte")
    };
    (0..count).map(|_| next()).collect()
}

fn line(number: usize) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"progress","params":{{"token":"build","progress":{number},"total":1000}}}}"#)
}

#[tokio::test]
async fn messages_of_all_kinds_arrive_whatever_the_agreement_is() {
    for (keeps, window_bits) in [(true, 15), (true, 9), (false, 15), (false, 10)] {
        let mut pair = Pair::new(keeps, window_bits);
        let long = line(7).repeat(900);
        for round in 0..100 {
            pair.send(&[line(round).as_bytes()]);
            pair.send(&[b"short"]);
            pair.send(&[&noise(round, 100 + 37 * round)]);
            pair.send(&[&long.as_bytes()[..70_000 + round], b"", b"and the end"]);
            pair.send(&[b"", b"x"]);
            pair.send(&[&[0; 1000], b""]);
        }
        assert!(pair.packed > 100 && pair.plain >= 200, "{} packed, {} plain", pair.packed, pair.plain);
    }
}

#[tokio::test]
async fn lines_shrink_more_while_the_window_is_kept() {
    let bytes = |keeps| {
        let mut pair = Pair::new(keeps, 15);
        (0..1000).map(|number| pair.send(&[line(number).as_bytes()])).sum::<usize>()
    };
    let whole = (0..1000).map(|number| line(number).len()).sum::<usize>();

    assert!(bytes(true) * 5 < whole, "{} of {whole}", bytes(true));
    assert!(bytes(true) * 3 < bytes(false), "{} and {}", bytes(true), bytes(false));
}

#[tokio::test]
async fn short_texts_beyond_ascii_shrink_behind_the_first() {
    let mut pair = Pair::new(true, 15);
    let text = |number| format!("{number} Съешь же ещё этих мягких французских булок, да выпей чаю {number}");
    let bytes = (0..100).map(|number| pair.send(&[text(number).as_bytes()])).sum::<usize>();
    assert!(bytes * 4 < (0..100).map(|number| text(number).len()).sum(), "{bytes}");
}

#[tokio::test]
async fn few_short_messages_that_do_not_shrink_are_compressed() {
    let mut pair = Pair::new(true, 15);
    for number in 0..1000 {
        pair.send(&[&noise(number, 300)]);
    }
    assert!(pair.packed < 50, "{}", pair.packed);
}

#[tokio::test]
async fn messages_that_would_not_shrink_go_plain() {
    let mut pair = Pair::new(true, 15);
    for number in 0..1000 {
        assert_eq!(pair.send(&[&noise(number, 1000)]), 1000);
    }
    assert_eq!(pair.packed, 0);
}

#[tokio::test]
async fn no_message_is_compressed_beyond_the_memory() {
    let mut pair = Pair::new(true, 15);
    pair.packer.options.pool.resize(0);

    pair.send(&[line(1).as_bytes()]);

    assert_eq!((pair.packed, pair.plain), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_compressor_is_given_back_after_a_silence() {
    let mut pair = Pair::new(true, 15);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        pair.send(&[line(1).as_bytes()]);
        tokio::time::sleep(COMPRESSOR_SILENCE * 3 / 4).await;
        pair.packer.poll_silence(&mut cx);
        assert!(pair.packer.compressor.is_some());
    }

    tokio::time::sleep(COMPRESSOR_SILENCE / 2).await;
    pair.packer.poll_silence(&mut cx);

    assert!(pair.packer.compressor.is_none() && pair.packer.silence.is_none());
    pair.send(&[line(2).as_bytes()]);
    assert_eq!(pair.packed, 4);
}

/// Inflates the parts of a last message, of at most `bytes_max`.
fn inflated(parts: &[&[u8]], bytes_max: usize) -> Result<Vec<u8>, Unfit> {
    let (mut inflater, mut got) = (Inflater::new(), Vec::new());
    for part in parts {
        inflater.inflate(part, bytes_max, &mut got)?;
    }
    inflater.end_last(bytes_max, &mut got)?;
    Ok(got)
}

#[test]
fn the_examples_of_the_rfc_are_inflated() {
    type Row<'a> = (&'a str, &'a [&'a [u8]], Result<&'a str, Unfit>);
    let table: [Row<'_>; 12] = [
        ("7.2.3.1", &[&[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]], Ok("Hello")),
        ("7.2.3.1, fragments", &[&[0xF2, 0x48, 0xCD], &[0xC9, 0xC9, 0x07, 0x00]], Ok("Hello")),
        ("7.2.3.3, a stored block", &[b"\x00\x05\x00\xFA\xFFHello\x00"], Ok("Hello")),
        ("7.2.3.4, BFINAL", &[&[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]], Ok("Hello")),
        ("7.2.3.5, two blocks", &[b"\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00"], Ok("Hello")),
        ("a last block, and no more", &[&[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]], Ok("Hello")),
        (
            "two streams",
            &[&[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]],
            Ok("HelloHello"),
        ),
        ("empty", &[&[0x00]], Ok("")),
        ("empty, as zlib makes it", &[&[0x02, 0x00]], Ok("")),
        ("nothing", &[b""], Err(Unfit::Garbage)),
        ("broken off", &[&[0xF2, 0x48, 0xCD, 0xC9]], Err(Unfit::Garbage)),
        ("a reserved block", &[&[0x07, 0x00]], Err(Unfit::Garbage)),
    ];
    for (what, parts, want) in table {
        assert_eq!(inflated(parts, 100), want.map(|text| text.as_bytes().to_vec()), "{what}");
        let bytes = parts.concat();
        let bytes: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(inflated(&bytes, 100), want.map(|text| text.as_bytes().to_vec()), "{what}, byte by byte");
    }
}

#[test]
fn a_message_is_inflated_up_to_the_limit() {
    let mut small = Vec::new();
    let mut pair_of = |length: usize| {
        let options = Arc::new(CompressOptions { bytes_min: 0, pool: Pool::new(1 << 20) });
        let mut packer =
            Packer::new(AgreedCompression { options, agreement: Agreement { window_bits: 15, keeps: true } });
        packer.pack(true, true, &vec![0; length], |payload, _| small = payload.to_vec());
        (inflated(&[&small], 100_000).map(|got| got.len()), small.len())
    };

    assert_eq!(pair_of(100_000).0, Ok(100_000));
    assert_eq!(pair_of(100_001).0, Err(Unfit::TooBig));
    assert_eq!(pair_of(1_000_000).0, Err(Unfit::TooBig));
}
