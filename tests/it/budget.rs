//! `--maxbuffer`: all that waits anywhere in wsd stays within it, at the cost of those who hold most.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::http::Connection;
use crate::harness::server::{Server, field};
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{CONTINUATION, Client, Close, Frame, PONG, TEXT, upgrade_request};
use crate::harness::{assert_in_time, eventually};

const MIB: usize = 1 << 20;

/// The lines of the log with this text.
fn count(server: &Server, text: &str) -> usize {
    server.log().iter().filter(|line| line.contains(text)).count()
}

/// Whether the program behind it answers a client.
fn assert_answered(client: &mut Client, text: &str) {
    client.text(text);
    assert_eq!(client.line(), text);
}

#[cfg(target_os = "linux")]
#[test]
fn histories_of_many_rooms_are_shortened_and_nobody_is_cut_off() {
    use crate::harness::process::linux::peak_memory;
    const ROOMS: usize = 12;
    const MESSAGES: usize = 4;
    let server = Server::command(&["--shared=path", "--history=4", "--pingms=0", "--maxbuffer=16777216"], &["cat"]);
    let before = peak_memory(server.pid());
    let mut clients = Vec::new();

    // 42 MiB of history, were there no limit.
    let text = "x".repeat(900_000);
    for room in 0..ROOMS {
        let mut client = server.connect(&format!("/{room}"));
        for _ in 0..MESSAGES {
            assert_answered(&mut client, &text);
        }
        clients.push(client);
    }

    let growth = (peak_memory(server.pid()) - before) << 10;
    assert!(growth < (16 + 16) * MIB as u64, "memory grew by {growth} bytes");
    for (room, client) in clients.iter_mut().enumerate() {
        assert_answered(client, &format!("still here {room}"));
    }
    let line = server.expect_log("buffers nearly full").text;
    let (bytes, limit) = (field(&line, "bytes").unwrap(), field(&line, "limit").unwrap());
    assert!(bytes.parse::<usize>().unwrap() > 12 * MIB && limit == "16777216" && line.contains("WARN"), "{line}");
    assert_eq!(count(&server, "buffers nearly full"), 1, "once a minute");
    assert_eq!(count(&server, "session ended"), 0);
    // What is left of a history is its end.
    let mut newcomer = server.connect("/11");
    while newcomer.line() != "still here 11" {}
}

/// The numbers of the connections that were cut off: they count up from 1.
fn overloaded(server: &Server) -> Vec<usize> {
    let log = server.log();
    let conns = log.iter().filter(|line| line.contains(" end=overload ")).filter_map(|line| field(line, "conn"));
    conns.map(|conn| conn.parse().unwrap()).collect()
}

#[test]
fn the_largest_unfinished_messages_are_cut_off_with_1013() {
    const CLIENTS: usize = 30;
    let server = Server::command(&["--pingms=0", "--maxbuffer=16777216"], &["cat"]);
    let (mut honest, mut small) = (server.connect("/"), server.connect("/"));
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect("/")).collect();
    small.send(&Frame::new(TEXT, "part").unfinished());

    // 27 MB.
    let part = Frame::new(TEXT, vec![b'x'; 900_000]).unfinished().masked();
    for client in &mut clients {
        client.raw(&part);
        assert_answered(&mut honest, "still here");
    }

    let cut = CLIENTS - 16 * MIB / 900_000;
    let line = server.expect_nth_log("end=overload", cut).text;
    assert!(line.contains("session ended") && line.contains("code=1013"), "{line}");
    let overloaded = overloaded(&server);
    for (conn, client) in (3..).zip(&mut clients) {
        if overloaded.contains(&conn) {
            assert_eq!(client.expect_close(), Close::new(1013, "server is out of buffers"));
        }
    }
    assert!(overloaded.len() < CLIENTS, "no more of them than need be");
    assert_eq!(count(&server, "session ended"), count(&server, "end=overload"));
    small.send(&Frame::new(CONTINUATION, " whole"));
    assert_eq!(small.line(), "part whole");
    assert_answered(&mut honest, "still here");
    drop(clients);
    assert_answered(&mut server.connect("/"), "served");
}

#[test]
fn without_a_limit_no_unfinished_message_is_cut_off() {
    const CLIENTS: usize = 30;
    let server = Server::command(&["--pingms=0", "--maxbuffer=0"], &["cat"]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect("/")).collect();
    let text = "x".repeat(900_000);

    for client in &mut clients {
        client.send(&Frame::new(TEXT, &text).unfinished());
    }
    for client in &mut clients {
        client.send(&Frame::new(CONTINUATION, ""));
        assert!(client.line() == text);
    }
    assert_eq!(count(&server, "buffers nearly full") + count(&server, "session ended"), 0);
}

/// A server with a file of settings: programs, a file and a script.
struct Full {
    tree: Tree,
    server: Server,
    loads: usize,
}

impl Full {
    fn new(maxbuffer: &str) -> Self {
        let tree = Tree::new();
        tree.file("site/page.txt", "page").program("cgi/script", "#!/bin/sh\nprintf 'Status: 200\\n\\nscript'\n");
        Self::write(&tree, maxbuffer);
        let server = Server::serve(&["--config", &tree.path("wsd.toml"), "--pingms=0"]);
        Self { tree, server, loads: 0 }
    }

    fn write(tree: &Tree, maxbuffer: &str) {
        let (site, cgi) = (tree.path("site"), tree.path("cgi"));
        let route = |path: &str, command: &str, more: &str| {
            format!("[[route]]\npath = \"{path}\"\ncommand = [{command}]\n{more}\n")
        };
        let routes = [route("/room", "\"cat\"", "shared = true"), route("/own", "\"cat\"", "")];
        let top = format!("maxbuffer = {maxbuffer}\nstaticdir = \"{site}\"\ncgidir = \"{cgi}\"\n");
        tree.file("wsd.toml", top + &routes.concat());
    }

    fn load(&mut self, maxbuffer: &str) {
        Self::write(&self.tree, maxbuffer);
        self.loads += 1;
        self.server.signal(Signal::HUP);
        self.server.expect_nth_log("settings loaded", self.loads);
    }

    /// Fills it with unfinished messages too small for a client to be cut off. Returns the clients.
    fn fill(&self) -> Vec<Client> {
        let mut clients = Vec::new();
        for attempt in 0.. {
            assert!(attempt < 200, "it does not become full");
            match self.server.try_connect("/room", "") {
                Ok(mut client) => {
                    client.send(&Frame::new(TEXT, vec![b'x'; 3000]).unfinished());
                    clients.push(client);
                }
                Err(response) => {
                    assert_eq!(response.status, 503, "{response}");
                    break;
                }
            }
        }
        clients
    }

    fn assert_refuses(&self) {
        let answers = ["/room", "/own"].map(|path| self.server.refusal(path, ""));
        for answer in answers.into_iter().chain(["/page.txt", "/script"].map(|path| self.server.get(path, ""))) {
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer}");
            assert!(answer.text().contains("out of buffers"), "{answer}");
        }
        assert!(self.server.expect_log("why=maxbuffer").text.contains("session refused"));
    }

    fn serves(&self) -> bool {
        let sessions = ["/room", "/own"].iter().all(|path| self.server.try_connect(path, "").is_ok());
        sessions && ["/page.txt", "/script"].iter().all(|path| self.server.get(path, "").status == 200)
    }
}

#[test]
fn while_it_is_full_who_comes_is_answered_503_and_is_served_when_the_others_have_left() {
    let full = Full::new("131072");
    let mut honest = full.server.connect("/own");
    assert!(full.serves());

    let clients = full.fill();

    full.assert_refuses();
    assert_answered(&mut honest, "still here");
    drop(clients);
    eventually("the next are served", || full.serves().then_some(()));
    assert_answered(&mut honest, "still here");
}

#[test]
fn the_limit_of_the_file_changes_at_once() {
    let mut full = Full::new("131072");
    let _clients = full.fill();
    full.assert_refuses();

    for other in ["16777216", "0"] {
        full.load(other);
        assert!(full.serves(), "maxbuffer = {other}");
        full.load("100000");
        full.assert_refuses();
    }
    assert_eq!(count(&full.server, "settings need a restart"), 0);
}

#[test]
fn a_room_whose_program_reads_nothing_ends_when_no_client_holds_much() {
    const ROOMS: usize = 24;
    let flags = ["--shared=path", "--pingms=0", "--maxbuffer=4194304"];
    let server = Server::command(&flags, &["sh", "-c", "while sleep 1; do echo tick; done"]);
    let mut honest = server.connect("/honest");
    // The pipe takes 1 MiB of these.
    let messages = Frame::new(TEXT, vec![b'x'; 900_000]).masked().repeat(2);
    let mut idle = Vec::new();

    for room in 0..ROOMS {
        let path = format!("/{room}");
        let seat = || eventually("a seat", || server.try_connect(&path, "").ok());
        // It keeps the room, and holds nothing.
        idle.push(seat());
        let mut flooder = seat();
        flooder.raw(&messages);
    }

    let line = server.expect_log("end=overload").text;
    assert!(line.contains("code=1013"), "{line}");
    eventually("the next are served", || server.try_connect("/next", "").ok());
    assert_eq!(honest.line(), "tick");
    assert!(!overloaded(&server).contains(&1), "it holds nothing");
}

#[cfg(target_os = "linux")]
#[test]
fn a_message_that_its_json_makes_too_large_for_the_budget_is_refused() {
    use crate::harness::process::linux::peak_memory;
    let flags = ["--framing=json", "--shared", "--maxframesize=0", "--pingms=0", "--maxbuffer=16777216"];
    let server = Server::command(&flags, &["sleep", "1000"]);
    let before = peak_memory(server.pid());
    let (mut hostile, mut honest) = (server.connect("/"), server.connect("/"));

    // Each becomes six bytes.
    hostile.send(&Frame::new(TEXT, vec![1; 6 * MIB]));

    assert_eq!(hostile.expect_close(), Close::new(1013, "server is out of buffers"));
    let growth = (peak_memory(server.pid()) - before) << 10;
    assert!(growth < 32 * MIB as u64, "memory grew by {growth} bytes");
    server.expect_log("end=overload");
    honest.text("small");
    assert_eq!(count(&server, "session ended"), 1);
}

/// Clients of a Unix socket that ask for a file and for a session, and take nothing: for some of these sizes the socket has no
/// room for the 101. `path` returns the room of each.
fn untaken(socket: &str, path: impl Fn(usize) -> String) -> Vec<Connection> {
    let open = |number| {
        let bytes = 208_000 + number * 1_000;
        let mut connection = Connection::over(Stream::unix(socket).unwrap());
        let request = format!("GET /large HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-{bytes}\r\n\r\n");
        connection.send(request + &upgrade_request("localhost", &path(number), ""));
        connection
    };
    (0..20).map(open).collect()
}

/// A server with a large file that also listens on a Unix socket.
fn with_unix_socket(flags: &[&str], script: &str) -> (Tree, String, Server) {
    let tree = Tree::new();
    tree.file("site/large", vec![b'x'; 4 * MIB]);
    let socket = tree.path("socket");
    let (site, unix) = (format!("--staticdir={}", tree.path("site")), format!("--unixsocket={socket}"));
    let server = Server::command(&[flags, &["--port=0", "--pingms=0", &site, &unix]].concat(), &["sh", "-c", script]);
    (tree, socket, server)
}

#[test]
fn a_client_that_does_not_take_the_101_loses_its_seat_to_the_budget() {
    let script = "sleep 1; head -c 900000 /dev/zero | tr '\\0' x | fold -w 1000; echo; exec sleep 1000";
    let (_tree, socket, server) = with_unix_socket(&["--shared=path", "--maxbuffer=4194304"], script);

    let _untaken = untaken(&socket, |number| format!("/{number}"));

    // Of 18 MB wsd keeps 4 MiB at most.
    server.expect_nth_log("room ended", 14);
    eventually("the next are served", || server.try_connect("/next", "").ok());
}

#[test]
fn slow_wait_holds_for_a_client_that_does_not_take_the_101() {
    let script = "read -r _; while :; do head -c 100000 /dev/zero | tr '\\0' x | fold -w 1000; done";
    let (_tree, socket, server) = with_unix_socket(&["--shared", "--slow=wait", "--slow-wait=1"], script);
    let mut honest = server.connect("/");
    let _untaken = untaken(&socket, |_| "/".to_owned());
    let start = Instant::now();

    honest.text("begin");
    // Far more than the seats of the others take.
    for _ in 0..20_000 {
        honest.line();
    }

    assert_in_time(start, Duration::from_secs(10));
}

#[cfg(target_os = "linux")]
#[test]
fn bodies_that_no_script_reads_are_counted_and_the_largest_are_cut_off() {
    use crate::harness::process::linux::peak_memory;
    const CLIENTS: usize = 200;
    let tree = Tree::new();
    tree.program("cgi/deaf", "#!/bin/sh\necho >> started\nexec sleep 1000\n");
    let server = Server::serve(&["--cgidir", &tree.path("cgi"), "--maxbuffer=4194304"]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.http()).collect();
    for client in &mut clients {
        client.send("POST /deaf HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n");
    }
    eventually("all scripts run", || {
        (tree.holds("cgi/started") && tree.read("cgi/started").len() == CLIENTS).then_some(())
    });
    let before = peak_memory(server.pid());

    // The pipe of a script takes 64 KiB. Behind it, 22 MiB would wait in wsd, were there no limit.
    for _ in 0..8 {
        for client in &mut clients {
            // A client that was cut off cannot send.
            let _ = client.try_send(vec![b'x'; 30_000]);
        }
    }

    // At most as many are left as have 40 KiB each.
    eventually("the others are cut off", || {
        let cut = clients.iter_mut().filter_map(|client| client.try_send("x").err()).count();
        (cut >= CLIENTS - (4 * MIB) / (40 << 10)).then_some(())
    });
    let growth = (peak_memory(server.pid()) - before) << 10;
    assert!(growth < 16 * MIB as u64, "memory grew by {growth} bytes");
}

#[cfg(target_os = "linux")]
#[test]
fn unfinished_lines_of_programs_are_counted() {
    use crate::harness::process::linux::peak_memory;
    let rooms: &[&str] = &["--shared=path"];
    // The flags, the bytes of each line, the programs: 18 MiB and more, were there no limit.
    let table = [
        ("own, lines", &[][..], 60_000, 300),
        ("own, --passstderr", &["--passstderr"], 1_000_000, 20),
        ("rooms of lines", rooms, 60_000, 300),
        ("rooms of json", &["--shared=path", "--framing=json"], 4_100_000, 5),
    ];
    for (what, flags, bytes, programs) in table {
        let server = Server::shell(
            &[&["--pingms=0", "--maxbuffer=1048576"], flags].concat(),
            &format!("head -c {bytes} /dev/zero | tr '\\0' x\nexec sleep 1000"),
            &[],
        );
        let _first = server.connect("/first");
        let before = peak_memory(server.pid());

        let mut clients = Vec::new();
        for number in 0..programs {
            clients.extend(server.try_connect(&format!("/{number}"), "").ok());
        }

        let is_near = || count(&server, "why=maxbuffer") + count(&server, "end=overload") > 0;
        eventually("the limit is near", || is_near().then_some(()));
        let growth = (peak_memory(server.pid()) - before) << 10;
        assert!(growth < 14 * MIB as u64, "{what}: memory grew by {growth} bytes");
    }
}

/// The growth of wsd's memory for each of `count` idle sessions, in KiB, with paths of about `length` bytes and with `early`
/// behind their requests.
#[cfg(target_os = "linux")]
fn idle_memory(sharing: &str, count: u64, length: usize, early: &[u8]) -> u64 {
    use crate::harness::process::linux::peak_memory;
    let server = Server::command(&[sharing, "--pingms=0"], &["cat"]);
    let before = peak_memory(server.pid());
    let path = "a".repeat(length);
    let open = |number| {
        let mut connection = server.http();
        let request = upgrade_request(&server.host(), &format!("/{number}/{path}"), "");
        connection.send([request.as_bytes(), early].concat());
        assert_eq!(connection.response("GET").status, 101);
        connection
    };
    let connections: Vec<_> = (0..count).map(open).collect();
    let growth = peak_memory(server.pid()) - before;
    drop(connections);
    growth / count
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_session_keeps_neither_its_path_nor_its_early_bytes() {
    let pongs = Frame::new(PONG, "").masked().repeat(4000);
    let memory = |length, early: &[u8]| idle_memory("--shared", 300, length, early);
    let (short, long, early) = (memory(1, b""), memory(31_000, b""), memory(1, &pongs));

    assert!(long < short + 10, "{short} KiB a session with short paths, {long} KiB with long ones");
    assert!(early < short + 10, "{short} KiB a session without early bytes, {early} KiB with them");
}

#[cfg(target_os = "linux")]
#[test]
fn a_room_keeps_its_path_once() {
    let (short, long) = (idle_memory("--shared=path", 60, 1, b""), idle_memory("--shared=path", 60, 31_000, b""));

    assert!(long < short + 2 * 31, "{short} KiB a room with short paths, {long} KiB with long ones");
}

#[test]
fn clients_of_rooms_with_long_paths_make_way() {
    let server = Server::command(&["--shared=path", "--pingms=0", "--maxbuffer=1048576"], &["cat"]);
    let path = "a".repeat(31_000);
    let mut honest = server.connect("/honest");

    // wsd answers some with 503, and closes others before their answer.
    let hostile = (0..60).map(|number| {
        let mut connection = server.http();
        connection.send(upgrade_request(&server.host(), &format!("/{number}/{path}"), ""));
        connection.try_response("GET");
        connection
    });
    let hostile: Vec<_> = hostile.collect();

    server.expect_log("end=overload");
    assert_answered(&mut honest, "still here");
    eventually("the next are served", || server.try_connect("/next", "").ok());
    drop(hostile);
}
