//! `--bus` on the kinds of servers that people run: with TLS, at a Unix socket, with a user, behind sentinels, and as a cluster.

use std::slice;

use rustix::process::Signal;

use crate::harness::certificates::Authority;
use crate::harness::eventually;
use crate::harness::nodes::Nodes;
use crate::harness::redis::{Redis, free_port};
use crate::harness::server::{run, run_to_end, wsd};
use crate::harness::skip::skip;
use crate::harness::tree::Tree;
use crate::harness::websocket::Client;

/// Starts a Redis with these arguments, or skips the test.
fn redis(arguments: &[&str]) -> Option<Redis> {
    let redis = Redis::start(arguments);
    if redis.is_none() {
        skip("redis-server");
    }
    redis
}

/// A client on each node.
pub(crate) fn one_each(cluster: &Nodes, path: &str) -> Vec<Client> {
    cluster.nodes.iter().map(|node| node.connect(path)).collect()
}

/// Has each client say a line, and checks that all hear it.
#[track_caller]
pub(crate) fn assert_shared(clients: &mut [Client], word: &str) {
    for speaker in 0..clients.len() {
        let line = format!("{word} {speaker}");
        clients[speaker].text(&line);
        for client in &mut *clients {
            assert_eq!(client.line(), line);
        }
    }
}

#[test]
fn a_room_is_shared_over_tls_and_a_certificate_of_nobody_is_refused() {
    let (tree, authority) = (Tree::new(), Authority::new());
    let identity = authority.identity("localhost");
    tree.file("ca.pem", authority.pem()).file("cert.pem", &identity.certificate).file("key.pem", &identity.key);
    let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|file| tree.path(file));
    let port = free_port().to_string();
    let tls = ["--tls-port", &port, "--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let Some(redis) = redis(&[&tls[..], &["--tls-auth-clients", "no"]].concat()) else { return };
    let url = format!("rediss://localhost:{port}");

    let refused = run(&["--port=0", "--shared", &format!("--bus={url}"), "cat"]);
    assert_eq!(refused.status, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("SSL_CERT_FILE"), "{}", refused.stderr);

    let cluster = Nodes::on(redis, &url, &[("SSL_CERT_FILE", &ca)], 2, &["--shared"]);
    assert_shared(&mut one_each(&cluster, "/"), "over TLS");
}

#[test]
fn a_redis_that_asks_for_a_certificate_gets_that_of_bus_cert() {
    let (tree, authority) = (Tree::new(), Authority::new());
    for (name, identity) in [("redis", authority.identity("localhost")), ("wsd", authority.identity("wsd"))] {
        tree.file(&format!("{name}.pem"), &identity.certificate).file(&format!("{name}.key"), &identity.key);
    }
    tree.file("ca.pem", authority.pem()).file("stranger.pem", Authority::new().identity("wsd").certificate);
    let [ca, cert, key] = ["ca.pem", "redis.pem", "redis.key"].map(|file| tree.path(file));
    let port = free_port().to_string();
    let tls = ["--tls-port", &port, "--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let Some(redis) = redis(&[&tls[..], &["--tls-auth-clients", "yes"]].concat()) else { return };
    let url = format!("rediss://localhost:{port}");
    let trusting = [("SSL_CERT_FILE", &*ca)];
    let own = [format!("--bus-cert={}", tree.path("wsd.pem")), format!("--bus-key={}", tree.path("wsd.key"))];
    let refusal = |flags: &[&str]| {
        let mut command = wsd(&[&["--port=0", "--shared"], flags, &["cat"]].concat());
        command.envs(trusting);
        run_to_end(command).stderr
    };

    let bus = format!("--bus={url}");
    // On a busy machine, Redis may answer too late.
    let hint = "hint: Redis wants a certificate of wsd: add --bus-cert and --bus-key";
    eventually("Redis refuses wsd", || refusal(&[&bus]).contains(hint).then_some(()));
    let alone = refusal(&[&bus, &own[0]]);
    assert_eq!(alone, "wsd: cannot use --bus-cert without --bus-key\nhint: add --bus-key\n");
    let plain = refusal(&["--bus=redis://localhost", &own[0], &own[1]]);
    assert!(plain.contains("hint: write the URLs of --bus as rediss://HOST"), "{plain}");
    let swapped = refusal(&[&bus, &own[0], &format!("--bus-key={}", tree.path("wsd.pem"))]);
    assert!(swapped.contains("cannot read a private key") && swapped.contains("of --bus-key"), "{swapped}");
    let other = refusal(&[&bus, &format!("--bus-cert={}", tree.path("stranger.pem")), &own[1]]);
    assert!(other.contains("wsd: cannot"), "{other}");

    let flags = ["--shared", &own[0], &own[1]];
    let cluster = Nodes::on(redis, &url, &trusting, 2, &flags);
    assert_shared(&mut one_each(&cluster, "/"), "with a certificate");
}

#[test]
fn a_room_is_shared_over_valkey_and_moves_with_its_history() {
    let Some(valkey) = Redis::start_as("valkey-server", &[], &[]) else { return skip("valkey-server") };
    let url = valkey.url();
    let mut cluster = Nodes::on(valkey, &url, &[], 2, &["--shared", "--history=1"]);
    let mut clients = one_each(&cluster, "/");
    assert_shared(&mut clients, "over Valkey");
    let owner = cluster.expect_owner(1);

    cluster.nodes[owner].stop();

    let mut newcomer = cluster.nodes[1 - owner].connect("/");
    assert_eq!(newcomer.line(), "over Valkey 1");
    newcomer.text("on");
    assert_eq!((newcomer.line(), clients[1 - owner].line()), ("on".to_owned(), "on".to_owned()));
    assert_eq!(cluster.expect_owner(2), 1 - owner);
}

#[test]
fn a_lease_waits_for_a_replica_if_there_is_one() {
    let Some(primary) = redis(&[]) else { return };
    let arguments = ["--replicaof", "127.0.0.1", &primary.port().to_string(), "--repl-diskless-sync-delay", "0"];
    let Some(replica) = redis(&arguments) else { return };
    primary.expect_replicas(1);
    let Some(alone) = redis(&[]) else { return };
    let waits = |redis: &Redis| redis.ask(&["INFO", "commandstats"]).contains("cmdstat_wait:");

    for (redis, has_replica) in [(primary, true), (alone, false)] {
        let url = redis.url();
        let cluster = Nodes::on(redis, &url, &[], 2, &["--shared=path"]);
        cluster.redis.ask(&["CONFIG", "RESETSTAT"]);
        assert_shared(&mut one_each(&cluster, "/"), "with replicas");
        assert_eq!(waits(&cluster.redis), has_replica);

        if has_replica {
            // A replica that stands still does not hold up a room.
            replica.signal(Signal::STOP);
            assert_shared(&mut one_each(&cluster, "/next"), "on its own");
            replica.signal(Signal::CONT);
        }
    }
}

#[test]
fn a_room_is_shared_at_a_unix_socket() {
    let tree = Tree::new();
    let socket = tree.path("redis.sock");
    let Some(redis) = redis(&["--unixsocket", &socket]) else { return };

    let cluster = Nodes::on(redis, &format!("unix:{socket}"), &[], 2, &["--shared"]);

    assert_shared(&mut one_each(&cluster, "/"), "at a socket");
}

/// The rights of the user in `docs/cluster.md`.
fn documented_rights() -> Vec<String> {
    let page = crate::harness::pages::text("docs/cluster.md");
    let line = page.lines().find_map(|line| line.strip_prefix("user wsd on >PASSWORD ")).unwrap();
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_user_with_the_documented_rights_is_enough_and_one_without_keys_or_channels_is_told() {
    let rights = documented_rights();
    let user = |rights: &[String]| {
        let mut arguments = vec!["--user", "wsd", "on", ">p-w"];
        arguments.extend(rights.iter().map(String::as_str));
        redis(&arguments)
    };
    let Some(server) = user(&rights) else { return };
    let url = server.url().replace("//", "//wsd:p-w@");
    let cluster = Nodes::on(server, &url, &[], 2, &["--shared", "--history=3"]);
    assert_shared(&mut one_each(&cluster, "/"), "as a user");

    for kind in ['~', '&'] {
        let less: Vec<_> = rights.iter().filter(|right| !right.starts_with(kind)).cloned().collect();
        let Some(server) = user(&less) else { return };
        let url = server.url().replace("//", "//wsd:p-w@");
        let refused = run(&["--port=0", "--shared", &format!("--bus={url}"), "cat"]);
        assert_eq!(refused.status, Some(3), "{kind} {}", refused.stderr);
        assert!(refused.stderr.contains("hint: allow the user of --bus"), "{kind} {}", refused.stderr);
        assert!(!refused.stderr.contains("p-w"), "{}", refused.stderr);
    }
}

#[test]
fn a_room_goes_on_with_its_program_when_the_sentinels_name_another_primary() {
    let Some(mut primary) = redis(&[]) else { return };
    let Some(replica) = redis(&["--replicaof", "127.0.0.1", &primary.port().to_string()]) else { return };
    primary.expect_replicas(1);
    let tree = Tree::new();
    let Some(sentinel) = Redis::sentinel(primary.port(), &tree.path("sentinel.conf")) else { return };
    let known = || sentinel.ask(&["SENTINEL", "REPLICAS", "mymaster"]).contains(&replica.port().to_string());
    eventually("the sentinel knows the replica", || known().then_some(()));
    let url = format!("sentinel://127.0.0.1:{}/mymaster", sentinel.port());
    let cluster = Nodes::on(replica, &url, &[], 2, &["--shared"]);
    let mut clients = one_each(&cluster, "/");
    assert_shared(&mut clients, "before");

    primary.kill();

    assert_shared(&mut clients, "behind");
    let started =
        |node: &crate::harness::server::Server| node.log().iter().filter(|line| line.contains("room started")).count();
    assert_eq!(cluster.nodes.iter().map(started).sum::<usize>(), 1, "one program, before and behind");
}

#[test]
fn the_primary_may_have_a_password_and_its_sentinels_none() {
    let Some(primary) = redis(&["--requirepass", "p-w"]) else { return };
    let tree = Tree::new();
    let Some(sentinel) = Redis::sentinel(primary.port(), &tree.path("sentinel.conf")) else { return };
    sentinel.ask(&["SENTINEL", "SET", "mymaster", "auth-pass", "p-w"]);
    let facts = || sentinel.ask(&["SENTINEL", "MASTER", "mymaster"]);
    let is_reached = || !["s_down", "o_down", "disconnected"].into_iter().any(|flag| facts().contains(flag));
    eventually("the sentinel reaches the primary", || is_reached().then_some(()));
    let url = |password: &str| format!("sentinel://:{password}@127.0.0.1:{}/mymaster", sentinel.port());

    let refused = run(&["--port=0", "--shared", &format!("--bus={}", url("wrong")), "cat"]);
    assert!(refused.stderr.contains("hint: check the password in --bus"), "{}", refused.stderr);

    let cluster = Nodes::on(primary, &url("p-w"), &[], 2, &["--shared"]);
    assert_shared(&mut one_each(&cluster, "/"), "with a password");
}

#[test]
fn rooms_are_shared_over_the_nodes_of_a_redis_cluster() {
    let Some(mut all) = Redis::cluster(3, 0) else { return skip("redis-server and redis-cli") };
    let urls: Vec<_> = all.iter().map(Redis::url).collect();
    let first = all.remove(0);

    let cluster = Nodes::on(first, &urls.join(","), &[], 2, &["--shared=path", "--history=2"]);

    // The keys of nine rooms are hardly in one node.
    for number in 0..9 {
        assert_shared(&mut one_each(&cluster, &format!("/{number}")), "in a cluster");
    }
    let keys =
        |redis: &Redis| redis.ask(&["KEYS", "wsd:*:out"]).lines().filter(|line| line.starts_with("wsd:")).count();
    let counts: Vec<_> = slice::from_ref(&cluster.redis).iter().chain(&all).map(keys).collect();
    assert!(counts.iter().sum::<usize>() == 9 && counts.iter().all(|&count| count < 9), "{counts:?}");

    let listeners = |redis: &Redis| redis.ask(&["CLIENT", "LIST", "TYPE", "pubsub"]).matches("addr=").count();
    assert!(listeners(&cluster.redis) > 0, "the first node has the news");
    cluster.redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    eventually("the news come from the next node", || (listeners(&all[0]) > 0).then_some(()));
    assert_shared(&mut one_each(&cluster, "/news"), "with news of the next node");
}
