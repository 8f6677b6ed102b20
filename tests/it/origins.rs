//! `--origin`, `--sameorigin`, `--anyorigin`: which pages may connect when the user says so.

use crate::harness::server::{Server, run};
use crate::harness::websocket::{Client, upgrade_request};

/// Whether an upgrade with this Host and this Origin, `-` being none, passes.
fn passes(server: &Server, host: &str, origin: &str) -> bool {
    let header = if origin == "-" { String::new() } else { format!("Origin: {origin}\r\n") };
    match Client::open(server.address, &upgrade_request(host, "/", &header)) {
        Ok(_) => true,
        Err(response) => {
            assert_eq!(response.status, 403, "{origin}:\n{response}");
            false
        }
    }
}

fn assert_table(flags: &[&str], host: &str, table: &[(&str, bool)]) {
    let server = Server::command(flags, &["cat"]);
    for (origin, want) in table {
        assert_eq!(passes(&server, host, origin), *want, "{flags:?}, Host: {host}, Origin: {origin}");
    }
}

#[test]
fn an_entry_is_scheme_host_and_port() {
    let table = [
        ("http://a.com", true),
        ("https://a.com", true),
        ("http://a.com:80", true),
        ("https://a.com:443", true),
        ("http://a.com:443", false),
        ("https://a.com:80", false),
        ("http://a.com:8080", false),
        ("http://A.COM", true),
        ("http://b.com", false),
        ("http://b.com:81", true),
        ("https://b.com:81", true),
        ("http://c.com", false),
        ("https://c.com", true),
        ("HTTPS://C.com", true),
        ("https://c.com:444", false),
        ("http://d.com", true),
        ("http://d.com:80", true),
        ("https://d.com", false),
        ("http://e.com", true),
        ("https://e.com:8443", true),
        ("http://e.com:1", true),
        ("http://[2001:db8::1]:81", true),
        ("http://[2001:db8::1]", false),
        ("http://sub.a.com", false),
        ("http://a.com.evil.example", false),
        ("http://evil.example/a.com", false),
        ("http://evil.example#a.com", false),
        ("http://a.com@evil.example", false),
        ("http://evil.example:80@a.com", false),
        ("ftp://a.com", false),
        ("a.com", false),
        ("//a.com", false),
        ("http://a.com/", false),
        ("http://a.com, http://evil.example", false),
        ("null", false),
        ("file://", false),
        ("", false),
        ("-", false),
    ];
    assert_table(&["--origin=a.com,b.com:81,https://c.com,d.com:80,e.com:*,[2001:db8::1]:81"], "any.example", &table);
}

#[test]
fn pages_of_no_server_are_let_in_by_name() {
    let table = [("-", true), ("file://", true), ("", true), ("null", false), ("http://a.com", false)];
    assert_table(&["--origin=file://"], "any.example", &table);
    let table = [("null", true), ("-", false), ("file://", false), ("http://a.com", false)];
    assert_table(&["--origin=null"], "any.example", &table);
    let table = [("null", true), ("-", true), ("http://a.com", true), ("http://b.com", false)];
    assert_table(&["--origin=null,file://,a.com"], "any.example", &table);
}

#[test]
fn pages_of_apps_and_of_extensions_are_let_in_by_name() {
    let own = ["chrome-extension://abcdef", "moz-extension://0a1b-2c", "capacitor://localhost", "app://obsidian.md:1"];
    let foreign = [
        ("http://abcdef", false),
        ("chrome-extension://abcdef:80", false),
        ("chrome-extension://other", false),
        ("app://obsidian.md", false),
        ("tauri://localhost", false),
    ];
    let table = [own.map(|origin| (origin, true)).as_slice(), &foreign].concat();
    assert_table(&["--origin", &own.join(",")], "any.example", &table);
    // Without a scheme an entry means a page of the web.
    let table = [("http://localhost", true), ("capacitor://localhost", false), ("capacitor://localhost:80", false)];
    assert_table(&["--origin=localhost,localhost:80"], "any.example", &table);
    assert_table(&["--sameorigin"], "localhost", &[("http://localhost", true), ("capacitor://localhost", false)]);
}

#[test]
fn the_same_origin_is_asked_of_every_client() {
    let table = [
        ("http://app.example:81", true),
        ("https://app.example:81", true),
        ("http://APP.example:81", true),
        ("http://app.example", false),
        ("http://other.example:81", false),
        ("null", false),
        ("file://", false),
        ("-", false),
    ];
    assert_table(&["--sameorigin"], "app.example:81", &table);
    // Behind a proxy that speaks TLS, Host has no port.
    let table = [("http://app.example", true), ("https://app.example", true), ("https://app.example:80", false)];
    assert_table(&["--sameorigin"], "app.example", &table);
}

#[test]
fn two_policies_must_both_let_a_page_in() {
    let flags = ["--sameorigin", "--origin=a.com,b.com"];
    assert_table(&flags, "a.com", &[("http://a.com", true), ("http://b.com", false), ("-", false)]);
    assert_table(&flags, "c.com", &[("http://a.com", false), ("http://c.com", false)]);
}

#[test]
fn any_origin_is_any() {
    let table = [("http://a.com", true), ("null", true), ("file://", true), ("-", true), ("rubbish", true)];
    assert_table(&["--anyorigin"], "any.example", &table);
}

#[test]
fn policies_that_contradict_each_other_are_exit_1() {
    for (flags, words) in [
        (&["--anyorigin", "--origin=a.com"][..], ["--anyorigin", "--origin"]),
        (&["--anyorigin", "--sameorigin"], ["--anyorigin", "--sameorigin"]),
        (&["--anyorigin", "--sameorigin", "--origin=a.com"], ["--anyorigin", "--origin"]),
    ] {
        let outcome = run(&[&["--port=0"], flags, &["cat"]].concat());

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{flags:?}: {outcome:?}");
        assert!(words.iter().all(|word| outcome.stderr.contains(word)), "{flags:?}: {outcome:?}");
    }
    // Turned off again they say nothing.
    let server = Server::command(&["--anyorigin=false", "--origin=a.com"], &["cat"]);
    assert!(passes(&server, "any.example", "http://a.com"));
}

#[test]
fn an_entry_that_can_never_match_is_exit_1_and_named() {
    for entry in [
        " ",
        " e.com",
        "e.com ",
        "e com",
        "*",
        "*.",
        "*f.com",
        "a.*.f.com",
        "*.*.f.com",
        "http://*",
        "http://g.com/",
        "g.com/path",
        "g.com?x",
        "g.com#x",
        "user@g.com",
        "http://",
        "://g.com",
        ":80",
        "g.com:",
        "g.com:port",
        "g.com:99999",
        "g.com:-1",
        "g.com:80:90",
        "1a://g.com",
        "a_b://g.com",
        "ws://g.com",
        "WSS://g.com",
        "file:///x",
        "2001:db8::1",
        "[2001:db8::1",
        "[]",
        "*.[::1]",
        "*.127.0.0.1",
        "a..b",
        ".a.com",
        "256.1.1.1",
        "http://1.2.3",
    ] {
        for list in [entry.to_owned(), format!("a.com,{entry}"), format!("{entry},a.com")] {
            let outcome = run(&["--port=0", "--origin", &list, "cat"]);

            assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{list:?}: {outcome:?}");
            let names = outcome.stderr.contains("--origin") && outcome.stderr.contains(&format!("`{entry}`"));
            assert!(names && outcome.stderr.contains("hint:"), "{list:?}: {outcome:?}");
        }
    }
}

#[test]
fn a_scheme_that_no_browser_or_app_is_known_for_is_warned_of_and_served() {
    let warns = |text: &str| text.contains("the scheme `foo` in --origin");
    for origins in ["foo://x", "https://a.com,foo://x"] {
        let flags = ["--origin", origins];
        let mut server = Server::command(&flags, &["cat"]);
        assert!(passes(&server, "any.example", "foo://x"));
        assert!(warns(&server.stop()), "{origins}");
        let quiet = Server::command(&[&flags[..], &["--loglevel=warn"]].concat(), &["cat"]).stop();
        assert!(warns(&quiet) && quiet.contains("wsd: warning: "), "{quiet}");

        let outcome = run(&[&["--check"], &flags[..], &["cat"]].concat());
        assert!(outcome.status == Some(0) && warns(&outcome.stderr), "{outcome:?}");
    }
    let outcome = run(&["--check", "--origin=tauri://localhost,chrome-extension://abc,https://a.com,a.com", "cat"]);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
}

#[test]
fn an_entry_that_is_more_than_an_origin_gets_the_hint_that_helps() {
    for (entry, hint) in [
        ("*", "use --anyorigin"),
        ("https://example.com/", "did you mean https://example.com?"),
        ("http://localhost:3000/app?x", "did you mean http://localhost:3000?"),
        ("example.com/#x", "did you mean example.com?"),
        ("https://", "write [scheme://]host[:port]"),
    ] {
        let outcome = run(&["--port=0", "--origin", entry, "cat"]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{entry:?}: {outcome:?}");
        assert!(outcome.stderr.contains(&format!("hint: {hint}")), "{entry:?}: {outcome:?}");
        assert!(!outcome.stderr.contains("the port is a number"), "{entry:?}: {outcome:?}");
    }
}
