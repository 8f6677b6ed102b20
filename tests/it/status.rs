//! The status: `/.wsd/status` and `/.wsd/end`; who sees it, what it shows, and what it never shows. `tests/browser/status.rs`
//! opens the page.

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::http::{Connection, Response};
use crate::harness::scrape::{METRICS, Watch};
use crate::harness::server::{Server, field, wsd};
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::Client;

/// The facts that this server tells on its own machine.
fn facts(server: &Server) -> Value {
    let response = server.get("/.wsd/status", "");
    assert_eq!(response.status, 200, "{response}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    serde_json::from_slice(&response.body).unwrap()
}

/// Opens the first sessions of a server, and waits until they have begun: a client gets its 101 before.
fn begin<const COUNT: usize>(server: &Server, paths: [&str; COUNT]) -> [Client; COUNT] {
    let clients = paths.map(|path| server.connect(path));
    server.expect_nth_log("session started", COUNT);
    clients
}

/// The names of an object, in its order.
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Asks for the end of a session.
fn end(server: &Server, conn: &Value, headers: &str) -> Response {
    server.post(&format!("/.wsd/end?conn={conn}"), headers, "")
}

/// Starts to watch: the event stream, and its head.
fn watch(server: &Server) -> (Connection, String) {
    let mut connection = server.http();
    let host = server.host();
    connection.send(format!("GET /.wsd/status HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(connection.take(1).unwrap()[0]));
    }
    (connection, head)
}

/// The next event of a stream, without the lengths of its parts.
fn event(connection: &mut Connection) -> Option<Value> {
    let mut text = String::new();
    while !text.ends_with("\n\n\r\n") {
        text.push_str(&String::from_utf8_lossy(&connection.take(1)?));
    }
    let data = text.split_once("data: ")?.1;
    Some(serde_json::from_str(data.trim()).unwrap())
}

#[test]
fn the_status_tells_of_each_route_and_each_session() {
    let server = Server::serve(&["--route=/echo=cat", "--route=/quiet=cat"]);
    let mut client = server.connect("/echo?secret=1");
    client.text("häh");
    assert_eq!(client.line(), "häh");

    let facts = facts(&server);

    assert_eq!(keys(&facts), ["ends", "refusals", "rooms", "routes", "sessions"]);
    let session = &facts["sessions"][0];
    let names = ["age", "conn", "in", "memory", "out", "peer", "pid", "room", "route", "state", "transport", "user"];
    assert_eq!(keys(session), names);
    let line = server.expect_log("session started").text;
    for key in ["conn", "peer", "pid"] {
        let told = session[key].as_str().map_or_else(|| session[key].to_string(), str::to_owned);
        assert_eq!(Some(told), field(&line, key), "{key}");
    }
    let traffic = json!({ "messages": 1, "bytes": 4 });
    assert_eq!((&session["in"], &session["out"]), (&traffic, &traffic));
    let words = ["route", "state", "transport", "user"].map(|key| session[key].clone());
    assert_eq!(words, [json!("/echo"), json!("open"), json!("ws"), Value::Null]);
    assert!(!cfg!(target_os = "linux") || session["memory"].as_u64() > Some(0), "{session}");
    let total = json!({ "sessions": 1, "refused": 0, "in": traffic, "out": traffic });
    let route =
        json!({ "path": "/echo", "program": "cat", "state": "ready", "sessions": 1, "rooms": 0, "total": total });
    assert_eq!(facts["routes"][0], route);
    assert_eq!(facts["routes"][1]["path"], "/quiet");
    drop(client);
}

#[test]
fn the_status_tells_of_rooms_and_their_members() {
    let server = Server::command(&["--shared=path"], &["cat"]);
    let mut members = begin(&server, ["/a", "/a", "/b"]);
    server.expect_nth_log("room started", 2);
    members[0].text("hello");
    for member in &mut members[..2] {
        assert_eq!(member.line(), "hello");
    }

    let facts = facts(&server);

    let rooms = facts["rooms"].as_array().unwrap();
    let room = rooms.iter().find(|room| room["path"] == "/a").unwrap();
    assert_eq!(keys(room), ["age", "in", "members", "memory", "out", "path", "pid", "route"]);
    let inside = facts["sessions"].as_array().unwrap().iter().filter(|session| session["room"] == room["pid"]);
    let conns: Vec<_> = inside.map(|session| session["conn"].clone()).collect();
    assert_eq!((room["members"].as_array(), conns.len()), (Some(&conns), 2));
    assert_eq!(room["in"], json!({ "messages": 1, "bytes": 5 }));
    assert_eq!(room["out"], json!({ "messages": 1, "bytes": 5 }));
    assert_eq!(facts["routes"][0]["rooms"], 2);
}

#[test]
fn the_last_hundred_ends_and_refusals_are_told_with_their_reasons() {
    let server = Server::command(&[METRICS], &["sh", "-c", "exit 3"]);
    for _ in 0..103 {
        assert_eq!(server.connect("/").expect_close().code, Some(4003));
        assert_eq!(server.refusal("/", "Origin: http://evil.example\r\n").status, 403);
    }
    eventually("all have ended", || {
        let ended = Watch::of(&server).scrape().value(r#"wsd_sessions_ended_total{route="/*",end="exit",code="4003"}"#);
        (ended == 103).then_some(())
    });

    let facts = facts(&server);

    let (ends, refusals) = (facts["ends"].as_array().unwrap(), facts["refusals"].as_array().unwrap());
    assert_eq!((ends.len(), refusals.len()), (100, 100));
    assert_eq!((&ends[0]["end"], &ends[0]["code"]), (&json!("exit"), &json!(4003)));
    assert!(ends[0]["at"].as_u64() >= ends[99]["at"].as_u64(), "the latest is the first");
    assert_eq!((&refusals[0]["why"], &refusals[0]["route"]), (&json!("origin"), &json!("/*")));
    let total = &facts["routes"][0]["total"];
    assert_eq!((&total["sessions"], &total["refused"]), (&json!(103), &json!(103)));
}

#[test]
fn the_status_shows_no_query_no_header_and_no_token() {
    let tree = Tree::new();
    tree.file("tokens", "ada:the-secret-token\n");
    let auth = format!("--auth=bearer:{}", tree.path("tokens"));
    let server = Server::command(&[&auth, "--auth-query", "--http", "--resume=60", "--shared"], &["cat"]);
    let token = "Authorization: Bearer the-secret-token\r\nX-Secret: the-secret-header\r\n";
    let _client = server.connect_with("/?key=the-secret-query", token);
    server.expect_log("room started");
    server.expect_log("session started");
    assert_eq!(server.refusal("/?key=the-secret-query&access_token=the-secret-guess", "").status, 401);
    let origin = "Origin: http://the-secret-origin.example\r\n";
    assert_eq!(server.refusal("/?the-secret-query", &format!("{token}{origin}")).status, 403);

    let response = server.get("/.wsd/status", token);

    assert_eq!(response.status, 200, "{response}");
    assert!(!response.text().contains("the-secret"), "{response}");
    let facts: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!((&facts["sessions"][0]["user"], facts["rooms"][0]["path"].as_str()), (&json!("ada"), Some("/")));
    let whys: Vec<_> = facts["refusals"].as_array().unwrap().iter().map(|refusal| &refusal["why"]).collect();
    assert_eq!(whys, [&json!("origin"), &json!("auth")]);
}

#[test]
fn without_credentials_only_clients_of_this_machine_see_the_status() {
    let tree = Tree::new();
    let socket = format!("--unixsocket={}", tree.path("wsd.sock"));
    let server = Server::spawn(wsd(&["--port=0", &socket, "--anyorigin", "cat"]));
    let port = server.address.port();
    let mut unix = Connection::over(Stream::unix(&tree.path("wsd.sock")).unwrap());
    unix.send("GET /.wsd/status HTTP/1.1\r\nHost: localhost\r\n\r\n");

    for path in ["/.wsd/", "/.wsd/status"] {
        assert_eq!(server.get(path, "").status, 200, "{path}");
        for headers in [
            "X-Forwarded-For: 127.0.0.1\r\n",
            "Forwarded: for=127.0.0.1\r\n",
            "Via: 1.1 proxy\r\n",
            "X-Real-IP: ::1\r\n",
            "X-Forwarded-Proto: https\r\n",
            "CF-Connecting-IP: 127.0.0.1\r\n",
            "Connection: upgrade\r\n",
        ] {
            assert_eq!(server.get(path, headers).status, 404, "a proxy that wsd does not trust: {headers}");
        }
        let old = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        assert_eq!(server.request(&old).status, 404, "the HTTP of nginx without settings");
        let rebound = format!("GET {path} HTTP/1.1\r\nHost: evil.example:{port}\r\nConnection: close\r\n\r\n");
        assert_eq!(server.request(&rebound).status, 404, "a name that leads here, but is of another site");
    }
    assert_eq!(unix.response("GET").status, 404, "a Unix socket has no address");
    assert!(server.expect_log("session refused").text.contains("why=status"));
}

#[test]
fn behind_a_trusted_proxy_the_client_counts_that_it_names() {
    let server = Server::command(&["--trust-proxy=127.0.0.1"], &["cat"]);
    for (headers, want) in [
        ("X-Forwarded-For: 203.0.113.9\r\n", 404),
        ("X-Forwarded-For: 127.0.0.1, 203.0.113.9\r\n", 404),
        ("Forwarded: for=203.0.113.9\r\n", 404),
        ("X-Forwarded-For: nonsense\r\n", 404),
        ("", 404),
        ("X-Forwarded-For: 127.0.0.1\r\n", 200),
        ("X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: evil.example\r\n", 403),
    ] {
        let status = ["/.wsd/status", "/.wsd/"].map(|path| server.get(path, headers).status);
        assert_eq!(status, [want, want], "{headers}");
    }
}

#[test]
fn with_authentication_the_gate_alone_decides() {
    let tree = Tree::new();
    tree.file("tokens", "ada:secret-token\n");
    let auth = format!("--auth=bearer:{}", tree.path("tokens"));
    let server = Server::command(&[&auth, "--trust-proxy=127.0.0.1", "--admin"], &["cat"]);
    let token = "Authorization: Bearer secret-token\r\n";
    for path in ["/.wsd/", "/.wsd/status"] {
        assert_eq!(server.get(path, "").status, 401, "{path}");
        assert_eq!(server.get(path, &format!("X-Forwarded-For: 203.0.113.9\r\n{token}")).status, 200, "{path}");
    }
    assert_eq!(end(&server, &json!(1), "").status, 401);
}

#[test]
fn a_page_of_another_origin_reads_nothing_and_ends_nothing() {
    let server = Server::command(&["--anyorigin", "--admin", "--http"], &["cat"]);
    let _clients = begin(&server, ["/"]);
    let conn = facts(&server)["sessions"][0]["conn"].clone();
    for headers in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://localhost:1\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        assert_eq!(server.get("/.wsd/status", headers).status, 403, "{headers}");
        assert_eq!(end(&server, &conn, headers).status, 403, "{headers}");
    }
    assert_eq!(facts(&server)["sessions"][0]["state"], "open");
}

#[test]
fn a_session_is_ended_by_the_administrator_as_by_any_end() {
    let server = Server::command(&["--admin"], &["sh", "-c", "echo ready; cat >/dev/null; exit 7"]);
    let (mut one, mut other) = (server.connect("/"), server.connect("/"));
    assert_eq!((one.line(), other.line()), ("ready".to_owned(), "ready".to_owned()));
    let conn = facts(&server)["sessions"][0]["conn"].clone();
    let own = format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", server.host());

    assert_eq!(end(&server, &conn, &own).status, 204);

    let close = one.expect_close();
    assert_eq!((close.code, &*close.reason), (Some(1008), "ended by the administrator"));
    let dismissed = server.expect_log("session dismissed").text;
    assert_eq!(field(&dismissed, "conn"), Some(conn.to_string()));
    assert!(field(&dismissed, "peer").unwrap().starts_with("127.0.0.1:"), "{dismissed}");
    let ended = server.expect_log("session ended").text;
    assert_eq!((field(&ended, "end").as_deref(), field(&ended, "conn")), (Some("admin"), Some(conn.to_string())));
    assert_eq!((field(&ended, "code").as_deref(), field(&ended, "status").as_deref()), (Some("1008"), Some("7")));
    let facts = facts(&server);
    assert_eq!((facts["sessions"].as_array().unwrap().len(), &facts["ends"][0]["end"]), (1, &json!("admin")));
    assert_eq!(end(&server, &conn, &own).status, 404, "it has ended");
    assert_eq!(end(&server, &json!("x"), &own).status, 400);
    assert_eq!(server.get(&format!("/.wsd/end?conn={conn}"), "").status, 405);
}

#[test]
fn without_admin_nobody_ends_a_session() {
    let server = Server::command(&["--http"], &["cat"]);
    let [mut client] = begin(&server, ["/"]);
    let conn = facts(&server)["sessions"][0]["conn"].clone();

    assert_eq!(end(&server, &conn, "").status, 403);

    let refused = server.expect_log("session refused").text;
    assert!(refused.contains("why=admin") && refused.contains("--admin"), "{refused}");
    client.text("still here");
    assert_eq!(client.line(), "still here");
}

#[test]
fn a_client_in_a_room_one_that_is_away_and_a_post_are_ended_too() {
    let rooms = Server::command(&["--admin", "--shared"], &["cat"]);
    let [mut one, mut other] = begin(&rooms, ["/", "/"]);
    let conn = facts(&rooms)["sessions"][0]["conn"].clone();
    assert_eq!(end(&rooms, &conn, "").status, 204);
    assert_eq!(one.expect_close().code, Some(1008));
    other.text("hello");
    assert_eq!(other.line(), "hello", "the room goes on");

    let away = Server::command(&["--admin", "--resume=60"], &["cat"]);
    away.connect_with("/", "Sec-WebSocket-Protocol: wsd.resume.1\r\n").reset();
    away.expect_log("session detached");
    assert_eq!(facts(&away)["sessions"][0]["state"], "detached");
    assert_eq!(end(&away, &facts(&away)["sessions"][0]["conn"], "").status, 204);
    assert!(away.expect_log("session ended").text.contains("end=admin"));

    let posts = Server::command(&["--admin", "--http"], &["sh", "-c", "trap '' HUP; exec sleep 600"]);
    let mut post = posts.posting("/", "", "body");
    posts.expect_log("post started");
    assert_eq!(facts(&posts)["sessions"][0]["transport"], "oneshot");
    assert_eq!(end(&posts, &facts(&posts)["sessions"][0]["conn"], "").status, 204);
    assert!(posts.expect_log("post ended").text.contains("end=admin"));
    drop(post.try_response("POST"));
}

#[test]
fn the_event_stream_tells_each_second_what_has_changed() {
    let server = Server::command(&["--http"], &["cat"]);
    let (mut stream, head) = watch(&server);
    assert!(head.starts_with("HTTP/1.1 200") && head.to_lowercase().contains("text/event-stream"), "{head}");
    assert_eq!(event(&mut stream).unwrap()["sessions"], json!([]));

    let _client = server.connect("/");

    let is_told = eventually("the session is told", || {
        let told = event(&mut stream).unwrap();
        (told["sessions"].as_array().unwrap().len() == 1).then_some(true)
    });
    assert!(is_told);
}

#[test]
fn watchers_are_limited_share_their_events_and_end_with_wsd() {
    let mut server = Server::command(&[], &["cat"]);
    let mut watchers: Vec<_> = (0..16).map(|_| watch(&server).0).collect();
    let accept = "Accept: text/event-stream\r\n";
    let first = event(&mut watchers[0]).unwrap();
    assert_eq!(event(&mut watchers[15]).unwrap(), first, "one snapshot for all");

    let refused = server.get("/.wsd/status", accept);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    watchers.pop();
    let (mut again, _) = eventually("a place is free", || {
        let (connection, head) = watch(&server);
        head.starts_with("HTTP/1.1 200").then_some((connection, head))
    });
    assert!(event(&mut again).is_some());

    server.stop();
    while event(&mut again).is_some() {}
}

#[test]
fn the_page_and_its_parts_are_below_the_base_and_only_there() {
    let server = Server::command(&["--base=/app", "--devconsole"], &["cat"]);
    for path in ["/app/.wsd/", "/app/.wsd/status.js", "/app/.wsd/status.css", "/app/.wsd/look.css", "/app/.wsd/status"]
    {
        assert_eq!(server.get(path, "").status, 200, "{path}");
    }
    let page = server.get("/app/.wsd/", "");
    assert!(page.text().contains("wsd status") && !page.text().contains("data-admin"), "{page}");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(server.get("/.wsd/status", "").status, 404);
}

#[test]
fn a_client_at_the_address_of_a_trusted_proxy_is_told_to_come_through_it() {
    let server = Server::command(&["--trust-proxy=127.0.0.1"], &["cat"]);

    assert_eq!(server.get("/.wsd/status", "").status, 404);
    server.expect_log("hint=\"this client is itself a proxy of --trust-proxy: open it through the proxy, ");
    assert_eq!(server.get("/.wsd/status", "X-Forwarded-For: 127.0.0.1\r\n").status, 200);
}
