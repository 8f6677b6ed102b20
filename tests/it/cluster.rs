//! Rooms whose members are on several nodes (`--bus`): one worker, one order, and all that a room promises on one machine.

use std::collections::BTreeSet;
use std::thread;

use serde_json::json;

use crate::harness::eventually;
use crate::harness::nodes::Nodes;
use crate::harness::puppet::Puppet;
use crate::harness::returning::Returning;
use crate::harness::websocket::{Client, Close, Frame, TEXT, upgrade_request};

/// A client on each node.
fn one_each(cluster: &Nodes) -> Vec<Client> {
    cluster.nodes.iter().map(|node| node.connect("/")).collect()
}

#[test]
fn members_on_three_nodes_hear_every_line_once_and_in_order() {
    let Some(cluster) = Nodes::shell(3, &[], "read -r _; seq 3000; exec cat") else { return };
    let mut clients = one_each(&cluster);

    clients[2].text("go");

    for client in &mut clients {
        for number in 1..=3000 {
            assert_eq!(client.line(), number.to_string());
        }
    }
    clients[1].text("nothing in between");
    for client in &mut clients {
        assert_eq!(client.line(), "nothing in between");
    }
}

#[test]
fn one_worker_hears_all_nodes_and_all_hear_the_same() {
    const MESSAGES: usize = 300;
    let Some(cluster) = Nodes::shell(3, &[], "exec cat") else { return };
    let clients = [one_each(&cluster), one_each(&cluster)].into_iter().flatten();

    let heard: Vec<Vec<String>> = thread::scope(|scope| {
        let talk = |(index, mut client): (usize, Client)| {
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    client.text(&format!("{index} {number}"));
                }
                (0..6 * MESSAGES).map(|_| client.line()).collect()
            })
        };
        let talks: Vec<_> = clients.enumerate().map(talk).collect();
        talks.into_iter().map(|talk| talk.join().unwrap()).collect()
    });

    for other in &heard[1..] {
        assert!(*other == heard[0], "two clients heard another order");
    }
    for index in 0..6 {
        let front = format!("{index} ");
        let of_client = heard[0].iter().filter_map(|line| line.strip_prefix(&front)?.parse::<usize>().ok());
        assert!(of_client.eq(0..MESSAGES), "client {index}");
    }
    assert_eq!(
        cluster.nodes.iter().filter(|node| node.log().iter().any(|line| line.contains("room started"))).count(),
        1
    );
}

#[test]
fn a_newcomer_on_another_node_gets_the_history_and_then_the_rest_without_a_seam() {
    let script = "read -r _; n=0; while :; do n=$((n+1)); echo $n; [ $n = 2000 ] && exec cat; done";
    let Some(cluster) = Nodes::shell(2, &["--history=50"], script) else { return };
    let mut first = cluster.nodes[0].connect("/");
    first.text("go");
    first.line();

    let mut late: Vec<_> = (0..5).map(|_| cluster.nodes[1].connect("/")).collect();

    for client in &mut late {
        let begin: usize = client.line().parse().unwrap();
        for number in begin + 1..=2000 {
            assert_eq!(client.line(), number.to_string());
        }
    }
    let mut last = cluster.nodes[1].connect("/");
    for number in 1951..=2000 {
        assert_eq!(last.line(), number.to_string());
    }
}

#[test]
fn the_end_of_the_worker_closes_all_members_with_its_code() {
    let Some(cluster) = Nodes::shell(3, &["--history=9"], "read -r line; echo $line $$; exit 3") else { return };
    let mut clients = one_each(&cluster);

    clients[1].text("bye");

    let mut lines = BTreeSet::new();
    for client in &mut clients {
        lines.insert(client.line());
        assert_eq!(client.expect_close(), Close::new(4003, "exit 3"));
    }
    assert_eq!(lines.len(), 1);
    // A new room, without the history of the old one.
    let mut clients = one_each(&cluster);
    clients[2].text("again");
    for client in &mut clients {
        let line = client.line();
        assert!(line.starts_with("again ") && !lines.contains(&line), "{line}");
    }
}

#[test]
fn the_worker_stays_while_any_node_has_a_client() {
    let Some(cluster) = Nodes::shell(2, &["--linger=0"], "while read -r line; do echo $line $$; done") else { return };
    let mut first = cluster.nodes[0].connect("/");
    first.text("who");
    let worker = first.line();
    let mut second = cluster.nodes[1].connect("/");
    second.text("me");
    let own = worker.replace("who", "me");
    // The answer to the first client may come before.
    while second.line() != own {}

    first.close(1000);
    first.close_at_last();
    second.text("me");

    assert_eq!(second.line(), own);
    second.close(1000);
    second.close_at_last();
    cluster.nodes[0].expect_log("room ended");
}

#[test]
fn a_client_that_comes_while_the_last_leaves_is_heard() {
    let Some(cluster) = Nodes::start(2, &["--shared=path", "--linger=0"], &["cat"]) else { return };
    for round in 0..20 {
        let path = format!("/{round}");
        let mut first = cluster.nodes[0].connect(&path);
        let mut second = cluster.nodes[1].connect(&path);

        first.close(1000);
        second.text("still here");

        assert_eq!(second.line(), "still here", "round {round}");
        first.close_at_last();
    }
}

#[test]
fn a_path_has_a_room_of_its_own_in_the_whole_cluster() {
    let Some(cluster) = Nodes::start(2, &["--shared=path"], &["cat"]) else { return };
    let mut clients: Vec<_> =
        cluster.nodes.iter().flat_map(|node| ["/a", "/b"].map(|path| node.connect(path))).collect();

    clients[0].text("to a");
    clients[3].text("to b");

    for (client, line) in clients.iter_mut().zip(["to a", "to b", "to a", "to b"]) {
        assert_eq!(client.line(), line);
    }
}

#[test]
fn an_eager_program_runs_once_in_the_cluster_and_moves_when_its_node_stops() {
    let script = "echo $$; exec cat";
    let Some(mut cluster) = Nodes::shell(2, &["--eager", "--history=1"], script) else { return };
    let owner = cluster.expect_owner(1);
    let mut client = cluster.nodes[1 - owner].connect("/");
    let first = client.line();

    cluster.nodes[owner].stop();

    assert_eq!(cluster.expect_owner(2), 1 - owner);
    let second = client.line();
    assert_ne!(first, second);
    client.text("still here");
    assert_eq!(client.line(), "still here");
}

#[test]
fn a_session_resumes_on_the_node_that_holds_it_and_another_knows_nothing_of_it() {
    let Some(cluster) = Nodes::shell(2, &["--resume=60"], "exec cat") else { return };
    let mut client = Returning::open(cluster.nodes[0].address);
    let mut other = cluster.nodes[1].connect("/");
    client.drop_connection();
    cluster.nodes[0].expect_log("session detached");
    other.text("meanwhile");
    assert_eq!(other.line(), "meanwhile");

    let mut stranger = Returning::new(cluster.nodes[1].address, "/", "wsd.resume.1", "");
    stranger.token.clone_from(&client.token);
    stranger.connect().unwrap();

    assert_eq!(stranger.greetings[0]["lost"], "unknown");
    client.connect().unwrap();
    assert_eq!(client.line(), "meanwhile");
}

#[test]
fn the_program_knows_the_members_of_all_nodes_and_addresses_each() {
    let Some(puppet) = Puppet::start(3) else { return };
    let mut clients = Vec::new();
    let mut names = Vec::new();
    for (index, node) in puppet.cluster.nodes.iter().enumerate() {
        clients.push(node.connect("/"));
        let open = puppet.events(index + 1).remove(index);
        assert_eq!((&open["event"], &open["node"]), (&json!("open"), &json!(format!("n{index}"))));
        assert_eq!(open["env"]["REMOTE_ADDR"], "127.0.0.1");
        names.push(open["client"].as_str().unwrap().to_owned());
    }
    for (index, client) in clients.iter_mut().enumerate() {
        client.text("hello");
        let message = puppet.events(4 + index).remove(3 + index);
        assert_eq!(message, json!({"event": "message", "client": names[index], "text": "hello"}));
    }

    puppet.say(&json!({"text": "for two", "to": names[2]}));
    puppet.say(&json!({"text": "not for one", "except": names[1]}));
    puppet.say(&json!({"text": "for all"}));
    for (client, lines) in
        clients.iter_mut().zip([&["not for one", "for all"][..], &["for all"], &["for two", "not for one", "for all"]])
    {
        for line in lines {
            assert_eq!(client.line(), *line);
        }
    }
    for index in [2, 0, 1] {
        puppet.say(&json!({"close": names[index], "code": 4000 + index, "reason": "out"}));
        assert_eq!(clients[index].expect_close(), Close::new(4000 + u16::try_from(index).unwrap(), "out"));
    }
    let closes = puppet.events(9).split_off(6);
    let of: BTreeSet<_> = closes.iter().map(|close| close["client"].as_str().unwrap()).collect();
    assert_eq!(of, names.iter().map(String::as_str).collect());
    assert!(closes.iter().all(|close| close["event"] == "close"), "{closes:?}");
}

#[test]
fn a_message_that_does_not_fit_the_budget_of_the_programs_node_closes_only_its_client() {
    let script = r#"while read -r line; do case $line in *hello*) echo '{"text":"heard"}' ;; esac; done"#;
    let flags = ["--framing=json", "--maxframesize=0", "--pingms=0", "--maxbuffer=16777216"];
    let Some(cluster) = Nodes::shell(2, &flags, script) else { return };
    let mut honest = cluster.nodes[0].connect("/");
    let mut hostile = cluster.nodes[1].connect("/");
    let mut late = cluster.nodes[1].connect("/");

    // Each byte becomes six.
    hostile.send(&Frame::new(TEXT, vec![1; 6 << 20]));

    assert_eq!(hostile.close_at_last(), Close::new(1013, "server is out of buffers"));
    late.text("hello");
    assert_eq!((honest.line(), late.line()), ("heard".to_owned(), "heard".to_owned()));
}

#[test]
fn redis_gets_the_variables_of_clients_only_for_a_program_that_reads_them() {
    for (framing, is_told) in [("lines", false), ("json", true)] {
        let flag = format!("--framing={framing}");
        let Some(cluster) = Nodes::shell(2, &[&flag], "cat > /dev/null") else { return };
        let _owner = cluster.nodes[0].connect("/");
        let address = cluster.nodes[1].address;
        let request = upgrade_request(&address.to_string(), "/", "Cookie: id=a-secret\r\n");
        let _client = Client::open(address, &request).unwrap();
        let key = |name: &str| {
            let keys = cluster.redis.ask(&["KEYS", &format!("wsd:*:{name}")]);
            keys.lines().find(|line| line.starts_with("wsd:")).map(str::to_owned)
        };
        let opened = eventually("Redis knows the client", || {
            let records = cluster.redis.ask(&["XRANGE", &key("in")?, "-", "+"]);
            Some(records).filter(|records| records.matches("open").count() >= 2)
        });
        assert_eq!(opened.contains("a-secret"), is_told, "{framing}: {opened}");
    }
}

#[test]
fn redis_does_not_keep_the_messages_that_the_program_has_taken() {
    let Some(cluster) = Nodes::shell(2, &[], "cat > /dev/null") else { return };
    let _of_owner = cluster.nodes[0].connect("/");
    let mut other = cluster.nodes[1].connect("/");
    // The records that are there, and those that ever were.
    let records = || {
        let keys = cluster.redis.ask(&["KEYS", "wsd:*:in"]);
        let facts = cluster.redis.ask(&["XINFO", "STREAM", keys.lines().find(|line| line.starts_with("wsd:"))?]);
        let number =
            |name| facts.lines().skip_while(|line| *line != name).nth(1)?.strip_prefix(':')?.parse::<u64>().ok();
        Some((number("length")?, number("entries-added")?))
    };

    eventually("taken messages are dropped", || {
        for number in 0..50 {
            other.text(&format!("message {number}"));
        }
        // Redis drops them by the hundred.
        records().filter(|(here, ever)| *ever > 600 && *here < 300)
    });
}

#[test]
fn every_key_in_redis_expires() {
    let Some(cluster) =
        Nodes::shell(2, &["--framing=json"], "cat > /dev/null & while :; do echo '{\"text\":\"x\"}'; sleep 1; done")
    else {
        return;
    };
    let mut clients = one_each(&cluster);
    for client in &mut clients {
        client.text("hello");
    }
    for client in &mut clients {
        drop(client.line());
    }

    eventually("the position is noted", || cluster.redis.ask(&["KEYS", "*:pos"]).contains("pos").then_some(()));

    let keys = cluster.redis.ask(&["KEYS", "*"]);
    let keys: Vec<_> = keys.lines().filter(|line| line.starts_with("wsd:")).collect();
    assert!(keys.len() >= 7, "{keys:?}");
    for key in keys {
        let time = cluster.redis.ask(&["TTL", key]);
        assert!(!time.contains(":-1"), "{key} does not expire");
    }
}
