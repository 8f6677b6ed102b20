//! The metrics as other tools read them: Prometheus's own checker, the parser of its client for Python, and the dashboard and the
//! alerts that come with wsd.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::harness::certificates::Authority;
use crate::harness::pages;
use crate::harness::scrape::{METRICS, Scrape, Watch};
use crate::harness::server::Server;
use crate::harness::skip::{has, skip};
use crate::harness::tree::Tree;
use crate::harness::{SetOnDrop, eventually};
use crate::mcp::client as mcp;

/// The header that asks for the format of `OpenMetrics`.
const OPEN: &str = "Accept: application/openmetrics-text;version=1.0.0\r\n";

/// Runs a command with a text as its input; gives whether it accepts it, and all that it says.
fn accepts(command: &mut Command, input: &str) -> (bool, String) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    (output.status.success(), said)
}

fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    accepts(Command::new("promtool").args(arguments), input)
}

/// The counters whose labels wsd does not know in advance: each series begins with its first event.
const LATE: [&str; 4] =
    ["wsd_sessions_ended_total", "wsd_sessions_refused_total", "wsd_program_exits_total", "wsd_http_requests_total"];

/// Lets clients work on a server with two routes and a room while `look` runs. All counters have begun by then.
fn under_load(look: impl FnOnce(Watch)) {
    let tree = Tree::new();
    let settings = "http = true\nshared = 'path'\n[[route]]\npath = '/a\"b'\ncommand = ['cat']\nshared = false\n";
    tree.file("wsd.toml", settings);
    let flags = [METRICS, "--config", &tree.path("wsd.toml")];
    let server = Server::command(&flags, &["sh", "-c", "while read line; do echo $line; done; exit 1"]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for path in ["/", "/other", "/a%22b"] {
            let (server, is_over) = (&server, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let mut client = server.connect(path);
                    client.text("a line");
                    client.line();
                    client.close(1000);
                    client.expect_close();
                    server.get("/nothing", "");
                }
            });
        }
        // A failure ends the clients, too.
        let _end = SetOnDrop(&is_over);
        server.refusal("/", "Origin: http://evil.example\r\n");
        let watch = Watch::of(&server);
        // The end of a session in a room ends no program, and a client has its answer before it is counted.
        eventually("all counters have begun", || {
            let scrape = watch.scrape();
            LATE.iter().all(|late| scrape.names().any(|name| name == *late)).then_some(())
        });
        look(watch);
    });
}

#[test]
fn promtool_accepts_a_scrape_under_load() {
    if !has("promtool") {
        return;
    }
    under_load(|watch| {
        for _ in 0..5 {
            let scrape = watch.scrape();
            let (is_accepted, said) = promtool(&["check", "metrics"], &scrape.text);
            assert!(is_accepted && said.is_empty(), "{said}\n{}", scrape.text);
        }
    });
}

#[test]
fn the_parser_of_open_metrics_accepts_a_scrape_under_load() {
    let python = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/peers/python/bin/python3");
    let parse = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
                 print(len(list(parse(sys.stdin.read()))))";
    let command = || {
        let mut command = Command::new(&python);
        command.args(["-c", parse]);
        command
    };
    if !python.exists() || accepts(&mut command(), "# EOF\n") != (true, "0\n".to_owned()) {
        return skip("prometheus_client of PyPI");
    }
    under_load(|watch| {
        for _ in 0..5 {
            let scrape = watch.get("/metrics", OPEN).text();
            let (is_accepted, said) = accepts(&mut command(), &scrape);
            assert!(is_accepted, "{said}\n{scrape}");
        }
    });
}

#[test]
fn promtool_accepts_the_alerts() {
    if !has("promtool") {
        return;
    }
    let rules = pages::root().join("packaging/prometheus/alerts.yml");
    let (is_accepted, said) = promtool(&["check", "rules", rules.to_str().unwrap()], "");
    assert!(is_accepted, "{said}");
}

/// Returns the names of metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let of_metrics = words.filter(|word| word.starts_with("wsd_") || word.starts_with("process_"));
    of_metrics.map(str::to_owned).collect()
}

/// Returns the names of all series that wsd has: those of one server under load, of one with TLS, and of one for MCP.
fn all_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    under_load(|watch| names.extend(watch.scrape().names().map(str::to_owned)));
    let (tree, identity) = (Tree::new(), Authority::new().identity("localhost"));
    tree.file("cert.pem", &identity.certificate).file("key.pem", &identity.key);
    let [cert, key] =
        [("cert", "cert.pem"), ("key", "key.pem")].map(|(flag, file)| format!("--ssl{flag}={}", tree.path(file)));
    let server = Server::command(&[METRICS, "--ssl", &cert, &key], &["cat"]);
    let scrape = Watch::of(&server).scrape();
    let [expiry, began] = ["wsd_cert_expiry_seconds", "wsd_start_time_seconds"].map(|name| scrape.decimal(name));
    assert!(expiry > began, "{expiry}");
    names.extend(scrape.names().map(str::to_owned));
    let server = mcp::start(&[METRICS], "legacy", &[]);
    let session = mcp::Session::begin(&server);
    session.post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    session.call("echo", "{}");
    names.extend(Watch::of(&server).scrape().names().map(str::to_owned));
    names
}

/// Returns the names of the metrics of a server with `--bus`: `cluster_watch` compares the table with a node.
fn names_of_bus() -> BTreeSet<String> {
    let table = pages::table(&pages::text("docs/metrics.md"), "| metric with `--bus` | type | what it counts |");
    table.iter().map(|row| row[0].trim_matches('`').split('{').next().unwrap().to_owned()).collect()
}

#[test]
fn the_dashboard_shows_each_metric_of_the_bus() {
    let names = names_of_bus();
    let shown = metrics_in(&pages::text("packaging/grafana/wsd.json"));

    assert!(names.len() > 5 && names.is_subset(&shown), "{:?}", names.difference(&shown));
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_there_are() {
    let mut names = all_names();
    names.extend(names_of_bus());
    let dashboard: Value = serde_json::from_str(&pages::text("packaging/grafana/wsd.json")).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
    let queries = targets.flatten().map(|target| target["expr"].as_str().unwrap().to_owned());
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let definitions = variables.filter_map(|variable| variable["definition"].as_str().map(str::to_owned));
    let of_dashboard: Vec<_> = queries.chain(definitions).collect();
    assert!(of_dashboard.len() > 30, "{of_dashboard:?}");

    for text in of_dashboard
        .into_iter()
        .chain([fs::read_to_string(pages::root().join("packaging/prometheus/alerts.yml")).unwrap()])
    {
        let unknown: Vec<_> = metrics_in(&text).into_iter().filter(|name| !names.contains(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {text}");
    }
}

#[test]
fn the_dashboard_shows_all_that_the_metrics_tell_of_mcp() {
    let rows = pages::table(&pages::text("docs/metrics.md"), "| metric | type | what it counts |");
    let names = rows.iter().map(|row| row[0].trim_matches('`').split('{').next().unwrap().to_owned());
    let of_mcp: BTreeSet<_> = names.filter(|name| name.starts_with("wsd_mcp_")).collect();
    assert!(of_mcp.len() >= 4, "{of_mcp:?}");

    let dashboard = pages::text("packaging/grafana/wsd.json");

    let missing: Vec<_> = of_mcp.iter().filter(|name| !dashboard.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_reasons_in_the_alerts_are_those_of_the_log() {
    let rows = pages::table(&pages::text("docs/log.md"), "| event | level | keys |");
    let row = rows.iter().find(|row| row[0] == "`session refused`").unwrap();
    let documented: BTreeSet<_> = row[2].split('`').skip(1).step_by(2).collect();
    let alerts = pages::text("packaging/prometheus/alerts.yml");

    let named = alerts.split("why=").skip(1).map(|rest| rest.trim_start_matches('~').split('"').nth(1).unwrap());
    let named: BTreeSet<_> = named.flat_map(|words| words.split('|')).collect();

    assert!(named.len() >= 5 && named.is_subset(&documented), "{named:?}");
}

#[test]
fn each_metric_is_documented_and_no_other() {
    let bare = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        parts.unwrap_or(name).to_owned()
    };
    let names: BTreeSet<_> = all_names().iter().map(|name| bare(name)).collect();
    let rows = pages::table(&pages::text("docs/metrics.md"), "| metric | type | what it counts |");
    let documented = rows.iter().map(|row| row[0].trim_matches('`').split('{').next().unwrap().to_owned());

    assert_eq!(documented.collect::<BTreeSet<_>>(), names);
}

#[test]
fn a_query_of_the_dashboard_is_one_that_promtool_can_read() {
    if !has("promtool") {
        return;
    }
    let dashboard: Value = serde_json::from_str(&pages::text("packaging/grafana/wsd.json")).unwrap();
    let mut rules = "groups:\n- name: queries\n  rules:\n".to_owned();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
            let panel = format!("{}{}", panel["id"], target["refId"].as_str().unwrap());
            for line in
                ["- record: query", "  labels:", &format!("    panel: '{panel}'"), &format!("  expr: '{query}'")]
            {
                rules.extend(["  ", line, "\n"]);
            }
        }
    }
    let tree = Tree::new();
    tree.file("queries.yml", &rules);

    let (is_accepted, said) = promtool(&["check", "rules", &tree.path("queries.yml")], "");

    assert!(is_accepted, "{said}");
}

#[test]
fn a_scrape_is_read_as_it_is_written() {
    let scrape = Scrape::of("# HELP a b\na{x=\"1\"} 2\na{x=\"2\"} 3\nb 40\n");

    assert_eq!((scrape.sum("a", ""), scrape.sum("a", "x=\"2\""), scrape.value("b")), (5, 3, 40));
}
