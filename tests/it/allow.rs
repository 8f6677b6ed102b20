//! `--allow` and `--deny`: the addresses that may connect, and how the lists change while wsd serves.

use rustix::process::Signal;

use crate::harness::http::Connection;
use crate::harness::server::{Server, field, run, wsd};
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

const TRUST: &str = "--trust-proxy=127.0.0.1";

/// The status for a client of this address that asks for a session.
fn session(server: &Server, address: &str) -> u16 {
    let opened = server.try_connect("/", &format!("X-Forwarded-For: {address}\r\n"));
    opened.map_or_else(|refusal| refusal.status, |_| 101)
}

#[test]
fn deny_comes_first_and_then_allow_names_all_that_may_connect() {
    let table: [(&[&str], &[&str], &[&str]); 5] = [
        (&["--deny=203.0.113.1,10.0.0.0/8"], &["203.0.113.2", "11.0.0.1", "::1"], &["203.0.113.1", "10.9.8.7"]),
        (
            &["--allow=203.0.113.0/24"],
            &["203.0.113.2", "::ffff:203.0.113.3"],
            &["203.0.114.1", "2001:db8::1", "127.0.0.1"],
        ),
        (&["--allow=10.0.0.0/8", "--deny=10.1.0.0/16"], &["10.2.0.1"], &["10.1.0.1", "11.0.0.1"]),
        (&["--deny=10.0.0.0/8", "--allow=10.1.0.0/16"], &[], &["10.1.0.1", "10.2.0.1"]),
        (&["--allow=2001:db8::/32, ::1"], &["2001:db8:9::1", "::1"], &["2001:db9::1", "127.0.0.1"]),
    ];
    for (flags, allowed, denied) in table {
        let server = Server::command(&[&[TRUST], flags].concat(), &["cat"]);
        for address in allowed {
            assert_eq!(session(&server, address), 101, "{flags:?} {address}");
        }
        for address in denied {
            assert_eq!(session(&server, address), 403, "{flags:?} {address}");
        }
    }
}

#[test]
fn a_denied_client_gets_nothing_and_the_log_names_the_flag() {
    let tree = Tree::new();
    tree.program("cgi/script", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\ndone\\n'\n");
    tree.file("pages/file.txt", "text");
    let (cgi, pages) = (tree.path("cgi"), tree.path("pages"));
    for (flag, why) in [("--deny=127.0.0.1", "deny"), ("--allow=10.0.0.0/8", "allow")] {
        let server = Server::command(&["--cgidir", &cgi, "--staticdir", &pages, "--devconsole", flag], &["cat"]);

        for path in ["/script", "/file.txt", "/", "/nothing"] {
            let response = server.get(path, "");
            assert!(response.status == 403 && !response.text().contains("text\n\n"), "{path}: {response}");
        }
        assert_eq!(server.refusal("/", "").status, 403);

        let line = server.expect_log("session refused").text;
        assert_eq!(field(&line, "why").as_deref(), Some(why), "{line}");
        assert!(field(&line, "hint").unwrap().contains(&format!("--{why}")), "{line}");
    }
}

#[test]
fn clients_of_a_unix_socket_are_named_by_a_word() {
    let tree = Tree::new();
    let socket = format!("--unixsocket={}", tree.path("socket"));
    for (flag, want) in
        [("--allow=unix", 101), ("--allow=127.0.0.1", 403), ("--deny=unix", 403), ("--deny=0.0.0.0/0,::/0", 101)]
    {
        let mut server = Server::spawn(wsd(&[&socket, flag, "cat"]));
        let connection = Connection::over(Stream::unix(&tree.path("socket")).unwrap());
        let opened = Client::upgrade(connection, &upgrade_request("localhost", "/", ""));

        assert_eq!(opened.map_or_else(|refusal| refusal.status, |_| 101), want, "{flag}");
        server.stop();
    }
}

#[test]
fn a_file_has_an_entry_in_each_line_and_is_read_again_on_sighup() {
    let tree = Tree::new();
    tree.file("banned", "# since Monday\n203.0.113.1\n\n  10.0.0.0/8 # a network\n");
    let server = Server::command(&[TRUST, &format!("--deny=198.51.100.1,@{}", tree.path("banned"))], &["cat"]);
    let statuses =
        || ["203.0.113.1", "10.1.1.1", "198.51.100.1", "203.0.113.2"].map(|address| session(&server, address));
    let mut running = server.connect_with("/", "X-Forwarded-For: 203.0.113.2\r\n");
    assert_eq!(statuses(), [403, 403, 403, 101]);

    tree.file("banned", "203.0.113.2\n");
    server.signal(Signal::HUP);
    server.expect_nth_log("settings loaded", 1);

    assert_eq!(statuses(), [101, 101, 403, 403]);
    running.text("here");
    assert_eq!(running.line(), "here", "a session that runs goes on");

    tree.file("banned", "203.0.113.1\nnobody\n");
    server.signal(Signal::HUP);
    let line = server.expect_log("settings not loaded").text;

    assert!(line.contains("banned:2: invalid address `nobody` in --deny"), "{line}");
    assert_eq!(statuses(), [101, 101, 403, 403], "the old lists stay");
}

#[test]
fn an_empty_file_allows_nobody_and_denies_nobody() {
    let tree = Tree::new();
    tree.file("empty", "# nobody\n");
    let list = format!("@{}", tree.path("empty"));

    for (flag, want) in [("--allow", 403), ("--deny", 101)] {
        let server = Server::command(&[TRUST, &format!("{flag}={list}")], &["cat"]);
        assert_eq!(session(&server, "203.0.113.1"), want, "{flag}");
    }
}

#[test]
fn a_change_of_the_lists_keeps_rooms_as_they_are() {
    let tree = Tree::new();
    let settings = |deny: &str| format!("shared = true\n{deny}\n[[route]]\npath = \"/\"\ncommand = [\"cat\"]\n");
    tree.file("wsd.toml", settings(""));
    let server = Server::serve(&["--config", &tree.path("wsd.toml"), TRUST]);
    let mut before = server.connect("/");

    tree.file("wsd.toml", settings("deny = [\"203.0.113.1\", \"10.0.0.0/8\"]"));
    server.signal(Signal::HUP);
    server.expect_log("settings loaded");

    assert_eq!((session(&server, "203.0.113.1"), session(&server, "10.0.0.1")), (403, 403));
    let mut after = server.connect("/");
    after.text("to all");
    assert_eq!((before.line(), after.line()), ("to all".to_owned(), "to all".to_owned()));
}

#[test]
fn a_route_has_lists_of_its_own() {
    let tree = Tree::new();
    let route = |path, own| format!("[[route]]\npath = \"{path}\"\ncommand = [\"cat\"]\n{own}\n");
    let routes = [route("/", ""), route("/admin", "allow = \"10.0.0.0/8\"\ndeny = []")];
    tree.file("wsd.toml", format!("deny = \"10.9.0.0/16\"\n{}", routes.concat()));
    let server = Server::serve(&["--config", &tree.path("wsd.toml"), TRUST]);
    let status = |path, address: &str| {
        let opened = server.try_connect(path, &format!("X-Forwarded-For: {address}\r\n"));
        opened.map_or_else(|refusal| refusal.status, |_| 101)
    };

    assert_eq!(["203.0.113.1", "10.1.0.1", "10.9.0.1"].map(|address| status("/", address)), [101, 101, 403]);
    assert_eq!(["203.0.113.1", "10.1.0.1", "10.9.0.1"].map(|address| status("/admin", address)), [403, 101, 101]);
}

#[test]
fn the_host_and_the_origin_are_checked_before_the_address() {
    let server = Server::command(&["--deny=127.0.0.1"], &["cat"]);

    server.refusal("/", "Origin: https://evil.example\r\n");

    let line = server.expect_log("session refused").text;
    assert_eq!(field(&line, "why").as_deref(), Some("origin"), "{line}");
}

#[test]
fn invalid_lists_and_limits_are_errors_at_the_start() {
    let tree = Tree::new();
    tree.file("list", "127.0.0.1\n10.0.0.1/8\n");
    let (missing, list) = (tree.path("missing"), tree.path("list"));
    let table = [
        (vec!["--allow=localhost", "cat"], 1, "invalid address `localhost` in --allow: not an address or a network"),
        (vec!["--deny=10.0.0.1/8", "cat"], 1, "did you mean 10.0.0.0/8?"),
        (vec!["--deny=::ffff:10.0.0.1", "cat"], 1, "hint: write the address of IPv4, as in --deny=10.0.0.0/8"),
        (vec!["--rate=5", "cat"], 2, "expected a rate such as 5/s, 30/m or 100/h"),
        (vec!["--rate-in=5", "cat"], 2, "expected bytes a second such as 65536/s"),
        (vec!["--idle=-1", "cat"], 2, "expected a number of seconds"),
        (vec!["--idle=5", "--staticdir=."], 1, "cannot use --idle without a program"),
        (vec!["--rate=5/s", "--staticdir=."], 1, "cannot use --rate without a program"),
        (vec!["--rate-in=5/s", "--cgidir=."], 1, "cannot use --rate-in without a program"),
    ];
    for (arguments, status, text) in table {
        let outcome = run(&[&["--check"], &arguments[..]].concat());
        assert!(outcome.status == Some(status) && outcome.stderr.contains(text), "{arguments:?}: {outcome:?}");
    }
    let outcome = run(&["--check", &format!("--deny=@{missing}"), "cat"]);
    assert!(outcome.stderr.contains(&format!("cannot read the file `{missing}` of --deny: ")), "{outcome:?}");
    let outcome = run(&["--check", &format!("--deny=@{list}"), "cat"]);
    assert!(outcome.stderr.contains(&format!("wsd: {list}:2: invalid address `10.0.0.1/8` in --deny")), "{outcome:?}");
}
