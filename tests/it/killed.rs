//! wsd is killed: no program stays.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::process::{gone_within, pid};
use crate::harness::server::{Server, field, wsd};
use crate::harness::tree::Tree;
use crate::harness::websocket::Client;
use crate::harness::{SLACK, eventually};

/// The time in which all must be gone.
const PROMISE: Duration = Duration::from_secs(1);

#[test]
fn nothing_that_a_program_has_started_outlives_a_killed_server() {
    let table = [
        "echo $$; exec sleep 1000",
        "trap '' HUP INT TERM PIPE; echo $$; exec sleep 1000",
        "sleep 1000 & echo $!; wait",
        "setsid sleep 1000 & echo $!; wait",
        "sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!'; cat",
        "env -i setsid sleep 1000 & echo $!; wait",
    ];
    for flag in ["--threads=1", "--threads=4", "--unbuffer", "--pty"] {
        let server = Server::shell(&[flag], "eval \"$HTTP_SCRIPT\"", &[]);
        // The kernel hangs up a terminal and so ends the shell, before the guard sees whose child the last one is.
        let table = if flag == "--pty" { &table[..5] } else { &table[..] };
        let mut clients: Vec<_> =
            table.iter().map(|script| server.connect_with("/", &format!("Script: {script}\r\n"))).collect();
        let number = |client: &mut Client| pid(&String::from_utf8(client.message().payload).unwrap());
        let mut processes: Vec<Pid> = clients.iter_mut().map(number).collect();
        processes.extend((1..=table.len()).map(|count| server.expect_worker(count)));

        server.signal(Signal::KILL);

        for (process, script) in processes.into_iter().zip(table.iter().cycle()) {
            assert!(gone_within(process, PROMISE + SLACK), "{flag} {script}");
        }
    }
}

#[test]
fn neither_a_script_nor_the_program_of_a_room_outlives_a_killed_server() {
    let tree = Tree::new();
    tree.program("cgi/script", "#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'; echo $$ > id; exec sleep 1000\n");
    let script = "echo $$; exec sleep 1000";
    let server = Server::shell(&["--shared", "--eager", "--history=1", "--cgidir", &tree.path("cgi")], script, &[]);
    let mut client = server.connect("/");
    let worker = pid(&client.line());
    let mut connection = server.http();
    connection.send("GET /script HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let script = eventually("the script runs", || {
        let id = tree.holds("cgi/id").then(|| String::from_utf8(tree.read("cgi/id")).unwrap())?;
        id.ends_with('\n').then(|| pid(&id))
    });

    server.signal(Signal::KILL);

    assert!(gone_within(worker, PROMISE + SLACK));
    assert!(gone_within(script, PROMISE + SLACK));
}

#[test]
fn a_server_that_has_ended_leaves_no_process_of_its_own() {
    let tree = Tree::new();
    for signal in [Signal::TERM, Signal::KILL] {
        let mark = format!("WSD_TEST_MARK={}", tree.path(""));
        let mut command = wsd(&["--port=0", "cat"]);
        command.env("WSD_TEST_MARK", tree.path(""));
        let mut server = Server::spawn(command);
        assert_eq!(marked(&mark), 2, "the server and its guard");

        server.signal(signal);
        server.wait();

        eventually("all have ended", || (marked(&mark) == 0).then_some(()));
    }
}

#[test]
fn the_log_tells_that_the_guard_was_killed() {
    let tree = Tree::new();
    let mark = format!("WSD_TEST_MARK={}", tree.path(""));
    let mut command = wsd(&["--port=0", "cat"]);
    command.env("WSD_TEST_MARK", tree.path(""));
    let server = Server::spawn(command);

    kill_process(guard(&mark, &server), Signal::KILL).unwrap();

    let line = server.expect_log("guard lost").text;
    assert!(field(&line, "hint").is_some(), "{line}");
    server.connect("/").close(1000);
}

#[test]
fn the_guard_takes_little_memory_and_holds_no_stream() {
    let tree = Tree::new();
    let mark = format!("WSD_TEST_MARK={}", tree.path(""));
    let mut command = wsd(&["--port=0", "cat"]);
    command.env("WSD_TEST_MARK", tree.path(""));
    let server = Server::spawn(command);
    let guard = guard(&mark, &server);

    // The socket that ends with wsd, and the list of workers.
    eventually("it has closed all others", || {
        let open = fs::read_dir(format!("/proc/{guard}/fd")).unwrap();
        let open = open.filter_map(|entry| Some(fs::read_link(entry.ok()?.path()).ok()?.display().to_string()));
        (open.filter(|target| *target != "/dev/null").count() == 2).then_some(())
    });
    let rollup = fs::read_to_string(format!("/proc/{guard}/smaps_rollup")).unwrap();
    let private = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).unwrap();
    let kib: u64 = private.trim().trim_end_matches(" kB").parse().unwrap();
    // What it does not share with wsd.
    assert!(kib < 512, "{kib} KiB");
}

/// Returns the guard of a server, both of which have this entry in their environment.
fn guard(entry: &str, server: &Server) -> Pid {
    let processes = processes_with(entry).into_iter().map(|process| pid(&process));
    let others: Vec<_> = processes.filter(|process| *process != server.pid()).collect();
    assert_eq!(others.len(), 1, "{others:?}");
    others[0]
}

/// Returns the number of processes with this entry in their environment.
fn marked(entry: &str) -> usize {
    processes_with(entry).len()
}

fn processes_with(entry: &str) -> Vec<String> {
    let names = fs::read_dir("/proc").unwrap().map(|process| process.unwrap().file_name().into_string().unwrap());
    let has_entry = |process: &String| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|known| known == entry.as_bytes())
    };
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_digit())).filter(has_entry).collect()
}
