//! Rooms on several nodes when a node or Redis fails: no acknowledged message is lost or doubled, and never two workers.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::nodes::Nodes;
use crate::harness::process::gone_within;
use crate::harness::puppet::Puppet;
use crate::harness::scrape::{METRICS, Watch};
use crate::harness::websocket::{Client, Close};
use crate::harness::{assert_in_time, eventually, pace};

/// The time until another node takes over the room of a node that has died.
const TAKEOVER: Duration = Duration::from_secs(11);

/// The time that Redis may be away until the clients of other nodes are closed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says so many numbered messages, one after the other was heard, while other lines may come in between. Returns all lines.
fn say_and_hear(client: &mut Client, name: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    for number in numbers {
        let own = format!("{name} {number}");
        client.text(&own);
        while lines.last() != Some(&own) {
            lines.push(client.line());
        }
    }
    lines
}

/// The lines up to `last`.
fn lines_to(client: &mut Client, last: &str) -> Vec<String> {
    let mut lines = vec![client.line()];
    while lines.last().unwrap() != last {
        lines.push(client.line());
    }
    lines
}

/// Waits until the owner has all that went by Redis, so that a fault meets a settled room. Returns the number of the owner.
pub(crate) fn settle(cluster: &Nodes, clients: &mut [Client]) -> usize {
    let owner = cluster.expect_owner(1);
    for speaker in 0..clients.len() {
        clients[speaker].text("settled?");
        for client in &mut *clients {
            assert_eq!(client.line(), "settled?");
        }
    }
    owner
}

/// A room of three nodes with `cat` as its worker, and a client on each.
fn echo() -> Option<(Nodes, Vec<Client>, usize)> {
    // No ping stands between the lines.
    let cluster = Nodes::shell(3, &["--pingms=0"], "exec cat")?;
    let mut clients: Vec<_> = cluster.nodes.iter().map(|node| node.connect("/")).collect();
    let owner = settle(&cluster, &mut clients);
    Some((cluster, clients, owner))
}

/// Has the clients talk while `fault` happens, and checks that each heard the same, with nothing lost or doubled.
pub(crate) fn talk_through(clients: &mut [Client], count: usize, fault: impl FnOnce()) {
    let clients_count = clients.len();
    let heard: Vec<_> = thread::scope(|scope| {
        let talk = |(index, client): (usize, &'_ mut Client)| -> Vec<String> {
            let mut lines = say_and_hear(client, &format!("client{index}"), 0..count);
            client.text(&format!("client{index} done"));
            let is_done = |lines: &[String]| lines.iter().filter(|line| line.ends_with(" done")).count();
            while is_done(&lines) < clients_count {
                lines.push(client.line());
            }
            lines
        };
        let talks: Vec<_> = clients.iter_mut().enumerate().map(|talker| scope.spawn(move || talk(talker))).collect();
        pace(Duration::from_millis(100));
        fault();
        talks.into_iter().map(|talk| talk.join().unwrap()).collect()
    });
    for lines in &heard {
        assert_eq!(*lines, heard[0], "two clients heard another order");
    }
    for index in 0..clients_count {
        let front = format!("client{index} ");
        let of_client: Vec<_> = heard[0].iter().filter_map(|line| line.strip_prefix(&front)).collect();
        let want: Vec<_> = (0..count).map(|number| number.to_string()).chain(["done".to_owned()]).collect();
        assert_eq!(of_client, want, "client {index}");
    }
}

#[test]
fn another_node_takes_over_when_the_owner_is_killed() {
    let Some((cluster, mut clients, owner)) = echo() else { return };
    let worker = cluster.nodes[owner].expect_room(1);
    drop(clients.remove(owner));

    let killed = Instant::now();
    cluster.nodes[owner].signal(Signal::KILL);
    clients[0].text("for the next worker");

    assert_eq!(clients[0].line(), "for the next worker");
    assert_in_time(killed, TAKEOVER);
    assert_eq!(clients[1].line(), "for the next worker");
    assert!(gone_within(worker, Duration::from_secs(5)), "the old worker is left");
    talk_through(&mut clients, 50, || {});
}

#[test]
fn a_program_hears_who_is_here_when_it_starts_on_another_node() {
    let Some(puppet) = Puppet::start(2) else { return };
    let cluster = &puppet.cluster;
    let _first = cluster.nodes[0].connect("/");
    puppet.events(1);
    let _second = cluster.nodes[1].connect("/");
    let second = puppet.events(2)[1]["client"].clone();

    cluster.nodes[0].signal(Signal::KILL);

    // The new worker may hear of a client of the dead node, but then also that it is gone.
    let here = || {
        let mut here = Vec::new();
        for event in &puppet.heard()[2..] {
            if event["event"] == "open" {
                assert!(!here.contains(&event["client"]), "a client came twice");
                here.push(event["client"].clone());
            } else {
                assert!(here.contains(&event["client"]), "a client left that was not here");
                here.retain(|client| *client != event["client"]);
            }
        }
        here
    };
    eventually("the members", || (here() == [second.clone()]).then_some(()));
}

#[test]
fn the_program_hears_that_the_members_of_a_dead_node_are_gone() {
    let Some(puppet) = Puppet::start(2) else { return };
    let cluster = &puppet.cluster;
    let _first = cluster.nodes[0].connect("/");
    let _others = [cluster.nodes[1].connect("/"), cluster.nodes[1].connect("/")];
    puppet.events(3);

    cluster.nodes[1].signal(Signal::KILL);

    let closes = puppet.events(5).split_off(3);
    assert!(closes.iter().all(|close| close["event"] == "close" && close["code"] == 1006), "{closes:?}");
}

#[test]
fn an_owner_that_was_frozen_ends_its_worker_and_its_members_join_the_others() {
    let Some((cluster, mut clients, owner)) = echo() else { return };
    let worker = cluster.nodes[owner].expect_room(1);
    cluster.nodes[owner].signal(Signal::STOP);
    let other = (owner + 1) % 3;
    clients[other].text("for the next worker");
    assert_eq!(clients[other].line(), "for the next worker");
    // It waits in the connection of the frozen node.
    clients[owner].text("from the ice");

    cluster.nodes[owner].signal(Signal::CONT);

    assert!(gone_within(worker, Duration::from_secs(10)), "two workers");
    cluster.nodes[owner].expect_log("room fenced");
    for index in [other, (owner + 2) % 3] {
        assert_eq!(lines_to(&mut clients[index], "from the ice").last().unwrap(), "from the ice");
    }
    assert_eq!(lines_to(&mut clients[owner], "from the ice"), ["for the next worker", "from the ice"]);
    talk_through(&mut clients, 50, || {});
}

#[test]
fn a_program_whose_start_takes_nearly_as_long_as_a_lease_keeps_its_room() {
    // The only slot has a worker that ends 8.5 seconds after its input.
    let flags = ["--shared=path", "--pingms=0", "--maxforks=1", "--linger=60", "--closems=8500"];
    let Some(cluster) = Nodes::start(2, &flags, &["sh", "-c", "cat; exec sleep 60"]) else { return };
    let leases = || cluster.redis.ask(&["KEYS", "wsd:*:own"]).lines().filter(|line| line.starts_with("wsd:")).count();
    let mut first = cluster.nodes[0].connect("/first");
    first.close(1000);
    first.close_at_last();

    thread::scope(|scope| {
        let refused = scope.spawn(|| cluster.nodes[0].refusal("/next", "").status);
        eventually("node 0 has both leases", || (leases() == 2).then_some(()));
        let mut client = cluster.nodes[1].connect("/next");
        client.text("hello");

        assert_eq!(client.line(), "hello");
        assert_eq!(refused.join().unwrap(), 503);
    });
    let taken = |node: usize| cluster.nodes[node].log().iter().filter(|line| line.contains("room taken")).count();
    assert_eq!((taken(0), taken(1)), (2, 0));
}

#[test]
fn a_node_that_stops_hands_its_room_on_at_once() {
    let Some((mut cluster, mut clients, owner)) = echo() else { return };
    let mut left = clients.remove(owner);

    let stopped = Instant::now();
    cluster.nodes[owner].stop();

    assert_eq!(left.close_at_last(), Close::new(1001, "server is stopping"));
    clients[0].text("on");
    for client in &mut clients {
        assert_eq!(client.line(), "on");
    }
    assert_in_time(stopped, Duration::from_secs(3));
    talk_through(&mut clients, 50, || {});
}

#[test]
fn nothing_is_lost_when_redis_is_paused() {
    let Some((cluster, mut clients, _)) = echo() else { return };

    talk_through(&mut clients, 300, || {
        cluster.redis.signal(Signal::STOP);
        pace(Duration::from_secs(5));
        cluster.redis.signal(Signal::CONT);
    });

    assert_eq!(cluster.expect_owner(1), cluster.expect_owner(1));
}

#[test]
fn the_room_goes_on_when_redis_starts_again_without_its_data() {
    let Some((mut cluster, mut clients, owner)) = echo() else { return };
    let Nodes { redis, nodes } = &mut cluster;

    redis.kill();
    redis.start_again();

    talk_through(&mut clients, 100, || {});
    assert_eq!(nodes[owner].log().iter().filter(|line| line.contains("room started")).count(), 1);
}

#[test]
fn without_redis_the_owners_members_go_on_and_the_others_are_told_to_try_later() {
    let Some((mut cluster, mut clients, owner)) = echo() else { return };
    let mut others = clients.split_off(owner + 1);
    let mut own = clients.pop().unwrap();
    others.append(&mut clients);

    let away = Instant::now();
    cluster.redis.kill();

    cluster.nodes[(owner + 1) % 3].expect_log("bus lost");
    let mut newcomer = cluster.nodes[owner].connect("/");
    for client in &mut others {
        assert_eq!(client.close_at_last().code, Some(1013));
    }
    assert!(away.elapsed() >= PATIENCE, "after {:?}", away.elapsed());
    // Each node asks Redis every 3 s, and waits from then on.
    assert_in_time(away, PATIENCE + Duration::from_secs(3));
    own.text("still here");
    assert_eq!(own.line(), "still here");
    assert_eq!(newcomer.line(), "still here");
    assert_eq!(cluster.nodes[(owner + 1) % 3].refusal("/", "").status, 503);
    cluster.nodes[(owner + 1) % 3].expect_log("why=bus hint=");

    cluster.redis.start_again();
    cluster.nodes[(owner + 1) % 3].expect_log("bus back");
    let mut back = cluster.nodes[(owner + 1) % 3].connect("/");
    back.text("back");
    assert_eq!(back.line(), "back");
    assert_eq!(own.line(), "back");
}

#[test]
fn a_full_redis_is_told_and_nothing_is_lost() {
    let Some((cluster, mut clients, owner)) = echo() else { return };

    talk_through(&mut clients, 200, || {
        cluster.redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        cluster.nodes[owner].expect_log("raise maxmemory");
        // Some more tries are refused.
        pace(Duration::from_secs(1));
        cluster.redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    });

    for node in &cluster.nodes {
        let told = node.log().iter().filter(|line| line.contains("bus refuses")).count();
        assert!(told <= 1, "{told} lines about one cause");
    }
}

#[test]
fn nobody_joins_while_too_much_waits_for_redis() {
    let flags = ["--pingms=0", "--maxframesize=0", METRICS];
    let Some(cluster) = Nodes::shell(2, &flags, "exec cat > /dev/null") else { return };
    let _of_owner = cluster.nodes[0].connect("/");
    let mut other = cluster.nodes[1].connect("/");
    cluster.redis.signal(Signal::STOP);

    other.text(&"x".repeat(9 << 20));

    let waiting = || Watch::of(&cluster.nodes[1]).scrape().sum("wsd_bus_waiting_bytes", "");
    eventually("the message waits", || (waiting() > 8 << 20).then_some(()));
    assert_eq!(cluster.nodes[1].refusal("/", "").status, 503);
    cluster.redis.signal(Signal::CONT);
    eventually("all is in Redis", || (waiting() == 0).then_some(()));
    cluster.nodes[1].connect("/");
}

#[test]
fn nothing_is_lost_when_all_connections_to_redis_are_cut() {
    let Some((cluster, mut clients, _)) = echo() else { return };

    talk_through(&mut clients, 300, || {
        for _ in 0..5 {
            for kind in ["normal", "pubsub"] {
                cluster.redis.ask(&["CLIENT", "KILL", "TYPE", kind]);
            }
            pace(Duration::from_millis(50));
        }
    });
}

#[test]
fn a_node_that_missed_trimmed_records_says_so_and_goes_on() {
    let Some((cluster, mut clients, owner)) = echo() else { return };
    let late = (owner + 1) % 3;
    cluster.nodes[late].signal(Signal::STOP);
    for number in 0..200 {
        let line = format!("{number} {}", "x".repeat(30_000));
        clients[owner].text(&line);
        assert_eq!(clients[owner].line(), line);
    }
    let keys = cluster.redis.ask(&["KEYS", "*:out"]);
    let key = keys.lines().find(|line| line.starts_with("wsd:")).unwrap();
    cluster.redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    cluster.redis.ask(&["XTRIM", key, "MAXLEN", "1"]);
    cluster.nodes[late].signal(Signal::CONT);

    cluster.nodes[late].expect_log("room gap");
    clients[owner].text("the end");
    lines_to(&mut clients[late], "the end");
}

#[test]
fn keys_of_another_program_are_told_and_left_alone() {
    let Some(mut cluster) = Nodes::shell(1, &["--linger=0"], "exec cat") else { return };
    let node = &cluster.nodes[0];
    let mut client = node.connect("/");
    client.text("hello");
    assert_eq!(client.line(), "hello");
    let key_of = |name: &str| {
        let keys = cluster.redis.ask(&["KEYS", &format!("wsd:*:{name}")]);
        keys.lines().find(|line| line.starts_with("wsd:")).map(str::to_owned)
    };
    let key = eventually("the output is in Redis", || key_of("out"));
    client.close(1000);
    eventually("the room is over", || key_of("own").is_none().then_some(()));

    cluster.redis.ask(&["SET", &key, "theirs"]);

    assert_eq!(node.refusal("/", "").status, 503);
    node.expect_log("set another --bus-prefix");
    assert!(cluster.redis.ask(&["GET", &key]).contains("theirs"));

    cluster.add(&["--shared", "--bus-prefix=ours"], &["cat"]);
    let mut client = cluster.nodes[1].connect("/");
    client.text("beside them");
    assert_eq!(client.line(), "beside them");
    assert!(cluster.redis.ask(&["KEYS", "*"]).lines().any(|line| line.starts_with("ours:")));
}

#[test]
fn members_hear_the_next_worker_also_when_redis_has_lost_its_data_meanwhile() {
    let Some((cluster, mut clients, owner)) = echo() else { return };
    let other = (owner + 1) % 3;
    cluster.nodes[owner].signal(Signal::STOP);
    cluster.redis.ask(&["FLUSHALL"]);
    clients[other].text("for the next worker");
    assert_eq!(clients[other].line(), "for the next worker");

    cluster.nodes[owner].signal(Signal::CONT);

    cluster.nodes[owner].expect_log("room fenced");
    clients[other].text("for all");
    assert_eq!(lines_to(&mut clients[owner], "for all").last().unwrap(), "for all");
}
