//! The files of recordings.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::kit::{PATIENT, flag, lines, names, recording, steps};
use crate::harness::eventsource::EventSource;
use crate::harness::returning::Returning;
use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;

#[test]
fn a_recording_has_what_the_program_got_and_gave_and_how_it_ended() {
    let tree = Tree::new();
    let script = "read -r line; echo oops >&2; while ! [ -e \"$1\" ]; do sleep 0.01; done; echo \"got $line\"; exit 3";
    let server = Server::shell(&[&*flag(&tree)], script, &[&tree.path("go")]);
    let mut client = server.connect("/");

    client.text("a\"b\u{e9}");
    server.expect_log("worker stderr");
    tree.file("go", "");
    client.rest();

    let file = recording(&server, 1);
    assert_eq!(steps(&file), ["in text a\"b\u{e9}", "err oops", "out text got a\"b\u{e9}", "end program 3"]);
    let head = &lines(&file)[0];
    assert_eq!((head["recording"].as_u64(), head["framing"].as_str()), (Some(1), Some("lines")), "{head}");
    assert_eq!((head["route"].as_str(), head["program"].as_str()), (Some("/"), Some("sh")), "{head}");
    let bytes = fs::metadata(&file).unwrap().len().to_string();
    assert_eq!(field(&server.expect_log("recording ended").text, "bytes"), Some(bytes));
}

#[test]
fn binary_messages_are_in_base64_and_a_client_that_leaves_ends_the_program() {
    let tree = Tree::new();
    let server = Server::command(&[&*flag(&tree), PATIENT, "--binary"], &["cat"]);
    let mut client = server.connect("/");

    client.binary(b"\x00\xFF");
    client.bytes(2);
    client.close(1000);

    assert_eq!(steps(recording(&server, 1)), ["in binary AP8=", "out binary AP8=", "end wsd 0"]);
}

#[test]
fn only_the_user_of_wsd_can_read_recordings() {
    let tree = Tree::new();
    let server = Server::command(&[&*flag(&tree)], &["true"]);
    server.connect("/").rest();
    let file = recording(&server, 1);

    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!((mode(&tree.path("rec")), mode(&file)), (0o700, 0o600));
}

#[test]
fn a_folder_that_is_there_keeps_its_permissions() {
    let tree = Tree::new();
    tree.directory("rec");
    fs::set_permissions(tree.path("rec"), fs::Permissions::from_mode(0o750)).unwrap();
    let server = Server::command(&[&*flag(&tree)], &["true"]);
    server.connect("/").rest();
    recording(&server, 1);

    assert_eq!(fs::metadata(tree.path("rec")).unwrap().permissions().mode() & 0o777, 0o750);
}

#[test]
fn names_sort_by_time_and_have_the_connection_and_the_route() {
    let tree = Tree::new();
    let server = Server::serve(&[&*flag(&tree), "--route", "/a/b=true", "--route", "/=true"]);
    for (count, path) in ["/", "/a/b", "/"].into_iter().enumerate() {
        server.connect(path).rest();
        recording(&server, count + 1);
    }

    let (names, ends) = (names(&tree), ["-c1.jsonl", "-c2-a_b.jsonl", "-c3.jsonl"]);
    assert_eq!(names.len(), 3, "{names:?}");
    for (name, end) in names.iter().zip(ends) {
        assert!(name.ends_with(end) && name.len() == "20261127T200000.000001Z".len() + end.len(), "{names:?}");
    }
}

#[test]
fn a_recording_has_no_query_no_header_and_no_argument() {
    let tree = Tree::new();
    let server = Server::shell(&[&*flag(&tree)], "echo hello", &["secret"]);
    let mut client = server.connect_with("/?token=secret", "Cookie: secret\r\nAuthorization: Bearer secret\r\n");
    client.rest();

    let text = fs::read_to_string(recording(&server, 1)).unwrap();
    assert!(text.contains("hello") && !text.contains("secret"), "{text}");
}

#[test]
fn events_of_clients_are_recorded_without_the_values_of_headers() {
    let tree = Tree::new();
    let script = "read -r line; echo '{\"text\":\"hello\"}'; cat >/dev/null";
    let server = Server::shell(&[&*flag(&tree), "--framing=json"], script, &[]);
    let mut client = server.connect_with("/?nick=Ada", "Cookie: secret\r\nX-Key: secret\r\n");
    assert_eq!(client.line(), "hello");
    client.text("hi");
    client.close(1000);

    let file = recording(&server, 1);
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("secret"), "{text}");
    let steps = steps(&file);
    let open = &steps[0];
    for part in
        ["in text {\"event\":\"open\",", "\"HTTP_COOKIE\":\"\"", "\"HTTP_X_KEY\":\"\"", "\"QUERY_STRING\":\"nick=Ada\""]
    {
        assert!(open.contains(part), "no {part}: {open}");
    }
    assert_eq!(steps[1], "out text {\"text\":\"hello\"}");
    assert!(steps[2].contains("\"event\":\"message\"") && steps[2].contains("\"text\":\"hi\""), "{steps:#?}");
    assert!(steps[3].contains("\"event\":\"close\""), "{steps:#?}");
}

#[test]
fn no_token_and_no_baggage_is_in_the_events_of_a_recording() {
    const SECRET: &str = "0123456789abcdef-secret";
    let tree = Tree::new();
    tree.file("tokens", format!("ada:{SECRET}\n"));
    fs::set_permissions(tree.path("tokens"), fs::Permissions::from_mode(0o600)).unwrap();
    let auth = format!("--auth=bearer:{}", tree.path("tokens"));
    let server =
        Server::shell(&[&*flag(&tree), PATIENT, "--framing=json", &auth, "--auth-query"], "cat >/dev/null", &[]);
    let trace = format!(
        "traceparent: 00-{}-{}-01\r\ntracestate: a=secret\r\nbaggage: b=secret\r\n",
        "1".repeat(32),
        "2".repeat(16)
    );
    let target = format!("/?nick=Ada&access_token={SECRET}&access_token=other-secret&a=b");

    let mut client = server.connect_with(&target, &trace);
    client.close(1000);

    let text = fs::read_to_string(recording(&server, 1)).unwrap();
    assert!(text.contains(r#"\"QUERY_STRING\":\"nick=Ada&a=b\""#), "{text}");
    assert!(text.contains(r#"\"BAGGAGE\":\"\""#) && text.contains(r#"\"TRACESTATE\":\"\""#), "{text}");
    assert!(!text.contains("secret") && !text.contains("access_token"), "{text}");
}

#[test]
fn a_room_is_one_file_that_names_its_clients() {
    let tree = Tree::new();
    let server = Server::command(&[&*flag(&tree), PATIENT, "--shared", "--linger=0"], &["cat"]);
    let (mut one, mut other) = (server.connect("/"), server.connect("/"));

    for (speaker, listener, text) in [(0, 1, "a"), (1, 0, "b")] {
        let clients = [&mut one, &mut other];
        clients[speaker].text(text);
        assert_eq!(clients[listener].line(), text);
        assert_eq!(clients[speaker].line(), text);
    }
    one.close(1000);
    other.close(1000);

    let file = recording(&server, 1);
    assert_eq!(steps(&file), ["in text a", "out text a", "in text b", "out text b", "end wsd 0"]);
    let lines = lines(&file);
    let (first, second) = (&lines[1]["client"], &lines[3]["client"]);
    assert!(first.is_string() && second.is_string() && first != second, "{lines:#?}");
    assert_eq!(names(&tree).len(), 1);
}

#[test]
fn an_eager_program_is_recorded_before_any_client() {
    let tree = Tree::new();
    let server = Server::shell(&[&*flag(&tree), "--shared", "--eager"], "echo up >&2; cat", &[]);
    server.expect_log("worker stderr");

    let file = field(&server.expect_log("recording started").text, "file").expect("a field file");
    assert!(file.ends_with("-c0.jsonl"), "{file}");
}

#[test]
fn a_session_whose_client_returns_is_one_file() {
    let tree = Tree::new();
    let server = Server::command(&[&*flag(&tree), PATIENT, "--resume=60"], &["cat"]);
    let mut client = Returning::open(server.address);
    client.text("before");
    assert_eq!(client.line(), "before");

    client.drop_connection();
    server.expect_log("session detached");
    client.connect().unwrap();
    client.text("after");
    assert_eq!(client.line(), "after");
    client.close(1000);

    let file = recording(&server, 1);
    assert_eq!(steps(&file), ["in text before", "out text before", "in text after", "out text after", "end wsd 0"]);
    assert_eq!(names(&tree).len(), 1);
}

#[test]
fn event_streams_and_posts_are_recorded() {
    let tree = Tree::new();
    let shared = "[[route]]\npath = \"/room\"\ncommand = [\"cat\"]\nshared = true\nlinger = 0\n";
    let own = "[[route]]\npath = \"/own\"\ncommand = [\"cat\"]\n";
    tree.file("wsd.toml", format!("http = true\nrecord = {:?}\n{shared}{own}", tree.path("rec")));
    let server = Server::serve(&["--config", &tree.path("wsd.toml"), PATIENT]);

    assert_eq!(server.post("/own", "", "a\n").status, 200);
    let of_post = recording(&server, 1);
    assert_eq!(server.post("/room", "", "b\nc\n").status, 202);
    let of_room = recording(&server, 2);
    let mut client = EventSource::new(server.address, "/own", "");
    client.connect().unwrap();
    client.post("", "d\n");
    assert_eq!(client.line(), "d");
    client.leave();

    let of_post = steps(of_post);
    assert_eq!((&*of_post[0], of_post.last().map(String::as_str)), ("in binary YQo=", Some("end program 0")));
    assert!(of_post.iter().any(|step| step == "eof"), "{of_post:#?}");
    assert_eq!(steps(of_room)[..2], ["in text b", "in text c"]);
    assert_eq!(steps(recording(&server, 3)), ["in text d", "out text d", "end wsd 0"]);
    assert_eq!(names(&tree).len(), 3);
}

#[test]
fn a_long_message_is_whole_although_it_comes_in_pieces() {
    let tree = Tree::new();
    let script = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo end";
    let server = Server::shell(&[&*flag(&tree)], script, &[]);
    server.connect("/").rest();

    let lines = lines(recording(&server, 1));
    let pieces = lines.iter().filter(|step| step["dir"] == "out");
    let bytes: usize = pieces.clone().filter_map(|step| Some(step["text"].as_str()?.len())).sum();
    assert_eq!(bytes, 300_000 + "end".len());
    assert_eq!(pieces.filter(|step| step["more"] != true).count(), 2, "two messages end");
}

#[test]
fn recordings_of_sessions_that_run_are_complete_when_wsd_stops() {
    let tree = Tree::new();
    let mut server = Server::command(&[&*flag(&tree), PATIENT], &["cat"]);
    let mut client = server.connect("/");
    client.text("a");
    assert_eq!(client.line(), "a");

    server.stop();

    let name = names(&tree).remove(0);
    assert_eq!(steps(tree.path(&format!("rec/{name}"))), ["in text a", "out text a", "end wsd 0"]);
}
