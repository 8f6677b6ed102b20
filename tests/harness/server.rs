//! A running `wsd`: started on a free port, watched on both streams, stopped and checked when the test is over.

use std::env;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::http::{Connection, Response};
use crate::lines::{Line, Lines};
use crate::process::{orphans_gone_within, pid};
use crate::time::{DEADLINE, SLACK, eventually, within};
use crate::websocket::{Client, upgrade_request};

/// A `wsd` that is listening. Dropping it stops it, and fails the test when a worker of it is left.
pub struct Server {
    child: Child,
    command: String,
    output: Arc<Lines>,
    log: Arc<Lines>,
    /// Where it listens first: 127.0.0.1 unless the flags say otherwise; 0.0.0.0 when it is a Unix socket.
    pub address: SocketAddr,
}

/// How one run of `wsd` ended that was not meant to serve.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status; `None` after a signal.
    pub status: Option<i32>,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

/// The command `wsd` with these arguments.
pub fn wsd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO_BIN_EXE_wsd").expect("cargo tells its tests where wsd is"));
    command.args(arguments);
    command
}

/// The path of a program in `tests/programs`.
pub fn program(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("programs").join(name);
    assert!(path.exists(), "no such program: {}", path.display());
    path.to_str().unwrap().to_owned()
}

/// Runs `wsd` with these arguments to its end, which must come by itself.
pub fn run(arguments: &[&str]) -> Outcome {
    run_to_end(wsd(arguments))
}

/// Runs a command, of `wsd` or another program, to its end, which must come by itself.
pub fn run_to_end(mut command: Command) -> Outcome {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (output, log) = (Lines::of(child.stdout.take().unwrap()), Lines::of(child.stderr.take().unwrap()));
    let status = within(DEADLINE, || child.try_wait().unwrap());
    let Some(status) = status else {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("{command:?} did not end\nstdout:\n{}stderr:\n{}", output.text(), log.text());
    };
    Outcome { status: status.code(), stdout: output.wait_for_end(), stderr: log.wait_for_end() }
}

impl Server {
    /// Starts `wsd` with the flags and a program of `tests/programs` as its COMMAND.
    pub fn start(flags: &[&str], name: &str) -> Self {
        Self::command(flags, &[&program(name)])
    }

    /// Starts `wsd` with the flags and a line of shell as its COMMAND; `arguments` are its `$1` and so on.
    pub fn shell(flags: &[&str], script: &str, arguments: &[&str]) -> Self {
        Self::command(flags, &[&["sh", "-c", script, "sh"], arguments].concat())
    }

    /// Starts `wsd` with the flags and a COMMAND with its arguments.
    pub fn command(flags: &[&str], command: &[&str]) -> Self {
        Self::spawn(wsd(&[&["--port=0"], flags, command].concat()))
    }

    /// Starts `wsd` with the flags and no COMMAND.
    pub fn serve(flags: &[&str]) -> Self {
        Self::command(flags, &[])
    }

    /// Starts a `wsd` command and waits until it is listening.
    pub fn spawn(command: Command) -> Self {
        Self::spawn_logging(command, Lines::of)
    }

    /// Starts a `wsd` command whose log nobody reads: the pipe it goes to is closed.
    pub fn spawn_unheard(command: Command) -> Self {
        Self::spawn_logging(command, |_| Lines::of(std::io::empty()))
    }

    /// Starts a `wsd` command whose log nobody reads: the pipe it goes to fills, and stays full.
    pub fn spawn_unread(command: Command) -> Self {
        let (server, log) = Self::spawn_unread_yet(command);
        // Open for as long as the tests run.
        std::mem::forget(log);
        server
    }

    /// Starts a `wsd` command, and gives the pipe that its log goes to: nobody has read of it.
    pub fn spawn_unread_yet(command: Command) -> (Self, ChildStderr) {
        let mut pipe = None;
        let server = Self::spawn_logging(command, |log| {
            pipe = Some(log);
            Lines::of(std::io::empty())
        });
        (server, pipe.expect("it was started"))
    }

    fn spawn_logging(mut command: Command, log: impl FnOnce(ChildStderr) -> Arc<Lines>) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (output, log) = (Lines::of(child.stdout.take().unwrap()), log(child.stderr.take().unwrap()));
        let command = format!("{command:?}");
        let Some(Line { text: url, .. }) = output.wait_for("", 1) else {
            let _ = child.kill();
            child.wait().unwrap();
            panic!("{command} did not say where it listens\nstderr:\n{}", log.wait_for_end());
        };
        // Under the name of websocketd the first line is one of the log, which tells the URL in a field.
        let address = address_of(&field(&url, "url").unwrap_or(url));
        Self { child, command, output, log, address }
    }

    /// Opens a session on this path.
    pub fn connect(&self, path: &str) -> Client {
        self.connect_with(path, "")
    }

    /// Opens a session on this path with more header lines, each ending with `\r\n`.
    pub fn connect_with(&self, path: &str, headers: &str) -> Client {
        let client = self.try_connect(path, headers);
        client.unwrap_or_else(|response| panic!("no session:\n{response}"))
    }

    /// Asks for a session on this path, and gives what came instead when none was given.
    pub fn try_connect(&self, path: &str, headers: &str) -> Result<Client, Response> {
        Client::open(self.address, &upgrade_request(&self.host(), path, headers))
    }

    /// Asks for a session that must be refused, and gives the answer.
    pub fn refusal(&self, path: &str, headers: &str) -> Response {
        self.try_connect(path, headers).err().expect("a refusal, but a session was given")
    }

    /// Sends a request as it is written, on a connection of its own, and gives the answer.
    pub fn request(&self, request: &str) -> Response {
        let method = request.split(' ').next().unwrap();
        let mut connection = self.http();
        connection.send(request);
        connection.response(method)
    }

    /// Gets a path with more header lines, each ending with `\r\n`.
    pub fn get(&self, path: &str, headers: &str) -> Response {
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", self.host()))
    }

    /// Posts a body to a path with more header lines, each ending with `\r\n`.
    pub fn post(&self, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Response {
        self.posting(path, headers, body).response("POST")
    }

    /// Posts a body as [`Server::post`] does, and leaves the answer in the connection.
    pub fn posting(&self, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Connection {
        let (host, body) = (self.host(), body.as_ref());
        let mut connection = self.http();
        let length = format!("Content-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
        connection.send(format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{length}"));
        connection.send(body);
        connection
    }

    /// A new connection on which nothing was said yet.
    pub fn http(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Returns the value of a client's Host header.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The process id of the server itself.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends the server a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until the server has ended.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the server ends", || self.child.try_wait().unwrap())
    }

    /// Waits for the first log line that holds `text`.
    pub fn expect_log(&self, text: &str) -> Line {
        self.expect_nth_log(text, 1)
    }

    /// Waits for the `count`th log line that holds `text`.
    pub fn expect_nth_log(&self, text: &str, count: usize) -> Line {
        let line = self.log.wait_for(text, count);
        line.unwrap_or_else(|| panic!("{count} log lines with `{text}` did not come"))
    }

    /// Waits until the log has told of so many events, by a line each or by the number of those left out.
    pub fn expect_events(&self, event: &str, count: u64) {
        eventually(&format!("{count} times `{event}`"), || (events(&self.log(), event) == count).then_some(()));
    }

    /// The process id of the worker of the `count`th session, from the log.
    pub fn expect_worker(&self, count: usize) -> Pid {
        let line = self.expect_nth_log("session started", count).text;
        pid(&field(&line, "pid").expect("a field pid"))
    }

    /// The process id of the worker of the `count`th room, from the log.
    pub fn expect_room(&self, count: usize) -> Pid {
        let line = self.expect_nth_log("room started", count).text;
        pid(&field(&line, "pid").expect("a field pid"))
    }

    /// The process id of the worker of the `count`th POST, from the log.
    pub fn expect_post(&self, count: usize) -> Pid {
        let line = self.expect_nth_log("post started", count).text;
        pid(&field(&line, "pid").expect("a field pid"))
    }

    /// The process id of the worker that this client talks to, from the log.
    pub fn expect_worker_of(&self, client: &mut Client) -> Pid {
        pid(&field(&self.expect_start_of(client), "pid").expect("a field pid"))
    }

    /// Waits for the log line of the end of this client's session.
    pub fn expect_end_of(&self, client: &mut Client) -> String {
        let peer = client.connection().local_address();
        let start = self.expect_log(&format!(" peer={peer} ")).text;
        let conn = field(&start, "conn").expect("a field conn");
        self.expect_log(&format!("session ended conn={conn} ")).text
    }

    fn expect_start_of(&self, client: &mut Client) -> String {
        let peer = client.connection().local_address();
        self.expect_log(&format!(" peer={peer} pid=")).text
    }

    /// The log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.so_far()
    }

    /// Standard output so far.
    pub fn output(&self) -> Vec<String> {
        self.output.so_far()
    }

    /// Waits until standard output has so many lines, and gives them all.
    pub fn expect_output(&self, count: usize) -> Vec<String> {
        assert!(
            self.output.wait_for("", count).is_some(),
            "{count} lines did not come:
{}",
            self.output.text()
        );
        self.output()
    }

    /// Stops the server as an administrator would, and gives the whole of its log.
    pub fn stop(&mut self) -> String {
        self.signal(Signal::TERM);
        self.wait();
        self.log.wait_for_end()
    }

    /// The workers that the log tells of.
    fn workers(&self) -> Vec<Pid> {
        let started = self.log().into_iter();
        let is_start = |line: &String| {
            ["session started", "post started", "room started", "mcp started"].iter().any(|start| line.contains(start))
        };
        let started = started.filter(is_start);
        started.filter_map(|line| field(&line, "pid")).map(|number| pid(&number)).collect()
    }

    #[expect(
        clippy::print_stderr,
        reason = "a failure tells all that is known; libtest shows it below the test's name"
    )]
    fn report(&self) {
        eprintln!(
            "--- {}\n--- standard output\n{}--- standard error\n{}---",
            self.command,
            self.output.text(),
            self.log.text()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the server has ended already.
        let _ = kill_process(self.pid(), Signal::TERM);
        let stopped = within(DEADLINE, || self.child.try_wait().unwrap_or_default());
        if stopped.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            return self.report();
        }
        let left: Vec<Pid> = self.workers().into_iter().filter(|worker| !orphans_gone_within(*worker, SLACK)).collect();
        if stopped.is_none() || !left.is_empty() {
            self.report();
            assert!(stopped.is_some(), "the server did not stop");
            panic!("workers outlived the server: {left:?}");
        }
    }
}

/// How many events the lines of a log tell of, by a line each or by the number of those left out.
fn events(log: &[String], event: &str) -> u64 {
    let lines = log
        .iter()
        .filter(|line| line.contains(event))
        .map(|line| if line.contains(" lines left out ") { field(line, "lines").unwrap().parse().unwrap() } else { 1 });
    lines.sum()
}

/// The value of a field of a log line, without the quotes it may stand in.
pub fn field(line: &str, key: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!(" {key}="))?;
    match rest.strip_prefix('"') {
        Some(quoted) => {
            let end = quoted.match_indices('"').find(|(at, _)| !is_escaped(&quoted[..*at]))?.0;
            Some(quoted[..end].to_owned())
        }
        None => rest.split(' ').next().map(str::to_owned),
    }
}

/// Whether what follows `text` is escaped by a backslash at its end that is not escaped itself.
fn is_escaped(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The address in a ready URL such as `http://127.0.0.1:43211/`; 0.0.0.0 for a Unix socket, which has none.
pub fn address_of(url: &str) -> SocketAddr {
    if url.starts_with("unix:") {
        return SocketAddr::from(([0, 0, 0, 0], 0));
    }
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let host = rest.filter(|rest| rest.ends_with('/')).and_then(|rest| rest.split('/').next());
    let host = host.unwrap_or_else(|| panic!("not a ready URL: {url}"));
    host.to_socket_addrs().unwrap().next().unwrap()
}
