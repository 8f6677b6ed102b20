//! Clients that lose a stream of their session, and return to it.

use super::client::{Events, Session, fault, start, text, value};
use crate::harness::eventually;

#[test]
fn a_second_get_replaces_the_first() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut first = session.stream("");
    first.next();

    let mut second = session.stream("");

    assert!(first.next().is_none(), "the first ends");
    session.alone("tell_alone");
    assert_eq!(second.message()["method"], "notifications/tools/list_changed");
}

#[test]
fn a_client_that_loses_the_stream_of_a_request_gets_the_rest_by_a_get() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut events = Events::of(session.calling("9", "hold", r#"{"note":1}"#));
    events.next();
    let last = events.next().unwrap();
    assert_eq!(last.data["method"], "notifications/progress");
    events.cut();

    session.call("release", "{}");
    let mut rest = session.stream(&format!("Last-Event-ID: {}\r\n", last.id));

    let answer = rest.message();
    assert_eq!((answer["id"].as_i64(), text(&answer)), (Some(9), "held".to_owned()));
    assert!(rest.next().is_none(), "the stream of a request ends with its answer");
    assert_eq!(session.state()["cancelled"].as_array().map(Vec::len), Some(0), "nothing was cancelled");
}

#[test]
fn a_client_that_returns_before_the_answer_waits_for_it() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut events = Events::of(session.calling("9", "hold", r#"{"note":1}"#));
    let first = events.next().unwrap();
    assert!(first.data.is_null());
    events.cut();

    let mut rest = session.stream(&format!("Last-Event-ID: {}\r\n", first.id));
    assert_eq!(rest.message()["method"], "notifications/progress");
    session.call("release", "{}");

    assert_eq!(text(&rest.message()), "held");
}

#[test]
fn an_answer_that_takes_longer_than_5_seconds_is_events_to_which_a_client_may_return() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut events = Events::of(session.calling("9", "hold", "{}"));
    let first = events.next().unwrap();
    assert!(first.data.is_null() && first.id.ends_with(".0"), "{first:?}");
    events.cut();
    session.call("release", "{}");

    let mut rest = session.stream(&format!("Last-Event-ID: {}\r\n", first.id));

    assert_eq!(text(&rest.message()), "held");
}

#[test]
fn a_client_that_returns_to_its_get_misses_nothing() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut stream = session.stream("");
    stream.next();
    session.alone("tell_alone");
    let last = stream.next().unwrap();
    stream.cut();
    session.alone("tell_alone");

    let mut again = session.stream(&format!("Last-Event-ID: {}\r\n", last.id));

    assert_eq!(again.message()["method"], "notifications/tools/list_changed");
}

#[test]
fn events_that_are_gone_or_never_were_are_refused() {
    let server = start(&["--replay=64k"], "legacy", &[]);
    let session = Session::begin(&server);
    let mut events = Events::of(session.calling("9", "progress", r#"{"count":1}"#));
    let first = events.next().unwrap();
    events.rest();
    let returned = |id: &str| session.get(&format!("Last-Event-ID: {id}\r\n")).response("GET");
    for unknown in ["x", "1", "77.1", "2.99", "-1.0", ""] {
        assert_eq!(fault(&returned(unknown)), (400, -32000), "{unknown}");
    }
    assert_eq!(session.stream(&format!("Last-Event-ID: {}\r\n", first.id)).rest().len(), 2);

    Events::of(session.calling("9", "progress", r#"{"count":1001}"#)).rest();

    let gone = returned(&first.id);
    assert_eq!(fault(&gone), (400, -32000));
    assert_eq!(value(&gone)["error"]["message"], "those events are gone");
}

#[test]
fn a_program_waits_for_a_client_that_reads_nothing_and_loses_no_message() {
    let server = start(&["--replay=64k"], "legacy", &[]);
    let session = Session::begin(&server);

    let count = Events::of(session.calling("9", "progress", r#"{"count":20000}"#)).rest().len();

    assert_eq!(count, 20_001);
}

#[test]
fn fifty_clients_that_leave_without_delete_leave_no_program() {
    let server = start(&["--mcp-idle=0.2"], "legacy", &[]);
    for number in 0..50 {
        let session = Session::begin(&server);
        let (stream, held) = (session.stream(""), session.calling("4", "hold", "{}"));
        if number % 2 == 0 {
            stream.cut();
            held.reset();
        }
    }

    server.expect_events("mcp ended", 50);
    eventually("all have ended", || {
        let ended = server.log().iter().filter(|line| line.contains("mcp ended")).all(|line| line.contains("end=idle"));
        ended.then_some(())
    });
}
