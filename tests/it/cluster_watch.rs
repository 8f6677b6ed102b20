//! Whoever watches a node of a cluster: the status, the metrics and the health tell of the bus and of the members elsewhere.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::nodes::Nodes;
use crate::harness::pages;
use crate::harness::scrape::{METRICS, Watch};
use crate::harness::server::Server;

/// The only room in the status of a node.
fn room(node: &Server) -> Value {
    let facts: Value = serde_json::from_slice(&node.get("/.wsd/status", "").body).unwrap();
    let rooms = facts["rooms"].as_array().unwrap();
    assert_eq!(rooms.len(), 1, "{facts}");
    rooms[0].clone()
}

#[test]
fn the_status_shows_the_members_of_all_nodes_and_where_the_program_runs() {
    let Some(cluster) = Nodes::shell(2, &[], "exec cat") else { return };
    let mut own = cluster.nodes[0].connect("/");
    let mut other = cluster.nodes[1].connect("/");
    other.text("hello");
    assert_eq!((own.line(), other.line()), ("hello".to_owned(), "hello".to_owned()));

    let here = room(&cluster.nodes[0]);
    assert_eq!((&here["node"], &here["members"]), (&json!("n0"), &json!([1])));
    assert!(here["pid"].is_i64() && here["in"]["messages"] == 1, "{here}");
    let others = here["others"].as_array().unwrap();
    assert!(others.len() == 1 && others[0]["node"] == "n1" && others[0]["client"].is_string(), "{here}");
    let there = eventually("the node knows where the program is", || {
        Some(room(&cluster.nodes[1])).filter(|room| room["node"] == "n0")
    });
    assert_eq!((&there["pid"], &there["members"], &there["others"]), (&Value::Null, &json!([1]), &json!([])));

    drop(other);
    eventually("the other is gone", || (room(&cluster.nodes[0])["others"] == json!([])).then_some(()));
}

#[test]
fn a_room_whose_program_is_on_another_node_is_not_down() {
    let Some(cluster) = Nodes::shell(2, &["--eager"], "exec cat") else { return };
    cluster.expect_owner(1);

    for node in &cluster.nodes {
        let facts: Value = serde_json::from_slice(&node.get("/.wsd/status", "").body).unwrap();
        assert_eq!(facts["routes"][0]["state"], "ready", "{facts}");
        assert_eq!(node.get("/.wsd/ready", "").status, 200);
    }
}

#[test]
fn the_metrics_and_the_health_tell_of_the_bus() {
    let Some(mut cluster) = Nodes::shell(2, &[METRICS], "exec cat") else { return };
    let mut clients: Vec<_> = cluster.nodes.iter().map(|node| node.connect("/")).collect();
    clients[1].text("hello");
    for client in &mut clients {
        assert_eq!(client.line(), "hello");
    }
    let [first, second] = [0, 1].map(|node| Watch::of(&cluster.nodes[node]));

    let scrape = first.scrape();
    assert_eq!(scrape.value("wsd_bus_up"), 1);
    assert_eq!(scrape.value("wsd_bus_rooms{program=\"here\"}"), 1);
    assert_eq!(scrape.value("wsd_bus_other_clients"), 1);
    assert_eq!(second.scrape().value("wsd_bus_rooms{program=\"elsewhere\"}"), 1);
    assert!(scrape.decimal("wsd_bus_round_trip_seconds") > 0.0, "{}", scrape.text);
    let names: BTreeSet<_> = scrape.names().filter(|name| name.starts_with("wsd_bus_")).collect();
    let page = pages::text("docs/metrics.md");
    let rows = pages::table(&page, "| metric with `--bus` | type | what it counts |");
    let documented: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`').split('{').next().unwrap()).collect();
    assert_eq!(documented.into_iter().collect::<BTreeSet<_>>(), names);
    assert_eq!(first.get("/.wsd/ready", "").text().trim(), r#"{"status":"ok","bus":"ok"}"#);

    cluster.redis.kill();
    cluster.nodes[0].expect_log("bus lost");

    // The rooms here go on, so the node stays in service.
    let ready = first.get("/.wsd/ready", "");
    assert_eq!((ready.status, ready.text().trim()), (200, r#"{"status":"ok","bus":"lost"}"#));
    let scrape = first.scrape();
    assert_eq!((scrape.value("wsd_bus_up"), scrape.value("wsd_bus_losses_total")), (0, 1));
}
