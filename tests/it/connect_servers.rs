//! `wsd connect` with servers that are slow, with those that break the rules, and with those that leave.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::connect::{assert_refused, call_with, proxy, read_head};
use crate::harness::caller::Caller;
use crate::harness::server::{Outcome, Server, wsd};
use crate::harness::{assert_in_time, eventually};

/// A header of a server that keeps sessions.
const RESUMES: &str = "Sec-WebSocket-Protocol: wsd.resume.1\r\n";

fn url(server: &Server) -> String {
    format!("ws://{}/", server.address)
}

/// Runs `wsd connect` with this input to its end.
fn call(arguments: &[&str], input: &str) -> Outcome {
    Caller::start(arguments).finish(input.as_bytes())
}

/// A server of the test's own that speaks to each connection by `talk`. Returns its host and port.
fn speaking(talk: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let place = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            talk(&mut stream);
        }
    });
    place
}

/// Opens a session, with these headers more.
fn open(stream: &mut TcpStream, headers: &str) {
    let head = read_head(stream);
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = derive_accept_key(key.as_bytes());
    let answer =
        format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{headers}\r\n");
    stream.write_all(format!("HTTP/1.1 101 Switching Protocols\r\n{answer}").as_bytes()).unwrap();
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x80 | opcode, u8::try_from(payload.len()).unwrap()], payload].concat()
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(8, &[&code.to_be_bytes()[..], reason.as_bytes()].concat())
}

/// Greets a client that asks for a session to which it can return.
fn greet(stream: &mut TcpStream) {
    open(stream, RESUMES);
    let token = "A".repeat(43);
    let greeting = format!("\0{{\"session\":\"{token}\",\"got\":0,\"resumed\":false,\"keep\":60,\"window\":9}}");
    stream.write_all(&frame(1, greeting.as_bytes())).unwrap();
}

/// Reads up to a frame of the client with this first byte. Its other bytes are masked, so it may take one of these for that.
fn read_to(stream: &mut TcpStream, first: u8) {
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|count| count > 0) && byte != [first] {}
}

fn read_to_end(stream: &mut TcpStream) {
    let _ = std::io::copy(stream, &mut std::io::sink());
}

#[test]
fn a_message_that_is_still_arriving_is_no_silence() {
    // Its parts come after pauses that are longer than the silence.
    let part = "head -c 70000 /dev/zero | tr '\\0' a";
    let server = Server::shell(&[], &format!("read x; {part}; sleep 1.5; {part}; sleep 1.5; echo; read y"), &[]);

    let outcome = call(&[&url(&server)], "get\n");

    assert_eq!((outcome.status, outcome.stdout.len(), &*outcome.stderr), (Some(0), 140_001, ""));
}

#[test]
fn a_close_with_an_invalid_code_is_a_broken_protocol() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        for flags in [&[][..], &["--resume"]] {
            let resumes = !flags.is_empty();
            let place = speaking(move |stream| {
                if resumes {
                    greet(stream);
                } else {
                    open(stream, "");
                }
                stream.write_all(&close(code, "why")).unwrap();
                read_to_end(stream);
            });

            let outcome = call(&[flags, &[&format!("ws://{place}/")]].concat(), "");

            let want = format!("wsd: the server broke the protocol: it closed with code {code}\n");
            assert_eq!((outcome.status, outcome.stderr), (Some(1), want), "{flags:?}");
        }
    }
}

#[test]
fn an_answer_with_an_extension_or_two_keys_opens_no_session() {
    let table = [
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", "an extension that nobody asked for"),
        ("sec-websocket-accept: x\r\n", "Sec-WebSocket-Accept twice"),
    ];
    for (header, words) in table {
        for flags in [&[][..], &["--resume"]] {
            let place = speaking(move |stream| {
                open(stream, header);
                let _ = stream.write_all(&close(1000, ""));
            });

            let outcome = call(&[flags, &[&format!("ws://{place}/")]].concat(), "");

            assert_refused(&outcome, &["not one of a WebSocket server", words, "hint: check"]);
        }
    }
}

#[test]
fn messages_before_one_that_is_not_compressed_are_printed() {
    let place = speaking(|stream| {
        open(stream, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
        // "Hello" (RFC 7692, section 7.2.3.1), and a block that no stream has.
        let hello = frame(0x41, b"\xF2\x48\xCD\xC9\xC9\x07\x00");
        stream.write_all(&[hello, frame(0x41, b"\x07\x00")].concat()).unwrap();
        read_to_end(stream);
    });

    let outcome = call(&["--compress", &format!("ws://{place}/")], "");

    let want = "wsd: the server broke the protocol: a message that is not compressed by DEFLATE\n";
    assert_eq!((&*outcome.stdout, &*outcome.stderr, outcome.status), ("Hello\n", want, Some(1)));
}

#[test]
fn the_head_of_a_proxy_has_an_end_within_32_kib() {
    let server = Server::command(&[], &["cat"]);
    let long = format!("HTTP/1.1 200 OK\r\n{}\r\n", "Via: x\r\n".repeat(5000));
    let (proxy, _heads) = proxy(long.leak());

    let outcome = call_with(&[("http_proxy", &proxy)], &[&url(&server)], "hi\n");

    assert_refused(&outcome, &["cannot use the proxy 127.0.0.1:", "its answer has no end in 32 KiB"]);
}

#[test]
fn a_program_whose_last_output_may_be_lost_does_not_succeed() {
    let table: [(&str, &[u8], i32, &str); 5] = [
        ("exit 0", b"", 1, "wsd: the connection ended without a close"),
        ("exit 0", &close(1011, "db down"), 1, "wsd: the server closed with code 1011: db down\n"),
        ("exit 0", &close(4007, ""), 7, ""),
        ("exit 0", &close(1000, ""), 0, ""),
        // Its own status says more.
        ("exit 5", b"", 5, "wsd: the connection ended without a close"),
    ];
    for (script, answer, status, words) in table {
        let answer = answer.to_vec();
        let place = speaking(move |stream| {
            open(stream, "");
            read_to(stream, 0x88);
            stream.write_all(&answer).unwrap();
        });

        let outcome = call(&[&format!("ws://{place}/"), "sh", "-c", script], "");

        assert_eq!(outcome.status, Some(status), "{outcome:?}");
        assert!(outcome.stderr.starts_with(words) && outcome.stderr.is_empty() == words.is_empty(), "{outcome:?}");
    }
}

#[test]
fn a_program_whose_end_the_server_does_not_answer_does_not_succeed() {
    let place = speaking(|stream| {
        open(stream, "");
        read_to_end(stream);
    });

    let outcome = call(&[&format!("ws://{place}/"), "echo", "precious"], "");

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert_eq!(outcome.stderr, "wsd: the server did not answer the close: the last messages may be lost\n");
}

#[test]
fn a_signal_that_is_ignored_at_the_start_stays_ignored() {
    let server = Server::command(&[], &["cat"]);
    let command = wsd(&["connect", &url(&server)]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' HUP INT QUIT TERM; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    let mut caller = Caller::spawn(shell);
    caller.types("a\n");
    caller.sees("a\n");

    for signal in [Signal::HUP, Signal::INT, Signal::QUIT] {
        kill_process(caller.pid(), signal).unwrap();
        caller.types("b\n");
        caller.sees("b\n");
    }
    kill_process(caller.pid(), Signal::TERM).unwrap();

    assert_eq!(eventually("the client ends", || caller.child.try_wait().unwrap()).code(), Some(143));
}

/// A state of a client: flags, the scheme, a proxy, and the server's way there.
struct State {
    name: &'static str,
    flags: &'static [&'static str],
    scheme: &'static str,
    input: &'static str,
    reach: fn(&mut TcpStream),
}

#[test]
fn ctrl_c_ends_the_client_in_every_state() {
    let state = |name, reach| State { name, flags: &[], scheme: "ws", input: "", reach };
    let states = [
        State { scheme: "wss", ..state("TLS", |stream| read_to(stream, 0x16)) },
        state("handshake", |stream| drop(read_head(stream))),
        State { flags: &["--resume"], ..state("greeting", |stream| open(stream, RESUMES)) },
        state("attached", |stream| open(stream, "")),
        State { flags: &["--resume"], ..state("attached with --resume", greet) },
        State {
            flags: &["--wait=0"],
            input: "a\n",
            ..state("closing", |stream| {
                open(stream, "");
                read_to(stream, 0x88);
            })
        },
        State {
            flags: &["--wait=0", "--resume"],
            input: "a\n",
            ..state("closing with --resume", |stream| {
                greet(stream);
                read_to(stream, 0x81);
            })
        },
        State {
            flags: &["--resume"],
            input: "a\n",
            ..state("away", |stream| {
                greet(stream);
                read_to(stream, 0x81);
                stream.shutdown(std::net::Shutdown::Both).unwrap();
            })
        },
    ];
    for State { name, flags, scheme, input, reach } in states {
        let (tell, told): (Sender<()>, _) = channel();
        let place = speaking(move |stream| {
            reach(stream);
            let _ = tell.send(());
            read_to_end(stream);
        });
        let mut caller = Caller::start(&[flags, &[&format!("{scheme}://{place}/")]].concat());
        if !input.is_empty() {
            caller.types(input);
            caller.input = None;
        }
        told.recv().unwrap();
        let start = Instant::now();

        kill_process(caller.pid(), Signal::INT).unwrap();

        let ended = eventually("the client ends", || caller.child.try_wait().unwrap());
        assert_eq!((ended.code(), &*caller.errors.wait_for_end()), (Some(130), ""), "{name}");
        assert_in_time(start, Duration::from_secs(1));
    }
}
