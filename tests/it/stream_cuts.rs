//! `--http` behind a proxy that cuts event streams and POSTs: nothing is lost, nothing doubled, and the order stays.
//!
//! There are some hundred cuts. `WSD_CUTS=10000` makes them so many: then one is after each byte of the first 4 KiB of streams and
//! of POSTs.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::harness::cutting::{Cut, Cutting, Way};
use crate::harness::eventsource::{EventSource, Next};
use crate::harness::server::Server;
use crate::harness::time::scaled;
use crate::resume_cuts::{CUTS, random};

/// A connection that lasts.
const WHOLE: Cut = Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin };

/// A cut in place of one that a connection did not come to: a busy machine is silent, and its client leaves early.
const MORE: Cut = Cut { down: 2000, up: 2000, way: Way::Fin };

/// The first stream of a session: before its first event the client has no token, and the session would be lost with it.
const FIRST: Cut = Cut { down: 3000, ..WHOLE };

/// Bytes after each of which a stream is cut, or a POST.
const BYTES: usize = 4096;

/// Bytes that the request for a stream has at least, and the answer to a POST.
const REQUEST_BYTES: usize = 120;
const ANSWER_BYTES: usize = 80;

/// Connections of a session that are cut for their age.
const AGED: usize = 36;

/// Sessions at a time, whose proxies share the cuts. Mostly they wait: a silence takes a client some time to notice.
const SESSIONS: usize = 32;

/// Messages of one POST, and their length: together they are longer than [`BYTES`].
const MESSAGES: u64 = 24;
const MESSAGE_BYTES: usize = 200;

/// The time after which a client takes a silence for a lost connection. After each one that was none it waits longer.
const SILENCE: Duration = Duration::from_millis(150);

/// The cuts of connections of one kind. `None` if there are no more.
type Source = Box<dyn FnMut() -> Option<Cut> + Send>;

/// Gives each connection of all sessions its cut, as long as there are any.
struct Cuts {
    streams: Mutex<Source>,
    posts: Mutex<Source>,
    /// Messages after which a client acknowledges by POST.
    acknowledged_every: u64,
    /// The sources that have no more.
    over: AtomicUsize,
    /// The cuts that were made, and those that must be.
    made: AtomicUsize,
    wanted: usize,
}

impl Cuts {
    fn of(streams: Source, posts: Source, acknowledged_every: u64, wanted: usize) -> Arc<Self> {
        let (streams, posts) = (Mutex::new(streams), Mutex::new(posts));
        let (over, made) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { streams, posts, acknowledged_every, over, made, wanted })
    }

    fn next(&self, source: &Mutex<Source>) -> Cut {
        if self.are_over() {
            return WHOLE;
        }
        let mut source = source.lock().unwrap();
        source().unwrap_or_else(|| {
            *source = Box::new(|| Some(MORE));
            self.over.fetch_add(1, Ordering::Relaxed);
            MORE
        })
    }

    fn are_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) == 2 && self.made.load(Ordering::Relaxed) >= self.wanted
    }
}

/// The outcome of a session: the cuts that were made, and the messages each way.
#[derive(Default)]
struct Outcome {
    cuts: usize,
    messages: u64,
}

/// Floods `cat` behind proxies that make these cuts, until there are no more. `is_plain` is whether the client acknowledges nothing,
/// as an `EventSource` of a browser.
fn flood_through_cuts(server: &Server, cuts: &Arc<Cuts>, is_plain: bool) -> Outcome {
    let (given, mut first) = (Arc::clone(cuts), Some(FIRST));
    let streams = Cutting::to(server.address, move || first.take().unwrap_or_else(|| given.next(&given.streams)));
    let given = Arc::clone(cuts);
    // After a POST that is cut one gets through.
    let mut turn = 0;
    let posts = Cutting::to(server.address, move || {
        turn += 1;
        if turn % 2 == 0 { WHOLE } else { given.next(&given.posts) }
    });
    let mut client = EventSource::new(streams.address, "/", "");
    (client.posts, client.acknowledges, client.acknowledged_every) =
        (posts.address, !is_plain, cuts.acknowledged_every);
    let counted = Cell::new(0);
    let messages = flood(&mut client, || {
        let made = streams.made() + posts.made();
        cuts.made.fetch_add(made - counted.replace(made), Ordering::Relaxed);
        cuts.are_over()
    });
    Outcome { cuts: streams.made() + posts.made(), messages }
}

/// Sends numbers through `cat` by POST and takes them back as events, and returns whenever the connection is lost, until the cuts are
/// over. Returns how many there were.
fn flood(client: &mut EventSource, are_over: impl Fn() -> bool) -> u64 {
    let (mut next, mut failures) = (1, 0);
    // The last cut of all may be that of its first connection.
    while !are_over() || client.given() >= next || client.token.is_empty() {
        client.patience = scaled(SILENCE * (1 + failures / 8));
        assert!(failures < 100, "no progress after {next} messages");
        if !client.is_connected() {
            // A connection may be cut before the first event, and another one be needed.
            let is_known = !client.token.is_empty();
            match client.connect() {
                Ok(200) => assert_eq!(client.greeting()["resumed"], is_known, "{}", client.greeting()),
                Ok(status) => panic!("{status} after {next} messages"),
                Err(_) => {
                    client.drop_connection();
                    failures += 1;
                }
            }
            continue;
        }
        if !are_over() && client.given() < next + MESSAGES / 2 {
            for number in client.given() + 1..=client.given() + MESSAGES {
                client.keep(&format!("{number:0MESSAGE_BYTES$}"));
            }
        }
        client.send_kept(client.patience);
        let time = if client.has_kept() { Duration::from_millis(1) } else { client.patience };
        match client.next(time) {
            Next::Text(text) => {
                assert_eq!(text, format!("{next:0MESSAGE_BYTES$}"));
                (next, failures) = (next + 1, 0);
            }
            Next::Silence if client.has_kept() => failures += 1,
            Next::Silence | Next::Lost => client.drop_connection(),
            other => panic!("after {next} messages: {other:?}"),
        }
    }
    assert_eq!(client.gaps, [0_u64; 0]);
    assert_eq!(client.leave(), 204);
    next - 1
}

/// Makes all these cuts, of several sessions of one server, of which `plain` do not acknowledge.
#[expect(clippy::print_stdout, reason = "the figures are the result of a run with many cuts")]
fn assert_nothing_is_lost(cuts: &Arc<Cuts>, flags: &[&str], plain: usize) -> Outcome {
    let server = Server::command(&[&["--http", "--resume=60"], flags].concat(), &["cat"]);
    let outcome = thread::scope(|scope| {
        let server = &server;
        let sessions: Vec<_> =
            (0..SESSIONS).map(|number| scope.spawn(move || flood_through_cuts(server, cuts, number < plain))).collect();
        let done = sessions.into_iter().map(|session| session.join().unwrap());
        done.fold(Outcome::default(), |sum, one| Outcome {
            cuts: sum.cuts + one.cuts,
            messages: sum.messages + one.messages,
        })
    });
    println!("{} cuts of streams and POSTs, {} messages each way, 0 lost, 0 doubled", outcome.cuts, outcome.messages);
    assert!(outcome.messages > outcome.cuts as u64);
    outcome
}

#[test]
fn a_stream_or_post_cut_after_any_byte_loses_and_doubles_nothing() {
    let each = (2 * BYTES / *CUTS).max(1);
    let mut random = random();
    let mut list = |down: usize, up: usize| {
        // The ways go round differently in the two directions.
        let down = (1..=down).step_by(each).map(|bytes| Cut { down: bytes, way: Way::ALL[bytes / each % 4], ..WHOLE });
        let up = (1..=up).step_by(each).map(|bytes| Cut { up: bytes, way: Way::ALL[(bytes / each + 1) % 4], ..WHOLE });
        let mut cuts: Vec<_> = down.chain(up).collect();
        // Mixed, since a stream that is cut after few bytes brings no message.
        for place in 1..cuts.len() {
            cuts.swap(place, random(place as u64 + 1));
        }
        cuts
    };
    let (streams, posts) = (list(BYTES, REQUEST_BYTES), list(ANSWER_BYTES, BYTES));
    let wanted = streams.len() + posts.len();
    let (mut streams, mut posts) = (streams.into_iter(), posts.into_iter());
    let cuts = Cuts::of(Box::new(move || streams.next()), Box::new(move || posts.next()), u64::MAX, wanted);

    let outcome = assert_nothing_is_lost(&cuts, &[], SESSIONS / 2);

    assert!(outcome.cuts >= wanted, "{} of {wanted} cuts", outcome.cuts);
}

#[test]
fn streams_and_posts_that_are_cut_again_and_again_lose_and_double_nothing() {
    let count = CUTS.checked_sub(2 * BYTES).unwrap_or(*CUTS / 4);
    let (mut random, mut left) = (random(), count);
    let mut next = move |down: u64, up: u64| {
        left = left.checked_sub(1)?;
        Some(Cut { down: 1 + random(down), up: 1 + random(up), way: Way::ALL[random(4)] })
    };
    let mut other = next.clone();
    let cuts = Cuts::of(Box::new(move || next(20_000, 100_000)), Box::new(move || other(150, 6000)), 16, count);

    // The rings are so small that they are full again and again. An acknowledgement may be too short for its cut.
    let outcome = assert_nothing_is_lost(&cuts, &["--replay=8000"], 0);

    assert!(outcome.cuts >= count, "{} of {count} cuts", outcome.cuts);
}

#[test]
fn a_session_survives_a_proxy_that_cuts_every_connection_after_a_time() {
    let server = Server::command(&["--http", "--resume=60"], &["cat"]);
    thread::scope(|scope| {
        for acknowledges in [true, false] {
            let server = &server;
            scope.spawn(move || {
                let proxy = Cutting::after(server.address, scaled(Duration::from_millis(300)));
                let mut client = EventSource::new(proxy.address, "/", "");
                client.acknowledges = acknowledges;

                let messages = flood(&mut client, || proxy.made() >= AGED);

                assert!(messages > AGED as u64, "{messages} messages");
                assert!(client.opens.len() > AGED, "{} connections", client.opens.len());
            });
        }
    });
}
