use super::{
    chunk::{BATCH_BYTES, CHUNK_BYTES, MESSAGE_BYTES},
    *,
};
use crate::{budget::Budget, message::Draft};

#[test]
fn messages_without_bytes_are_freed_and_counted_too() {
    let mut ring = Ring::default();
    for number in 1..=100_000 {
        ring.append(Piece::whole(Kind::Text, b""), usize::MAX);
        ring.sent = number;
        ring.acknowledge(number - 1).expect("it was sent");
        assert!(ring.held().0 < 4 * CHUNK_BYTES, "{} bytes for one message", ring.held().0);
    }
    for _ in 0..10_000 {
        ring.append(Piece::whole(Kind::Binary, b""), usize::MAX);
    }
    let (held, _) = ring.held();
    assert!((10_000 * MESSAGE_BYTES..20_000 * MESSAGE_BYTES).contains(&held), "{held}");
    ring.sent = 110_000;

    ring.acknowledge(110_000).expect("it was sent");

    assert_eq!((ring.held(), ring.settled, ring.bytes()), ((0, 0), 0, 0));
}

/// The messages that a client has taken.
#[derive(Default)]
struct TakenMessages(Vec<Vec<u8>>);

impl Carrier for TakenMessages {
    fn message(&mut self, number: u64, _: Kind, payload: &[u8]) {
        self.0.push(payload.to_vec());
        assert_eq!(number, self.0.len() as u64);
    }

    fn gap(&mut self, _: u64, _: u64) {
        panic!("nothing is dropped");
    }
}

/// A source of numbers below a bound, which are always the same: Knuth's constants of a linear congruential generator.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 1_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    }
}

#[test]
fn messages_of_all_kinds_come_in_order_and_count_until_they_are_gone() {
    let (mut random, mut ring, mut client) = (random(), Ring::default(), TakenMessages::default());
    // Each message, the bytes that it counts for, and those that go with it.
    let mut all: Vec<(Vec<u8>, usize, usize)> = Vec::new();
    let mut acked = 0;
    for step in 0..2000 {
        let on_way = client.0.len() - acked + 1;
        match random(9) {
            0..5 => {
                let length = [0, 1, 64, 125, 126, 5000, CHUNK_BYTES, 60_000][random(8)];
                let payload = vec![b'a' + u8::try_from(step % 26).expect("a letter"); length];
                ring.append(Piece::whole(Kind::Text, &payload), usize::MAX);
                all.push((payload, length + if length < 126 { 2 } else { 4 } + MESSAGE_BYTES, 0));
            }
            5 => {
                let mut draft = Draft::default();
                for number in 0..=random(3) {
                    let payload = vec![b'0'; number];
                    draft.push(Kind::Text, &payload);
                    all.push((payload, number + MESSAGE_BYTES, 0));
                }
                all.last_mut().expect("there is one").2 = BATCH_BYTES;
                ring.append_batch(&Arc::new(draft.share(&Budget::new(None))));
            }
            6 => {
                ring.feed(&mut client, random(100_000));
            }
            7 => {
                acked += random(on_way);
                ring.acknowledge(acked as u64).expect("it was sent");
            }
            _ => {
                acked += random(on_way);
                client.0.truncate(acked);
                assert_eq!(ring.rewind(acked as u64), Some(all.len() - acked));
            }
        }

        assert_eq!(ring.count(), all.len() - acked, "step {step}");
        assert_eq!(ring.has_unsent(), client.0.len() < all.len(), "step {step}");
        let bytes: usize = all[acked..].iter().map(|(_, own, end)| own + end).sum();
        assert_eq!(ring.bytes(), bytes, "step {step}");
    }
    while ring.feed(&mut client, usize::MAX) {}
    ring.acknowledge(all.len() as u64).expect("it was sent");

    assert!(client.0.iter().eq(all.iter().map(|(payload, ..)| payload)));
    assert_eq!((ring.held(), ring.settled, ring.bytes()), ((0, 0), 0, 0));
}
