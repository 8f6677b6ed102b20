use std::task::Waker;

use super::{payload::PAYLOAD_BYTES, *};

/// The fewest bytes for which the budget asks.
const K: usize = 4 << 10;

fn is_asked(owner: &Owner) -> bool {
    owner.is_asked(&mut Context::from_waker(Waker::noop()))
}

/// Returns owners that hold `bytes` times [`K`] bytes each.
fn owners<const N: usize>(budget: &Budget, kind: OwnerKind, bytes: [usize; N]) -> [(Owner, Share); N] {
    bytes.map(|bytes| {
        let owner = Owner::new(budget, kind);
        let mut share = owner.share();
        share.set(bytes * K, 0);
        (owner, share)
    })
}

#[test]
fn near_the_limit_the_largest_history_gives_back_first() {
    let budget = Budget::new(Some(1600 * K));
    let [small, large] = owners(&budget, OwnerKind::History, [300, 700]);
    let [client] = owners(&budget, OwnerKind::Client, [200]);
    assert!(!is_asked(&small.0) && !is_asked(&large.0), "three quarters are not over");

    let [_more] = owners(&budget, OwnerKind::Client, [1]);

    assert!(is_asked(&large.0) && !is_asked(&small.0) && !is_asked(&client.0));
    assert!(!budget.is_full());
}

#[test]
fn at_the_limit_the_largest_client_is_asked_and_only_once() {
    let budget = Budget::new(Some(1600 * K));
    let [small, large] = owners(&budget, OwnerKind::Client, [400, 1000]);

    let [another] = owners(&budget, OwnerKind::Client, [150]);

    assert!(budget.is_full());
    assert!(is_asked(&large.0) && !is_asked(&small.0) && !is_asked(&another.0));
    let [mut last] = owners(&budget, OwnerKind::Client, [1]);
    last.1.set(40 * K, 0);
    assert!(!is_asked(&small.0), "the largest is about to give back more than enough");
    drop(large);
    assert!(!budget.is_full());
}

#[test]
fn shared_bytes_count_once_and_weigh_on_each_owner() {
    let budget = Budget::new(Some(1600 * K));
    let payload = budget.bytes(Vec::with_capacity(1000 * K));
    let [mut one, mut other] = owners(&budget, OwnerKind::Client, [0, 10]);
    one.1.set(0, 1000 * K);
    other.1.set(10 * K, 900 * K);
    assert_eq!(budget.used(), 1010 * K + PAYLOAD_BYTES);

    let [_third] = owners(&budget, OwnerKind::Client, [500]);

    assert!(is_asked(&one.0) && !is_asked(&other.0));
    drop(payload);
    drop((one, other));
    assert_eq!(budget.used(), 500 * K);
}

#[test]
fn nothing_is_left_when_all_are_gone() {
    let budget = Budget::new(Some(100 * K));
    let all = owners(&budget, OwnerKind::Client, [60, 60, 60]);
    drop(all);
    assert_eq!(budget.used(), 0);
    assert_eq!(budget.0.asked.load(Ordering::Relaxed), 0);
    assert!(budget.owners().known.is_empty());
}

#[test]
fn an_owner_of_few_bytes_is_never_asked() {
    let budget = Budget::new(Some(100 * K));
    let mut many = owners(&budget, OwnerKind::Client, [0; 97]);
    for (_, share) in &mut many {
        share.set(ASKED_BYTES_MIN - 1, 0);
    }
    let [mut small, mut large] = owners(&budget, OwnerKind::Client, [0, 0]);

    small.1.set(ASKED_BYTES_MIN - 1, 0);
    assert!(budget.is_full());
    assert!(!is_asked(&small.0));

    budget.owners().searched = [None; 3];
    large.1.set(ASKED_BYTES_MIN, 0);
    assert!(is_asked(&large.0) && !is_asked(&small.0));
}

#[test]
fn rooms_are_asked_when_clients_hold_too_little() {
    let budget = Budget::new(Some(1600 * K));
    let [room] = owners(&budget, OwnerKind::Room, [800]);
    let [client] = owners(&budget, OwnerKind::Client, [750]);
    assert!(is_asked(&client.0) && !is_asked(&room.0), "the client's bytes are enough");
    drop(client);

    let [_other] = owners(&budget, OwnerKind::Room, [750]);

    assert!(is_asked(&room.0));
}

#[test]
fn a_full_budget_asks_again_when_someone_looks() {
    let budget = Budget::new(Some(100 * K));
    let [room] = owners(&budget, OwnerKind::Room, [0]);
    let [mut client] = owners(&budget, OwnerKind::Client, [99]);
    assert!(is_asked(&client.0));
    // A search that found too few a moment ago.
    budget.owners().searched = [Some(Instant::now()); 3];
    client.0.settle();
    assert!(budget.is_full() && !is_asked(&client.0));

    budget.owners().searched = [None; 3];

    assert!(budget.is_full() && is_asked(&client.0));
    client.1.set(0, 0);
    drop(room);
}
