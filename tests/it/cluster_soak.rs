//! Many rooms on three nodes for a long time: clients come and go, nodes are killed, Redis stands still. Each message is checked.
//!
//! `WSD_SOAK=1 cargo test --test it cluster_soak -- --nocapture` takes 200 rooms and five minutes.

use std::env;
use std::io::{self, Write as _};
use std::sync::RwLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::nodes::Nodes;
use crate::harness::process::linux::peak_memory;
use crate::harness::scrape::{METRICS, Watch};
use crate::harness::server::Server;
use crate::harness::websocket::Client;
use crate::harness::{eventually, pace};

const FLAGS: [&str; 4] = ["--shared=path", "--linger=1", "--pingms=0", METRICS];

/// Clients of a room at most.
const CLIENTS_MAX: usize = 5;

/// The nodes, and how often each was killed.
struct Cluster {
    nodes: Nodes,
    kills: [u32; 3],
}

/// A client, its node, and how often that was killed before.
struct Member {
    client: Client,
    node: usize,
    kills: u32,
    /// The number of the last line that it has heard.
    heard: Option<usize>,
}

impl Member {
    /// Hears this line next. A newcomer may first hear lines that were on their way when it came.
    fn expect(&mut self, room: usize, number: usize) {
        while self.heard != Some(number) {
            let line = self.client.line();
            let heard = line.strip_prefix(&format!("{room} ")).and_then(|number| number.parse().ok());
            let is_next = |heard: usize| self.heard.map_or(heard <= number, |before| heard == before + 1);
            assert!(heard.is_some_and(is_next), "room {room}: `{line}` behind {:?}", self.heard);
            self.heard = heard;
        }
    }
}

/// Numbers that look random, each time the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Has clients come and go in one room until the time is over, and say lines that all of them hear, one after the other.
/// Returns the number of lines.
fn live(room: usize, end: Instant, cluster: &RwLock<Cluster>) -> usize {
    let (mut dice, mut members, mut lines) = (Dice(room as u64), Vec::<Member>::new(), 0);
    while Instant::now() < end {
        let cluster = cluster.read().unwrap();
        members.retain(|member| member.kills == cluster.kills[member.node]);
        while members.is_empty() || members.len() < CLIENTS_MAX && dice.roll(4) == 0 {
            let node = dice.roll(3);
            let client = join(&cluster.nodes.nodes[node], &format!("/{room}"));
            members.push(Member { client, node, kills: cluster.kills[node], heard: None });
        }
        let line = format!("{room} {lines}");
        let speaker = dice.roll(members.len());
        members[speaker].client.text(&line);
        for member in &mut members {
            member.expect(room, lines);
        }
        lines += 1;
        if dice.roll(6) == 0 {
            let mut left = members.swap_remove(dice.roll(members.len()));
            left.client.close(1000);
            left.client.close_at_last();
        }
        drop(cluster);
        pace(Duration::from_millis(20 + dice.roll(200) as u64));
    }
    lines
}

/// Joins a room. A node that is busy says 503, and the client comes again.
fn join(node: &Server, path: &str) -> Client {
    eventually("a session", || match node.try_connect(path, "") {
        Ok(client) => Some(client),
        Err(response) => {
            assert_eq!(response.status, 503, "{}", response.text());
            None
        }
    })
}

/// The bytes that Redis uses.
fn used(cluster: &Cluster) -> u64 {
    let info = cluster.nodes.redis.ask(&["INFO", "memory"]);
    info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok()).unwrap()
}

fn soak(rooms: usize, time: Duration, fault_every: Duration) {
    let Some(nodes) = Nodes::start(3, &FLAGS, &["cat"]) else { return };
    let cluster = RwLock::new(Cluster { nodes, kills: [0; 3] });
    let (began, end) = (Instant::now(), Instant::now() + time);
    let mut faults = 0;
    let lines: usize = thread::scope(|scope| {
        let lives: Vec<_> = (0..rooms)
            .map(|room| {
                scope.spawn({
                    let cluster = &cluster;
                    move || live(room, end, cluster)
                })
            })
            .collect();
        while Instant::now() + fault_every < end {
            pace(fault_every);
            if faults % 2 == 0 {
                let cluster = cluster.read().unwrap();
                cluster.nodes.redis.signal(Signal::STOP);
                pace(Duration::from_secs(2));
                cluster.nodes.redis.signal(Signal::CONT);
            } else {
                // All lines so far were heard: from now on none may be lost.
                let mut cluster = cluster.write().unwrap();
                let node = faults / 2 % 3;
                cluster.nodes.replace(node, &FLAGS, &["cat"]);
                cluster.kills[node] += 1;
            }
            faults += 1;
        }
        lives.into_iter().map(|live| live.join().unwrap()).sum()
    });
    let cluster = cluster.into_inner().unwrap();
    for node in &cluster.nodes.nodes {
        let watch = Watch::of(node);
        eventually("all rooms end", || (watch.scrape().sum("wsd_rooms", "") == 0).then_some(()));
        eventually("no program is left", || (watch.scrape().sum("wsd_programs", "") == 0).then_some(()));
    }
    let of_nodes: Vec<_> = cluster.nodes.nodes.iter().map(|node| peak_memory(node.pid()) >> 10).collect();
    let _ = writeln!(
        io::stderr(),
        "cluster soak: {rooms} rooms, {lines} lines and {faults} faults in {:?}; MiB of nodes {of_nodes:?}, KiB of Redis {}",
        began.elapsed(),
        used(&cluster) >> 10
    );
    let gaps = |node: &Server| node.log().iter().any(|line| line.contains("room gap"));
    assert!(!cluster.nodes.nodes.iter().any(gaps), "nobody has missed a line");
    let mib_max = 64 + rooms as u64 / 4;
    assert!(of_nodes.iter().all(|mib| *mib < mib_max), "MiB of nodes {of_nodes:?}");
    // Streams of at most 1000 records that are short, and their keys.
    assert!(used(&cluster) < (8 << 20) + rooms as u64 * (128 << 10), "{} bytes in Redis", used(&cluster));
}

#[test]
fn many_rooms_lose_and_double_nothing_while_nodes_die_and_redis_stands_still() {
    if env::var_os("WSD_SOAK").is_some() {
        soak(200, Duration::from_mins(5), Duration::from_secs(15));
    } else {
        soak(4, Duration::from_secs(12), Duration::from_secs(3));
    }
}
