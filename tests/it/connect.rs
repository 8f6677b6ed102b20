//! `wsd connect`: the client, with the real server or a test's own at the other end.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustix::process::{Signal, kill_process};

use crate::harness::caller::Caller;
use crate::harness::certificates::{Authority, Identity};
use crate::harness::eventually;
use crate::harness::lines::Lines;
use crate::harness::places::free_port;
use crate::harness::server::{Outcome, Server, field, program, run, wsd};
use crate::harness::tree::Tree;

/// Runs `wsd connect` with this input to its end.
fn call(arguments: &[&str], input: &str) -> Outcome {
    Caller::start(arguments).finish(input.as_bytes())
}

fn url(server: &Server, path: &str) -> String {
    format!("ws://{}{path}", server.address)
}

fn assert_is(outcome: &Outcome, status: i32, stdout: &str, stderr: &str) {
    let got = (outcome.status, &*outcome.stdout, &*outcome.stderr);
    assert_eq!(got, (Some(status), stdout, stderr));
}

/// Fails unless the client could not connect and said so, with all these words.
pub(crate) fn assert_refused(outcome: &Outcome, words: &[&str]) {
    assert_eq!((outcome.status, &*outcome.stdout), (Some(1), ""), "{outcome:?}");
    let missing: Vec<_> = words.iter().filter(|word| !outcome.stderr.contains(**word)).collect();
    assert!(missing.is_empty(), "no {missing:?} in:\n{}", outcome.stderr);
}

#[test]
fn lines_go_to_the_program_and_its_answers_come_back() {
    let server = Server::command(&[], &["cat"]);

    let outcome = call(&[&url(&server, "/")], "one\n\ntwo\nthe end");

    assert_is(&outcome, 0, "one\n\ntwo\nthe end\n", "");
    assert!(server.expect_log("session ended").text.contains(" code=1000 "));
}

#[test]
fn the_exit_status_is_the_one_in_the_close_code() {
    for (script, status) in [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137)] {
        let server = Server::shell(&[], script, &[]);

        assert_is(&call(&[&url(&server, "/"), "--wait=close"], ""), status, "", "");
    }
}

#[test]
fn another_close_code_is_exit_1_with_code_and_reason() {
    let server = Server::command(&["--maxframesize=10"], &["cat"]);

    let outcome = call(&[&url(&server, "/")], "a line that is too long\n");

    assert_is(
        &outcome,
        1,
        "",
        "wsd: the server closed with code 1009: message too big\n\
                              hint: raise --maxframesize of the server, or send --framing=chunks\n",
    );
}

#[test]
fn a_connection_without_a_close_is_exit_1() {
    let mut server = Server::command(&[], &["cat"]);
    let mut caller = Caller::start(&[&url(&server, "/")]);
    caller.types("a\n");
    caller.sees("a\n");

    server.signal(Signal::KILL);
    server.wait();

    assert_is(
        &caller.finish(b""),
        1,
        "",
        "wsd: the connection ended without a close\nhint: --resume returns to the session, if the server keeps it with wsd --resume=60\n",
    );
}

#[test]
fn an_empty_standard_input_reads_until_the_server_closes() {
    // Longer than the silence after which other inputs end.
    let server = Server::shell(&[], "sleep 1.5; echo late", &[]);

    assert_is(&call(&[&url(&server, "/")], ""), 0, "late\n", "");
}

#[test]
fn wait_is_the_silence_after_the_end_of_input() {
    let server = Server::shell(&[], "read x; sleep 1.5; echo late; read y", &[]);
    let table = [("--wait=0", ""), ("--wait=3", "late\n"), ("--wait=close", "late\n")];
    for (wait, stdout) in table {
        let server =
            if wait == "--wait=close" { &Server::shell(&[], "read x; sleep 1.5; echo late", &[]) } else { &server };

        assert_is(&call(&[wait, &url(server, "/")], "x\n"), 0, stdout, "");
    }
}

#[test]
fn framings_keep_the_borders_of_messages() {
    let length = |text: &str| [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
    let table = [
        ("nul", b"a\nb\0c\0".to_vec()),
        ("length", [length("a\nb"), length(""), length("c\0")].concat()),
        ("chunks", b"a\n\0b".to_vec()),
        ("jsonrpc", b"{\"a\":1}\n[2]\n".to_vec()),
        ("lsp", b"Content-Length: 2\r\n\r\n{}".to_vec()),
    ];
    for (framing, bytes) in table {
        let framing = format!("--framing={framing}");
        let server = Server::command(&[&framing], &["cat"]);

        let outcome = Caller::start(&[&framing, &url(&server, "/")]).finish(&bytes);

        assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""), "{framing}: {outcome:?}");
        assert_eq!(outcome.stdout.trim_end_matches('\n'), String::from_utf8(bytes).unwrap().trim_end_matches('\n'));
    }
}

#[test]
fn headers_origin_subprotocol_and_user_reach_the_server() {
    let script =
        "echo \"$HTTP_X_A|$HTTP_ORIGIN|$HTTP_SEC_WEBSOCKET_PROTOCOL|$HTTP_AUTHORIZATION|$HTTP_HOST|$REQUEST_URI\"";
    let server = Server::shell(&["--subprotocol=b", "--origin=http://o"], script, &[]);
    let url = url(&server, "/p?q").replace("ws://", "http://ann:pw@");

    let flags = ["--header=X-A: 1", "--origin=http://o", "--subprotocol=a,b", "--header", "Host: h"];
    let outcome = call(&[&[&*url], &flags[..]].concat(), "");

    assert_is(&outcome, 0, "1|http://o|a, b|Basic YW5uOnB3|h|/p?q\n", "");
}

#[test]
fn a_refused_handshake_tells_the_status_the_text_and_what_to_do() {
    let server = Server::serve(&["--route=/a=cat", "--maxforks=1"]);
    let plain = url(&server, "/");
    let busy = server.connect("/a");
    let closed_port = format!("ws://127.0.0.1:{}/", free_port());
    let denies = Server::command(&["--deny=127.0.0.0/8"], &["cat"]);
    let table: [(&[&str], &[&str]); 10] = [
        (&[&url(&server, "/b")], &["404 Not Found", "hint: check the path", "a proxy in between drops Upgrade"]),
        (
            &["--origin=http://evil", &url(&server, "/a")],
            &["403 Forbidden: Pages of this origin", "hint: set --origin"],
        ),
        (&[&url(&server, "/a")], &["429 Too Many Requests", "(Retry-After: 1 s)"]),
        (&[&url(&denies, "/")], &["403 Forbidden: This address may not connect.", "see its --allow and --deny"]),
        (
            &["--origin=http://evil.example", "--header=Host: evil.example", &url(&server, "/a")],
            &["403 Forbidden: ", "hint: connect by a name"],
        ),
        (&[&closed_port], &["cannot connect to 127.0.0.1:", "Connection refused", "hint: start the server"]),
        (&[&plain.replace("ws:", "wss:")], &["the server does not speak TLS", "hint: use ws://"]),
        (&["--subprotocol=x", &url(&server, "/a")], &["429"]),
        (&["unix:/no/such/socket"], &["the Unix socket `/no/such/socket`: No such file", "hint: "]),
        (&["wss://localhost:1/", "--sslca=/no/such"], &["--sslca"]),
    ];
    for (arguments, words) in table {
        let outcome = call(arguments, "");
        if arguments.contains(&"--sslca=/no/such") {
            assert_eq!(outcome.status, Some(2), "{outcome:?}");
            continue;
        }
        assert_refused(&outcome, words);
    }
    drop(busy);
}

/// A server that answers each connection with this text after the head of a request.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            read_head(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

/// Reads a head; returns it with its end.
pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            break;
        }
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn an_answer_that_is_no_websocket_is_told_as_that() {
    let table: [(&str, &[&str]); 6] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &["200 OK", "hint: check the path"]),
        (
            "HTTP/1.1 302 Found\r\nLocation: ws://x/y\r\n\r\n",
            &["302 Found", "hint: use the URL to which it redirects: ws://x/y"],
        ),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", &["401 Unauthorized", "hint: name the user in the URL"]),
        ("220 mail ESMTP\r\n", &["does not speak HTTP", "hint: check host and port"]),
        ("", &["closed the connection without an answer", "hint: use wss://"]),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            &["not one of a WebSocket server"],
        ),
    ];
    for (answer, words) in table {
        assert_refused(&call(&[&answering(answer)], ""), words);
    }
}

#[test]
fn an_invalid_line_is_exit_2_with_a_hint() {
    let table: [(&[&str], &str); 13] = [
        (&[], "cannot connect without a URL"),
        (&["localhost:80"], "it has no scheme\nhint: write ws://localhost:80"),
        (&["ftp://h/"], "unknown scheme"),
        (
            &["--framing=json", "ws://h/"],
            "invalid value `json` for --framing\nhint: use lines, chunks, nul, length, jsonrpc or lsp; --framing=json is for the server\n",
        ),
        (&["--framing=ndjson", "ws://h/"], "hint: did you mean `--framing=jsonrpc`?\n"),
        (&["--json", "ws://h/"], "hint: did you mean `--framing=jsonrpc`?\n"),
        (&["--resume=60", "ws://h/"], "hint: the server keeps the session: wsd --resume=60; here write --resume\n"),
        (&["--insecure", "wss://h/"], "unknown flag `--insecure`"),
        (&["--header=x", "ws://h/"], "hint: write it as --header='Name: value'"),
        (&["--header=Upgrade: x", "ws://h/"], "cannot set upgrade with --header"),
        (&["--wait=1", "ws://h/", "cat"], "cannot use --wait with COMMAND"),
        (&["--pty", "ws://h/"], "standard input is no terminal"),
        (&["--sslcert=/x", "wss://h/"], "cannot use --sslcert without --sslkey\nhint: add --sslkey"),
    ];
    for (arguments, words) in table {
        let outcome = call(arguments, "");
        assert_eq!(outcome.status, Some(2), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(words), "{arguments:?}: {outcome:?}");
    }
}

/// A server with TLS and a certificate of `authority`, which may ask clients for one; and its URL.
fn secure(authority: &Authority, tree: &Tree, asks: bool) -> (Server, String) {
    let Identity { certificate, key } = authority.identity("server");
    tree.file("cert.pem", certificate).file("key.pem", key).file("ca.pem", authority.pem());
    let (cert, key, ca) = (tree.path("cert.pem"), tree.path("key.pem"), tree.path("ca.pem"));
    let flags = ["--ssl", "--sslcert", &cert, "--sslkey", &key, "--sslca", &ca];
    let script = "read x; echo \"$x $HTTPS $SSL_CLIENT_S_DN\"";
    let server = Server::shell(if asks { &flags } else { &flags[..5] }, script, &[]);
    let url = format!("wss://localhost:{}/", server.address.port());
    (server, url)
}

#[test]
fn tls_trusts_the_authorities_of_sslca_and_no_other() {
    let (authority, tree) = (Authority::new(), Tree::new());
    let (server, url) = secure(&authority, &tree, false);
    tree.file("other.pem", Authority::new().pem());

    assert_is(&call(&["--sslca", &tree.path("ca.pem"), &url], "hi\n"), 0, "hi on \n", "");
    let unknown = call(&["--sslca", &tree.path("other.pem"), &url], "");
    assert_refused(&unknown, &["an authority that is not trusted here", "hint: name a file"]);
    let by_address = format!("wss://{}/", server.address);
    let other_name = call(&["--sslca", &tree.path("ca.pem"), &by_address], "");
    assert_refused(&other_name, &["for another name"]);
    let plain = call(&[&by_address.replace("wss:", "ws:")], "");
    assert_refused(&plain, &["400 Bad Request: This port speaks TLS: use https:// or wss://"]);
    let line = server.expect_log("plain HTTP on a port of TLS").text;
    assert!(line.contains("why=tls") && line.contains("hint=\"connect with https:// or wss://"), "{line}");
}

#[test]
fn without_sslca_tls_trusts_the_authorities_of_the_system() {
    let (authority, tree) = (Authority::new(), Tree::new());
    let (_server, url) = secure(&authority, &tree, false);
    tree.file("other.pem", Authority::new().pem());

    let trusted = call_with(&[("SSL_CERT_FILE", &tree.path("ca.pem"))], &[&url], "hi\n");
    let unknown = call_with(&[("SSL_CERT_FILE", &tree.path("other.pem"))], &[&url], "");

    assert_is(&trusted, 0, "hi on \n", "");
    assert_refused(&unknown, &["an authority that is not trusted here"]);
}

#[test]
fn a_client_certificate_is_shown_to_a_server_that_asks() {
    let (authority, tree) = (Authority::new(), Tree::new());
    let (_server, url) = secure(&authority, &tree, true);
    let Identity { certificate, key } = authority.identity("ann");
    tree.file("ann.pem", certificate).file("ann.key", key);
    let (ca, cert, key) = (tree.path("ca.pem"), tree.path("ann.pem"), tree.path("ann.key"));

    let outcome = call(&["--sslca", &ca, "--sslcert", &cert, "--sslkey", &key, &url], "hi\n");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.stdout.starts_with("hi on ") && outcome.stdout.contains("ann"), "{outcome:?}");
    assert_refused(
        &call(&["--sslca", &ca, &url], ""),
        &["wants a client certificate", "hint: add --sslcert and --sslkey"],
    );
}

#[test]
fn a_unix_socket_is_named_with_the_path_behind_it() {
    let tree = Tree::new();
    let socket = tree.path("socket");
    let abstracted = format!("@wsd-connect-{}", std::process::id());
    for (socket, path) in [(&*socket, ":/a?b"), (&*socket, ""), (&*abstracted, ":/a?b")] {
        let listening = format!("--unixsocket={socket}");
        let _server = Server::spawn(wsd(&[&listening, "sh", "-c", "echo $REQUEST_URI"]));

        let outcome = call(&[&format!("unix:{socket}{path}")], "");

        assert_is(&outcome, 0, if path.is_empty() { "/\n" } else { "/a?b\n" }, "");
    }
}

/// A proxy that opens tunnels; and the heads of the requests that it gets.
pub(crate) fn proxy(answer: &'static str) -> (String, Arc<Lines>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, mut tell) = std::io::pipe().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let head = read_head(&mut client);
            tell.write_all(head.replace("\r\n", "|").as_bytes()).unwrap();
            tell.write_all(b"\n").unwrap();
            client.write_all(answer.as_bytes()).unwrap();
            if !answer.contains(" 200 ") {
                continue;
            }
            let target = head.split(' ').nth(1).unwrap();
            let server = TcpStream::connect(target).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (mut from, mut to) = (server, client);
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    (address, Lines::of(told))
}

pub(crate) fn call_with(environment: &[(&str, &str)], arguments: &[&str], input: &str) -> Outcome {
    let mut command = wsd(&[&["connect"], arguments].concat());
    command.envs(environment.iter().copied());
    Caller::spawn(command).finish(input.as_bytes())
}

#[test]
fn the_proxy_of_the_environment_carries_the_session() {
    let server = Server::command(&[], &["cat"]);
    let (proxy, heads) = proxy("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n");
    let (authority, tree) = (Authority::new(), Tree::new());
    let (secure, secure_url) = secure(&authority, &tree, false);
    let with_user = format!("http://u:p%40@{proxy}");

    let plain = call_with(&[("http_proxy", &with_user)], &[&url(&server, "/")], "hi\n");
    let ca = tree.path("ca.pem");
    let within_tls = call_with(&[("https_proxy", &proxy)], &["--sslca", &ca, &secure_url], "hi\n");

    assert_is(&plain, 0, "hi\n", "");
    assert_is(&within_tls, 0, "hi on \n", "");
    let (first, second) = (server.address, secure.address.port());
    let want = format!("CONNECT {first} HTTP/1.1|Host: {first}|Proxy-Authorization: Basic dTpwQA==||");
    assert_eq!(heads.wait_for("", 1).unwrap().text, want);
    assert!(heads.wait_for("", 2).unwrap().text.starts_with(&format!("CONNECT localhost:{second} HTTP/1.1|")));
}

#[test]
fn a_proxy_that_is_not_there_is_told_with_its_variable() {
    let proxy = format!("http://127.0.0.1:{}", free_port());

    let refused = call_with(&[("http_proxy", &proxy)], &["ws://localhost:1/"], "");

    let words =
        ["cannot connect to the proxy 127.0.0.1:", "\nhint: check http_proxy; no_proxy=localhost goes without it\n"];
    assert_refused(&refused, &words);
}

#[test]
fn no_proxy_excepts_a_host_and_a_proxys_refusal_is_told() {
    let server = Server::command(&[], &["cat"]);
    let (proxy, heads) = proxy("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");

    let refused = call_with(&[("http_proxy", &proxy)], &[&url(&server, "/")], "");
    let excepted = call_with(&[("http_proxy", &proxy), ("no_proxy", "127.0.0.0/8")], &[&url(&server, "/")], "hi\n");

    assert_refused(&refused, &["the proxy 127.0.0.1:", "answered 407", "hint: write user and password"]);
    assert_is(&excepted, 0, "hi\n", "");
    assert_eq!(heads.so_far().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_flood_both_ways_loses_nothing_and_takes_no_memory() {
    use crate::harness::process::linux::peak_memory;
    const LINES: usize = 64 << 10;
    let server = Server::command(&[], &["cat"]);
    let mut caller = Caller::start(&[&url(&server, "/")]);
    caller.types("first\n");
    caller.sees("first\n");
    let before = peak_memory(caller.pid());
    let (mut input, mut output) = (caller.input.take().unwrap(), caller.output.take().unwrap());
    // 64 MiB of lines of 1 KiB.
    let line = |number: usize| format!("{number:01023}\n");
    let writer = thread::spawn(move || {
        for number in 0..LINES {
            input.write_all(line(number).as_bytes()).unwrap();
        }
    });

    let mut buffer = vec![0; 1024];
    for number in 0..LINES {
        output.read_exact(&mut buffer).unwrap();
        assert!(buffer == line(number).as_bytes(), "line {number}: {}", String::from_utf8_lossy(&buffer));
    }

    writer.join().unwrap();
    let growth_kib = peak_memory(caller.pid()) - before;
    assert!(growth_kib < 8 << 10, "memory grew by {growth_kib} KiB");
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_does_not_read_stops_the_program_of_the_server() {
    use crate::harness::process::linux::peak_memory;
    const LINES: usize = 40_000;
    let server = Server::command(&["--pingms=0"], &["perl", &program("flood.pl"), &LINES.to_string(), "1000"]);
    let caller = Caller::start(&[&url(&server, "/")]);
    server.expect_log("blocked at ");
    let before = peak_memory(caller.pid());
    assert!(before < 64 << 10, "{before} KiB wait");

    let outcome = caller.finish(b"");

    assert_eq!((outcome.status, outcome.stdout.lines().count()), (Some(0), LINES), "{}", outcome.stderr);
}

#[test]
fn ctrl_c_closes_with_1001_and_is_exit_130() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = Server::command(&[], &["cat"]);
        let mut caller = Caller::start(&[&url(&server, "/")]);
        caller.types("a\n");
        caller.sees("a\n");

        kill_process(caller.pid(), signal).unwrap();

        eventually("the client ends", || caller.child.try_wait().unwrap());
        assert_is(&caller.finish(b""), status, "", "");
        assert!(server.expect_log("session ended").text.contains(" code=1001 "));
    }
}

#[test]
fn a_reader_that_leaves_ends_the_client_like_any_program() {
    let server = Server::shell(&[], "while echo line; do :; done", &[]);
    let mut caller = Caller::start(&[&url(&server, "/")]);
    caller.sees("line\n");

    drop(caller.output.take());

    let status = eventually("the client ends", || caller.child.try_wait().unwrap());
    assert_eq!((status.code(), &*caller.errors.wait_for_end()), (Some(141), ""));
    assert!(server.expect_log("session ended").text.contains(" code=1001 "));
}

#[test]
fn two_programs_talk_to_each_other() {
    let server = Server::shell(&[], "echo question; read x; echo \"heard $x\"; read y", &[]);
    let script = "read x; echo \"answer to $x\"; read y; echo \"$y\" >&2; exit 7";

    let outcome = call(&[&url(&server, "/"), "sh", "-c", script], "not for the program");

    // The program's end is the session's, and the server learns its status.
    assert_is(&outcome, 7, "", "heard answer to question\n");
    assert!(server.expect_log("session ended").text.contains(" code=4007 "));
}

#[test]
fn the_guest_of_the_examples_is_greeted_by_the_greeter() {
    let examples = crate::harness::pages::root().join("examples");
    let [greeter, guest] = ["greeter.sh", "guest.sh"].map(|name| examples.join(name).to_str().unwrap().to_owned());
    let server = Server::command(&[], &[&greeter]);

    assert_is(&call(&[&url(&server, "/"), &guest], ""), 0, "", "What is your name?\nHello, Ann!\n");
}

#[test]
fn after_a_close_with_1000_the_status_is_that_of_the_program_here() {
    let server = Server::shell(&[], "echo bye", &[]);
    let script = "cat >&2; echo too late; exit 5";

    assert_is(&call(&["--", &url(&server, "/"), "sh", "-c", script], ""), 5, "", "bye\n");
}

#[test]
fn after_a_close_with_a_status_the_status_is_that_of_the_program_there() {
    let server = Server::shell(&[], "exit 9", &[]);

    assert_is(&call(&[&url(&server, "/"), "cat"], ""), 9, "", "");
}

#[test]
fn the_last_output_of_a_program_that_ends_at_once_is_sent() {
    let tree = Tree::new();
    let server = Server::shell(&[], "cat > \"$1\"", &[&tree.path("got")]);

    let outcome = call(&[&url(&server, "/"), "seq", "100000"], "");

    assert_is(&outcome, 0, "", "");
    server.expect_log("session ended");
    let want: String = (1..=100_000).flat_map(|number: u32| [number.to_string(), "\n".to_owned()]).collect();
    assert_eq!(tree.read("got"), want.as_bytes());
}

#[test]
fn a_command_that_cannot_be_started_is_told() {
    let server = Server::command(&[], &["cat"]);

    let outcome = call(&[&url(&server, "/"), "./no-such-program"], "");

    assert_refused(&outcome, &["cannot start `./no-such-program`: No such file", "hint: "]);
}

#[test]
fn retry_waits_for_the_server() {
    let port = free_port();
    let address = format!("ws://127.0.0.1:{port}/");
    let caller = Caller::start(&["--retry", &address]);
    assert!(caller.errors.wait_for("Connection refused (os error 111); trying again in ", 2).is_some());

    let _server = Server::spawn(wsd(&[&format!("--port={port}"), "echo", "here"]));

    let outcome = caller.finish(b"");
    assert_eq!((outcome.status, &*outcome.stdout), (Some(0), "here\n"), "{outcome:?}");
}

#[test]
fn retry_does_not_try_again_what_does_not_pass() {
    let server = Server::serve(&["--route=/a=cat"]);

    assert_refused(&call(&["--retry", &url(&server, "/b")], ""), &["404 Not Found"]);
}

#[test]
fn pings_are_answered_while_nothing_else_happens() {
    // Two silent intervals would end the session.
    let server = Server::shell(&["--pingms=100"], "sleep 1; echo alive", &[]);
    let start = Instant::now();

    assert_is(&call(&[&url(&server, "/")], ""), 0, "alive\n", "");
    assert!(start.elapsed().as_millis() >= 1000);
}

#[test]
fn a_program_called_connect_runs_by_its_path_and_after_two_dashes() {
    let tree = Tree::new();
    tree.program("connect", "#!/bin/sh\necho \"program $*\"\n");
    for words in
        [&["--port=0", "connect", "x"][..], &["--port=0", "./connect", "x"], &["--port=0", "--", "connect", "x"]]
    {
        let mut command = wsd(words);
        command.current_dir(tree.path("")).env("PATH", tree.path("") + ":/usr/bin:/bin");
        let server = Server::spawn(command);
        assert_eq!(server.connect("/").line(), "program x", "{words:?}");
    }
}

#[test]
fn help_tells_of_the_client_and_where_it_is() {
    assert!(run(&["--help"]).stdout.contains("wsd connect [FLAGS] URL [COMMAND [ARGS]]"));
    let help = run(&["connect", "-help"]);

    assert_eq!(help.status, Some(0));
    for word in ["--framing <HOW>", "--sslca <FILE>", "--wait <SECS>", "unix:SOCKET[:/PATH]", "4000 + N"] {
        assert!(help.stdout.contains(word), "no {word}:\n{}", help.stdout);
    }
}

#[test]
fn flags_may_stand_behind_the_url() {
    let server = Server::command(&["--framing=nul"], &["cat"]);

    let outcome = call(&[&url(&server, "/"), "--framing", "nul"], "a\nb\0");

    assert_is(&outcome, 0, "a\nb\0\n", "");
    assert_eq!(field(&server.expect_log("session ended").text, "in").as_deref(), Some("1"));
}

#[test]
fn a_certificate_of_an_authority_is_told_as_that() {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let (tree, certificate) = (Tree::new(), params.self_signed(&key).unwrap().pem());
    tree.file("cert.pem", &certificate).file("key.pem", key.serialize_pem());
    let (cert, key) = (format!("--sslcert={}", tree.path("cert.pem")), format!("--sslkey={}", tree.path("key.pem")));
    let server = Server::command(&["--ssl", &cert, &key], &["cat"]);
    let url = format!("wss://localhost:{}/", server.address.port());

    let outcome = call(&[&format!("--sslca={}", tree.path("cert.pem")), &url], "");

    assert_refused(&outcome, &["the server's certificate is that of an authority", "hint: make one with -addext"]);
}
