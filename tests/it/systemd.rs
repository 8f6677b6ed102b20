//! Sockets that systemd hands over, and what it is told: played by `tests/programs/handover.py`, and by the test itself.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use rustix::process::Signal;

use crate::harness::http::Connection;
use crate::harness::server::{Server, program, run_to_end, wsd};
use crate::harness::stream::Stream;
use crate::harness::time::{SLACK, deadline, scaled};
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

/// `wsd` with these sockets handed over.
fn handing(sockets: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.arg(program("handover.py")).args(sockets).arg("--").arg(env!("CARGO_BIN_EXE_wsd")).args(arguments);
    command
}

fn start(sockets: &[&str], arguments: &[&str]) -> Server {
    Server::spawn(handing(sockets, arguments))
}

/// Where the socket of this name is.
fn place(server: &Server, name: &str) -> String {
    let line = server.expect_log(&format!("handed {name} ")).text;
    line.rsplit(' ').next().unwrap().to_owned()
}

fn assert_echoes(server: &Server) {
    let mut client = server.connect("/");
    client.text("hello");
    assert_eq!(client.line(), "hello");
}

/// The notices that systemd would get.
struct Manager {
    socket: UnixDatagram,
    /// For `NOTIFY_SOCKET`.
    address: String,
    _tree: Tree,
}

impl Manager {
    fn new() -> Self {
        let tree = Tree::new();
        let address = tree.path("notify");
        let socket = UnixDatagram::bind(&address).unwrap();
        socket.set_read_timeout(Some(deadline())).unwrap();
        Self { socket, address, _tree: tree }
    }

    /// Starts `wsd` so that it tells this manager.
    fn start(&self, arguments: &[&str]) -> Server {
        Server::spawn(self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = wsd(&[&["--port=0"], arguments].concat());
        command.env("NOTIFY_SOCKET", &self.address);
        command
    }

    /// The next message: what it assigns.
    fn message(&self) -> BTreeMap<String, String> {
        self.try_message().expect("a message")
    }

    fn try_message(&self) -> io::Result<BTreeMap<String, String>> {
        let mut buffer = [0; 1000];
        let count = self.socket.recv(&mut buffer)?;
        let text = String::from_utf8(buffer[..count].to_vec()).unwrap();
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
        Ok(text.lines().map(pair).collect())
    }

    /// Waits for a message that assigns 1 to this, which must be next but for signs of life.
    fn expect(&self, what: &str) -> BTreeMap<String, String> {
        loop {
            let message = self.message();
            if !message.contains_key("WATCHDOG") {
                assert_eq!(message.get(what).map(String::as_str), Some("1"), "instead of {what}: {message:?}");
                return message;
            }
        }
    }
}

#[test]
fn a_socket_handed_over_stands_in_for_the_default_ones() {
    let server = start(&["wsd.socket=tcp"], &["cat"]);

    assert_eq!(server.output(), [format!("http://{}/", place(&server, "wsd.socket"))]);
    assert_echoes(&server);
}

#[test]
fn several_sockets_are_served() {
    let tree = Tree::new();
    let socket = format!("wsd=unix:{}", tree.path("socket"));
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    let two = if has_ipv6 { "two=tcp6" } else { "two=tcp" };
    let server = start(&["one=tcp", two, &socket], &["cat"]);
    let (one, two) = (place(&server, "one"), place(&server, "two"));

    let want = [format!("http://{one}/"), format!("http://{two}/"), format!("unix:{}", tree.path("socket"))];
    assert_eq!(server.expect_output(want.len()), want);
    for address in [&one, &two] {
        let mut client = Client::open(address.parse().unwrap(), &upgrade_request(address, "/", "")).ok().unwrap();
        client.text("hello");
        assert_eq!(client.line(), "hello");
    }
    let connection = Connection::over(Stream::unix(&tree.path("socket")).unwrap());
    let mut client = Client::upgrade(connection, &upgrade_request("localhost", "/", "")).ok().unwrap();
    client.text("hello");
    assert_eq!(client.line(), "hello");
}

#[test]
fn a_unix_socket_handed_over_is_not_ours_to_remove() {
    let tree = Tree::new();
    let mut server = start(&[&format!("wsd=unix:{}", tree.path("socket"))], &["cat"]);

    server.stop();

    assert!(tree.holds("socket"));
}

#[test]
fn sockets_and_flags_add_up() {
    let server = start(&["wsd=tcp"], &["--port=0", "--address=127.0.0.1", "cat"]);

    let urls = server.expect_output(2);

    assert_eq!(urls.len(), 2, "{urls:?}");
    assert_eq!(urls[0], format!("http://{}/", place(&server, "wsd")));
    for url in &urls {
        let address = crate::harness::server::address_of(url);
        assert!(Client::open(address, &upgrade_request(&address.to_string(), "/", "")).is_ok(), "{url}");
    }
}

#[test]
fn a_socket_named_redirect_redirects() {
    for sockets in [["redirect=tcp", "site=tcp"], ["site=tcp", "redirect=tcp"]] {
        let server = start(&sockets, &["cat"]);
        let (site, redirect) = (place(&server, "site"), place(&server, "redirect"));
        let port = site.rsplit(':').next().unwrap();
        let mut connection = Connection::open(redirect.parse().unwrap());

        connection.send("GET /path?x=1 HTTP/1.1\r\nHost: a.example\r\n\r\n");
        let response = connection.response("GET");

        assert_eq!(response.status, 301, "{sockets:?}");
        assert_eq!(response.header("location"), Some(&*format!("http://a.example:{port}/path?x=1")), "{sockets:?}");
        assert_eq!(server.output(), [format!("http://{site}/")], "{sockets:?}");
        assert_echoes(&server);
    }
}

#[test]
fn a_redirect_that_leads_nowhere_is_exit_3() {
    let tree = Tree::new();
    let unix = format!("site=unix:{}", tree.path("handed"));
    let own = format!("--unixsocket={}", tree.path("own"));
    for (sockets, flags) in
        [(&["redirect=tcp"][..], &[][..]), (&["redirect=tcp", &unix], &[]), (&["redirect=tcp"], &[&*own])]
    {
        let outcome = run_to_end(handing(sockets, &[flags, &["cat"]].concat()));

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{sockets:?}: {outcome:?}");
        let is_told = outcome.stderr.contains("redirect") && outcome.stderr.contains("LISTEN_FDS");
        assert!(is_told, "{sockets:?}: {outcome:?}");
    }
    assert!(!tree.holds("own"));
}

#[test]
fn the_banner_tells_who_reaches_the_sockets_handed_over() {
    let clients = |server: &Server| server.expect_log("  clients ").text;

    let line = clients(&start(&["wsd=all"], &["cat"]));
    assert!(line.contains("handed over") && !line.contains("this machine only"), "{line}");
    let line = clients(&start(&["wsd=tcp"], &["--address=127.0.0.1", "--port=0", "cat"]));
    assert!(line.contains("127.0.0.1") && line.contains("handed over"), "{line}");
    let mut command = wsd(&["--port=0", "cat"]);
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let line = clients(&Server::spawn(command));
    assert!(line.contains("this machine only"), "{line}");
}

#[test]
fn sockets_speak_tls_with_the_flag() {
    let authority = crate::harness::certificates::Authority::new();
    let tree = Tree::new();
    let identity = authority.identity("server");
    tree.file("cert.pem", identity.certificate).file("key.pem", identity.key);
    let flags = ["--ssl", "--sslcert", &tree.path("cert.pem"), "--sslkey", &tree.path("key.pem"), "cat"];
    let server = start(&["wsd=tcp"], &flags);

    let config = authority.client(&[&rustls::version::TLS13], None);
    let connection = Connection::over(Stream::tcp(server.address).unwrap().secure(&config).unwrap());

    assert!(Client::upgrade(connection, &upgrade_request("localhost", "/", "")).is_ok());
    assert_eq!(server.output(), [format!("https://{}/", place(&server, "wsd"))]);
}

#[test]
fn sockets_for_another_process_are_not_touched() {
    let mut command = wsd(&["--port=0", "cat"]);
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");

    let server = Server::spawn(command);

    assert!(server.output()[0].starts_with("http://127.0.0.1:"));
    assert_echoes(&server);
}

#[test]
fn a_descriptor_that_is_not_a_listening_socket_is_exit_3() {
    for kind in ["udp", "stream", "null"] {
        for sockets in [&[&*format!("bad={kind}")][..], &["good=tcp", &format!("bad={kind}")]] {
            let outcome = run_to_end(handing(sockets, &["cat"]));

            assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{kind}: {outcome:?}");
            assert!(outcome.stderr.contains("LISTEN_FDS"), "{kind}: {outcome:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_accepts_no_more_is_reported_and_the_others_are_served() {
    let tree = Tree::new();
    tree.pipe("gate");
    let server = start(&["good=tcp", &format!("bad=dead:{}", tree.path("gate"))], &["cat"]);

    tree.release("gate");
    let line = server.expect_log("connections wait").text;

    assert!(line.contains(" cause="), "{line}");
    assert_echoes(&server);
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_gets_neither_the_sockets_nor_the_variables() {
    let list = ["sh", "-c", "env; exec ls /proc/self/fd"];
    let lines = |server: Server| {
        let lines = server.connect("/").rest().0;
        lines.into_iter().filter(|line| !line.contains('=') || line.starts_with("LISTEN_")).collect::<Vec<_>>()
    };
    let manager = Manager::new();
    let mut command = handing(&["one=tcp", "two=tcp"], &list);
    command.env("NOTIFY_SOCKET", &manager.address).env("WATCHDOG_USEC", "10000000");

    let handed = lines(Server::spawn(command));

    assert_eq!(handed, lines(Server::command(&[], &list)));
    let environment = start(&["one=tcp"], &["env"]).connect("/").rest().0;
    for name in ["LISTEN_", "NOTIFY_", "WATCHDOG_"] {
        assert!(!environment.iter().any(|line| line.starts_with(name)), "{environment:?}");
    }
}

#[test]
fn readiness_is_told_once_clients_are_answered() {
    let manager = Manager::new();

    let server = manager.start(&["cat"]);
    manager.expect("READY");

    assert_echoes(&server);
}

#[test]
fn a_start_that_fails_is_not_told_as_ready() {
    let manager = Manager::new();

    let outcome = run_to_end(manager.command(&["--address=192.0.2.1", "cat"]));

    assert_eq!(outcome.status, Some(3), "{outcome:?}");
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.try_message().is_err());
}

#[test]
fn a_stop_is_told_when_it_begins() {
    let manager = Manager::new();
    let mut server = manager.start(&[&program("stubborn.sh")]);
    manager.expect("READY");
    let mut client = server.connect("/");
    client.line();

    server.signal(Signal::TERM);

    manager.expect("STOPPING");
    assert_eq!(client.expect_close().code, Some(1001));
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_reload_is_told_with_its_time_and_then_readiness() {
    let manager = Manager::new();
    let server = manager.start(&["cat"]);
    manager.expect("READY");
    let mut client = server.connect("/");

    for _ in 0..2 {
        server.signal(Signal::HUP);

        // systemd asks for the time, by its monotonic clock, to know that the reload is the one it asked for.
        let microseconds: u128 = manager.expect("RELOADING")["MONOTONIC_USEC"].parse().unwrap();
        let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap()).as_micros();
        assert!(microseconds <= now && now - microseconds < deadline().as_micros(), "{microseconds} at {now}");
        manager.expect("READY");
    }
    client.text("still here");
    assert_eq!(client.line(), "still here");
}

#[test]
fn a_watchdog_is_fed_in_time() {
    // It is fed every half of this, so the other half is what a busy machine may add.
    let limit = 2 * scaled(SLACK);
    let manager = Manager::new();
    let mut command = manager.command(&["cat"]);
    command.env("WATCHDOG_USEC", limit.as_micros().to_string());
    let _server = Server::spawn(command);
    manager.expect("READY");

    let mut last = Instant::now();
    for _ in 0..2 {
        let message = manager.message();
        assert_eq!(message.get("WATCHDOG").map(String::as_str), Some("1"), "{message:?}");
        assert!(last.elapsed() < limit, "{:?}", last.elapsed());
        last = Instant::now();
    }
}

#[test]
fn a_watchdog_that_is_not_asked_for_is_not_fed() {
    let manager = Manager::new();
    let mut command = manager.command(&["cat"]);
    // Meant for another process.
    command.env("WATCHDOG_USEC", "2000").env("WATCHDOG_PID", "1");
    let server = Server::spawn(command);
    manager.expect("READY");
    assert_echoes(&server);

    server.signal(Signal::HUP);

    assert!(manager.message().contains_key("RELOADING"));
}

#[test]
fn a_manager_that_is_not_there_hinders_nothing() {
    for address in ["/no/such/socket", "@no-such-socket", "rubbish", ""] {
        let mut command = wsd(&["--port=0", "cat"]);
        command.env("NOTIFY_SOCKET", address);
        let mut server = Server::spawn(command);
        server.signal(Signal::HUP);
        assert_echoes(&server);

        server.signal(Signal::TERM);

        assert_eq!(server.wait().code(), Some(0), "{address}");
    }
}

#[test]
fn a_manager_that_reads_nothing_hinders_nothing() {
    let manager = Manager::new();
    let other = UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    while other.send_to(b"X=1", &manager.address).is_ok() {}
    let mut command = manager.command(&["cat"]);
    command.env("WATCHDOG_USEC", "2000");
    let mut server = Server::spawn(command);
    server.signal(Signal::HUP);
    assert_echoes(&server);

    server.signal(Signal::TERM);

    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_unit_files_serve() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/systemd");
    let service = fs::read_to_string(folder.join("wsd.service")).unwrap();
    let socket = fs::read_to_string(folder.join("wsd.socket")).unwrap();
    let values = |text: &str, key: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned).collect()
    };
    let sockets: Vec<_> = values(&socket, "ListenStream").iter().map(|_| "wsd.socket=tcp").collect();
    let start_line = values(&service, "ExecStart").concat();
    let (program, arguments) = start_line.split_once(' ').unwrap();
    assert!(program.starts_with('/') && program.ends_with("/wsd"), "systemd asks for the whole path: {program}");

    let server = start(&sockets, &arguments.split(' ').collect::<Vec<_>>());

    assert_eq!(server.expect_output(sockets.len()).len(), sockets.len());
    let (lines, close) = server.connect("/").rest();
    assert_eq!((lines.len(), close.code), (10, Some(1000)));
    // Older systems do not know notify-reload, and would not start such a unit.
    assert_eq!(values(&service, "Type"), ["notify"]);
    assert_eq!(values(&service, "ExecReload"), ["/bin/kill -HUP $MAINPID"]);
    assert!(socket.contains("# Install:") && service.contains("# Install:"));
}
