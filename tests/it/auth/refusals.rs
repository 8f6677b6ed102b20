//! Settings that wsd refuses, the answers to clients that it does not know, and files that change.

use std::fs;

#[cfg(target_os = "linux")]
use crate::harness::process::linux::{leave_descriptors, restore_descriptors};
use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;
use crate::harness::{eventually, pages};

use rustix::process::Signal;

use super::kit::{self, BCRYPT, Credential, PASSWORD, SHA256, SHA512, SHA512_ROUNDS, TOKEN, secret};

#[test]
fn passwords_of_every_hash_are_checked() {
    let tree = Tree::new();
    let lines = format!("bcrypt:{BCRYPT}\nsix:{SHA512}\nrounds:{SHA512_ROUNDS}\nfive:{SHA256}\n");
    let server = Server::command(&[&format!("--auth=basic:{}", secret(&tree, "users", &lines))], &["env"]);
    for user in ["bcrypt", "six", "rounds", "five"] {
        let header = |password: &str| Credential::Basic(format!("{user}:{password}")).header();
        let text = server.connect_with("/", &header(PASSWORD)).rest().0.join("\n");
        assert!(text.contains(&format!("REMOTE_USER={user}")), "{text}");
        assert_eq!(server.refusal("/", &header("correct hors")).status, 401, "{user}");
    }
}

#[test]
fn a_refusal_tells_browsers_and_clients_how_to_ask() {
    let tree = Tree::new();
    let (users, tokens) = (kit::users(&tree), kit::tokens(&tree));
    let server = Server::command(&[&users, &tokens], &["cat"]);
    let script = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Site: same-origin\r\n";
    let table = [
        ("", "Basic realm=\"wsd\", charset=\"UTF-8\"", "Bearer realm=\"wsd\""),
        ("Authorization: Bearer none\r\n", "Basic realm=", "Bearer realm=\"wsd\", error=\"invalid_token\""),
        (script, "X-Basic realm=", "Bearer realm="),
    ];
    for (headers, basic, bearer) in table {
        let response = server.get("/", headers);
        assert_eq!(response.status, 401, "{response}");
        for challenge in [basic, bearer] {
            let line = format!("\r\nWww-Authenticate: {challenge}");
            assert!(response.head.contains(&line), "{headers}: {response}");
        }
    }
}

#[test]
fn two_headers_are_refused() {
    let tree = Tree::new();
    let server = Server::command(&[&kit::tokens(&tree)], &["cat"]);
    let right = Credential::Token(TOKEN.to_owned()).header();

    assert_eq!(server.refusal("/", &format!("{right}{right}")).status, 400);
    assert_eq!(server.refusal("/", &format!("{right}Authorization: Basic eDp5\r\n")).status, 400);
    assert_eq!(server.refusal("/", &format!("Authorization: Bearer {}\r\n", "x".repeat(64 << 10))).status, 431);
    assert_eq!(server.refusal("/", &format!("Authorization: Bearer {}\r\n", "x".repeat(30 << 10))).status, 401);
}

#[test]
fn settings_without_sense_are_refused_at_the_start() {
    let tree = Tree::new();
    let plain = secret(&tree, "plain", &format!("ada:{BCRYPT}\n\nbob:geheim\n"));
    let (users, tokens) = (kit::users(&tree), kit::tokens(&tree));
    let short = secret(&tree, "short", "geheim\n");
    let table: &[(&[&str], &str)] = &[
        (
            &[&format!("--auth=basic:{plain}")],
            &format!("cannot use `{plain}` of --auth: line 3: the password is plain"),
        ),
        (&["--auth=basic:/nowhere"], "cannot use `/nowhere` of --auth: No such file"),
        (&["--auth=basic"], "cannot use --auth=basic without a file"),
        (&["--auth=geheim"], "a kind and a colon are missing"),
        (&["--auth=baisc:/x"], "did you mean `basic`?"),
        (&[&users, "--auth=none"], "cannot combine --auth=none"),
        (&["--auth-query"], "cannot use --auth-query without --auth"),
        (&["--auth-for=ws"], "cannot use --auth-for without --auth"),
        (&["--auth-expire=ignore"], "cannot use --auth-expire without --auth"),
        (&["--auth-key=/x"], "cannot use --auth-key without --auth"),
        (&["--passauth"], "cannot use --passauth without --auth"),
        (&[&tokens, "--jwt-aud=x"], "cannot use --jwt-aud without --auth=jwt:FILE"),
        (
            &[&tokens, &format!("--auth-key={short}")],
            &format!("cannot use `{short}` of --auth-key: the secret has less"),
        ),
    ];
    for (flags, message) in table {
        let outcome = run(&[flags, &["--port=0", "cat"][..]].concat());
        assert_eq!(outcome.status, Some(1), "{flags:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(message), "{flags:?}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("geheim"), "{flags:?}: {}", outcome.stderr);
    }
}

#[test]
fn an_error_in_a_file_of_settings_names_its_line() {
    let tree = Tree::new();
    let plain = secret(&tree, "plain", "bob:geheim\n");
    tree.file(
        "wsd.toml",
        format!("port = 0\nauth = [\"basic:{plain}\"]\n[[route]]\npath = \"/\"\ncommand = [\"cat\"]\n"),
    );
    let outcome = run(&["--config", &tree.path("wsd.toml")]);

    let place = format!("wsd.toml:2: cannot use `{plain}` of `auth`: line 1: the password is plain text");
    assert!(outcome.stderr.contains(&place), "{}", outcome.stderr);
}

#[test]
fn a_check_tells_what_others_could_read() {
    let tree = Tree::new();
    let users = kit::users(&tree);
    tree.file("open", format!("ada:{BCRYPT}\n"));
    let open = format!("--auth=basic:{}", tree.path("open"));
    let table: &[(&[&str], i32, &str)] = &[
        (&[&users], 0, ""),
        (&[&open], 0, "every user of this machine may read"),
        (&[&users, "--address=0.0.0.0"], 0, "passwords and tokens cross the network without TLS"),
        (&[&users, "--auth-query"], 1, "cannot use --auth-query without --ssl"),
    ];
    for (flags, status, message) in table {
        let outcome = run(&[&["--check"], *flags, &["cat"]].concat());
        assert_eq!(outcome.status, Some(*status), "{flags:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(message), "{flags:?}: {}", outcome.stderr);
    }
}

#[test]
fn a_route_inherits_authentication_or_switches_it_off() {
    let tree = Tree::new();
    let (users, tokens) = (kit::users(&tree), kit::tokens(&tree));
    let kind = |flag: &str| flag.trim_start_matches("--auth=").to_owned();
    let route = |path: &str, more: &str| format!("[[route]]\npath = \"{path}\"\ncommand = [\"env\"]\n{more}\n");
    let text = format!(
        "port = 0\nauth = [\"{}\"]\npassauth = true\n{}{}{}",
        kind(&users),
        route("/inherits", ""),
        route("/open", "auth = \"none\""),
        route("/token", &format!("auth = [\"{}\"]", kind(&tokens))),
    );
    tree.file("wsd.toml", text);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let (user, token) = (Credential::Basic(format!("ada:{PASSWORD}")), Credential::Token(TOKEN.to_owned()));
    let table = [("/inherits", [401, 200, 401]), ("/open", [200, 200, 200]), ("/token", [401, 401, 200])];
    for (path, want) in table {
        let headers = [String::new(), user.header(), token.header()];
        let got =
            headers.map(|headers| server.try_connect(path, &headers).map_or_else(|refusal| refusal.status, |_| 200));
        assert_eq!(got, want, "{path}");
    }
}

#[test]
fn files_load_again_when_they_change_and_a_broken_one_changes_nothing() {
    let tree = Tree::new();
    let server = Server::command(&[&kit::tokens(&tree)], &["cat"]);
    let status = |token: &str| {
        let headers = Credential::Token(token.to_owned()).header();
        server.try_connect("/", &headers).map_or_else(|refusal| refusal.status, |_| 200)
    };
    assert_eq!(status(TOKEN), 200);

    tree.file("tokens", "ci:the-next-one\n");
    // The old one, since a source may guess only a few times a minute.
    eventually("the old token is no more", || (status(TOKEN) == 401).then_some(()));
    assert_eq!(status("the-next-one"), 200);
    server.expect_log("auth file loaded");

    tree.file("tokens", "ci\n");
    server.signal(Signal::HUP);
    let line = server.expect_log("auth file not loaded, the old one stays").text;
    assert!(line.contains("WARN") && line.contains("line 1: it is not `name:token`"), "{line}");
    assert_eq!(status("the-next-one"), 200);

    tree.file("tokens", format!("ci:{TOKEN}\n"));
    server.signal(Signal::HUP);
    server.expect_nth_log("auth file loaded", 2);
    assert_eq!(status(TOKEN), 200);
    server.expect_events("auth file not loaded, the old one stays", 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_could_not_be_read_is_read_once_that_is_possible() {
    let tree = Tree::new();
    let server = Server::command(&[&kit::tokens(&tree)], &["cat"]);
    let mut connection = server.http();
    let header = Credential::Token(TOKEN.to_owned()).header();
    let mut status = || {
        connection.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n{header}\r\n", server.host()));
        connection.response("GET").status
    };
    assert_ne!(status(), 401);

    leave_descriptors(server.pid(), 0);
    tree.file("tokens", "ci:the-next-one\n");
    eventually("the file is looked at", || {
        let admitted = status() != 401;
        assert!(admitted, "the old content stays");
        server.log().iter().any(|line| line.contains("auth file not loaded")).then_some(())
    });
    restore_descriptors(server.pid());

    eventually("the old token is no more", || (status() == 401).then_some(()));
    server.expect_events("auth file not loaded, the old one stays", 1);
}

#[test]
fn an_emptied_file_admits_nobody_and_a_removed_one_changes_nothing() {
    let credentials = [format!("ada:{PASSWORD}"), TOKEN.to_owned()];
    let [password, token] = [Credential::Basic(credentials[0].clone()), Credential::Token(credentials[1].clone())];
    for (kind, name, credential) in [("basic", "users", password), ("bearer", "tokens", token)] {
        for emptied in ["", "# nobody\n"] {
            let tree = Tree::new();
            let _ = (kit::users(&tree), kit::tokens(&tree));
            let server = Server::command(&[&format!("--auth={kind}:{}", tree.path(name))], &["cat"]);
            let status = || {
                let tried = server.try_connect("/", &credential.header());
                tried.map_or_else(|refusal| refusal.status, |_| 200)
            };
            assert_eq!(status(), 200, "{kind}");

            fs::remove_file(tree.path(name)).unwrap();
            server.signal(Signal::HUP);
            server.expect_log("auth file not loaded, the old one stays");
            assert_eq!(status(), 200, "{kind}: removed");

            tree.file(name, emptied);
            server.signal(Signal::HUP);
            server.expect_log("auth file loaded");
            assert_eq!(status(), 401, "{kind}: {emptied}");
        }
    }
}

#[test]
fn files_of_secrets_are_never_served() {
    let tree = Tree::new();
    let users = format!("--auth=basic:{}", secret(&tree, "www/users.txt", &format!("ada:{BCRYPT}\n")));
    let server = kit::start(&tree, &[&users]);

    let response = server.get("/users.txt", &Credential::Basic(format!("ada:{PASSWORD}")).header());

    assert!(!response.text().contains("$2y$"), "{response}");
    server.expect_log("file not served");
}

#[test]
fn copies_beside_a_file_of_secrets_are_not_served() {
    let tree = Tree::new();
    let users = format!("--auth=basic:{}", secret(&tree, "www/users", &format!("ada:{BCRYPT}\n")));
    let copies = ["users~", "users.new", "users.txt"];
    for name in copies.into_iter().chain(["deep/users~", "other~"]) {
        tree.file(&format!("www/{name}"), "geheim");
    }
    let server = kit::start(&tree, &[&users]);
    let header = Credential::Basic(format!("ada:{PASSWORD}")).header();

    for name in copies {
        assert!(!server.get(&format!("/{name}"), &header).text().contains("geheim"), "{name}");
    }
    for name in ["deep/users~", "other~"] {
        assert_eq!(server.get(&format!("/{name}"), &header).text(), "geheim", "{name}");
    }
}

#[test]
fn the_page_of_authentication_shows_each_kind() {
    let text = pages::text("docs/auth.md");
    for kind in ["basic:FILE", "bearer:FILE", "jwt:FILE", "cert", "url:URL", "command:PROG"] {
        assert!(text.contains(&format!("`{kind}`")), "{kind}");
    }
}
