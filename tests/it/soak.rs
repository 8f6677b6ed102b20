//! Many hostile clients of every kind at once: what waits for them stays within `--maxbuffer`, and an honest client is served.
//!
//! `WSD_SOAK=1 cargo test --test it soak -- --nocapture` lets 1,000 of them in for 20 s against 64 MiB, plain and within TLS, each
//! with one thread and with two. Otherwise there are fewer, for a moment.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionbio;
use rustix::process::Pid;
use rustls::ClientConfig;
use rustls::version::TLS13;

use crate::harness::certificates::Authority;
use crate::harness::crowd::raise_descriptor_limit;
use crate::harness::http::Connection;
use crate::harness::process::linux::{children, peak_memory};
use crate::harness::server::{Server, wsd};
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, CONTINUATION, Client, Frame, PONG, TEXT, claim, upgrade_request};
use crate::harness::{DEADLINE, eventually, pace};

/// Memory of wsd beside the bytes that wait: for its own work, and freed memory that the allocator keeps.
const BESIDE: usize = 32 << 20;

/// The attack of a hostile client.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// In a room: takes nothing, and sends Pongs.
    Silent,
    /// A message in fragments that does not end.
    Fragments,
    /// A frame that does not end.
    OneFrame,
    /// Fills the history of a room of its own.
    Histories,
    /// Floods a program that reads nothing.
    Inbox,
    /// Gets a large file and takes nothing.
    Files,
    /// Requests a script's answer, and reads nothing of it.
    Scripts,
    /// A head of 31 KiB that does not end.
    Heads,
    /// Many requests, and takes no answer.
    Pipelined,
    /// Takes nothing of a program of its own.
    OwnFlood,
}

const KINDS: [Kind; 10] = [
    Kind::Silent,
    Kind::Fragments,
    Kind::OneFrame,
    Kind::Histories,
    Kind::Inbox,
    Kind::Files,
    Kind::Scripts,
    Kind::Heads,
    Kind::Pipelined,
    Kind::OwnFlood,
];

impl Kind {
    /// The path of its WebSocket; `None` speaks HTTP.
    fn session(self, number: usize) -> Option<String> {
        Some(match self {
            Self::Silent => "/flood".to_owned(),
            Self::Fragments | Self::OneFrame => "/room".to_owned(),
            Self::Histories => format!("/paths/{number}"),
            Self::Inbox => "/deaf".to_owned(),
            Self::OwnFlood => "/own-flood".to_owned(),
            Self::Files | Self::Scripts | Self::Heads | Self::Pipelined => return None,
        })
    }

    /// Returns the bytes that it sends the `count`th time; none if it sends no more.
    fn words(self, count: usize) -> Vec<u8> {
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let part = vec![b'x'; 50_000];
        match self {
            Self::Silent => Frame::new(PONG, "").masked(),
            Self::Fragments if count < 20 => {
                let opcode = if count == 0 { TEXT } else { CONTINUATION };
                Frame::new(opcode, part).unfinished().masked()
            }
            Self::OneFrame if count == 0 => claim(BINARY, 1 << 20),
            Self::OneFrame if count <= 20 => part,
            Self::Histories | Self::Inbox => Frame::new(TEXT, part).masked(),
            Self::Files if count == 0 => get("/large").into(),
            Self::Scripts if count == 0 => get("/flood.cgi").into(),
            Self::Heads if count == 0 => {
                get("/").replace("\r\n\r\n", &format!("\r\nX: {}", "x".repeat(31 << 10))).into()
            }
            Self::Pipelined => get("/small").repeat(50).into(),
            _ => Vec::new(),
        }
    }
}

/// The server and how it is reached.
struct Target {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    is_over: AtomicBool,
    /// Hostile clients that have been let in, or refused, once at least.
    arrived: AtomicUsize,
    refused: AtomicUsize,
}

/// Ends the hostile clients, also when the test fails.
struct Curfew<'a>(&'a AtomicBool);

impl Drop for Curfew<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Target {
    fn open(&self) -> io::Result<Stream> {
        let stream = Stream::tcp(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        if let Some(config) = &self.tls { stream.secure(config) } else { Ok(stream) }
    }

    /// A session, or nothing if it is refused.
    fn upgrade(&self, path: &str) -> io::Result<Stream> {
        let mut stream = self.open()?;
        stream.write_all(upgrade_request("localhost", path, "").as_bytes())?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        if &head[9..] != b"101" {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(stream)
    }
}

/// One hostile client, which comes again when it is cut off.
struct Hostile {
    kind: Kind,
    number: usize,
    stream: Option<Stream>,
    has_arrived: bool,
    count: usize,
    unsent: Vec<u8>,
}

impl Hostile {
    /// Sends what can be sent; whether something was done.
    fn act(&mut self, target: &Target) {
        let Some(stream) = &mut self.stream else {
            let opened = match self.kind.session(self.number) {
                Some(path) => target.upgrade(&path),
                None => target.open(),
            };
            if !mem::replace(&mut self.has_arrived, true) {
                target.arrived.fetch_add(1, Ordering::Relaxed);
            }
            if let Ok(stream) = opened {
                ioctl_fionbio(&stream, true).unwrap();
                (self.stream, self.count, self.unsent) = (Some(stream), 0, Vec::new());
            }
            return;
        };
        if self.unsent.is_empty() {
            self.unsent = self.kind.words(self.count);
            self.count += 1;
        }
        if self.unsent.is_empty() {
            // It has said all. Whether it is still wanted shows only in what it is sent, as the end of it.
            if has_ended(stream) {
                self.stream = None;
            }
            return;
        }
        match stream.write(&self.unsent) {
            Ok(sent) => drop(self.unsent.drain(..sent)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.stream = None,
        }
    }
}

fn has_ended(stream: &Stream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::new(stream, PollFlags::RDHUP)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|count| count > 0)
}

/// A server with something for every kind, and a client's way to it.
fn start(tree: &Tree, budget: usize, is_secure: bool, threads: Option<usize>) -> (Server, Option<Arc<ClientConfig>>) {
    tree.file("site/large", vec![b'x'; 16 << 20]).file("site/small", vec![b'x'; 8 << 10]);
    let lines = "yes \"$(printf %0200d 0)\"";
    tree.program("cgi/flood.cgi", &format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec {lines}\n"));
    let route = |path: &str, command: &str, more: &str| {
        format!("[[route]]\npath = \"{path}\"\ncommand = [\"sh\", \"-c\", '{command}']\n{more}\n")
    };
    let (site, cgi) = (tree.path("site"), tree.path("cgi"));
    let mut settings = format!("maxbuffer = {budget}\nstaticdir = \"{site}\"\ncgidir = \"{cgi}\"\nmaxforks = 1000\n");
    let tls = is_secure.then(|| {
        let authority = Authority::new();
        let identity = authority.identity("server");
        tree.file("cert.pem", &identity.certificate).file("key.pem", &identity.key);
        let (cert, key) = (tree.path("cert.pem"), tree.path("key.pem"));
        settings.extend(["ssl = true\nsslcert = \"", &cert, "\"\nsslkey = \"", &key, "\"\n"]);
        authority.client(&[&TLS13], None)
    });
    settings += &[
        route("/flood", &format!("while sleep 0.1; do {lines} | head -n 500; done"), "shared = true"),
        route("/room", "exec cat", "shared = true"),
        route("/paths/*", "exec cat", "shared = \"path\"\nhistory = 1000"),
        route("/deaf", "exec sleep 1000", "shared = true"),
        route("/own-flood", &format!("exec {lines}"), ""),
        route("/echo", "exec cat", "pingms = 0"),
    ]
    .concat();
    tree.file("wsd.toml", settings);
    let mut command = wsd(&["--port=0", "--config", &tree.path("wsd.toml")]);
    if let Some(threads) = threads {
        command.env("TOKIO_WORKER_THREADS", threads.to_string());
    }
    (Server::spawn(command), tls)
}

fn memory(pid: Pid) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let now = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    now.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Lets `clients` hostile ones in for a time; all that is promised must hold meanwhile and after.
fn soak(clients: usize, time: Duration, budget: usize, is_secure: bool, threads: Option<usize>) {
    let tree = Tree::new();
    let (server, tls) = start(&tree, budget, is_secure, threads);
    let (is_over, arrived, refused) = Default::default();
    let target = Target { address: server.address, tls, is_over, arrived, refused };
    let stream = target.upgrade("/echo").expect("an idle server serves");
    let mut honest = honest(stream);
    let idle = memory(server.pid());
    let (mut answers, mut slowest) = (0, Duration::ZERO);
    thread::scope(|scope| {
        for kind in KINDS {
            let target = &target;
            scope.spawn(move || {
                let fresh =
                    |number| Hostile { kind, number, stream: None, has_arrived: false, count: 0, unsent: Vec::new() };
                let mut all: Vec<_> = (0..clients / KINDS.len()).map(fresh).collect();
                while !target.is_over.load(Ordering::Relaxed) {
                    for client in &mut all {
                        if !target.is_over.load(Ordering::Relaxed) {
                            client.act(target);
                        }
                    }
                    // The pace of a hundred clients who try again and again.
                    pace(Duration::from_millis(5));
                }
            });
        }
        let _curfew = Curfew(&target.is_over);
        // The time begins when all have come.
        let mut began = Instant::now();
        while began.elapsed() < time {
            if target.arrived.load(Ordering::Relaxed) < clients / KINDS.len() * KINDS.len() {
                began = Instant::now();
            }
            let asked = Instant::now();
            honest.text(&format!("still here {answers}"));
            assert_eq!(honest.line(), format!("still here {answers}"));
            answers += 1;
            slowest = slowest.max(asked.elapsed());
            pace(Duration::from_millis(20));
        }
    });
    let peak = (usize::try_from(peak_memory(server.pid())).unwrap() << 10).saturating_sub(idle);
    let log = server.log();
    let count = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    let tell = |bytes: usize| format!("{}.{} MiB", bytes >> 20, (bytes >> 10) % 1024 * 10 / 1024);
    let _ = writeln!(
        io::stderr(),
        "soak: {clients} clients for {time:?}, TLS: {is_secure}, threads: {threads:?}: peak {} above idle {}, budget {}; \
         sessions {}, overload {}, slow {}, refused {} (maxbuffer {}), nearly full {}; honest answers {answers}, slowest {slowest:?}",
        tell(peak),
        tell(idle),
        tell(budget),
        count("session started"),
        count("end=overload"),
        count("end=slow"),
        target.refused.load(Ordering::Relaxed),
        count("why=maxbuffer"),
        count("buffers nearly full"),
    );
    assert!(peak <= budget + BESIDE, "memory grew by {}", tell(peak));
    assert!(answers > 0);

    // The hostile ones are gone: all are served again, and at last no process is left.
    for path in ["/echo", "/room", "/paths/0", "/deaf", "/own-flood", "/flood"] {
        eventually("a session", || target.upgrade(path).ok());
    }
    eventually("a file", || get(&target, "/small"));
    honest.text("last");
    assert_eq!(honest.line(), "last");
    drop(honest);
    eventually("no process is left", || children(server.pid()).is_empty().then_some(()));
}

/// The client of a stream whose 101 has been seen in part.
fn honest(stream: Stream) -> Client {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut connection = Connection::over(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(connection.take(1).expect("the rest of the head"));
    }
    Client::upgraded(connection)
}

fn get(target: &Target, path: &str) -> Option<()> {
    let mut connection = Connection::over(target.open().ok()?);
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    (connection.try_response("GET")?.status == 200).then_some(())
}

#[test]
fn hostile_clients_of_every_kind_stay_within_the_budget() {
    raise_descriptor_limit(4096);
    if env::var_os("WSD_SOAK").is_some() {
        for (is_secure, threads) in [(false, None), (true, None), (false, Some(2)), (true, Some(2))] {
            soak(1000, Duration::from_secs(20), 64 << 20, is_secure, threads);
        }
    } else {
        for is_secure in [false, true] {
            soak(150, Duration::from_secs(3), 16 << 20, is_secure, None);
        }
    }
}
