//! The example of a cluster: three nodes behind a balancer, started by one script without root.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::eventually;
use crate::harness::pages::root;
use crate::harness::process::is_gone;
use crate::harness::redis::free_port;
use crate::harness::server::wsd;
use crate::harness::skip::{has, skip};
use crate::harness::websocket::{Client, upgrade_request};

/// The first of three ports in a row that nobody uses now.
fn three_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    eventually("three free ports", || {
        let first = free_port();
        (first < u16::MAX - 2 && (first..=first + 2).all(is_free)).then_some(first)
    })
}

/// A client of the chat behind the balancer, once the balancer and a node behind it are there.
fn client(address: SocketAddr, name: &str) -> Client {
    let request = upgrade_request(&address.to_string(), &format!("/chat?nick={name}"), "");
    eventually("the example serves", || {
        std::net::TcpStream::connect(address).ok()?;
        Client::open(address, &request).ok()
    })
}

/// Reads until somebody has said `text`.
fn expect_message(client: &mut Client, text: &str) {
    let is_it = |line: &str| serde_json::from_str::<Value>(line).unwrap()["text"] == text;
    while !is_it(&client.line()) {}
}

#[test]
fn the_example_of_a_cluster_shares_the_chat_and_stops_all_that_it_started() {
    if ["redis-server", "redis-cli", "python3"].into_iter().any(|program| !has(program)) {
        return;
    }
    if ["nginx", "haproxy"].into_iter().all(|program| !has(program)) {
        return skip("nginx or haproxy");
    }
    let (port, redis, nodes) = (free_port(), free_port(), three_ports());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut script = Command::new(root().join("examples/cluster/run.sh"))
        .arg(port.to_string())
        .env("WSD", wsd(&[]).get_program())
        .envs([("REDIS_PORT", redis.to_string()), ("NODE_PORT", nodes.to_string())])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();

    let [mut ada, mut bob, mut cleo] = ["ada", "bob", "cleo"].map(|name| client(address, name));
    bob.text("hello from bob");
    for client in [&mut ada, &mut bob, &mut cleo] {
        expect_message(client, "hello from bob");
    }

    let pid = Pid::from_child(&script);
    kill_process(pid, Signal::TERM).unwrap();
    script.wait().unwrap();
    assert!(is_gone(pid));
    for port in [port, redis, nodes, nodes + 1, nodes + 2] {
        let is_free = || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(drop);
        eventually("nothing that it started is left", is_free);
    }
}
