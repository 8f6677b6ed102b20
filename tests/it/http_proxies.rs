//! The settings of proxies in `docs/http.md`, each with the real proxy: a WebSocket, an event stream, and a POST.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::eventsource::{EventSource, Next};
use crate::harness::eventually;
use crate::harness::http::Connection;
use crate::harness::pages::{blocks, text};
use crate::harness::places::free_port;
use crate::harness::server::Server;
use crate::harness::skip::has;
use crate::harness::time::{SLACK, deadline, within};
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

/// A running proxy.
struct Proxy {
    child: Child,
    port: u16,
    _tree: Tree,
}

/// A proxy's name, the place in its settings where it listens and the replacement, and what stands around them.
type Kind = (&'static str, [&'static str; 2], &'static str, &'static [&'static str]);

const NGINX: Kind = (
    "nginx",
    ["listen 80;", "listen 127.0.0.1:PORT;"],
    "daemon off;\nuser root;\nworker_processes 1;\npid FOLDER/pid;\nevents {}\nhttp {\naccess_log off;\n\
        client_body_temp_path FOLDER/a;\nproxy_temp_path FOLDER/b;\nfastcgi_temp_path FOLDER/c;\n\
        uwsgi_temp_path FOLDER/d;\nscgi_temp_path FOLDER/e;\nRECIPE}\n",
    &["-p", "FOLDER", "-e", "stderr", "-c", "FOLDER/config"],
);

const CADDY: Kind = (
    "caddy",
    ["example.com {", "http://example.com:PORT {\nbind 127.0.0.1"],
    "{\nadmin off\nauto_https off\n}\nRECIPE",
    &["run", "--adapter", "caddyfile", "--config", "FOLDER/config"],
);

const HAPROXY: Kind = ("haproxy", ["bind :80", "bind 127.0.0.1:PORT"], "RECIPE", &["-db", "-f", "FOLDER/config"]);

impl Proxy {
    /// Starts the proxy by the page's settings in front of `server`; skips the test where there is none.
    fn start(kind: Kind, server: &Server) -> Option<Self> {
        Self::start_with(kind, server, ["", ""])
    }

    /// Starts the proxy with a change of its settings.
    fn start_with((name, listens, around, arguments): Kind, server: &Server, change: [&str; 2]) -> Option<Self> {
        if !has(name) {
            return None;
        }
        let (port, tree) = (free_port(), Tree::new());
        let recipe = blocks(&text("docs/http.md"), name).concat();
        assert!(recipe.contains(listens[0]) && recipe.contains("127.0.0.1:8080"), "{recipe}");
        assert!(recipe.contains(change[0]), "{recipe}");
        let recipe = if change[0].is_empty() { recipe } else { recipe.replace(change[0], change[1]) };
        let recipe = recipe.replace("127.0.0.1:8080", &server.host()).replace(listens[0], listens[1]);
        let config = around.replace("FOLDER", &tree.path("")).replace("RECIPE", &recipe);
        tree.file("config", config.replace("PORT", &port.to_string()));
        let mut command = Command::new(name);
        command.args(arguments.iter().map(|argument| argument.replace("FOLDER", &tree.path(""))));
        command.env("HOME", tree.path("")).env("XDG_DATA_HOME", tree.path("")).env("XDG_CONFIG_HOME", tree.path(""));
        let log = File::create(tree.path("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut proxy = Self { child, port, _tree: tree };
        eventually(&format!("{name} listens"), || {
            assert!(proxy.child.try_wait().unwrap().is_none(), "{name} ended");
            Connection::try_open(([127, 0, 0, 1], port).into()).ok()
        });
        Some(proxy)
    }

    /// Sends the head of a request.
    fn ask(&self, method: &str, headers: &str) -> Connection {
        let mut connection = Connection::open(([127, 0, 0, 1], self.port).into());
        connection.send(format!("{method} / HTTP/1.1\r\nHost: example.com\r\n{headers}\r\n"));
        connection
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        // Caddy would wait for connections that are open.
        if within(SLACK, || self.child.try_wait().ok().flatten()).is_none() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Reads until the bytes end with `end`.
fn until(connection: &mut Connection, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let read = String::from_utf8_lossy(&text).into_owned();
        text.extend(connection.take(1).unwrap_or_else(|| panic!("no `{end}` in `{read}`")));
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn check(kind: Kind) {
    let script = r#"while read -r line; do case $line in
        exit) exit 3 ;; tick) echo got 1; exec sleep 1000 ;; count) exec wc -c ;; *) echo "got $line" ;; esac; done"#;
    let server = Server::shell(&["--http", "--origin=https://example.com,file://"], script, &[]);
    let Some(proxy) = Proxy::start(kind, &server) else { return };

    // A WebSocket.
    let client = Client::open(([127, 0, 0, 1], proxy.port).into(), &upgrade_request("example.com", "/", ""));
    let mut client = client.unwrap_or_else(|response| panic!("{}: {response}", kind.0));
    client.text("one");
    assert_eq!(client.line(), "got one");
    client.text("exit");
    assert_eq!(client.expect_close().code, Some(4003));

    // A POST whose answer comes while its body is sent. Caddy 2.6 reads a whole body of HTTP/1.1 first, as the page says.
    let is_duplex = kind.0 != "caddy";
    let mut post = proxy.ask("POST", "Transfer-Encoding: chunked\r\n");
    for line in ["one", "two"] {
        post.send(format!("{:x}\r\n{line}\n\r\n", line.len() + 1));
        if is_duplex {
            until(&mut post, &format!("got {line}\n"));
        }
    }
    post.send("0\r\n\r\n");
    until(&mut post, "0\r\n\r\n");

    // A POST whose answer comes line by line.
    let mut ticking = proxy.ask("POST", "Content-Length: 5\r\n");
    ticking.send("tick\n");
    until(&mut ticking, "got 1\n");

    // More than nginx takes by default.
    let mut post = proxy.ask("POST", "Content-Length: 3000006\r\nConnection: close\r\n");
    post.send("count\n");
    post.send(vec![b'x'; 3_000_000]);
    let response = post.response("POST");
    assert_eq!((response.status, response.text().trim()), (200, "3000000"), "{}", kind.0);

    // The exit status.
    let mut post = proxy.ask("POST", "Content-Length: 5\r\nConnection: close\r\n");
    post.send("exit\n");
    let response = post.response("POST");
    assert_eq!((response.status, response.header("wsd-exit")), (500, Some("3")), "{response}");

    // An event stream, and its input.
    let mut stream = proxy.ask("GET", "Accept: text/event-stream\r\n");
    let head = until(&mut stream, ".0\n\n");
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("wsd-session:"));
    let token = line.and_then(|line| line.split(": ").nth(1)).unwrap().trim();
    let mut post = proxy.ask("POST", &format!("Wsd-Session: {token}\r\nContent-Length: 5\r\n"));
    post.send("hello");
    assert_eq!(post.response("POST").status, 204);
    until(&mut stream, "data: got hello\n\n");
    drop(stream);
    server.expect_log("session detached");

    // A client that leaves.
    drop(ticking);
    server.expect_log(" end=left ");
}

#[test]
fn nginx_carries_all_three_by_the_pages_settings() {
    check(NGINX);
}

#[test]
fn caddy_carries_all_three_by_the_pages_settings() {
    check(CADDY);
}

#[test]
fn haproxy_carries_all_three_by_the_pages_settings() {
    check(HAPROXY);
}

/// Fails unless a session goes on through a proxy that cuts each silent stream after a second.
fn check_short_time(kind: Kind, change: [&str; 2]) {
    let server = Server::command(&["--http", "--resume=60", "--origin=https://example.com,file://"], &["cat"]);
    let Some(proxy) = Proxy::start_with(kind, &server, change) else { return };
    let mut client = EventSource::acknowledging(([127, 0, 0, 1], proxy.port).into());

    for number in 1..=3 {
        assert_eq!(client.next(deadline()), Next::Lost, "the proxy cuts it");
        assert_eq!(client.post("", format!("{number}\n")), (204, Some(number)));
        assert_eq!(client.connect().unwrap(), 200);
        assert_eq!(client.greeting()["resumed"], true);
        assert_eq!(client.line(), number.to_string());
    }
}

#[test]
fn a_session_survives_an_nginx_that_cuts_a_stream_after_a_second() {
    check_short_time(NGINX, ["proxy_read_timeout 75s", "proxy_read_timeout 1s"]);
}

#[test]
fn a_session_survives_an_haproxy_that_cuts_a_stream_after_a_second() {
    check_short_time(HAPROXY, ["timeout server 75s", "timeout server 1s"]);
}
