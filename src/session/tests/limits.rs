//! Tests the limits of a session by the clock: idleness, the lifetime, and the rate of the client.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    Stage,
    ends::{ScriptedClient, ScriptedEnd, ScriptedLine},
    settle,
};
use crate::{
    client::Departure,
    partner::Verdict,
    rate::FlowRate,
    session::terms::{SessionLimits, Terms},
    status::Status,
};

const SECOND: Duration = Duration::from_secs(1);

/// Starts a session with these limits.
fn begin(limits: &SessionLimits, set: impl FnOnce(&ScriptedClient, &ScriptedEnd<Verdict>)) -> Stage {
    Stage::begin_with(Terms::new(Vec::new(), limits), Some(Status::Exit(0)), set)
}

fn idle(secs: u64) -> SessionLimits {
    SessionLimits { idle: Some(SECOND * u32::try_from(secs).expect("few")), ..SessionLimits::default() }
}

#[tokio::test(start_paused = true)]
async fn messages_of_either_side_put_off_the_end_of_an_idle_session() {
    let began = Instant::now();
    let stage = begin(&idle(60), |_, _| {});
    for _ in 0..3 {
        sleep(SECOND * 50).await;
        stage.client.say(ScriptedLine::Message("in"));
        sleep(SECOND * 50).await;
        stage.partner.say(ScriptedLine::Message("out"));
    }

    let (taken, _) = stage.end().await;

    assert_eq!(taken.last().map(String::as_str), Some("close 4408 idle"), "{taken:?}");
    assert_eq!(began.elapsed().as_secs(), 6 * 50 + 60);
}

#[tokio::test(start_paused = true)]
async fn the_lifetime_ends_a_session_that_is_not_idle() {
    let began = Instant::now();
    let stage = begin(&SessionLimits { lifetime: Some(SECOND * 100), ..idle(60) }, |_, _| {});
    sleep(SECOND * 50).await;
    stage.client.say(ScriptedLine::Message("in"));

    let (taken, _) = stage.end().await;

    assert_eq!(taken, ["close 4410 lifetime"]);
    assert_eq!(began.elapsed().as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_client_beyond_its_rate_waits_and_is_not_idle() {
    let rate = |count| Some(FlowRate::new(count, SECOND, count));
    let limits = SessionLimits { bytes_in: rate(10), messages_in: rate(2), ..idle(1) };
    let stage = begin(&limits, |client, _| {
        for text in ["a", "b", "c", "twenty bytes of text", "d"] {
            client.say(ScriptedLine::Message(text));
        }
    });

    settle().await;
    assert_eq!(stage.partner.taken().concat(), "ab", "two at once");
    sleep(SECOND / 2).await;
    settle().await;
    assert_eq!(stage.partner.taken().concat(), "abc");
    sleep(SECOND / 2).await;
    settle().await;
    assert_eq!(stage.partner.taken().concat(), "abctwenty bytes of text", "a message passes whole");
    sleep(SECOND).await;
    assert_eq!(stage.client.reads(), 4, "the client is not read");
    sleep(SECOND).await;
    settle().await;
    assert_eq!(stage.partner.taken().concat(), "abctwenty bytes of textd");

    let (taken, took) = stage.end().await;
    // The last one passed after 2.1 s, and 3 s have passed.
    assert_eq!((taken.concat().as_str(), took.as_millis()), ("close 4408 idle", 100));
}

#[tokio::test(start_paused = true)]
async fn the_message_of_a_client_that_has_left_does_not_wait_for_the_rate() {
    let limits = SessionLimits { messages_in: Some(FlowRate::new(1, SECOND * 1000, 1)), ..SessionLimits::default() };
    let stage = begin(&limits, |client, _| {
        client.say(ScriptedLine::Message("first"));
    });
    settle().await;
    let partner = stage.partner.clone();
    sleep(SECOND * 999).await;
    stage.client.say(ScriptedLine::MessageAndEnd("last", Departure::Left));

    let (_, took) = stage.end().await;

    assert_eq!(partner.taken()[..2].concat(), "firstlast");
    assert!(took <= SECOND * 2, "{took:?}");
}
