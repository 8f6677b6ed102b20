//! `--reverselookup`: the client's name in `REMOTE_HOST`, and nobody kept waiting for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::assert_in_time;
use crate::harness::server::{Server, wsd};
use crate::harness::skip::skip;
use crate::harness::websocket::Client;

/// The longest time of a look-up. A resolver gives up after ten seconds.
const LOOKUP: Duration = Duration::from_secs(1);

fn environment(mut client: Client) -> BTreeMap<String, String> {
    let lines = client.rest().0.into_iter();
    lines.map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()).collect()
}

#[test]
fn without_the_flag_the_name_is_the_address() {
    let found = environment(Server::command(&[], &["env"]).connect("/"));

    assert_eq!(found["REMOTE_HOST"], "127.0.0.1");
}

#[test]
fn a_client_has_its_name_or_its_address_soon() {
    let server = Server::command(&["--reverselookup"], &["env"]);
    let names: Vec<String> = std::fs::read_to_string("/etc/hosts")
        .unwrap_or_default()
        .lines()
        .map(|line| line.split('#').next().unwrap().split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.first() == Some(&"127.0.0.1"))
        .flat_map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let start = Instant::now();

    let found = environment(server.connect("/"));

    assert_in_time(start, LOOKUP);
    // With nothing in /etc/hosts the name may be whatever the network's servers say.
    assert!(names.is_empty() || names.contains(&found["REMOTE_HOST"]), "{} is not in {names:?}", found["REMOTE_HOST"]);
    assert_eq!(found["REMOTE_ADDR"], "127.0.0.1");
}

#[test]
fn scripts_of_cgi_get_the_name_too() {
    let tree = crate::harness::tree::Tree::new();
    tree.program("cgi/env", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s' \"$REMOTE_HOST\"\n");
    let server = Server::command(&["--reverselookup", "--cgidir", &tree.path("cgi")], &["env"]);

    assert_eq!(server.get("/env", "").text(), environment(server.connect("/"))["REMOTE_HOST"]);
}

/// A `wsd` whose only name server, at an address of this machine, takes every question and answers none. It needs a
/// view of the file system of its own; `None` where that, or the name server's port, is not to be had.
#[cfg(target_os = "linux")]
fn with_silent_name_server(arguments: &[&str]) -> Option<(std::net::UdpSocket, std::process::Command)> {
    let address = crate::harness::places::own_address();
    let Ok(silent) = std::net::UdpSocket::bind((address, 53)) else {
        skip("port 53, which needs root");
        return None;
    };
    let mut own_view = std::process::Command::new("unshare");
    let script = "d=$(mktemp) && echo \"nameserver $1\" > $d && mount --bind $d /etc/resolv.conf && rm $d \
        && printf 'hosts: dns\\n' > $d && mount --bind $d /etc/nsswitch.conf && rm $d && shift && exec \"$@\"";
    own_view.args(["--mount", "sh", "-c", script, "sh", &address.to_string()]);
    let is_possible = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh", &address.to_string(), "true"])
        .stderr(std::process::Stdio::null())
        .status();
    if !is_possible.is_ok_and(|status| status.success()) {
        skip("unshare --mount, which needs root");
        return None;
    }
    own_view.arg(wsd(&[]).get_program()).args(arguments);
    Some((silent, own_view))
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_server_that_does_not_answer_keeps_nobody_waiting() {
    let Some((_silent, command)) = with_silent_name_server(&["--port=0", "--reverselookup", "env"]) else { return };
    let server = Server::spawn(command);
    let start = Instant::now();
    let clients: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| server.connect("/"))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });

    assert_in_time(start, LOOKUP);
    for client in clients {
        assert_eq!(environment(client)["REMOTE_HOST"], "127.0.0.1");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_look_up_under_way_does_not_hold_up_the_end() {
    let Some((_silent, command)) = with_silent_name_server(&["--port=0", "--reverselookup", "cat"]) else { return };
    let mut server = Server::spawn(command);
    let mut client = server.connect("/");

    let start = Instant::now();
    server.signal(rustix::process::Signal::TERM);

    assert_eq!(client.expect_close().code, Some(1001));
    assert_eq!(server.wait().code(), Some(0));
    assert_in_time(start, LOOKUP);
}
