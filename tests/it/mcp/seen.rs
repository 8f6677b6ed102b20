//! Servers seen from outside: in the metrics, in the status, and in the log with what they cost.

use super::client::{Session, called, start, value};
use crate::harness::scrape::{METRICS, Watch};
use crate::harness::server::field;

#[test]
fn a_server_is_counted_listed_and_told_with_what_it_cost_and_the_administrator_ends_it() {
    for (era, is_session) in [("legacy", true), ("modern", false)] {
        let server = start(&[METRICS, "--admin"], era, &[]);
        let watch = Watch::of(&server);
        let session = is_session.then(|| Session::begin(&server));
        match &session {
            Some(session) => assert_eq!(session.text("echo", r#"{"text":"x"}"#), "x"),
            None => assert_eq!(called(&server, "echo", r#"{"text":"x"}"#).status, 200),
        }

        let status = value(&server.get("/.wsd/status", ""));
        let listed = status["sessions"].as_array().unwrap().last().unwrap();
        assert_eq!((&listed["transport"], &listed["state"]), (&"mcp".into(), &"open".into()), "{era}: {status}");
        assert!(listed["pid"].is_number() && listed["in"]["messages"].as_u64() > Some(1), "{era}: {status}");
        assert_eq!(server.post(&format!("/.wsd/end?conn={}", listed["conn"]), "", "").status, 204, "{era}");

        let ended = server.expect_log(" end=admin ").text;
        assert!(ended.contains("mcp ended"), "{era}: {ended}");
        for key in ["in", "out", "in_bytes", "out_bytes", "memory"] {
            let number = field(&ended, key).and_then(|number| number.parse::<u64>().ok());
            assert!(number > Some(0), "{era}: {key} in {ended}");
        }
        assert!(field(&ended, "cpu").is_some(), "{era}: {ended}");
        let scrape = watch.scrape();
        assert!(scrape.value(r#"wsd_sessions_started_total{route="/*",transport="mcp"}"#) >= 1, "{era}");
        assert_eq!(scrape.value(r#"wsd_sessions{route="/*",state="open"}"#), 0, "{era}");
        let messages = scrape.value(r#"wsd_messages_total{route="/*",direction="in"}"#);
        assert!(messages >= field(&ended, "in").unwrap().parse().unwrap(), "{era}: {messages}");
        if let Some(session) = session {
            assert_eq!(session.call("echo", r#"{"text":"y"}"#).status, 404, "the session is over");
        }
    }
}
