//! A server of MCP that npx starts: its clients leave by a close, a cut or SIGKILL, and never by DELETE, and no process is left.
//!
//! `WSD_VISITS=17` makes the visits of each kind so many, instead of two.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::packages;
use crate::harness::http::Connection;
use crate::harness::process::linux::children;
use crate::harness::process::{group_gone_within, pid};
use crate::harness::server::{Server, field, wsd};
use crate::harness::skip::has;
use crate::harness::{SLACK, eventually};

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Cut,
    Kill,
}

const HEAD: &str = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// Begins a session, calls the server, opens the stream of the session, and leaves.
fn visit(server: &Server, end: End) {
    let begun = server.post("/", HEAD, INITIALIZE);
    let session = format!("Mcp-Session-Id: {}", begun.header("Mcp-Session-Id").unwrap_or_else(|| panic!("{begun}")));
    let answer = server.post("/", &format!("{HEAD}{session}\r\n"), PING);
    assert!(answer.text().contains("\"result\""), "{answer}");
    match end {
        End::Close => drop(stream(server, &session)),
        End::Cut => stream(server, &session).reset(),
        End::Kill => kill(server, &session),
    }
}

/// Opens the stream of a session, and takes the status of the answer.
fn stream(server: &Server, session: &str) -> Connection {
    let mut connection = server.http();
    let head = format!("Host: {}\r\nAccept: text/event-stream\r\n{session}\r\n\r\n", server.host());
    connection.send(format!("GET / HTTP/1.1\r\n{head}"));
    assert_eq!(connection.take(12).unwrap(), b"HTTP/1.1 200");
    connection
}

/// Opens the stream of a session in a process of its own, and kills that.
fn kill(server: &Server, session: &str) {
    let mut command = Command::new("curl");
    command.args(["-sN", "-H", "Accept: text/event-stream", "-H", session, &format!("http://{}/", server.address)]);
    let mut client = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(client.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("id:"), "{line}");
    client.kill().unwrap();
    client.wait().unwrap();
}

/// Waits until all processes have ended. Returns how many there were.
fn expect_nobody(server: &Server) -> usize {
    eventually("no process is left", || children(server.pid()).is_empty().then_some(()));
    let started: Vec<_> = server.log().into_iter().filter(|line| line.contains("mcp started")).collect();
    for line in &started {
        assert!(group_gone_within(pid(&field(line, "pid").unwrap()), SLACK), "{line}");
    }
    started.len()
}

/// Resident memory in KiB, and open descriptors.
fn holdings(server: &Server) -> (usize, usize) {
    let folder = format!("/proc/{}", server.pid());
    let status = fs::read_to_string(format!("{folder}/status")).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let memory = memory.trim().trim_end_matches(" kB").parse().unwrap();
    (memory, fs::read_dir(format!("{folder}/fd")).unwrap().count())
}

#[test]
fn visits_to_a_server_of_npx_leave_no_process_memory_or_descriptor() {
    let Some(folder) = packages() else { return };
    if !["npx", "curl"].into_iter().all(has) {
        return;
    }
    let visits: usize = env::var("WSD_VISITS").map_or(2, |text| text.parse().expect("WSD_VISITS is a number"));
    let npx = ["npx", "--offline", "--no-install", "mcp-server-everything"];
    let mut command = wsd(&[&["--port=0", "--mcp", "--mcp-idle=1"], &npx[..]].concat());
    command.current_dir(&folder);
    let server = Server::spawn(command);
    visit(&server, End::Close);
    expect_nobody(&server);
    let (memory, descriptors) = holdings(&server);

    for end in [End::Close, End::Cut, End::Kill] {
        (0..visits).for_each(|_| visit(&server, end));
    }

    assert!(expect_nobody(&server) > 3 * visits);
    eventually("the descriptors are as before", || (holdings(&server).1 <= descriptors).then_some(()));
    // The records of the sessions, and what the allocator keeps.
    let later = holdings(&server).0;
    assert!(later < memory + 4096, "{memory} KiB before, {later} KiB after");
}
