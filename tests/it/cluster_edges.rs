//! Rooms on several nodes where a fault meets a beginning or an end: a client that leaves, a program that ends, a room that opens,
//! a program that does not read, and another program in the same Redis.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::nodes::Nodes;
use crate::harness::puppet::Puppet;
use crate::harness::redis::Redis;
use crate::harness::server::Server;
use crate::harness::skip::skip;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, Close};
use crate::harness::{eventually, pace};

/// The messages of clients of other nodes that wait for a program: bytes in Redis, and some more of one call.
const WAITING_MAX: u64 = 12 << 20;

/// The front of the keys of the only room.
fn front(redis: &Redis) -> String {
    let key = eventually("the input is in Redis", || {
        let keys = redis.ask(&["KEYS", "wsd:*:in"]);
        keys.lines().find(|line| line.starts_with("wsd:")).map(str::to_owned)
    });
    key.trim_end_matches("in").to_owned()
}

/// The number that Redis answers.
fn number(redis: &Redis, words: &[&str]) -> u64 {
    redis.ask(words).trim_start_matches(':').lines().next().unwrap().trim().parse().unwrap_or(0)
}

/// Has each client say a line that all hear.
fn talk(clients: &mut [Client], word: &str) {
    for speaker in 0..clients.len() {
        let said = format!("{word} {speaker}");
        clients[speaker].text(&said);
        for client in &mut *clients {
            while client.line() != said {}
        }
    }
}

#[test]
fn the_owner_hears_of_a_client_that_leaves_while_redis_stands_still() {
    let Some(cluster) = Nodes::start(2, &["--shared", "--linger=0", "--pingms=0"], &["cat"]) else { return };
    let mut clients: Vec<_> = cluster.nodes.iter().map(|node| node.connect("/")).collect();
    talk(&mut clients, "here");
    let mut other = clients.pop().unwrap();

    cluster.redis.signal(Signal::STOP);
    other.text("last words");
    other.close(1000);
    cluster.nodes[1].expect_log("bus lost");
    // Longer than the node waits for one answer.
    pace(Duration::from_secs(5));
    cluster.redis.signal(Signal::CONT);

    assert_eq!(clients[0].line(), "last words");
    clients[0].close(1000);
    cluster.nodes[0].expect_log("room ended");
}

#[test]
fn the_last_output_and_the_end_reach_other_nodes_when_redis_stands_still_meanwhile() {
    // The first line is on its way to Redis when the others come.
    let script = "while read -r line && [ \"$line\" != go ]; do echo $line; done; echo 1; sleep 1; seq 2 3; exit 7";
    let Some(cluster) = Nodes::shell(2, &["--pingms=0"], script) else { return };
    let mut clients: Vec<_> = cluster.nodes.iter().map(|node| node.connect("/")).collect();
    talk(&mut clients, "before");
    let rest = (["1", "2", "3"].map(str::to_owned).to_vec(), Close::new(4007, "exit 7"));

    cluster.redis.signal(Signal::STOP);
    clients[0].text("go");
    assert_eq!(clients[0].rest(), rest);
    pace(Duration::from_secs(5));
    cluster.redis.signal(Signal::CONT);

    assert_eq!(clients[1].rest(), rest);
    assert_eq!(cluster.expect_owner(1), 0);
}

#[test]
fn clients_of_the_programs_node_go_on_if_redis_stands_still_when_another_client_has_just_come() {
    let Some(cluster) = Nodes::start(2, &["--shared=path", "--pingms=0"], &["cat"]) else { return };
    for round in 0..12 {
        let path = format!("/{round}");
        let mut own = cluster.nodes[0].connect(&path);
        own.text("alone");
        assert_eq!(own.line(), "alone");
        let _other = cluster.nodes[1].connect(&path);

        cluster.redis.signal(Signal::STOP);
        own.text("still here");

        assert_eq!(own.line(), "still here", "round {round}");
        cluster.redis.signal(Signal::CONT);
    }
}

#[test]
fn messages_wait_for_a_program_that_does_not_read_and_redis_does_not_grow() {
    const MESSAGES: usize = 80;
    const BYTES: usize = 500_000;
    let tree = Tree::new();
    let count = (MESSAGES * (BYTES + 1)).to_string();
    let script = "while [ ! -e \"$0\" ]; do sleep 0.05; done; head -c \"$1\" | wc -c; exec cat";
    let command = ["sh", "-c", script, &tree.path("go"), &count];
    let Some(cluster) = Nodes::start(2, &["--shared", "--pingms=0"], &command) else { return };
    let mut own = cluster.nodes[0].connect("/");
    cluster.expect_owner(1);
    let mut others: Vec<_> = (0..4).map(|_| cluster.nodes[1].connect("/")).collect();

    let used = thread::scope(|scope| {
        for client in &mut others {
            scope.spawn(|| (0..MESSAGES / 4).for_each(|_| client.text(&"x".repeat(BYTES))));
        }
        let key = eventually("messages wait", || {
            let keys = cluster.redis.ask(&["KEYS", "wsd:*:in"]);
            let key = keys.lines().find(|line| line.starts_with("wsd:"))?.to_owned();
            (number(&cluster.redis, &["MEMORY", "USAGE", &key]) > WAITING_MAX / 2).then_some(key)
        });
        pace(Duration::from_secs(2));
        let used = number(&cluster.redis, &["MEMORY", "USAGE", &key, "SAMPLES", "0"]);
        tree.file("go", "");
        used
    });

    assert!(used < WAITING_MAX, "{used} bytes wait");
    assert_eq!(own.line().trim(), count);
}

#[test]
fn records_of_another_program_are_told_and_stop_nobody() {
    let Some(cluster) = Nodes::shell(2, &["--pingms=0"], "exec cat") else { return };
    let mut clients: Vec<_> = cluster.nodes.iter().map(|node| node.connect("/")).collect();
    talk(&mut clients, "before");
    let front = front(&cluster.redis);

    cluster.redis.ask(&["XADD", &format!("{front}in"), "*", "their", "record"]);
    talk(&mut clients, "behind input");
    cluster.nodes[0].expect_log("set another --bus-prefix");
    // Its id is behind all of the epoch: the room begins another one.
    cluster.redis.ask(&["XADD", &format!("{front}out"), "*", "their", "record"]);
    clients[0].text("into the void");
    let news = cluster.expect_owner(2);

    talk(&mut clients, "behind output");
    assert_eq!(cluster.expect_owner(2), news);
}

#[test]
fn the_program_stays_where_it_is_when_redis_loses_its_data() {
    let Some(mut cluster) = Nodes::shell(3, &["--pingms=0"], "exec cat") else { return };
    let mut clients: Vec<_> = cluster.nodes.iter().map(|node| node.connect("/")).collect();
    talk(&mut clients, "before");

    for round in 0..4 {
        cluster.redis.kill();
        // All nodes know.
        pace(Duration::from_millis(3200));
        cluster.redis.start_again();
        talk(&mut clients, &format!("round {round}"));
    }

    let taken = cluster.nodes.iter().flat_map(Server::log).filter(|line| line.contains("room taken"));
    assert_eq!(taken.count(), 1);
}

#[test]
fn no_member_is_gone_for_the_program_when_redis_loses_its_data() {
    let Some(puppet) = Puppet::start(2) else { return };
    let cluster = &puppet.cluster;
    let _clients: Vec<_> = cluster.nodes.iter().map(|node| node.connect("/")).collect();
    puppet.events(2);

    // The owner looks each five seconds whether the other node is alive.
    for _ in 0..10 {
        cluster.redis.ask(&["FLUSHALL"]);
        pace(Duration::from_millis(1200));
    }

    assert_eq!(puppet.heard().len(), 2, "{:?}", puppet.heard());
}

/// Two nodes with the settings of `wsd.toml`, or skips the test.
fn by_settings(tree: &Tree) -> Option<Nodes> {
    let Some(redis) = Redis::start(&[]) else {
        skip("redis-server");
        return None;
    };
    let config = format!("--config={}", tree.path("wsd.toml"));
    let mut cluster = Nodes { nodes: Vec::new(), redis };
    for _ in 0..2 {
        cluster.add(&[&config, "--pingms=0"], &[]);
    }
    Some(cluster)
}

#[test]
fn rooms_before_and_after_a_reload_listen_side_by_side() {
    let tree = Tree::new();
    let settings = |history: u32| {
        tree.file(
            "wsd.toml",
            format!("[[route]]\npath = \"/chat\"\ncommand = [\"cat\"]\nshared = true\nhistory = {history}\n"),
        );
    };
    settings(1);
    let Some(cluster) = by_settings(&tree) else { return };
    let join = || -> Vec<Client> { cluster.nodes.iter().map(|node| node.connect("/chat")).collect() };
    let mut clients = join();
    talk(&mut clients, "before");
    settings(2);
    for node in &cluster.nodes {
        node.signal(Signal::HUP);
        node.expect_log("settings loaded");
    }
    cluster.redis.ask(&["CONFIG", "RESETSTAT"]);

    clients.append(&mut join());
    talk(&mut clients, "after");

    // Neither takes the channel from the other, which would then take it back, and so on.
    pace(Duration::from_secs(1));
    let commands = cluster.redis.ask(&["INFO", "commandstats"]);
    let reads = commands.lines().find_map(|line| line.strip_prefix("cmdstat_xrange:calls=")).unwrap();
    let reads: u32 = reads.split(',').next().unwrap().parse().unwrap();
    assert!(reads < 100, "{reads} reads");
}

#[test]
fn a_reload_leaves_no_eager_room_without_clients_behind() {
    let tree = Tree::new();
    let settings = |history: u32| {
        let route = "[[route]]\npath = \"/chat\"\ncommand = [\"cat\"]\nshared = true\neager = true\n";
        tree.file("wsd.toml", format!("{route}history = {history}\n"));
    };
    settings(1);
    let Some(cluster) = by_settings(&tree) else { return };
    let other = 1 - cluster.expect_owner(1);
    settings(2);

    for node in [other, 1 - other] {
        let node = &cluster.nodes[node];
        node.signal(Signal::HUP);
        node.expect_log("settings loaded");
        eventually("one room on the node", || {
            let facts: Value = serde_json::from_slice(&node.get("/.wsd/status", "").body).unwrap();
            (facts["rooms"].as_array().unwrap().len() == 1).then_some(())
        });
    }

    cluster.expect_owner(2);
    let join = |node: &Server| eventually("the room is there", || node.try_connect("/chat", "").ok());
    let mut clients: Vec<_> = cluster.nodes.iter().map(join).collect();
    talk(&mut clients, "after");
}

#[test]
fn a_newcomer_waits_until_a_room_that_ends_is_over() {
    let Some(cluster) = Nodes::start(1, &["--shared", "--linger=0", "--pingms=0"], &["cat"]) else { return };
    let (node, redis) = (&cluster.nodes[0], &cluster.redis);
    let mut client = node.connect("/");
    talk(std::slice::from_mut(&mut client), "before");
    let front = front(redis);
    let key = |name: &str| format!("{front}{name}");
    client.close(1000);
    eventually("the room is over", || redis.ask(&["GET", &key("own")]).starts_with("$-1").then_some(()));
    let epoch = redis.ask(&["INCRBY", &key("epoch"), "5"]);
    let epoch = epoch.trim_start_matches(':').trim();
    // Another node is about to end the room: it has said so, and has not given the lease back.
    redis.ask(&["SET", &key("own"), &format!("ghost~1.0 {epoch}"), "PX", "60000"]);
    let end = r#"{"end":{"close":[1000,""]}}"#;
    redis.ask(&["XADD", &key("out"), &format!("{epoch}-1"), "p", "0-0", "t", end, "d", ""]);

    let line = thread::scope(|scope| {
        let newcomer = scope.spawn(|| {
            let mut client = node.connect("/");
            client.text("hello");
            client.line()
        });
        pace(Duration::from_secs(1));
        // All that was said until now is for nobody.
        let last = redis.ask(&["XREVRANGE", &key("in"), "+", "-", "COUNT", "1"]);
        let last = last.lines().find(|line| line.contains('-')).map_or("0-0", str::trim).to_owned();
        redis.ask(&["SET", &key("pos"), &last]);
        redis.ask(&["DEL", &key("own")]);
        newcomer.join().unwrap()
    });

    assert_eq!(line, "hello");
}

#[test]
fn an_eager_room_comes_back_with_redis_and_its_program_has_not_ended() {
    let Some(mut cluster) = Nodes::shell(2, &["--eager", "--pingms=0"], "exec cat") else { return };
    let other = 1 - cluster.expect_owner(1);
    let mut clients: Vec<_> = cluster.nodes.iter().map(|node| node.connect("/")).collect();
    talk(&mut clients, "before");

    cluster.redis.kill();
    assert_eq!(clients[other].close_at_last().code, Some(1013));
    // Longer than the first pause before a program that has ended starts again.
    pace(Duration::from_secs(2));
    cluster.redis.start_again();
    cluster.nodes[other].expect_log("bus back");

    clients[other] = eventually("the room is back", || cluster.nodes[other].try_connect("/", "").ok());
    talk(&mut clients, "after");
    let log = cluster.nodes[other].log();
    assert!(!log.iter().any(|line| line.contains("starts again")), "{log:?}");
}

#[test]
fn the_keys_of_a_quiet_room_stay_as_long_as_the_room() {
    let Some(cluster) = Nodes::shell(2, &["--history=9", "--pingms=0"], "exec cat") else { return };
    let mut clients: Vec<_> = cluster.nodes.iter().map(|node| node.connect("/")).collect();
    talk(&mut clients, "before");
    let front = front(&cluster.redis);
    let keys = ["out", "in", "seq"].map(|name| format!("{front}{name}"));

    for key in &keys {
        cluster.redis.ask(&["EXPIRE", key, "8"]);
    }

    for key in &keys {
        eventually("the key stays", || (number(&cluster.redis, &["TTL", key]) > 60).then_some(()));
    }
}

#[test]
fn a_node_that_takes_over_knows_its_own_members() {
    let Some(puppet) = Puppet::start(2) else { return };
    let cluster = &puppet.cluster;
    let _first = cluster.nodes[0].connect("/");
    let _second = cluster.nodes[1].connect("/");
    let of_second = |event: &Value| event["event"] == "open" && event["node"] == "n1";
    // The opens come by different ways, so in any order.
    let second = puppet.events(2).into_iter().find(of_second).unwrap()["client"].clone();
    let front = front(&cluster.redis);
    let last = cluster.redis.ask(&["XREVRANGE", &format!("{front}in"), "+", "-", "COUNT", "1"]);
    let last = last.lines().find(|line| line.contains('-')).unwrap().trim().to_owned();
    eventually("the opens are with the program", || {
        cluster.redis.ask(&["GET", &format!("{front}pos")]).contains(&last).then_some(())
    });
    // As if the others had given this node up, since its heartbeat was late.
    let who = cluster.redis.ask(&["KEYS", "wsd:*:who:n1*"]);
    let who = who.lines().find(|line| line.starts_with("wsd:")).unwrap();
    cluster.redis.ask(&["DEL", who, &format!("{front}seq")]);

    cluster.nodes[0].signal(Signal::KILL);

    let open = eventually("the open of its own member", || puppet.heard().into_iter().skip(2).find(of_second));
    assert_eq!((&open["client"], &open["env"]["REMOTE_ADDR"]), (&second, &"127.0.0.1".into()));
}

#[test]
fn a_node_listens_to_all_its_rooms_again_at_once() {
    let Some(cluster) = Nodes::start(2, &["--shared=path", "--pingms=0"], &["cat"]) else { return };
    let join = |path: &String| -> Vec<Client> { cluster.nodes.iter().map(|node| node.connect(path)).collect() };
    let mut rooms: Vec<_> = (0..30).map(|room| join(&format!("/{room}"))).collect();
    for clients in &mut rooms {
        talk(clients, "before");
    }
    cluster.redis.ask(&["CONFIG", "RESETSTAT"]);

    cluster.redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    let calls = eventually("both nodes listen again", || {
        let commands = cluster.redis.ask(&["INFO", "commandstats"]);
        let calls = commands.lines().find_map(|line| line.strip_prefix("cmdstat_subscribe:calls="))?;
        let calls: u32 = calls.split(',').next()?.parse().ok()?;
        let channels = cluster.redis.ask(&["PUBSUB", "CHANNELS", "wsd:*"]);
        (calls >= 2 && channels.lines().filter(|line| line.starts_with("wsd:")).count() == 60).then_some(calls)
    });

    assert!(calls <= 4, "{calls} commands");
    for clients in &mut rooms {
        talk(clients, "after");
    }
}

#[test]
fn members_are_told_to_try_later_when_redis_refuses_their_room() {
    let Some(cluster) = Nodes::shell(2, &["--pingms=0"], "exec cat") else { return };
    let mut clients: Vec<_> = cluster.nodes.iter().map(|node| node.connect("/")).collect();
    talk(&mut clients, "before");
    let key = format!("{}out", front(&cluster.redis));

    cluster.redis.ask(&["SET", &key, "theirs"]);

    assert_eq!(clients[1].close_at_last().code, Some(1013));
    cluster.nodes[1].expect_log("set another --bus-prefix");
    assert!(cluster.redis.ask(&["GET", &key]).contains("theirs"));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_waits_for_redis_counts_against_the_memory_of_all() {
    const ROOMS: usize = 8;
    let script = "while read -r line && [ \"$line\" != go ]; do echo $line; done
        head -c 12000000 /dev/zero | tr '\\0' x | fold -w 1000; echo; echo end; exec cat";
    let flags = ["--shared=path", "--pingms=0", "--maxbuffer=16M"];
    let Some(mut cluster) = Nodes::start(1, &flags, &["sh", "-c", script]) else { return };
    let mut clients: Vec<_> = (0..ROOMS).map(|room| cluster.nodes[0].connect(&format!("/{room}"))).collect();
    for client in &mut clients {
        talk(std::slice::from_mut(client), "before");
        talk(std::slice::from_mut(client), "settled");
    }

    cluster.redis.kill();
    cluster.nodes[0].expect_log("bus lost");
    for client in &mut clients {
        client.text("go");
        while client.line() != "end" {}
    }

    // Each room may have 8 MiB for other nodes, all of them 16.
    let peak = crate::harness::process::linux::peak_memory(cluster.nodes[0].pid());
    assert!(peak < 80_000, "{peak} KiB");
}
