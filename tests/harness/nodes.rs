//! Some nodes of `wsd` that share their rooms over a Redis.

use rustix::process::Signal;

use crate::redis::Redis;
use crate::server::{Server, field, wsd};
use crate::skip::skip;
use crate::time::eventually;

/// A Redis, and nodes on it. The nodes stop first.
pub struct Nodes {
    /// The nodes, by their number.
    pub nodes: Vec<Server>,
    /// Their Redis.
    pub redis: Redis,
}

impl Nodes {
    /// Starts so many nodes with these flags and this COMMAND. `None` if there is no Redis: the test is skipped.
    pub fn start(count: usize, flags: &[&str], command: &[&str]) -> Option<Self> {
        let Some(redis) = Redis::start(&[]) else {
            skip("redis-server");
            return None;
        };
        let mut cluster = Self { nodes: Vec::new(), redis };
        for _ in 0..count {
            cluster.add(flags, command);
        }
        Some(cluster)
    }

    /// Starts so many nodes on a Redis that runs, whose URL for them is `url`, with more variables.
    pub fn on(redis: Redis, url: &str, variables: &[(&str, &str)], count: usize, flags: &[&str]) -> Self {
        let bus = format!("--bus={url}");
        let start = |number| {
            let node = format!("--node=n{number}");
            let mut command = wsd(&[&["--port=0", &bus, &node], flags, &["cat"]].concat());
            Server::spawn({
                command.envs(variables.iter().copied());
                command
            })
        };
        Self { nodes: (0..count).map(start).collect(), redis }
    }

    /// Starts so many nodes whose COMMAND is a line of shell.
    pub fn shell(count: usize, flags: &[&str], script: &str) -> Option<Self> {
        Self::start(count, &[&["--shared"], flags].concat(), &["sh", "-c", script])
    }

    /// Starts one more node.
    pub fn add(&mut self, flags: &[&str], command: &[&str]) {
        let (bus, node) = (format!("--bus={}", self.redis.url()), format!("--node=n{}", self.nodes.len()));
        let own = ["--port=0", &bus, &node];
        self.nodes.push(Server::spawn(wsd(&[&own, flags, command].concat())));
    }

    /// Kills a node, and starts another in its place.
    pub fn replace(&mut self, number: usize, flags: &[&str], command: &[&str]) {
        self.nodes[number].signal(Signal::KILL);
        self.nodes[number].wait();
        self.add(flags, command);
        self.nodes.swap_remove(number);
    }

    /// The number of the node whose log tells that it has taken the room last, after `count` takings in all.
    pub fn expect_owner(&self, count: usize) -> usize {
        let of_node = |node: &Server| {
            let taken = node.log().into_iter().filter(|line| line.contains("room taken"));
            taken.filter_map(|line| field(&line, "epoch")?.parse::<u64>().ok()).collect::<Vec<_>>()
        };
        eventually("a node takes the room", || {
            let taken: Vec<_> = self.nodes.iter().map(of_node).collect();
            let owner = (0..taken.len()).max_by_key(|&node| taken[node].iter().max().copied())?;
            (taken.iter().map(Vec::len).sum::<usize>() >= count).then_some(owner)
        })
    }
}
