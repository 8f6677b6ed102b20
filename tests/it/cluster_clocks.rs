//! Rooms on several nodes when a wall clock jumps: that of the nodes, which no lease goes by, and that of Redis.

use std::time::Duration;

use crate::cluster_faults::{settle, talk_through};
use crate::cluster_servers::one_each;
use crate::harness::clock::Clock;
use crate::harness::nodes::Nodes;
use crate::harness::redis::Redis;
use crate::harness::scrape::{METRICS, Watch};
use crate::harness::server::Server;
use crate::harness::skip::skip;
use crate::harness::{eventually, pace};

const DAY: i64 = 86_400;

/// The number of log lines of all nodes that have this text.
fn lines(cluster: &Nodes, text: &str) -> usize {
    cluster.nodes.iter().map(|node| node.log().iter().filter(|line| line.contains(text)).count()).sum()
}

#[test]
fn a_jump_of_the_nodes_clocks_changes_nothing() {
    let Some(clock) = Clock::new() else { return skip("faketime") };
    let Some(redis) = Redis::start(&[]) else { return skip("redis-server") };
    let url = redis.url();
    let cluster = Nodes::on(redis, &url, &clock.variables(), 3, &["--shared", "--pingms=0"]);
    let mut clients = one_each(&cluster, "/");
    settle(&cluster, &mut clients);
    let year = |node: &Server| {
        let response = node.get("/", "");
        response.header("Date").unwrap().split(' ').nth(3).unwrap().parse::<u32>().unwrap()
    };
    let before = year(&cluster.nodes[0]);

    for days in [400, -400, 0] {
        talk_through(&mut clients, 50, || {
            clock.set(days * DAY);
            // Each lease is renewed meanwhile.
            pace(Duration::from_secs(4));
        });
        if days > 0 {
            assert!(year(&cluster.nodes[0]) > before, "the clock has not jumped");
        }
    }

    for event in ["bus lost", "room fenced", "room gap"] {
        assert_eq!(lines(&cluster, event), 0, "{event}");
    }
    assert_eq!(lines(&cluster, "room started"), 1);
}

#[test]
fn one_worker_is_left_when_the_clock_of_redis_jumps() {
    let Some(clock) = Clock::new() else { return skip("faketime") };
    // redis-server itself does not start with libfaketime: its allocator asks for the time too early.
    let Some(redis) = Redis::start_as("valkey-server", &clock.variables(), &[]) else { return skip("valkey-server") };
    let url = redis.url();
    let cluster = Nodes::on(redis, &url, &[], 3, &["--shared", "--pingms=0", METRICS]);
    let mut clients: Vec<_> = cluster.nodes[..2].iter().map(|node| node.connect("/")).collect();
    settle(&cluster, &mut clients);

    // All leases run out. Node 2 takes that of the room, or its owner is quicker.
    clock.set(30);
    clients.push(cluster.nodes[2].connect("/"));

    let workers = || {
        let of_node = |node: &Server| Watch::of(node).scrape().sum("wsd_programs", "");
        cluster.nodes.iter().map(of_node).sum::<u64>()
    };
    let is_settled = || lines(&cluster, "room taken") == lines(&cluster, "room fenced") + 1;
    eventually("one worker is left", || (is_settled() && workers() == 1).then_some(()));
    assert!(cluster.redis.ask(&["INFO", "stats"]).contains("expired_keys:"), "no statistics");
    talk_through(&mut clients, 50, || {});

    // Backwards, keys only last longer.
    let taken = lines(&cluster, "room taken");
    talk_through(&mut clients, 100, || {
        clock.set(-DAY);
        pace(Duration::from_secs(4));
    });
    assert_eq!((lines(&cluster, "room taken"), workers()), (taken, 1));
}
