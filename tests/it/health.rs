//! Health: wsd lives, and is ready for clients or not. Probes need no credentials and leave no line in the log.

use std::fs;

use rustix::process::Signal;

use crate::harness::eventually;
use crate::harness::http::Response;
use crate::harness::scrape::{METRICS, Watch};
use crate::harness::server::{Server, wsd};
use crate::harness::tree::Tree;

fn told(response: &Response) -> (u16, String) {
    (response.status, response.text().trim().to_owned())
}

fn fine() -> (u16, String) {
    (200, r#"{"status":"ok"}"#.to_owned())
}

#[test]
fn a_server_that_serves_lives_and_is_ready() {
    let server = Server::command(&[METRICS], &["cat"]);
    for path in ["/.wsd/live", "/.wsd/ready"] {
        let (public, own) = (server.get(path, ""), Watch::of(&server).get(path, ""));

        assert_eq!((told(&public), told(&own)), (fine(), fine()), "{path}");
        assert_eq!(public.header("content-type"), Some("application/json"));
        assert_eq!(public.header("cache-control"), Some("no-store"));
        assert_eq!(server.post(path, "", "").status, 405, "{path}");
    }
}

#[test]
fn a_probe_needs_no_credentials_and_leaves_no_line_in_the_log() {
    let tree = Tree::new();
    tree.file("tokens", "ada:secret-token\n");
    let auth = format!("--auth=bearer:{}", tree.path("tokens"));
    let mut server = Server::command(&[&auth, "--base=/app", "--deny=127.0.0.1"], &["cat"]);

    assert_eq!(told(&server.get("/app/.wsd/ready", "")), fine());
    assert_eq!(told(&server.get("/app/.wsd/live", "Host: elsewhere.example\r\n")), fine());
    assert_eq!(server.get("/.wsd/live", "").status, 403, "outside of the base there is nothing");

    let log = server.stop();
    assert_eq!(log.matches("http request").count(), 1, "{log}");
}

#[test]
fn readiness_ends_before_the_first_close_1001() {
    // It ends only when wsd kills it, so wsd drains meanwhile.
    let server = Server::start(&[METRICS, "--closems=500"], "stubborn.sh");
    let watch = Watch::of(&server);
    let mut client = server.connect("/");
    client.line();
    assert_eq!(told(&watch.get("/.wsd/ready", "")), fine());

    server.signal(Signal::TERM);
    let close = client.expect_close();
    let (ready, live) = (watch.get("/.wsd/ready", ""), watch.get("/.wsd/live", ""));

    assert_eq!(close.code, Some(1001));
    assert_eq!(told(&ready), (503, r#"{"status":"stopping"}"#.to_owned()));
    assert_eq!(told(&live), fine());
    assert_eq!(watch.get("/metrics", "").status, 200, "the end can be watched, too");
}

#[test]
fn a_server_whose_eager_program_is_down_is_not_ready() {
    let tree = Tree::new();
    // It ends at the first message, and as long as the file is there it ends whenever it is started again.
    let script = "test -e \"$1\" && exit; read line";
    let server = Server::shell(&[METRICS, "--shared", "--eager"], script, &[&tree.path("broken")]);
    let watch = Watch::of(&server);
    assert_eq!(told(&watch.get("/.wsd/ready", "")), fine());

    tree.file("broken", "");
    let mut client = server.connect("/");
    client.text("end");
    let down = eventually("it is down", || {
        let told = told(&watch.get("/.wsd/ready", ""));
        (told != fine()).then_some(told)
    });

    assert_eq!(down, (503, r#"{"status":"program down"}"#.to_owned()));
    fs::remove_file(tree.path("broken")).unwrap();
    eventually("it is up again", || (told(&watch.get("/.wsd/ready", "")) == fine()).then_some(()));
}

#[test]
fn a_server_without_descriptors_is_not_ready() {
    let mut command = std::process::Command::new("sh");
    let wsd = wsd(&[]).get_program().to_owned();
    let script = "ulimit -n 64; exec \"$0\" --port=0 --metrics=127.0.0.1:0 --maxforks=4 cat";
    command.arg("-c").arg(script).arg(wsd);
    let server = Server::spawn(command);
    let watch = Watch::of(&server);
    assert_eq!(told(&watch.get("/.wsd/ready", "")), fine());

    let crowd: Vec<_> = (0..64).map(|_| server.http()).collect();

    server.expect_log("connections wait");
    assert_eq!(told(&watch.get("/.wsd/ready", "")), (503, r#"{"status":"out of descriptors"}"#.to_owned()));
    drop(crowd);
    eventually("it is ready again", || (told(&watch.get("/.wsd/ready", "")) == fine()).then_some(()));
}
