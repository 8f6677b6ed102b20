//! `--auth=url:` and `--auth=command:`: who they admit, what the client gets otherwise, and that no failure opens the door.

use std::time::Instant;

use crate::harness::assert_in_time;
use crate::harness::places::free_port;
use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;

use super::backend::Backend;
use super::kit::{Credential, TARGETS, base64url, start};

use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nRemote-User: ada\r\nContent-Length: 0\r\n\r\n";

#[test]
fn the_server_gets_the_request_and_the_facts_of_its_client() {
    let backend = Backend::start(|_| Some(OK.into()));
    let server = Server::command(&[&backend.flag()], &["env"]);
    let headers = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-User: eve\r\nCookie: a=b; wsd-auth=x\r\nAccept-Language: de\r\n\
                   Sec-WebSocket-Protocol: base64url.bearer.authorization.wsd.dG9rZW4\r\nIf-None-Match: \"x\"\r\n";
    let text = server.connect_with("/chat?room=1", headers).rest().0.join("\n");

    let head = backend.last();
    let lines: Vec<_> = head.lines().map(str::to_ascii_lowercase).collect();
    for line in [
        "get /check http/1.1",
        "x-forwarded-method: get",
        "x-forwarded-proto: http",
        &format!("x-forwarded-host: {}", server.host()),
        "x-forwarded-uri: /chat?room=1",
        "x-forwarded-for: 127.0.0.1",
        "authorization: bearer token",
        "cookie: a=b",
        "accept-language: de",
        &format!("host: {}", server.host()),
    ] {
        assert!(lines.iter().any(|one| one == line), "{line}: {head}");
    }
    for part in ["1.2.3.4", "eve", "upgrade", "sec-websocket", "if-none-match", "wsd-auth"] {
        assert!(!head.to_ascii_lowercase().contains(part), "{part}: {head}");
    }
    assert!(text.contains("REMOTE_USER=ada") && text.contains("AUTH_TYPE=Proxy"), "{text}");
    assert!(!text.contains("token") && !text.contains("dG9rZW4"), "{text}");
}

#[test]
fn no_header_of_a_client_names_another_user_address_path_or_method_to_the_server() {
    let backend = Backend::start(|_| Some(OK.into()));
    let server = Server::command(&[&backend.flag()], &["env"]);
    for name in [
        "X_Forwarded_Uri",
        "X_Forwarded-For",
        "X-Forwarded_User",
        "Remote_User",
        "X_Original_URI",
        "Fly-Client-Ip",
        "Forwarded-For",
        "X-Azure-Clientip",
        "X-Envoy-External-Address",
        "X-Http-Method-Override",
        "X-Original-Forwarded-For",
        "X-Originating-Ip",
        "X-Remote-Addr",
        "X-Rewrite-Url",
    ] {
        server.connect_with("/public", &format!("{name}: /eve\r\n"));
        assert!(!backend.last().contains("/eve"), "{name}: {}", backend.last());
    }
}

#[test]
fn any_other_answer_is_the_clients() {
    let table = [
        ("302 Found\r\nLocation: /login\r\nSet-Cookie: a=b\r\n", 302, "Location: /login"),
        ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"theirs\"\r\n", 401, "realm=\"theirs\""),
        ("403 Forbidden\r\nContent-Type: text/html\r\n", 403, "Content-Type: text/html"),
        ("500 Oops\r\nConnection: x-secret\r\nTransfer-Encoding: chunked\r\n", 500, ""),
    ];
    for (head, status, line) in table {
        let is_chunked = head.contains("chunked");
        let body = if is_chunked { "\r\n4\r\nbody\r\n0\r\n\r\n" } else { "Content-Length: 4\r\n\r\nbody" };
        let answer = format!("HTTP/1.1 {head}{body}");
        let tree = Tree::new();
        let backend = Backend::start(move |_| Some(answer.clone().into()));
        let server = start(&tree, &[&backend.flag()]);
        for (target, ask) in TARGETS {
            let answered = ask(&server, "", "");
            assert_eq!(answered.status, status, "{target}: {}", answered.text);
            assert!(answered.text.contains(line) && answered.text.ends_with("body"), "{target}: {}", answered.text);
        }
        assert_eq!(backend.count(), TARGETS.len(), "no redirect is followed");
    }
}

#[test]
fn a_server_without_a_valid_answer_admits_nobody() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(20 << 10));
    let large = format!("HTTP/1.1 403 No\r\nContent-Length: {}\r\n\r\n{}", 100 << 10, "x".repeat(100 << 10));
    let table: &[(&str, &str)] = &[
        ("nothing", ""),
        ("no HTTP", "hello\r\n\r\n"),
        ("half a head", "HTTP/1.1 200 OK\r\nRemote-User: ada\r\n"),
        ("101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        ("a head of 20 KiB", &long),
        ("a body of 100 KiB", &large),
        ("half a body", "HTTP/1.1 403 No\r\nContent-Length: 10\r\n\r\nhalf"),
        ("a folded header", "HTTP/1.1 200 OK\r\nRemote-User: ada\r\n root\r\n\r\n"),
        ("a carriage return", "HTTP/1.1 200 OK\r\nRemote-User: ada\rRemote-User: root\r\n\r\n"),
        ("a tab in the name", "HTTP/1.1 200 OK\r\nRemote-User: a\tb\r\n\r\n"),
        ("a NUL", "HTTP/1.1 200 OK\r\nRemote-User: a\0b\r\n\r\n"),
        ("two names", "HTTP/1.1 200 OK\r\nRemote-User: ada\r\nRemote-User: root\r\n\r\n"),
        ("a forbidden variable", "HTTP/1.1 200 OK\r\nWsd-Env-LD_PRELOAD: /x\r\n\r\n"),
    ];
    for (name, answer) in table {
        let answer = (*answer).to_owned();
        let backend = Backend::start(move |_| Some(answer.clone().into()));
        let server = Server::command(&[&backend.flag()], &["env"]);
        assert_eq!(server.refusal("/", "").status, 503, "{name}");
        let line = server.expect_log("auth not answered").text;
        assert!(line.contains(&format!("asked=http://{}/check", backend.address)), "{line}");
    }
    let dead = Server::command(&[&format!("--auth=url:http://127.0.0.1:{}/", free_port())], &["env"]);
    assert_eq!(dead.refusal("/", "").status, 503);
}

#[test]
fn a_slow_server_admits_nobody_after_five_seconds() {
    let backend = Backend::start(|_| None);
    let server = Server::command(&[&backend.flag()], &["env"]);
    let began = Instant::now();
    assert_eq!(server.refusal("/", "").status, 503);
    assert!(began.elapsed() >= Duration::from_millis(4900), "{:?}", began.elapsed());
    assert_in_time(began, Duration::from_secs(6));
}

#[test]
fn an_answer_sets_variables_and_headers_of_programs() {
    let tree = Tree::new();
    let socket = tree.path("auth.sock");
    let answer =
        "HTTP/1.1 204 No Content\r\nX-Auth-Request-User: bob\r\nRemote-Groups: a,b\r\nWsd-Env-Team: red\r\n\r\n";
    Backend::unix(&socket, move |head| Some(if head.starts_with("GET /deep?x ") { answer } else { "" }.into()));
    let server = Server::command(&[&format!("--auth=url:unix:{socket}:/deep?x")], &["env"]);
    let text = server.connect("/").rest().0.join("\n");

    for line in ["REMOTE_USER=bob", "HTTP_REMOTE_GROUPS=a,b", "TEAM=red"] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
}

#[test]
fn wrong_credentials_for_a_server_are_counted_and_a_login_without_any_is_not() {
    let backend = Backend::that_knows("Authorization: Bearer right".to_owned());
    let server = Server::command(&[&backend.flag()], &["cat"]);
    for _ in 0..8 {
        assert_eq!(server.refusal("/", "").status, 401);
    }
    for _ in 0..5 {
        assert_eq!(server.refusal("/", &Credential::Token("guess".to_owned()).header()).status, 401);
    }
    assert_eq!(server.refusal("/", &Credential::Token("right".to_owned()).header()).status, 429);
    assert_eq!(backend.count(), 13);
}

/// Starts a server behind a script with this text.
fn scripted(tree: &Tree, script: &str) -> Server {
    tree.program("check", &format!("#!/bin/sh\n{script}\n"));
    Server::command(&[&format!("--auth=command:{}", tree.path("check"))], &["env"])
}

#[test]
fn a_script_admits_by_its_status_and_any_other_answer_is_the_clients() {
    let table = [
        ("printf 'Status: 204\\nRemote-User: ada\\nWsd-Env-Team: red\\n\\n'", 200, "REMOTE_USER=ada\n"),
        ("printf 'status: 200 OK\\nContent-Type: text/plain\\n\\n'", 200, "REMOTE_USER=\n"),
        ("printf 'Content-Type: text/html\\n\\nplease log in, Status: 200'", 503, "cannot be checked"),
        ("printf 'Status: 200\\nRemote-User: ada\\n\\n'; exit 1", 503, "cannot be checked"),
        ("printf 'Status: 200\\nRemote-User: ada\\n\\n'; kill -9 $$", 503, "cannot be checked"),
        ("printf 'Status: 403\\nContent-Type: text/plain\\n\\nnot you\\n'", 403, "not you"),
        ("printf 'Location: /login\\n\\n'", 302, "Location: /login"),
        ("printf 'Status: 401\\nWWW-Authenticate: Basic realm=x\\n\\n'", 401, "Basic realm=x"),
        ("printf 'Remote-User: ada\\n\\n'", 503, "cannot be checked"),
        ("printf 'Status: 204\\nRemote-User: ada\\n'", 503, "cannot be checked"),
        ("printf 'Status: 204\\nWsd-Env-PATH: /x\\n\\n'", 503, "cannot be checked"),
        ("printf 'Status: 204\\nRemote-User: a\\0b\\n\\n'", 503, "cannot be checked"),
        ("exit 0", 503, "cannot be checked"),
        ("echo oops >&2; kill -9 $$", 503, "cannot be checked"),
        ("echo hello", 503, "cannot be checked"),
    ];
    for (script, status, part) in table {
        let tree = Tree::new();
        let server = scripted(&tree, script);
        let (got, text) = match server.try_connect("/", "") {
            Ok(mut client) => (200, client.rest().0.join("\n") + "\n"),
            Err(response) => (response.status, response.to_string()),
        };
        assert_eq!(got, status, "{script}: {text}");
        assert!(text.contains(part), "{script}: {text}");
        if status == 503 {
            server.expect_log("auth not answered");
        }
        if script.contains("oops") {
            server.expect_log("oops");
        }
    }
}

#[test]
fn a_script_sees_the_request_with_its_credentials() {
    let tree = Tree::new();
    let token = "Bearer t0ken";
    let script = format!(
        "env > {}\n[ \"$HTTP_AUTHORIZATION\" = '{token}' ] && echo 'Status: 204' || echo 'Status: 403'\necho\n",
        tree.path("seen")
    );
    let server = scripted(&tree, &script);
    assert_eq!(server.refusal("/", "").status, 403);
    let offer = format!("Sec-WebSocket-Protocol: base64url.bearer.authorization.wsd.{}\r\n", base64url("t0ken"));
    let text = server.connect_with("/a%20b?x=1", &offer).rest().0.join("\n");

    let seen = String::from_utf8(tree.read("seen")).unwrap();
    for line in
        ["REQUEST_METHOD=GET", "REQUEST_URI=/a%20b?x=1", "PATH_INFO=/a b", "QUERY_STRING=x=1", "REMOTE_ADDR=127.0.0.1"]
    {
        assert!(seen.lines().any(|one| one == line), "{line}: {seen}");
    }
    assert!(!text.contains("t0ken") && !text.contains(&base64url("t0ken")), "{text}");
}

#[test]
fn a_slow_script_is_stopped_and_admits_nobody_after_ten_seconds() {
    let tree = Tree::new();
    let server = scripted(&tree, &format!("echo $$ > {}\nsleep 60", tree.path("pid")));
    let began = Instant::now();
    assert_eq!(server.refusal("/", "").status, 503);
    assert!(began.elapsed() >= Duration::from_millis(9900), "{:?}", began.elapsed());
    assert_in_time(began, Duration::from_secs(11));
    let pid = String::from_utf8(tree.read("pid")).unwrap();
    assert!(crate::harness::process::gone_within(crate::harness::process::pid(pid.trim()), Duration::from_secs(5)));
}

#[test]
fn a_server_or_script_that_cannot_be_asked_is_refused_at_the_start() {
    let table = [
        ("--auth=url:https://auth/", "wsd asks over plain HTTP"),
        ("--auth=url:http://user:geheim@auth/", "it has a user or a password"),
        ("--auth=url:auth", "invalid URL in --auth=url"),
        ("--auth=command:/nowhere", "cannot run `/nowhere` of --auth"),
        ("--auth=cert", "cannot use --auth=cert without --sslca"),
    ];
    for (flag, message) in table {
        let outcome = run(&[flag, "--port=0", "cat"]);
        assert_eq!(outcome.status, Some(1), "{flag}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(message), "{flag}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("geheim"), "{}", outcome.stderr);
    }
}
