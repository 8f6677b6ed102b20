//! Tests the session loop with a scripted client and partner and a paused clock, without a process or a socket.

mod ends;
mod garbled;
mod limits;

use std::time::Duration;

use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};

use super::terms::{Deadline, SessionLimits, Terms};
use crate::{
    budget::{Budget, Owner, OwnerKind},
    client::{Departure, Fault},
    close::Close,
    metrics::{
        live::{SessionFacts, Traffic, Transport},
        route::NamedRoute,
    },
    partner::Verdict,
    peer::Peer,
    shutdown::Shutdown,
    status::Status,
};
use ends::{ScriptedClient, ScriptedEnd, ScriptedLine, ScriptedPartner};

/// The count of one message without bytes.
const ONE: Traffic = Traffic { messages: 1, bytes: 0 };

/// A running session, whose client and partner the test controls.
struct Stage {
    client: ScriptedClient,
    partner: ScriptedEnd<Verdict>,
    budget: Budget,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<()>,
}

impl Stage {
    /// Starts a session whose process, if it has one, ends with `status`. `set` prepares the client and the partner.
    fn begin(status: Option<Status>, set: impl FnOnce(&ScriptedClient, &ScriptedEnd<Verdict>)) -> Self {
        Self::begin_with(None, status, set)
    }

    /// As [`Stage::begin`], for a session with `terms`.
    fn begin_with(
        terms: Option<Box<Terms>>,
        status: Option<Status>,
        set: impl FnOnce(&ScriptedClient, &ScriptedEnd<Verdict>),
    ) -> Self {
        let (client, partner) = (ScriptedClient::default(), ScriptedEnd::default());
        set(&client, &partner);
        let (budget, shutdown) = (Budget::new(Some(160_000)), Shutdown::default());
        let (own, other) = (client.clone(), ScriptedPartner::new(&partner, status, &budget));
        let end = shutdown.clone();
        let task = tokio::spawn(async move {
            super::run(facts(), "/".to_owned(), own, other, terms, &end).await;
        });
        Self { client, partner, budget, shutdown, task }
    }

    /// Waits for the end of the session. Returns the texts that the client got, and the time that it took.
    async fn end(self) -> (Vec<String>, Duration) {
        let began = Instant::now();
        self.task.await.expect("the session does not panic");
        (self.client.taken(), began.elapsed())
    }
}

/// Returns the facts of a client of which the test tells nothing.
fn facts() -> SessionFacts {
    let (route, transport) = (NamedRoute::named("/"), Transport::WebSocket);
    SessionFacts { conn: 0, peer: Peer::Unix, user: "".into(), route, transport }
}

/// Lets the session do all that it can while the clock stands still.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_carried_both_ways_in_order() {
    let stage = Stage::begin(Some(Status::Exit(0)), |client, partner| {
        for text in ["a", "b", "c"] {
            client.say(ScriptedLine::Message(text));
            partner.say(ScriptedLine::Message(text));
        }
    });
    settle().await;

    assert_eq!(stage.client.taken(), ["a", "b", "c"]);
    assert_eq!(stage.partner.taken(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_side_that_takes_nothing_stops_the_other() {
    let stage = Stage::begin(None, |client, partner| {
        client.take_nothing();
        partner.take_nothing();
        for _ in 0..10 {
            client.say(ScriptedLine::Message("x"));
            partner.say(ScriptedLine::Message("y"));
        }
    });
    sleep(Duration::from_secs(100)).await;
    assert_eq!((stage.client.reads(), stage.partner.reads()), (1, 1));

    stage.client.take_again();
    stage.partner.take_again();
    settle().await;

    assert_eq!((stage.client.taken().len(), stage.partner.taken().len()), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn the_close_tells_how_the_session_ended() {
    let exit = |status| ScriptedLine::End(Verdict::Exit(status));
    let signal = Some(Status::Signal(9));
    let dismissed = ScriptedLine::End(Verdict::Dismissed(Close::new(4000, "bye")));
    let table = [
        (None, exit(None), "close 1000 "),
        (Some(Status::Exit(0)), exit(None), "close 1000 "),
        (Some(Status::Exit(3)), exit(None), "close 4003 exit 3"),
        (None, exit(signal), "close 4137 signal 9"),
        (Some(Status::Exit(3)), dismissed, "close 4000 bye"),
        (None, ScriptedLine::End(Verdict::Slow), "close 1013 too slow"),
        (None, ScriptedLine::End(Verdict::Garbled("no header")), "close 1011 no header"),
    ];
    for (status, said, want) in table {
        let stage = Stage::begin(status, |_, partner| partner.say(said));
        assert_eq!(stage.end().await.0, [want]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_output_arrives_before_the_close() {
    let stage = Stage::begin(Some(Status::Exit(0)), |_, partner| {
        partner.say(ScriptedLine::Message("first"));
        partner.say(ScriptedLine::MessageAndEnd("last", Verdict::Exit(None)));
    });
    assert_eq!(stage.end().await.0.join("+"), "first+last+close 1000 ");
}

#[tokio::test(start_paused = true)]
async fn the_partner_is_told_why_the_client_left() {
    let table = [
        (Departure::Closed(Some(4001), "enough".to_owned()), "end 4001 enough", &["close 4001 "][..]),
        (Departure::Closed(None, String::new()), "end 1005 ", &["close 0 "]),
        (Departure::Left, "end 1006 ", &[]),
        (Departure::Fault(Fault::TooBig), "end 1009 ", &["close 1009 message too big"]),
    ];
    for (departure, told, want) in table {
        let stage = Stage::begin(None, |client, _| client.say(ScriptedLine::End(departure)));
        let partner = stage.partner.clone();
        assert_eq!(stage.end().await.0, want);
        assert_eq!(partner.taken(), [told]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_partner_is_given_time_to_take_what_a_client_left() {
    let closed = Departure::Closed(None, String::new());
    for (departure, least, most) in [(closed, 5000, 5500), (Departure::Left, 450, 1000)] {
        let stage = Stage::begin(None, |client, partner| {
            partner.take_nothing();
            client.say(ScriptedLine::MessageAndEnd("last message", departure.clone()));
        });
        let (_, time) = stage.end().await;
        assert!((least..most).contains(&time.as_millis()), "{departure:?}: {time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_partner_takes_all_that_a_client_left() {
    let stage = Stage::begin(None, |client, partner| {
        partner.take_nothing();
        client.say(ScriptedLine::MessageAndEnd("last message", Departure::Left));
    });
    sleep(Duration::from_millis(300)).await;
    stage.partner.take_again();
    let partner = stage.partner.clone();

    stage.end().await;

    assert_eq!(partner.taken(), ["last message", "end 1006 "]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanished_while_it_cannot_be_read_is_missed() {
    let stage = Stage::begin(None, |client, partner| {
        partner.take_nothing();
        client.say(ScriptedLine::Message("x"));
        client.vanish();
    });
    let (_, time) = stage.end().await;
    assert!(time < Duration::from_secs(1), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_given_up_when_the_partner_says_so() {
    for (verdict, want) in [(Verdict::Slow, "close 1013 too slow"), (Verdict::Exit(None), "given up+close 1000 ")] {
        let stage = Stage::begin(None, |client, partner| {
            client.take_nothing();
            partner.say(ScriptedLine::Message("x"));
            partner.set_patience(Duration::from_mins(1), verdict.clone());
        });
        let client = stage.client.clone();
        let (_, time) = stage.end().await;
        assert!(time >= Duration::from_mins(1) && time < Duration::from_secs(62), "{verdict:?}: {time:?}");
        let told = client.taken().join("+");
        assert!(told.ends_with(want), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_wsd_is_told_before_the_partner_has_ended() {
    let stage = Stage::begin(Some(Status::Signal(15)), |_, _| {});
    settle().await;
    let client = stage.client.clone();

    stage.shutdown.finish(Duration::from_secs(1)).await;
    settle().await;

    assert_eq!(client.taken()[0], "close 1001 server is stopping");
}

#[tokio::test(start_paused = true)]
async fn the_session_that_holds_most_ends_when_memory_is_short() {
    let stage = Stage::begin(None, |client, _| client.hold(100_000));
    settle().await;
    let mut share = Owner::new(&stage.budget, OwnerKind::Room).share();

    share.set(59_000, 0);

    assert_eq!(stage.end().await.0, ["close 1013 server is out of buffers"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_deadline_of_its_terms_ends_a_session() {
    let deadline = |secs, code, word| Deadline {
        at: Instant::now() + Duration::from_secs(secs),
        close: Close::new(code, word),
        word,
    };
    let terms = Terms::new(vec![deadline(60, 4410, "later"), deadline(30, 3000, "first")], &SessionLimits::default());
    let stage = Stage::begin_with(terms, Some(Status::Exit(0)), |_, _| {});

    let (taken, took) = stage.end().await;

    assert_eq!(took.as_secs(), 30, "{took:?}");
    assert_eq!(taken, ["close 3000 first"]);
}

#[test]
fn a_session_without_deadlines_has_no_terms() {
    assert!(Terms::new(Vec::new(), &SessionLimits::default()).is_none());
    assert_eq!(size_of::<Option<Box<Terms>>>(), 8);
}
