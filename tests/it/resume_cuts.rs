//! `--resume` behind a proxy that cuts: nothing is lost, nothing doubled, and the order stays.
//!
//! There are some hundred cuts. `WSD_CUTS=10000` makes them so many: then one is after each byte of the first 4 KiB, both ways.

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use crate::harness::cutting::{Cut, Cutting, Way};
use crate::harness::returning::{Next, Returning};
use crate::harness::server::Server;
use crate::harness::time::scaled;

/// A connection that lasts.
const WHOLE: Cut = Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin };

/// The first connection of a session: before its greeting the client has no token, and the session would be lost with it.
const FIRST: Cut = Cut { down: 3000, ..WHOLE };

/// Bytes after each of which a connection is cut.
const BYTES: usize = 4096;

/// Sessions at a time, whose proxies share the cuts. Mostly they wait: a silence takes a client some time to notice.
const SESSIONS: usize = 16;

/// Messages under way in each session.
const UNDERWAY: u64 = 40;

/// The time after which a client takes a silence for a lost connection.
const SILENCE: Duration = Duration::from_millis(150);

/// The number of cuts in all.
pub(crate) static CUTS: LazyLock<usize> = LazyLock::new(|| {
    let Some(text) = env::var_os("WSD_CUTS") else { return 400 };
    text.to_str().and_then(|text| text.parse().ok()).expect("WSD_CUTS is a number")
});

/// Returns a source of numbers below a bound, which are always the same.
pub(crate) fn random() -> impl FnMut(u64) -> usize + Clone + Send {
    let mut state = 1_u64;
    move |below| {
        // Knuth's constants of a linear congruential generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % below).unwrap()
    }
}

/// Gives each connection its cut, as long as there are any.
struct Cuts {
    list: Vec<Cut>,
    at: AtomicUsize,
}

impl Cuts {
    fn next(&self) -> Option<Cut> {
        self.list.get(self.at.fetch_add(1, Ordering::Relaxed)).copied()
    }

    fn are_over(&self) -> bool {
        self.at.load(Ordering::Relaxed) >= self.list.len()
    }
}

/// Floods `cat` with numbers and takes them back, both at the same time, and returns whenever the connection is lost, until
/// there are no more cuts. Returns how often it was lost, and the number of messages.
fn flood(server: &Server, cuts: &Arc<Cuts>) -> (usize, u64) {
    let (given, mut first) = (Arc::clone(cuts), Some(FIRST));
    let proxy = Cutting::to(server.address, move || first.take().or_else(|| given.next()).unwrap_or(WHOLE));
    let mut client = Returning::new(proxy.address, "/", "wsd.resume.1", "");
    client.patience = scaled(SILENCE);
    let (mut next, mut connections, mut is_connected) = (1, 0, false);
    while !cuts.are_over() || client.given >= next {
        if !is_connected {
            // A connection may be cut before the greeting, and another one be needed.
            is_connected = client.connect().is_ok();
            connections += 1;
            assert!(connections < 4 * cuts.list.len() + 100, "no progress after {next} messages");
            let lost = client.greetings.iter().find(|greeting| greeting["lost"] == "unknown");
            assert_eq!(lost, None);
            continue;
        }
        while !cuts.are_over() && client.given < next + UNDERWAY {
            let number = client.given + 1;
            client.text(&number.to_string());
        }
        match client.next(client.patience) {
            Next::Message(frame) => {
                assert_eq!(String::from_utf8(frame.payload).unwrap(), next.to_string());
                next += 1;
            }
            Next::Silence | Next::Lost => is_connected = false,
            Next::Closed(close) => panic!("after {next} messages: {close:?}"),
        }
    }
    client.close(1000);
    (connections - 1, next - 1)
}

/// Makes all these cuts, of several sessions of one server.
#[expect(clippy::print_stdout, reason = "the figures are the result of a run with many cuts")]
fn assert_nothing_is_lost(flags: &[&str], list: Vec<Cut>) {
    let server = Server::command(&[&["--resume=60", "--pingms=0"], flags].concat(), &["cat"]);
    let wanted = list.len();
    let cuts = Arc::new(Cuts { list, at: AtomicUsize::new(0) });
    let (returns, messages) = thread::scope(|scope| {
        let sessions: Vec<_> = (0..SESSIONS).map(|_| scope.spawn(|| flood(&server, &cuts))).collect();
        let done = sessions.into_iter().map(|session| session.join().unwrap());
        done.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });

    println!("{returns} connections lost for {wanted} cuts, {messages} messages each way, 0 lost, 0 doubled");
    // A last connection of a session may end before its cut.
    assert!(returns + SESSIONS >= wanted, "{returns} connections lost for {wanted} cuts");
    assert!(messages > wanted as u64, "{messages} messages for {wanted} cuts");
}

#[test]
fn a_connection_cut_after_any_byte_loses_and_doubles_nothing() {
    let each = (2 * BYTES / *CUTS).max(1);
    let ways = Way::ALL.into_iter().cycle();
    let cuts = (1..=BYTES).step_by(each).zip(ways).flat_map(|(bytes, way)| {
        // The ways go round differently in the two directions.
        let other = Way::ALL[(bytes / each + 1) % 4];
        [Cut { down: bytes, way, ..WHOLE }, Cut { up: bytes, way: other, ..WHOLE }]
    });

    assert_nothing_is_lost(&[], cuts.collect());
}

#[test]
fn a_connection_that_is_cut_again_and_again_loses_and_doubles_nothing() {
    let count = CUTS.checked_sub(2 * BYTES).unwrap_or(*CUTS / 4);
    let mut random = random();
    let cuts =
        (0..count).map(|_| Cut { down: 300 + random(20_000), up: 300 + random(20_000), way: Way::ALL[random(4)] });
    let cuts = cuts.collect();

    // The rings are so small that they are full again and again.
    assert_nothing_is_lost(&["--replay=2000"], cuts);
}
