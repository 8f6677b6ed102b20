//! Under the name of websocketd: its defaults, its log on standard output, and nothing else there.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use crate::harness::http::Connection;
use crate::harness::lines::Lines;
use crate::harness::places::free_port;
use crate::harness::server::{Outcome, Server, run_to_end, wsd};
use crate::harness::skip::skip;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

/// `wsd` through a link of that name, with these arguments; the link lives as long as the tree.
fn named(tree: &Tree, name: &str, arguments: &[&str]) -> Command {
    if !tree.holds(name) {
        tree.link(name, env!("CARGO_BIN_EXE_wsd"));
    }
    let mut command = Command::new(tree.path(name));
    command.args(arguments);
    command
}

/// A server under the name of websocketd, and an address it listens on.
fn start(tree: &Tree, arguments: &[&str]) -> (Server, SocketAddr) {
    let port = free_port();
    let server = Server::spawn(named(tree, "websocketd", &[&[&*format!("--port={port}")], arguments].concat()));
    (server, (Ipv4Addr::LOCALHOST, port).into())
}

/// Waits for a line of standard output that holds `text`.
fn expect_output(server: &Server, text: &str) -> String {
    crate::harness::eventually(text, || server.output().into_iter().find(|line| line.contains(text)))
}

fn connect(address: SocketAddr, headers: &str) -> Client {
    let client = Client::open(address, &upgrade_request(&address.to_string(), "/", headers));
    client.unwrap_or_else(|response| panic!("{response}"))
}

#[test]
fn all_interfaces_are_listened_on() {
    let tree = Tree::new();
    let (_server, address) = start(&tree, &["cat"]);
    let mut hosts = vec![address.ip()];
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        hosts.push(Ipv6Addr::LOCALHOST.into());
    }
    if cfg!(target_os = "linux") {
        // An address that nobody named.
        hosts.push(Ipv4Addr::new(127, 1, 2, 3).into());
    }
    for host in hosts {
        let mut client = connect(SocketAddr::new(host, address.port()), "");

        client.text("hello");

        assert_eq!(client.line(), "hello", "{host}");
    }
}

#[test]
fn plain_requests_are_404() {
    let tree = Tree::new();
    let (_server, address) = start(&tree, &["cat"]);

    for path in ["/", "/chat"] {
        let mut connection = Connection::open(address);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        assert_eq!(connection.response("GET").status, 404, "{path}");
    }
}

#[test]
fn pages_of_any_origin_may_connect_and_a_warning_says_so() {
    let tree = Tree::new();
    let (mut server, address) = start(&tree, &["cat"]);

    for origin in ["http://evil.example", "https://evil.example:8443", "null", "file://"] {
        connect(address, &format!("Origin: {origin}\r\n"));
    }

    let warning = server.stop();
    assert!(warning.contains("any website") && warning.contains("--sameorigin"), "{warning}");
}

#[test]
fn the_warning_comes_at_any_level_of_the_log() {
    let tree = Tree::new();
    for level in ["warn", "error", "fatal", "none"] {
        let port = format!("--port={}", free_port());
        // Without a log no line tells that it listens, so it is not waited for.
        let mut command = named(&tree, "websocketd", &[&port, "--loglevel", level, "cat"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();

        let warning = Lines::of(child.stderr.take().unwrap()).wait_for("any website", 1);

        child.kill().unwrap();
        child.wait().unwrap();
        assert!(warning.is_some(), "{level}");
    }
    let mut quiet = Server::command(&["--loglevel=error"], &["cat"]);
    assert_eq!(quiet.stop(), "");
}

#[test]
fn a_policy_counts_as_ever() {
    let tree = Tree::new();
    for (flag, allowed) in [("--sameorigin", None), ("--origin=https://good.example", Some("https://good.example"))] {
        let (mut server, address) = start(&tree, &[flag, "cat"]);
        let status = |origin: &str| {
            let request = upgrade_request(&address.to_string(), "/", &format!("Origin: {origin}\r\n"));
            Client::open(address, &request).err().map(|response| response.status)
        };

        assert_eq!(status("http://evil.example"), Some(403), "{flag}");
        assert_eq!(status(allowed.unwrap_or(&format!("http://{address}"))), None, "{flag}");
        assert!(!server.stop().contains("any website"), "{flag}");
    }
    let (mut server, _) = start(&tree, &["--anyorigin", "cat"]);
    assert!(!server.stop().contains("any website"));
}

#[test]
fn the_log_is_on_standard_output_and_nothing_else_is() {
    let tree = Tree::new();
    let (mut server, address) = start(&tree, &["sh", "-c", "echo oops >&2; echo hello"]);
    let mut client = connect(address, "");
    assert_eq!(client.line(), "hello");
    client.close_at_last();
    client.close(1000);
    client.drain();
    expect_output(&server, "session ended");

    let banner = server.stop();

    expect_output(&server, "server stopping");
    let output = server.output();
    let is_of_log = |line: &String| {
        let mut words = line.split(' ');
        let is_time =
            words.next().is_some_and(|time| time.len() == 24 && time.starts_with("20") && time.ends_with('Z'));
        is_time && matches!(words.next(), Some("INFO" | "WARN" | "ERROR" | "DEBUG"))
    };
    assert!(output.iter().all(is_of_log), "{output:?}");
    for event in ["server ready", "session started", "worker stderr", "session ended", "server stopping"] {
        assert!(output.iter().any(|line| line.contains(event)), "{event}: {output:?}");
        assert!(!banner.contains(event), "{event}: {banner}");
    }
}

#[test]
fn the_software_and_the_version_begin_with_the_name() {
    let tree = Tree::new();
    let (_server, address) = start(&tree, &["env"]);
    let lines = connect(address, "").rest().0;
    let found: BTreeMap<_, _> = lines.iter().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(found["SERVER_SOFTWARE"], concat!("websocketd/", env!("CARGO_PKG_VERSION")));

    for flag in ["--version", "-version"] {
        let Outcome { status, stdout, .. } = run_to_end(named(&tree, "websocketd", &[flag]));
        assert_eq!((status, stdout), (Some(0), concat!("websocketd ", env!("CARGO_PKG_VERSION"), "\n").to_owned()));
    }
}

#[test]
fn any_other_name_has_the_defaults_of_wsd() {
    let tree = Tree::new();
    for name in ["wsd", "other", "websocketd.sh", "my-websocketd", "Websocketd"] {
        let mut server = Server::spawn(named(&tree, name, &["--port=0", "env"]));

        assert!(server.output()[0].starts_with("http://127.0.0.1:"), "{name}: {:?}", server.output());
        assert_eq!(server.refusal("/", "Origin: http://evil.example\r\n").status, 403, "{name}");
        assert!(server.connect("/").rest().0.iter().any(|line| line.starts_with("SERVER_SOFTWARE=wsd/")), "{name}");
        assert!(server.stop().contains("session started"), "{name}");
    }
}

#[test]
fn the_name_counts_not_the_folder() {
    let tree = Tree::new();
    tree.directory("websocketd");
    tree.link("websocketd/wsd", env!("CARGO_BIN_EXE_wsd"));

    let Outcome { stdout, .. } = run_to_end(named(&tree, "websocketd/wsd", &["--version"]));

    assert!(stdout.starts_with("wsd "), "{stdout}");
}

#[test]
fn a_link_in_the_path_is_known_by_its_name() {
    use std::os::unix::process::CommandExt;
    // As a shell that found it in PATH starts it: the name alone.
    let mut command = wsd(&["--version"]);
    command.arg0("websocketd");

    assert!(run_to_end(command).stdout.starts_with("websocketd "));
}

#[test]
fn help_tells_the_defaults_of_the_name() {
    let tree = Tree::new();
    let help = |name: &str| run_to_end(named(&tree, name, &["--help"])).stdout;
    let own = ["Usage: wsd ", "default: 8080", "loopback only", "only those that wsd itself serves"];
    let old = ["Usage: websocketd ", "default: 80, with --ssl 443", "all of this machine", "default, with a warning"];
    let joined = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (text, said, unsaid) in [(help("other"), own, old), (help("websocketd"), old, own)] {
        let text = joined(text);
        assert!(said.iter().all(|word| text.contains(word)), "{text}");
        assert!(!unsaid.iter().any(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn errors_are_on_standard_error_as_ever() {
    let tree = Tree::new();
    for (arguments, status) in
        [(&["--nosuch", "cat"][..], 2), (&[], 1), (&["--address=192.0.2.1", "--port=1", "cat"], 3)]
    {
        let outcome = run_to_end(named(&tree, "websocketd", arguments));

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(status), ""), "{arguments:?}: {outcome:?}");
        assert!(!outcome.stderr.is_empty(), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_port_it_is_that_of_http_or_https() {
    let tree = Tree::new();
    let identity = crate::harness::certificates::Authority::new().identity("server");
    tree.file("cert.pem", identity.certificate).file("key.pem", identity.key);
    let (cert, key) = (tree.path("cert.pem"), tree.path("key.pem"));
    let tls = ["--ssl", "--sslcert", &cert, "--sslkey", &key];
    for (flags, scheme, port) in [
        (&[][..], "http", 80),
        (&["--port=0"], "http", 80),
        (&tls, "https", 443),
        (&[&tls[..], &["--port=0"]].concat(), "https", 443),
    ] {
        let address = crate::harness::places::own_address();
        if let Err(error) = TcpListener::bind((address, port)) {
            skip(&format!("a free port {port} ({error})"));
            continue;
        }
        let address_flag = format!("--address={address}");

        let server = Server::spawn(named(&tree, "websocketd", &[&[&*address_flag], flags, &["cat"]].concat()));

        let ready = expect_output(&server, "server ready");
        assert!(ready.ends_with(&format!("url={scheme}://{address}:{port}/")), "{ready}");
    }
}
