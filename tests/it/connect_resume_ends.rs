//! The ends of `wsd connect --resume`: of the session, of its programs, and by the user.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use rustix::process::{Signal, kill_process};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept_hdr};

use crate::harness::caller::Caller;
use crate::harness::cutting::{Cut, Cutting, Way};
use crate::harness::eventually;
use crate::harness::lines::Lines;
use crate::harness::places::free_port;
use crate::harness::server::{Outcome, Server, wsd};

const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A server, and a proxy to it that cuts the first connection after these bytes to the client. No other connection passes before
/// the answer of the test.
fn gated(server: &Server, down: usize) -> (Cutting, Sender<()>) {
    let (open, gate): (Sender<()>, Receiver<()>) = channel();
    let mut is_first = true;
    let cutting = Cutting::to(server.address, move || {
        if std::mem::replace(&mut is_first, false) {
            return Cut { down, up: usize::MAX, way: Way::Fin };
        }
        let _ = gate.recv();
        Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin }
    });
    (cutting, open)
}

fn at(cutting: &Cutting) -> String {
    format!("ws://{}/", cutting.address)
}

fn serve_at(port: u16, flags: &[&str], command: &[&str]) -> Server {
    let port = format!("--port={port}");
    Server::spawn(wsd(&[&[&*port], flags, command].concat()))
}

fn ended(caller: &mut Caller) -> Option<i32> {
    eventually("the client ends", || caller.child.try_wait().unwrap()).code()
}

/// A server of the test's own that speaks to its n-th connection by `talk`.
fn scripted(
    mut talk: impl FnMut(usize, &mut WebSocket<TcpStream>) + Send + 'static,
) -> (String, std::sync::Arc<Lines>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (told, mut tell) = std::io::pipe().unwrap();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
            let answer = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
                let offered = request.headers()["sec-websocket-protocol"].clone();
                tell.write_all(&[offered.as_bytes(), b"\n"].concat()).unwrap();
                response.headers_mut().insert("sec-websocket-protocol", "wsd.resume.1".parse().unwrap());
                Ok(response)
            };
            let Ok(mut socket) = accept_hdr(stream, answer) else { continue };
            talk(number, &mut socket);
        }
    });
    (url, Lines::of(told))
}

fn say(socket: &mut WebSocket<TcpStream>, text: &str) {
    socket.send(Message::text(text)).unwrap();
}

fn greet(socket: &mut WebSocket<TcpStream>, more: &str) {
    say(socket, &format!("\0{{\"session\":\"{TOKEN}\",\"keep\":60,\"window\":1048576,{more}}}"));
}

/// Closes, and waits for the answer. Returns what came before it.
fn close(socket: &mut WebSocket<TcpStream>, code: u16) -> Vec<String> {
    let frame = CloseFrame { code: CloseCode::from(code), reason: "why".into() };
    socket.close(Some(frame)).unwrap();
    let mut heard = Vec::new();
    while let Ok(message) = socket.read() {
        heard.push(message.to_string());
    }
    heard
}

fn call(url: &str) -> Outcome {
    Caller::start(&["--resume", url]).finish(b"")
}

#[test]
fn the_status_of_a_program_that_ended_while_the_client_was_away_is_learnt() {
    let server = Server::shell(&["--resume=60"], "echo one; read x; echo \"two $x\"; exit 7", &[]);
    let (proxy, open) = gated(&server, 330);
    let mut caller = Caller::start(&["--resume", &at(&proxy)]);
    caller.types("x\n");
    server.expect_log("session ended");
    open.send(()).unwrap();

    let outcome = caller.finish(b"");

    assert_eq!((outcome.status, &*outcome.stdout), (Some(7), "one\ntwo x\n"), "{outcome:?}");
}

#[test]
fn what_a_program_printed_while_its_client_was_away_arrives_after_its_end() {
    let server = Server::shell(&["--resume=60"], "echo go; seq 200; wc -l >&2", &[]);
    let (proxy, open) = gated(&server, 600);
    let script = "read x; echo a; sleep 0.5; seq 1000; echo done >&2; exit 5";
    let mut caller = Caller::start(&["--resume", &at(&proxy), "sh", "-c", script]);
    server.expect_log("session detached");
    assert!(caller.errors.wait_for("done", 1).is_some());
    open.send(()).unwrap();

    assert_eq!(ended(&mut caller), Some(5));

    assert!(server.expect_log("worker stderr").text.contains("line=1001"));
    assert!(server.expect_log("session ended").text.contains(" code=4005 "));
}

#[test]
fn a_server_that_was_started_again_does_not_have_the_session() {
    let port = free_port();
    let url = format!("ws://127.0.0.1:{port}/");
    let mut server = serve_at(port, &["--resume=60"], &["cat"]);
    let mut caller = Caller::start(&["--resume", &url]);
    caller.types("a\n");
    caller.sees("a\n");

    server.signal(Signal::KILL);
    server.wait();
    let server = serve_at(port, &["--resume=60"], &["cat"]);

    assert_eq!(ended(&mut caller), Some(1));
    let errors = caller.errors.wait_for_end();
    assert!(errors.contains("the session is gone: the server does not have it any more"), "{errors}");
    assert!(errors.contains("hint: add --retry"), "{errors}");
    // The session that the server opened in its place ends, too.
    assert!(server.expect_log("session ended").text.contains(" code=1000 "));
}

#[test]
fn retry_begins_another_session_after_the_last_one_and_says_so() {
    let port = free_port();
    let url = format!("ws://127.0.0.1:{port}/");
    for signal in [Signal::KILL, Signal::TERM] {
        let mut server = serve_at(port, &["--resume=60"], &["cat"]);
        let mut caller = Caller::start(&["--resume", "--retry", &url]);
        caller.types("a\n");
        caller.sees("a\n");

        server.signal(signal);
        server.wait();
        let _server = serve_at(port, &["--resume=60"], &["cat"]);
        assert!(caller.errors.wait_for("; beginning another one", 1).is_some());
        caller.types("b\n");
        caller.sees("b\n");

        let outcome = caller.finish(b"");
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
}

#[test]
fn retry_starts_the_program_again_with_the_session() {
    let port = free_port();
    let url = format!("ws://127.0.0.1:{port}/");
    let mut server = serve_at(port, &["--resume=60"], &["cat"]);
    let script = "echo hello; read x; echo \"$x\" >&2; read y; echo \"end $y\" >&2";
    let mut caller = Caller::start(&["--resume", "--retry", &url, "sh", "-c", script]);
    assert!(caller.errors.wait_for("hello", 1).is_some());

    server.signal(Signal::KILL);
    server.wait();
    let _server = serve_at(port, &["--resume=60"], &["cat"]);

    assert!(caller.errors.wait_for("hello", 2).is_some());
    kill_process(caller.pid(), Signal::INT).unwrap();
    assert_eq!(ended(&mut caller), Some(130));
}

#[test]
fn a_signal_while_another_session_begins_closes_that() {
    let port = free_port();
    let mut server = serve_at(port, &["--resume=60"], &["cat"]);
    // The program has 5 s to end.
    let script = "echo hello; read x; echo attached >&2; exec sleep 1000";
    let url = format!("ws://127.0.0.1:{port}/");
    let mut caller = Caller::start(&["--resume", "--retry", &url, "sh", "-c", script]);
    assert!(caller.errors.wait_for("attached", 1).is_some());
    server.signal(Signal::KILL);
    server.wait();
    let server = serve_at(port, &["--resume=60"], &["cat"]);
    assert!(caller.errors.wait_for("; beginning another one", 1).is_some());

    kill_process(caller.pid(), Signal::INT).unwrap();

    assert_eq!(ended(&mut caller), Some(130));
    assert!(server.expect_log("session ended").text.contains(" code=1000 "));
}

#[test]
fn a_session_that_cannot_be_found_again_in_its_time_is_gone() {
    let mut server = Server::command(&["--resume=1"], &["cat"]);
    let mut caller = Caller::start(&["--resume", &format!("ws://{}/", server.address)]);
    caller.types("a\n");
    caller.sees("a\n");

    server.signal(Signal::KILL);
    server.wait();

    assert_eq!(ended(&mut caller), Some(1));
    let errors = caller.errors.wait_for_end();
    assert!(errors.contains("no return to it in the 1 s for which the server keeps it"), "{errors}");
}

#[test]
fn a_session_that_has_expired_is_told_as_gone() {
    let server = Server::command(&["--resume=1"], &["cat"]);
    let (proxy, open) = gated(&server, 400);
    let mut caller = Caller::start(&["--resume", &at(&proxy)]);
    caller.types(&"a\n".repeat(200));
    server.expect_log("session expired");
    open.send(()).unwrap();

    assert_eq!(ended(&mut caller), Some(1));
    let errors = caller.errors.wait_for_end();
    assert!(errors.contains("the session is gone: "), "{errors}");
}

#[test]
fn the_end_of_a_session_tells_how_many_messages_may_be_lost() {
    for (input, want) in
        [("a\n", "; the last message sent may be lost\n"), ("a\nb\n", "; the last 2 messages sent may be lost\n")]
    {
        let count = input.lines().count();
        let (url, _offers) = scripted(move |_, socket| {
            greet(socket, "\"got\":0,\"resumed\":false");
            // It acknowledges none of them.
            for _ in 0..count {
                let _ = socket.read();
            }
        });

        let outcome = Caller::start(&["--resume", &url]).finish(input.as_bytes());

        assert!(outcome.status == Some(1) && outcome.stderr.contains(want), "{outcome:?}");
    }
}

#[test]
fn a_server_that_stops_leaves_no_doubt_how_many_messages_may_be_lost() {
    for code in [CloseCode::Away, CloseCode::Restart] {
        let (url, _offers) = scripted(move |_, socket| {
            greet(socket, "\"got\":0,\"resumed\":false");
            // It acknowledges none of them.
            let _ = (socket.read(), socket.read());
            let _ = socket.close(Some(CloseFrame { code, reason: "server is stopping".into() }));
            while socket.read().is_ok() {}
        });
        let mut caller = Caller::start(&["--resume", &url]);
        caller.types("a\nb\n");

        assert_eq!(ended(&mut caller), Some(1));

        let want = format!(
            "wsd: the server closed with code {}: server is stopping; the last 2 messages sent may be lost\n",
            u16::from(code)
        );
        assert_eq!(caller.errors.wait_for_end(), want);
    }
}

#[test]
fn ctrl_c_ends_the_session_of_the_server_for_good() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = Server::command(&["--resume=60"], &["cat"]);
        let mut caller = Caller::start(&["--resume", &format!("ws://{}/", server.address)]);
        caller.types("a\n");
        caller.sees("a\n");

        kill_process(caller.pid(), signal).unwrap();

        assert_eq!((ended(&mut caller), &*caller.errors.wait_for_end()), (Some(status), ""));
        assert!(server.expect_log("session ended").text.contains(" code=1000 "));
    }
}

#[test]
fn a_reader_that_leaves_ends_the_session_of_the_server_for_good() {
    let server = Server::shell(&["--resume=60"], "while echo line; do :; done", &[]);
    let mut caller = Caller::start(&["--resume", &format!("ws://{}/", server.address)]);
    caller.sees("line\n");

    drop(caller.output.take());

    assert_eq!((ended(&mut caller), &*caller.errors.wait_for_end()), (Some(141), ""));
    assert!(server.expect_log("session ended").text.contains(" code=1000 "));
}

#[test]
fn a_close_leaves_while_the_server_floods() {
    let (heard, hear) = channel();
    let (flooded, flood) = channel();
    let (url, _offers) = scripted(move |_, socket| {
        greet(socket, "\"got\":0,\"resumed\":false");
        let mut wire = socket.get_ref().try_clone().unwrap();
        let flooded = flooded.clone();
        thread::spawn(move || {
            // More lines than a pipe takes, and then control messages of which the client cannot have enough: it ignores them.
            let (lines, ignored) = (b"\x81\x04line".repeat(40_000), b"\x81\x08\0{\"x\":1}".repeat(10_000));
            wire.write_all(&lines).unwrap();
            for written in 0.. {
                if wire.write_all(&ignored).is_err() {
                    return;
                }
                if written == 40 {
                    flooded.send(()).unwrap();
                }
            }
        });
        let end = loop {
            match socket.read() {
                Ok(Message::Text(_)) => {}
                end => break end.map_err(|error| error.to_string()),
            }
        };
        heard.send(end).unwrap();
    });
    let mut caller = Caller::start(&["--resume", &url]);
    flood.recv().unwrap();

    drop(caller.output.take());

    assert_eq!((ended(&mut caller), &*caller.errors.wait_for_end()), (Some(141), ""));
    let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    assert_eq!(hear.recv().unwrap(), Ok(Message::Close(Some(close))));
}

#[test]
fn an_end_waits_for_an_acknowledgement_and_for_nothing_else() {
    let server = Server::command(&["--resume=60"], &["cat"]);
    let url = format!("ws://{}/", server.address);
    for _ in 0..6 {
        let start = Instant::now();

        let outcome = Caller::start(&["--resume", "--wait=0", &url]).finish(b"one\n");

        assert_eq!((outcome.status, &*outcome.stdout), (Some(0), "one\n"), "{outcome:?}");
        crate::harness::assert_in_time(start, std::time::Duration::from_secs(1));
    }
}

#[test]
fn a_command_that_cannot_be_started_leaves_no_session_behind() {
    let server = Server::command(&["--resume=60"], &["cat"]);

    let outcome = Caller::start(&["--resume", &format!("ws://{}/", server.address), "./no-such-program"]).finish(b"");

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(server.expect_log("session ended").text.contains(" code=1000 "));
}

#[test]
fn ctrl_c_while_away_ends_at_once() {
    let mut server = Server::command(&["--resume=60"], &["cat"]);
    let mut caller = Caller::start(&["--resume", &format!("ws://{}/", server.address)]);
    caller.types("a\n");
    caller.sees("a\n");
    server.signal(Signal::KILL);
    server.wait();
    assert!(caller.errors.wait_for("; trying again in ", 1).is_some());
    let start = Instant::now();

    kill_process(caller.pid(), Signal::INT).unwrap();

    assert_eq!(ended(&mut caller), Some(130));
    crate::harness::assert_in_time(start, std::time::Duration::ZERO);
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_while_the_server_is_away_and_standard_input_floods() {
    use crate::harness::process::linux::peak_memory;
    let mut server = Server::command(&["--resume=60"], &["cat"]);
    let mut caller = Caller::start(&["--resume", &format!("ws://{}/", server.address)]);
    caller.types("a\n");
    caller.sees("a\n");
    let before = peak_memory(caller.pid());
    server.signal(Signal::KILL);
    server.wait();
    assert!(caller.errors.wait_for("; trying again in ", 1).is_some());
    let (written, count) = channel();
    let mut input = caller.input.take().unwrap();
    thread::spawn(move || {
        let line = "x".repeat(1023) + "\n";
        while input.write_all(line.as_bytes()).is_ok() && written.send(line.len()).is_ok() {}
    });

    let mut taken = 0;
    while let Ok(bytes) = count.recv_timeout(std::time::Duration::from_secs(1)) {
        taken += bytes;
        assert!(taken < 2 << 20, "standard input is read on");
    }

    assert!(taken > 1 << 20, "{taken} bytes");
    let growth_kib = peak_memory(caller.pid()) - before;
    assert!(growth_kib < 4 << 10, "memory grew by {growth_kib} KiB");
}

#[test]
fn a_program_that_writes_much_before_it_reads_does_not_stop_the_session() {
    let server = Server::shell(&["--resume=60"], "seq 100000; wc -l >&2", &[]);
    let script = "seq 1000000; head -n 100000 | wc -l >&2";

    let outcome = Caller::start(&["--resume", &format!("ws://{}/", server.address), "sh", "-c", script]).finish(b"");

    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn a_server_without_resume_is_warned_of_and_served_as_ever() {
    for flags in [&[][..], &["--subprotocol=chat"]] {
        let server = Server::command(flags, &["cat"]);
        let url = format!("ws://{}/", server.address);

        let outcome = Caller::start(&[&["--resume", &url], flags].concat()).finish(b"one\ntwo\n");

        assert_eq!((outcome.status, &*outcome.stdout), (Some(0), "one\ntwo\n"), "{outcome:?}");
        assert_eq!(outcome.stderr.matches("the server does not keep sessions").count(), 1, "{outcome:?}");
        // One handshake is enough.
        server.expect_events("session started", 1);
        assert_eq!(server.log().iter().filter(|line| line.contains("session started")).count(), 1);
    }
}

#[test]
fn a_session_that_was_taken_over_is_over() {
    let (url, offers) = scripted(|_, socket| {
        greet(socket, "\"got\":0,\"resumed\":false");
        close(socket, 4409);
    });

    let outcome = call(&url);

    assert_eq!((outcome.status, &*outcome.stderr), (Some(1), "wsd: the server closed with code 4409: why\n"));
    assert_eq!(offers.so_far().len(), 1);
}

#[test]
fn a_gap_is_told_once_and_counts_as_received() {
    let (url, offers) = scripted(|number, socket| {
        if number == 0 {
            greet(socket, "\"got\":0,\"resumed\":false");
            say(socket, "one");
            say(socket, "\0{\"gap\":3}");
            say(socket, "five");
            say(socket, "\0{\"gap\":2}");
            say(socket, "\0{\"ping\":\"x\"}");
            // Once the answer is here, the client has taken all. Then the connection is lost.
            while socket.read().unwrap().to_string() != "\0{\"pong\":\"x\"}" {}
            say(socket, "\0\0eight");
            while socket.read().unwrap().to_string() != "\0{\"ack\":8}" {}
        } else {
            greet(socket, "\"got\":0,\"resumed\":true");
            close(socket, 1000);
        }
    });

    let outcome = call(&url);

    assert_eq!((outcome.status, &*outcome.stdout), (Some(0), "one\nfive\n\0eight\n"), "{outcome:?}");
    assert_eq!(outcome.stderr.matches("missed 3 messages").count(), 1, "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert_eq!(offers.wait_for("", 2).unwrap().text, format!("wsd.resume.1, wsd.resume.1~{TOKEN}~8"));
}

#[test]
fn a_server_that_breaks_the_rules_of_resume_is_told_so() {
    for (first, control) in [
        ("\"got\":0,\"resumed\":false", "{\"ack\":1}"),
        ("\"got\":0,\"resumed\":false", "{\"ack\":-1}"),
        ("\"got\":0,\"resumed\":false", "{\"gap\":\"x\"}"),
    ] {
        let (heard, hear) = channel();
        let (url, _offers) = scripted(move |_, socket| {
            greet(socket, first);
            say(socket, &format!("\0{control}"));
            let close = loop {
                match socket.read() {
                    Ok(Message::Close(frame)) => break frame.map(|frame| u16::from(frame.code)),
                    Ok(_) => {}
                    Err(_) => break None,
                }
            };
            heard.send(close).unwrap();
        });

        let outcome = call(&url);

        assert_eq!(outcome.status, Some(1), "{control}: {outcome:?}");
        assert!(outcome.stderr.contains("the server broke the protocol: "), "{control}: {outcome:?}");
        assert_eq!(hear.recv().unwrap(), Some(1002), "{control}");
    }
}

#[test]
fn a_first_message_that_is_no_greeting_is_no_session() {
    for text in ["hello", "\0{\"session\":\"short\",\"got\":0}", "\0{", "\0{\"ack\":0}"] {
        let (url, _offers) = scripted(move |_, socket| {
            say(socket, text);
            while socket.read().is_ok() {}
        });

        let outcome = call(&url);

        assert_eq!(outcome.status, Some(1), "{text:?}: {outcome:?}");
        assert!(outcome.stderr.contains("the first message is not one of wsd.resume.1"), "{text:?}: {outcome:?}");
    }
}
