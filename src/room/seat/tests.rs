use std::task::Waker;

use super::*;
use crate::{
    budget::{Budget, Owner, OwnerKind},
    message::{Draft, Kind},
    metrics::route::NamedRoute,
    status::Status,
};

fn batch(letter: u8, bytes: usize) -> Arc<Batch> {
    let mut draft = Draft::default();
    draft.push(Kind::Text, &vec![letter; bytes.max(1)]);
    Arc::new(draft.share(&Budget::new(None)))
}

fn take_all(seat: &Seat) -> (Vec<u8>, Option<Verdict>) {
    let (mut taken, mut cx) = (Vec::new(), Context::from_waker(Waker::noop()));
    let mut on = |batch: &Arc<Batch>| taken.extend(batch.messages().map(|(_, payload)| payload[0]));
    let verdict = loop {
        match seat.poll_take(&mut cx, &mut on) {
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(verdict)) => break Some(verdict),
            Poll::Pending => break None,
        }
    };
    (taken, verdict)
}

fn seat(slow: Slow, welcome: impl Iterator<Item = Arc<Batch>>) -> Seat {
    let owner = Owner::new(&Budget::new(None), OwnerKind::Client);
    Seat::new(welcome, Arc::new(Pressure::new(slow, NamedRoute::named("/"))), owner.share())
}

#[test]
fn a_full_seat_means_what_slow_says() {
    let (half, most) = (SEAT_BYTES_MAX / 2 - BATCH_BYTES, SEAT_BYTES_MAX - BATCH_BYTES - 1);
    let table = [
        (Slow::Close, vec![half, half], "ab", None, 0),
        (Slow::Close, vec![0; SEAT_BYTES_MAX / BATCH_BYTES + 2], "", Some(Verdict::Slow), 0),
        (Slow::Close, vec![most, SEAT_BYTES_MAX], "ab", None, 0),
        (Slow::Close, vec![half, half, 1], "", Some(Verdict::Slow), 0),
        (Slow::Close, vec![SEAT_BYTES_MAX * 2], "a", None, 0),
        (Slow::Drop, vec![half, half], "ab", None, 0),
        (Slow::Drop, vec![half, half, 1], "bc", None, 1),
        (Slow::Drop, vec![1, 1, SEAT_BYTES_MAX * 2, 1], "d", None, 3),
        (Slow::Wait, vec![half, half, 1], "abc", None, 0),
    ];
    for (slow, sizes, want, verdict, lost) in table {
        let seat = seat(slow, std::iter::empty());
        seat.block(&mut Context::from_waker(Waker::noop()));
        for (&size, letter) in sizes.iter().zip((b'a'..=b'z').cycle()) {
            seat.offer(&batch(letter, size));
        }
        assert_eq!(take_all(&seat), (want.into(), verdict), "{slow:?}, {} items", sizes.len());
        assert_eq!(seat.lost(), lost, "{slow:?}, {} items", sizes.len());
    }
}

#[test]
fn a_session_that_has_had_no_turn_loses_nothing_and_is_waited_for() {
    for slow in [Slow::Close, Slow::Drop, Slow::Wait] {
        let seat = seat(slow, std::iter::empty());
        assert_eq!(take_all(&seat), (vec![], None));
        for letter in [b'a', b'b', b'c'] {
            assert_eq!(is_waited_for(&seat), letter == b'c', "{slow:?}");
            seat.offer(&batch(letter, SEAT_BYTES_MAX / 2));
        }
        assert_eq!(take_all(&seat), (b"abc".to_vec(), None), "{slow:?}");
        assert!(!is_waited_for(&seat), "{slow:?}");
    }
}

#[test]
fn a_full_seat_is_waited_for_until_it_is_known_why() {
    let block = |seat: &Seat| seat.block(&mut Context::from_waker(Waker::noop()));
    let part = |seat: &Seat| seat.end(Verdict::Exit(Some(Status::Exit(0))));
    let table = [
        (Slow::Close, block as fn(&Seat), false),
        (Slow::Drop, block, false),
        (Slow::Wait, block, true),
        (Slow::Wait, part, false),
        (Slow::Wait, Seat::leave, false),
    ];
    for (index, (slow, change, want)) in table.into_iter().enumerate() {
        let seat = seat(slow, std::iter::empty());
        take_all(&seat);
        seat.offer(&batch(b'a', SEAT_BYTES_MAX));
        assert!(is_waited_for(&seat), "row {index}");
        change(&seat);
        assert_eq!(is_waited_for(&seat), want, "row {index}");
    }
}

fn is_waited_for(seat: &Seat) -> bool {
    seat.pressure.poll_none(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[test]
fn a_welcome_does_not_count() {
    let seat = seat(Slow::Close, std::iter::once(batch(b'h', 2 * SEAT_BYTES_MAX)));
    seat.offer(&batch(b'a', 1));
    seat.offer(&batch(b'b', 1));
    assert_eq!(take_all(&seat), (b"hab".to_vec(), None));
}

#[test]
fn a_welcome_is_the_first_to_be_lost() {
    let seat = seat(Slow::Drop, [b'h', b'i'].map(|letter| batch(letter, 1)).into_iter());
    for letter in [b'a', b'b', b'c'] {
        seat.offer(&batch(letter, SEAT_BYTES_MAX / 2));
    }
    assert_eq!(seat.lost(), 3);
    assert_eq!(take_all(&seat), (b"bc".to_vec(), None));
}

#[test]
fn messages_before_the_verdict_arrive() {
    let seat = seat(Slow::Close, std::iter::once(batch(b'h', 3)));
    seat.offer(&batch(b'a', 1));
    seat.end(Verdict::Exit(Some(Status::Exit(0))));
    seat.offer(&batch(b'z', 1));
    assert_eq!(take_all(&seat), (b"ha".to_vec(), Some(Verdict::Exit(Some(Status::Exit(0))))));
}
