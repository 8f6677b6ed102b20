use super::{chunk::CHUNK_BYTES, *};

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

    assert_eq!((ring.held(), ring.settled, ring.bytes), ((0, 0), 0, 0));
}
