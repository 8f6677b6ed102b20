//! `--unixsocket`: alone or beside TCP, never in the place of something living, and gone at the end.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use crate::harness::certificates::Authority;
use crate::harness::eventually;
use crate::harness::http::{Connection, Response};
use crate::harness::server::{Server, run, wsd};
use crate::harness::skip::skip;
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

/// The flag for the socket of this name in `tree`.
fn flag(tree: &Tree) -> String {
    format!("--unixsocket={}", tree.path("socket"))
}

/// A server that listens on the socket in `tree` and on nothing else.
fn start(tree: &Tree, arguments: &[&str]) -> Server {
    Server::spawn(wsd(&[&[&*flag(tree)], arguments].concat()))
}

fn is_socket(tree: &Tree) -> bool {
    fs::symlink_metadata(tree.path("socket")).is_ok_and(|metadata| metadata.file_type().is_socket())
}

fn open(path: &str) -> Connection {
    Connection::over(Stream::unix(path).unwrap_or_else(|error| panic!("cannot connect to {path}: {error}")))
}

fn connect(path: &str) -> Client {
    Client::upgrade(open(path), &upgrade_request("localhost", "/", "")).unwrap_or_else(|response| panic!("{response}"))
}

fn get(path: &str, target: &str) -> Response {
    let mut connection = open(path);
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    connection.response("GET")
}

/// A start that must fail with exit 3, say nothing on standard output, and name the socket.
fn assert_not_taken(tree: &Tree) {
    let outcome = run(&[&flag(tree), "cat"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{outcome:?}");
    assert!(outcome.stderr.contains(&tree.path("socket")), "{outcome:?}");
}

#[test]
fn sessions_and_files_pass_through_a_unix_socket_alone() {
    let tree = Tree::new();
    tree.file("files/a.txt", "hello");
    let server = start(&tree, &["--staticdir", &tree.path("files"), "cat"]);
    let socket = tree.path("socket");

    assert_eq!(server.output(), [format!("unix:{socket}")]);
    assert_eq!(get(&socket, "/a.txt").text(), "hello");
    let mut client = connect(&socket);
    let message = "x".repeat(1 << 20);
    for text in ["hello", &message] {
        client.text(text);
        assert!(client.line() == text);
    }
    client.close(1000);
    assert_eq!(client.expect_close().code, Some(1000));
    client.expect_end();
}

#[test]
fn a_unix_socket_and_a_port_serve_the_same() {
    let tree = Tree::new();
    for flags in [&["--port=0"][..], &["--address=127.0.0.1", "--port=0"]] {
        let server = start(&tree, &[flags, &["cat"]].concat());

        let unix = format!("unix:{}", tree.path("socket"));
        let urls = eventually("the socket is served", || Some(server.output()).filter(|urls| urls.contains(&unix)));
        assert!(urls[0].starts_with("http://127.0.0.1:"), "{urls:?}");
        for mut client in [server.connect("/"), connect(&tree.path("socket"))] {
            client.text("hello");
            assert_eq!(client.line(), "hello");
        }
    }
}

#[test]
fn a_client_over_a_unix_socket_has_no_address() {
    let tree = Tree::new();
    for flags in [&[][..], &["--reverselookup"]] {
        let server = start(&tree, &[flags, &["env"]].concat());

        let lines = connect(&tree.path("socket")).rest().0;

        let found: BTreeMap<_, _> = lines.iter().filter_map(|line| line.split_once('=')).collect();
        assert_eq!((found["REMOTE_ADDR"], found["REMOTE_HOST"]), ("unix-socket", "unix-socket"), "{flags:?}");
        assert_eq!(found["REMOTE_PORT"], "", "{flags:?}");
        assert_eq!((found["SERVER_NAME"], found["SERVER_PORT"]), ("localhost", "80"), "{flags:?}");
        assert!(server.expect_log("session started").text.contains("peer=unix-socket"));
    }
}

#[test]
fn tls_is_spoken_on_a_unix_socket_too() {
    let tree = Tree::new();
    let authority = Authority::new();
    let identity = authority.identity("server");
    tree.file("cert.pem", identity.certificate).file("key.pem", identity.key);
    let socket = tree.path("socket");
    let _server =
        start(&tree, &["--ssl", "--sslcert", &tree.path("cert.pem"), "--sslkey", &tree.path("key.pem"), "cat"]);
    let config = authority.client(&[&rustls::version::TLS13], None);

    let connection = Connection::over(Stream::unix(&socket).unwrap().secure(&config).unwrap());
    let mut client = Client::upgrade(connection, &upgrade_request("localhost", "/", "")).ok().unwrap();

    client.text("hello");
    assert_eq!(client.line(), "hello");
    assert_eq!(get(&socket, "/").status, 400);
}

#[test]
fn a_page_that_a_proxy_serves_may_connect() {
    // Over a Unix socket comes a proxy, with the Host that the page has.
    let tree = Tree::new();
    let _server = start(&tree, &["cat"]);
    for (origin, status) in [("https://app.example", 101), ("https://evil.example", 403)] {
        let mut connection = open(&tree.path("socket"));
        connection.send(upgrade_request("app.example", "/", &format!("Origin: {origin}\r\n")));

        assert_eq!(connection.response("GET").status, status, "{origin}");
    }
}

#[test]
fn the_mode_is_what_the_umask_leaves_or_what_is_asked_for() {
    for (flags, umask, mode) in [
        (&[][..], 0o022, 0o755),
        (&[], 0o077, 0o700),
        (&["--socketmode=660"], 0o077, 0o660),
        (&["--socketmode=0600"], 0, 0o600),
        (&["--socketmode=777"], 0o077, 0o777),
    ] {
        let tree = Tree::new();
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "umask \"$1\" && shift && exec \"$@\"", "sh", &format!("{umask:o}")]);
        command.arg(env!("CARGO_BIN_EXE_wsd")).arg(flag(&tree)).args(flags).arg("cat");
        let _server = Server::spawn(command);

        let found = fs::metadata(tree.path("socket")).unwrap().permissions().mode() & 0o7777;

        assert_eq!(found, mode, "{flags:?}, umask {umask:o}: {found:o}");
    }
}

#[test]
fn a_mode_that_is_none_is_exit_2() {
    let tree = Tree::new();
    for mode in ["0", "1000", "4755", "888", "rw", "", "+600", "-1", "0x1ff", " 600"] {
        let outcome = run(&[&flag(&tree), &format!("--socketmode={mode}"), "cat"]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{mode}: {outcome:?}");
        assert!(outcome.stderr.contains("--socketmode"), "{mode}: {outcome:?}");
        assert!(!is_socket(&tree), "{mode}");
    }
}

#[test]
fn a_mode_without_a_file_is_exit_1() {
    // Nothing would keep anybody out, although the flag says so.
    for flags in [&["--port=0"][..], &["--unixsocket=@wsd-test-mode"]] {
        let outcome = run(&[flags, &["--socketmode=600", "cat"]].concat());

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{flags:?}: {outcome:?}");
        assert!(outcome.stderr.contains("--socketmode"), "{flags:?}: {outcome:?}");
    }
}

#[test]
fn a_living_socket_is_not_taken_over() {
    let tree = Tree::new();
    let _server = start(&tree, &["cat"]);
    let mut client = connect(&tree.path("socket"));

    assert_not_taken(&tree);

    for client in [&mut client, &mut connect(&tree.path("socket"))] {
        client.text("still here");
        assert_eq!(client.line(), "still here");
    }
}

#[test]
fn a_socket_whose_queue_is_full_lives() {
    let tree = Tree::new();
    let listener = UnixListener::bind(tree.path("socket")).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = Stream::unix(&tree.path("socket")).unwrap();

    assert_not_taken(&tree);

    listener.accept().unwrap();
    assert!(is_socket(&tree));
}

#[test]
fn a_socket_left_behind_is_replaced() {
    let tree = Tree::new();
    drop(UnixListener::bind(tree.path("socket")).unwrap());
    assert!(is_socket(&tree));

    for _ in 0..2 {
        let mut server = start(&tree, &["cat"]);
        let mut client = connect(&tree.path("socket"));
        client.text("hello");
        assert_eq!(client.line(), "hello");
        client.close(1000);
        client.drain();
        server.expect_log("session ended");
        // No time to tidy up.
        server.signal(Signal::KILL);
        server.wait();
        assert!(is_socket(&tree));
    }
}

#[test]
fn one_of_many_starts_over_a_stale_socket_serves() {
    const STARTS: usize = 12;
    for round in 0..8 {
        let tree = Tree::new();
        drop(UnixListener::bind(tree.path("socket")).unwrap());

        let mut starts: Vec<_> = (0..STARTS)
            .map(|_| {
                let mut command = wsd(&[&flag(&tree), "--socketmode=600", "sh", "-c", "echo $PPID; exec cat"]);
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();

        // Those that serve say so, and all others end.
        let mut serving: Vec<Child> = Vec::new();
        for mut start in starts.drain(..) {
            let mut url = [0; 5];
            if start.stdout.as_mut().unwrap().read_exact(&mut url).is_ok() {
                serving.push(start);
                continue;
            }
            let outcome = start.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
            assert_eq!(outcome.status.code(), Some(3), "{said}");
            assert!(said.contains("in use") && said.contains(&tree.path("socket")), "{said}");
        }
        let served = Stream::unix(&tree.path("socket")).map(|_| connect(&tree.path("socket")).line());
        let pids: Vec<_> = serving.iter().map(|server| server.id().to_string()).collect();
        for server in &mut serving {
            rustix::process::kill_process(rustix::process::Pid::from_child(server), Signal::TERM).unwrap();
            assert_eq!(server.wait().unwrap().code(), Some(0));
        }
        assert_eq!((pids.len(), served.as_deref().unwrap_or("nobody")), (1, &*pids[0]), "round {round}: {pids:?}");
        assert!(fs::read_dir(tree.path("")).unwrap().next().is_none(), "something is left");
    }
}

#[test]
fn a_start_keeps_its_hands_off_while_another_is_under_way() {
    let tree = Tree::new();
    drop(UnixListener::bind(tree.path("socket")).unwrap());
    let stale = fs::metadata(tree.path("socket")).unwrap().ino();
    tree.file("socket.wsd-lock", "");
    let other = fs::File::open(tree.path("socket.wsd-lock")).unwrap();
    other.lock().unwrap();

    assert_not_taken(&tree);
    assert_eq!(fs::metadata(tree.path("socket")).unwrap().ino(), stale);

    // One that died in the middle of it is in nobody's way.
    drop(other);
    let mut server = start(&tree, &["cat"]);
    connect(&tree.path("socket")).text("hello");
    assert!(!tree.holds("socket.wsd-lock"));
    server.stop();
    assert!(fs::read_dir(tree.path("")).unwrap().next().is_none());
}

#[test]
fn a_file_in_the_place_of_the_lock_is_left_alone() {
    let tree = Tree::new();
    tree.file("file", "content").directory("directory").pipe("pipe").link("link", "file").link("dangling", "nothing");
    for kind in ["directory", "pipe", "link", "dangling"] {
        fs::rename(tree.path(kind), tree.path("socket.wsd-lock")).unwrap();

        assert_not_taken(&tree);

        fs::rename(tree.path("socket.wsd-lock"), tree.path(kind)).unwrap();
    }
    assert_eq!(tree.read("file"), b"content");
    assert!(!tree.holds("socket") && !tree.holds("nothing"));
}

#[test]
fn the_longest_path_that_a_socket_may_have_is_served() {
    // `sun_path` has 108 bytes, the last of them NUL (`unix(7)`).
    const PATH_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
    let tree = Tree::new();
    let path = tree.path(&"x".repeat(PATH_BYTES - tree.path("").len()));
    assert_eq!(path.len(), PATH_BYTES);
    drop(UnixListener::bind(&path).unwrap());

    let server = Server::spawn(wsd(&["--unixsocket", &path, "--socketmode=600", "cat"]));

    let mut client = connect(&path);
    client.text("hello");
    assert_eq!(client.line(), "hello");
    assert_eq!(server.output(), [format!("unix:{path}")]);
}

#[test]
fn a_file_that_is_not_a_socket_is_never_removed() {
    let tree = Tree::new();
    tree.file("file", "content").directory("directory").pipe("pipe");
    let living = UnixListener::bind(tree.path("living")).unwrap();
    drop(UnixListener::bind(tree.path("dead")).unwrap());
    for kind in ["file", "directory", "pipe"] {
        fs::rename(tree.path(kind), tree.path("socket")).unwrap();

        assert_not_taken(&tree);

        fs::rename(tree.path("socket"), tree.path(kind)).unwrap();
    }
    for target in ["file", "directory", "living", "dead", "nothing"] {
        tree.link("socket", target);

        assert_not_taken(&tree);

        assert!(fs::symlink_metadata(tree.path("socket")).unwrap().is_symlink(), "{target}");
        tree.remove("socket");
    }
    assert_eq!(tree.read("file"), b"content");
    assert!(tree.holds("directory") && tree.holds("living") && tree.holds("dead") && !tree.holds("nothing"));
    drop(living);
}

#[test]
fn a_place_without_room_for_a_socket_is_exit_3_and_named() {
    let tree = Tree::new();
    let long = tree.path(&"x".repeat(120));
    for path in [&tree.path("no/such/directory/socket"), &long] {
        let outcome = run(&["--unixsocket", path, "cat"]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{outcome:?}");
        assert!(outcome.stderr.contains(path.as_str()), "{outcome:?}");
    }
}

#[test]
fn a_start_that_fails_leaves_no_socket() {
    let tree = Tree::new();

    let outcome = run(&[&flag(&tree), "--port=0", "--address=192.0.2.1", "cat"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{outcome:?}");
    assert!(!tree.holds("socket"));
}

#[test]
fn our_socket_is_gone_at_the_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let tree = Tree::new();
        let mut server = start(&tree, &["cat"]);
        let mut client = connect(&tree.path("socket"));
        assert!(is_socket(&tree));

        server.signal(signal);

        assert_eq!(client.expect_close().code, Some(1001));
        assert_eq!(server.wait().code(), Some(0));
        assert!(!tree.holds("socket"), "{signal:?}");
    }
}

#[test]
fn our_socket_is_gone_after_a_second_signal_too() {
    let tree = Tree::new();
    let mut server = start(&tree, &["--closems=2000", &crate::harness::server::program("stubborn.sh")]);
    let mut client = connect(&tree.path("socket"));
    client.line();
    server.signal(Signal::TERM);
    assert_eq!(client.expect_close().code, Some(1001));

    server.signal(Signal::TERM);

    server.wait();
    assert!(!tree.holds("socket"));
}

#[test]
fn the_socket_of_another_is_left_at_the_end() {
    let tree = Tree::new();
    let mut server = start(&tree, &["cat"]);
    tree.remove("socket");
    let another = UnixListener::bind(tree.path("socket")).unwrap();

    server.stop();

    let _client = Stream::unix(&tree.path("socket")).unwrap();
    another.accept().unwrap();
}

#[test]
fn a_relative_path_is_one_of_the_servers_directory() {
    let tree = Tree::new();
    let mut command = wsd(&["--unixsocket=socket", "cat"]);
    command.current_dir(tree.path(""));
    let mut server = Server::spawn(command);

    connect(&tree.path("socket")).text("hello");
    server.stop();

    assert!(!tree.holds("socket"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_without_a_file_is_served() {
    let name = format!("@wsd-test-{}", std::process::id());
    let tree = Tree::new();
    let flag = format!("--unixsocket={name}");
    let mut command = wsd(&[&flag, "cat"]);
    command.current_dir(tree.path(""));
    let mut server = Server::spawn(command);
    let mut client = connect(&name);
    client.text("hello");

    let outcome = run(&[&flag, "cat"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{outcome:?}");
    assert!(outcome.stderr.contains(&name), "{outcome:?}");
    assert_eq!(client.line(), "hello");
    assert_eq!(server.output(), [format!("unix:{name}")]);
    assert!(fs::read_dir(tree.path("")).unwrap().next().is_none());
    server.stop();
    assert!(Stream::unix(&name).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_user_without_the_right_to_the_socket_is_kept_out() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        return skip("root, to become another user");
    }
    let tree = Tree::new();
    fs::set_permissions(tree.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    let connects = || {
        let script = "use IO::Socket::UNIX; exit !IO::Socket::UNIX->new(Peer => $ARGV[0])";
        let mut command = std::process::Command::new("perl");
        command.args(["-e", script, &tree.path("socket")]).current_dir("/").uid(NOBODY).gid(NOBODY);
        command.status().unwrap().success()
    };
    for (mode, is_open) in [("600", false), ("666", true)] {
        let _server = start(&tree, &["--socketmode", mode, "cat"]);

        assert_eq!(connects(), is_open, "{mode}");
    }
}

#[test]
fn a_path_that_no_socket_can_have_gets_the_hint_that_helps() {
    let tree = Tree::new();
    tree.file("file", "").directory("folder");
    let _used = UnixListener::bind(tree.path("used")).unwrap();
    let table = [
        ("nothing/x".to_owned(), "make its folder first"),
        ("file/x".to_owned(), "make its folder first"),
        ("file".to_owned(), "remove the file"),
        ("folder".to_owned(), "name another path"),
        ("used".to_owned(), "stop the server that uses it"),
        ("x".repeat(200), "name a shorter path"),
    ];
    for (name, want) in table {
        let path = tree.path(&name);
        let outcome = run(&["--unixsocket", &path, "cat"]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{name}: {outcome:?}");
        assert!(outcome.stderr.contains(&format!("`{path}`")), "{name}: {outcome:?}");
        assert!(outcome.stderr.contains("\nhint: ") && outcome.stderr.contains(want), "{name}: {outcome:?}");
        assert!(!outcome.stderr.contains("wsd-lock"), "{name}: {outcome:?}");
    }
}
