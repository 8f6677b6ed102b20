//! Rooms on a Redis cluster that loses a primary: only its own rooms notice, and they go on with its replica.

use std::thread;
use std::time::Duration;

use crate::cluster_faults::talk_through;
use crate::cluster_servers::{assert_shared, one_each};
use crate::harness::nodes::Nodes;
use crate::harness::pace;
use crate::harness::redis::Redis;
use crate::harness::server::Server;
use crate::harness::skip::skip;
use crate::harness::websocket::Client;

const PRIMARIES: usize = 3;

/// A room, with a client on each node.
struct Clients {
    /// The primary that has its keys.
    primary: usize,
    clients: Vec<Client>,
}

/// Two nodes of wsd on a cluster, and rooms on each of its primaries.
struct Parts {
    cluster: Nodes,
    /// All servers but the last.
    servers: Vec<Redis>,
    rooms: Vec<Clients>,
}

fn start(replicas: usize) -> Option<Parts> {
    let Some(mut servers) = Redis::cluster(PRIMARIES, replicas) else {
        skip("redis-server and redis-cli");
        return None;
    };
    let urls: Vec<_> = servers.iter().map(Redis::url).collect();
    let last = servers.pop().unwrap();
    let cluster = Nodes::on(last, &urls.join(","), &[], 2, &["--shared=path", "--pingms=0"]);
    let mut parts = Parts { cluster, servers, rooms: Vec::new() };
    for number in 0..9 {
        let before: Vec<_> = (0..PRIMARIES).map(|primary| parts.keys(primary, ":own")).collect();
        let mut clients = one_each(&parts.cluster, &format!("/{number}"));
        assert_shared(&mut clients, "before");
        let primary = (0..PRIMARIES).find(|&primary| parts.keys(primary, ":own") > before[primary]).unwrap();
        parts.rooms.push(Clients { primary, clients });
    }
    Some(parts)
}

impl Parts {
    fn primary(&self, number: usize) -> &Redis {
        self.servers.get(number).unwrap_or(&self.cluster.redis)
    }

    /// The keys of a primary whose name has this text.
    fn keys(&self, primary: usize, text: &str) -> usize {
        self.primary(primary).ask(&["KEYS", "wsd:*"]).lines().filter(|line| line.contains(text)).count()
    }

    /// A primary that also has the heartbeat of a node, if it is one that can be killed.
    fn victim(&self) -> usize {
        (0..self.servers.len().min(PRIMARIES)).max_by_key(|&primary| self.keys(primary, ":node:")).unwrap()
    }
}

#[test]
fn rooms_on_other_primaries_notice_nothing_of_one_that_is_gone() {
    let Some(mut parts) = start(0) else { return };
    let victim = parts.victim();
    let (mut lost, mut free): (Vec<_>, Vec<_>) = parts.rooms.drain(..).partition(|room| room.primary == victim);
    assert!(!lost.is_empty() && !free.is_empty());

    parts.servers[victim].kill();

    // Their programs are on node 0.
    thread::scope(|scope| {
        let ends: Vec<_> = lost.iter_mut().map(|room| scope.spawn(|| room.clients[1].close_at_last())).collect();
        while !ends.iter().all(thread::ScopedJoinHandle::is_finished) {
            for room in &mut free {
                assert_shared(&mut room.clients, "meanwhile");
            }
        }
        for end in ends {
            assert_eq!(end.join().unwrap().code, Some(1013));
        }
    });
    for room in &mut lost {
        room.clients[0].text("still here");
        assert_eq!(room.clients[0].line(), "still here");
    }
    for room in &mut free {
        talk_through(&mut room.clients, 20, || {});
    }
}

#[test]
fn rooms_go_on_when_the_replica_of_a_lost_primary_follows() {
    let Some(mut parts) = start(1) else { return };
    let victim = parts.victim();
    let Parts { servers, rooms, .. } = &mut parts;

    thread::scope(|scope| {
        for room in rooms {
            scope.spawn(|| talk_through(&mut room.clients, 60, || pace(Duration::from_secs(1))));
        }
        pace(Duration::from_millis(300));
        servers[victim].kill();
    });

    let Parts { cluster, rooms, .. } = &mut parts;
    for room in rooms {
        talk_through(&mut room.clients, 20, || {});
    }
    let started = |node: &Server| node.log().iter().filter(|line| line.contains("room started")).count();
    assert_eq!(cluster.nodes.iter().map(started).sum::<usize>(), 9, "no room has moved");
}
