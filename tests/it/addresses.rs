//! `--address` and `--port`: where wsd listens, and what it says when it cannot.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use crate::harness::http::Connection;
use crate::harness::server::{Server, address_of, run, run_to_end};
use crate::harness::skip::skip;

/// Whether this machine has IPv6's loopback address; if not, the test is skipped.
pub(crate) fn has_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        skip("IPv6");
    }
    has
}

/// Asks every ready URL of the server for a page, with a Host of that URL.
fn assert_all_answer(server: &Server) {
    for url in server.output() {
        let address = address_of(&url);
        let mut connection = Connection::open(address);
        connection.send(format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        assert_eq!(connection.response("GET").status, 200, "{url}");
    }
}

#[test]
fn by_default_both_loopback_addresses_answer_and_no_other() {
    let server = Server::command(&[], &["cat"]);
    let port = server.address.port();
    let mut want = vec![format!("http://127.0.0.1:{port}/")];
    if has_ipv6() {
        want.push(format!("http://[::1]:{port}/"));
    }

    assert_eq!(server.expect_output(want.len()), want);
    assert_all_answer(&server);
    if cfg!(target_os = "linux") {
        assert!(Connection::try_open((Ipv4Addr::new(127, 0, 0, 2), port).into()).is_err());
    }
}

#[test]
fn an_address_alone_is_listened_on() {
    let table: [(&str, &str); 4] = [
        ("127.0.0.1", "http://127.0.0.1:PORT/"),
        // What stands for all addresses is no address to go to.
        ("0.0.0.0", "http://127.0.0.1:PORT/"),
        ("::1", "http://[::1]:PORT/"),
        ("[::1]", "http://[::1]:PORT/"),
    ];
    let has_ipv6 = has_ipv6();
    for (address, want) in table.into_iter().filter(|(address, _)| has_ipv6 || !address.contains(':')) {
        let server = Server::command(&["--address", address], &["cat"]);

        assert_eq!(server.output(), [want.replace("PORT", &server.address.port().to_string())], "{address}");
        assert_all_answer(&server);
    }
}

#[test]
fn a_name_of_this_machine_is_an_address() {
    let server = Server::command(&["--address=localhost"], &["cat"]);

    assert!(server.output().iter().all(|url| address_of(url).ip().is_loopback()), "{:?}", server.output());
    assert_all_answer(&server);
}

#[cfg(target_os = "linux")]
#[test]
fn several_addresses_have_one_port() {
    let server = Server::command(&["--address=127.0.0.1", "--address=127.0.0.2", "-address", "127.0.0.3"], &["cat"]);
    let port = server.address.port();

    let want = [1, 2, 3].map(|last| format!("http://127.0.0.{last}:{port}/"));
    assert_eq!(server.expect_output(want.len()), want);
    assert_all_answer(&server);
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_named_twice_is_one() {
    let flags = ["--address=127.0.0.1", "--address=127.0.0.2", "--address=127.0.0.1"];

    let server = Server::command(&flags, &["cat"]);

    assert_eq!(server.expect_output(2).len(), 2);
    assert_all_answer(&server);
}

#[test]
fn all_addresses_of_ipv6_are_those_of_ipv4_too() {
    if !has_ipv6() {
        return;
    }
    let server = Server::command(&["--address=::"], &["env"]);
    let port = server.address.port();

    for address in [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()] {
        let request = crate::harness::websocket::upgrade_request("localhost", "/", "");
        let mut client = crate::harness::websocket::Client::open(address, &request).ok().unwrap();

        let environment = client.rest().0;

        let want = format!("REMOTE_ADDR={}", address.ip());
        assert!(environment.contains(&want), "{want} is not in {environment:?}");
    }
}

#[test]
fn one_address_that_cannot_be_had_ends_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // Of the blocks for documentation (RFC 5737, RFC 3849): no machine has them.
    let mut table = vec![
        (0, vec!["--address=127.0.0.1", "--address=192.0.2.1"], "192.0.2.1".to_owned()),
        (0, vec!["--address=192.0.2.1", "--address=127.0.0.1"], "192.0.2.1".to_owned()),
        (port, vec![], format!("127.0.0.1:{port}")),
        (port, vec!["--address=127.0.0.1"], format!("127.0.0.1:{port}")),
    ];
    if has_ipv6() {
        table.push((0, vec!["--address=127.0.0.1", "--address=[2001:db8::1]"], "[2001:db8::1]".to_owned()));
        table.push((port, vec!["--address=::1", "--address=127.0.0.1"], format!("127.0.0.1:{port}")));
    }
    for (port, addresses, named) in table {
        let outcome = run(&[&[&*format!("--port={port}")], &addresses[..], &["cat"]].concat());

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{addresses:?}: {outcome:?}");
        assert!(outcome.stderr.contains(&named), "{addresses:?}: {outcome:?}");
        assert!(outcome.stderr.contains("hint:"), "{addresses:?}: {outcome:?}");
    }
}

#[test]
fn a_port_taken_on_the_other_loopback_address_ends_the_start() {
    if !has_ipv6() {
        return;
    }
    let taken = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();

    let outcome = run(&[&format!("--port={port}"), "cat"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{outcome:?}");
    assert!(outcome.stderr.contains(&format!("[::1]:{port}")), "{outcome:?}");
}

#[test]
fn an_invalid_address_is_exit_1_and_named() {
    for text in ["127.0.0.1:80", "[::1]:80", "[::1", "256.1.1.1", "a b", "http://127.0.0.1/"] {
        let outcome = run(&["--port=0", "--address", text, "cat"]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{text}: {outcome:?}");
        let names = outcome.stderr.contains("--address") && outcome.stderr.contains(&format!("`{text}`"));
        assert!(names, "{text}: {outcome:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_port_it_is_8080_and_with_tls_8443() {
    let identity = crate::harness::certificates::Authority::new().identity("server");
    let tree = crate::harness::tree::Tree::new();
    tree.file("cert.pem", identity.certificate).file("key.pem", identity.key);
    let (cert, key) = (tree.path("cert.pem"), tree.path("key.pem"));
    for (flags, scheme, port) in
        [(&[][..], "http", 8080), (&["--ssl", "--sslcert", &cert, "--sslkey", &key][..], "https", 8443)]
    {
        let address = crate::harness::places::own_address();
        if let Err(error) = TcpListener::bind((address, port)) {
            skip(&format!("a free port {port} ({error})"));
            continue;
        }
        let address_flag = format!("--address={address}");

        let server = Server::spawn(crate::harness::server::wsd(&[&[&*address_flag], flags, &["cat"]].concat()));

        assert_eq!(server.output(), [format!("{scheme}://{address}:{port}/")]);
    }
}

#[test]
fn ports_are_spelled_as_in_go_except_for_octal() {
    let port = crate::harness::places::free_port();
    let (underscored, hex) = (format!("{}_{:03}", port / 1000, port % 1000), format!("{port:#x}"));
    let (octal, binary, zeros) = (format!("{port:#o}"), format!("{port:#b}"), format!("0{port}"));
    for text in [port.to_string(), underscored, hex.to_uppercase().replace("0X", "0x"), octal, binary, zeros] {
        let server = Server::spawn(crate::harness::server::wsd(&["--port", &text, "cat"]));

        assert_eq!(server.address.port(), port, "{text}");
    }
}

/// A `wsd` for which `a.test` is an address that this machine has not and one that it has, `b.test` only the former. It
/// needs a view of the file system of its own; `None` where that is not to be had.
#[cfg(target_os = "linux")]
fn with_names(arguments: &[&str]) -> Option<std::process::Command> {
    let script = "d=$(mktemp) && printf '2001:db8::1 a.test b.test\\n127.0.0.1 a.test\\n' > $d \
        && mount --bind $d /etc/hosts && rm $d && exec \"$@\"";
    let own_view = |program: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh", program]);
        command
    };
    if !own_view("true").stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success()) {
        skip("unshare --mount, which needs root");
        return None;
    }
    let mut command = own_view(env!("CARGO_BIN_EXE_wsd"));
    command.args(arguments);
    Some(command)
}

#[cfg(target_os = "linux")]
#[test]
fn wsd_listens_on_those_addresses_of_a_name_that_the_machine_has() {
    let Some(command) = with_names(&["--port=0", "--address=a.test", "cat"]) else { return };
    let server = Server::spawn(command);

    assert_eq!(server.expect_output(1), [format!("http://127.0.0.1:{}/", server.address.port())]);
    for flags in [&["--address=b.test"][..], &["--address=a.test", "--address=2001:db8::2"]] {
        let outcome = run_to_end(with_names(&[&["--port=0"], flags, &["cat"]].concat()).unwrap());

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{flags:?}: {outcome:?}");
        assert!(outcome.stderr.contains("2001:db8::"), "{flags:?}: {outcome:?}");
    }
}

#[test]
fn an_empty_address_or_path_of_a_socket_is_none() {
    let server = Server::command(&["--address=", "--unixsocket="], &["cat"]);

    assert!(server.output()[0].starts_with("http://127.0.0.1:"), "{:?}", server.output());
}

#[test]
fn all_addresses_of_both_kinds_are_one_socket() {
    if !has_ipv6() {
        return;
    }
    for flags in [["--address=0.0.0.0", "--address=::"], ["--address=::", "--address=0.0.0.0"]] {
        let server = Server::command(&flags, &["cat"]);

        let port = server.address.port();
        assert_eq!(server.output(), [format!("http://[::1]:{port}/")], "{flags:?}");
        assert!(Connection::try_open((Ipv4Addr::LOCALHOST, port).into()).is_ok(), "{flags:?}");
    }
}

/// The hosts in the network line of the banner.
fn network(flags: &[&str]) -> Vec<String> {
    let banner = Server::command(flags, &["cat"]).stop();
    let urls = banner.lines().find_map(|line| line.strip_prefix("  network  ")).unwrap_or_default();
    urls.split(' ').filter(|url| !url.is_empty()).map(|url| address_of(url).ip().to_string()).collect()
}

#[test]
fn the_network_line_of_all_addresses_has_those_of_ipv4_too() {
    let four = network(&["--address=0.0.0.0"]);
    if four.is_empty() {
        skip("a network");
        return;
    }
    if has_ipv6() {
        let both = network(&["--address=::"]);
        assert!(four.iter().all(|address| both.contains(address)), "{four:?} {both:?}");
    }
}

#[test]
fn the_banner_says_in_words_that_an_address_is_all_of_them() {
    let table =
        [("0.0.0.0", "that reach any IPv4 address of this machine"), ("::", "that reach any address of this machine")];
    let has_ipv6 = has_ipv6();
    for (address, want) in table.into_iter().filter(|(address, _)| has_ipv6 || !address.contains(':')) {
        let banner = Server::command(&["--address", address], &["cat"]).stop();

        assert!(banner.contains(want), "{banner}");
    }
}

#[test]
fn a_busy_port_of_redirects_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();

    let outcome = run(&["--port=0", &format!("--redirport={port}"), "cat"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{outcome:?}");
    assert!(outcome.stderr.contains("name another port with `--redirport`"), "{outcome:?}");
}

#[test]
fn an_address_with_more_than_an_address_gets_the_hint_that_helps() {
    for (text, hint) in [
        ("0.0.0.0:8080", "write the port apart: --address=0.0.0.0 --port=8080"),
        ("[::1]:80", "write the port apart: --address=[::1] --port=80"),
        ("localhost:8080", "write the port apart: --address=localhost --port=8080"),
        ("http://localhost/", "write the address alone: --address=localhost"),
        ("127.0.0.1,0.0.0.0", "write each address with a flag of its own: --address=127.0.0.1 --address=0.0.0.0"),
        ("256.1.1.1", "name an address of this machine"),
    ] {
        let outcome = run(&["--port=0", "--address", text, "cat"]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{text}: {outcome:?}");
        assert!(outcome.stderr.contains(&format!("hint: {hint}")), "{text}: {outcome:?}");
    }
}
