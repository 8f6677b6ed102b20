//! Two pages on two nodes of one cluster, as `examples/cluster/run.sh` serves them.

use std::path::Path;

use rustix::process::Signal;

use crate::demos::text;
use crate::harness::balancer::Balancer;
use crate::harness::browser::Browser;
use crate::harness::redis::Redis;
use crate::harness::server::{Server, wsd};
use crate::harness::skip::skip;

/// A node with the settings of the example.
fn node(redis: &Redis, name: &str) -> Server {
    let (bus, name) = (format!("--bus={}", redis.url()), format!("--node={name}"));
    let mut command = wsd(&["--port=0", &bus, &name, "--config=examples/cluster/nodes.toml"]);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    Server::spawn(command)
}

#[test]
fn two_pages_on_two_nodes_chat_and_play_and_find_back_when_a_node_is_killed() {
    let Some(mut ada) = Browser::start() else { return };
    let Some(redis) = Redis::start(&[]) else { return skip("redis-server") };
    let mut bob = ada.another();
    let nodes = ["a", "b"].map(|name| node(&redis, name));
    let [first, second] = [0, 1].map(|at| Balancer::to(vec![nodes[at].address, nodes[1 - at].address]).address);
    let open = |page: &mut Browser, at, name| {
        page.open(&format!("http://{at}/{name}"));
        page.expect_text("#state", "Open");
    };

    open(&mut ada, first, "connect4.html");
    ada.expect_text("#news", "Waiting for an opponent");
    open(&mut bob, second, "connect4.html");
    ada.expect_text("#news", "Your turn");
    ada.press("4");
    bob.expect_text("#news", "Player one took column 4. Your turn.");
    bob.press("4");
    ada.expect_text("#news", "Player two took column 4. Your turn.");

    open(&mut ada, first, "chat.html");
    open(&mut bob, second, "chat.html");
    ada.expect_text("#here-title", "Here now: 2");
    ada.enter("#text", "before");
    bob.expect_text("#talk .message", "before");

    nodes[0].signal(Signal::KILL);

    ada.expect_text("#talk .begin", "Connected again");
    ada.expect_text("#here-title", "Here now: 2");
    ada.enter("#text", "behind");
    bob.expect("[...document.querySelectorAll('#talk .message')].at(-1)?.innerText.includes('behind')");
    assert!(text(&mut ada, "#talk").contains("before"), "the page keeps what it has shown");
}
