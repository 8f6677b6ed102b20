//! One thread serves as well as several do, and several as well as one.

use std::collections::BTreeSet;
use std::thread;

use crate::harness::{
    eventually,
    server::{Server, wsd},
};

/// A server whose event loop has so many threads.
fn server(threads: usize, arguments: &[&str]) -> Server {
    Server::spawn(wsd(&[&[&*format!("--threads={threads}")], arguments].concat()))
}

#[test]
#[cfg(target_os = "linux")]
fn there_are_as_many_threads_as_wanted() {
    // One beside them starts programs, so that nobody waits for that.
    for (wanted, more) in [(1, 1), (4, 5)] {
        let server = server(wanted, &["--port=0", "cat"]);
        server.connect("/").text("started");

        assert_eq!(threads_that_work(&server), more);
    }
}

/// Threads besides the first one and the log's.
#[cfg(target_os = "linux")]
fn threads_that_work(server: &Server) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid().as_raw_nonzero())).unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
    names.filter(|name| name.starts_with("tokio") || name.starts_with("starter")).count()
}

#[test]
fn many_at_once_get_each_what_is_theirs() {
    for threads in [1, 4] {
        let server = server(threads, &["--port=0", "cat"]);
        let server = &server;

        thread::scope(|scope| {
            for client in 0..24 {
                scope.spawn(move || {
                    let mut session = server.connect("/");
                    for number in 0..200 {
                        session.text(&format!("{client} {number}"));
                    }
                    for number in 0..200 {
                        assert_eq!(session.line(), format!("{client} {number}"));
                    }
                    session.close(1000);
                    assert_eq!(session.expect_close().code, Some(1000));
                });
            }
        });
    }
}

#[test]
fn a_room_says_the_same_to_all() {
    const CLIENTS: usize = 8;
    const MESSAGES: usize = 100;
    for threads in [1, 4] {
        let server = server(threads, &["--port=0", "--shared", "cat"]);
        let clients: Vec<_> = (0..CLIENTS).map(|_| server.connect("/")).collect();

        let heard: BTreeSet<Vec<String>> = thread::scope(|scope| {
            let clients = clients.into_iter().enumerate().map(|(index, mut client)| {
                scope.spawn(move || {
                    (0..MESSAGES).for_each(|number| client.text(&format!("{index} {number}")));
                    (0..CLIENTS * MESSAGES).map(|_| client.line()).collect()
                })
            });
            let clients: Vec<_> = clients.collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });

        assert_eq!(heard.len(), 1, "not all heard the same");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_session_that_was_busy_lets_its_thread_sleep() {
    let server = server(1, &["--port=0", "cat"]);
    let mut session = server.connect("/");
    for number in 0..1000 {
        session.text(&format!("{number}"));
        assert_eq!(session.line(), format!("{number}"));
    }

    // A thread that only asks the kernel again and again is running at every look.
    eventually("it sleeps", || (state(&server) == "S").then_some(()));
}

/// Returns the state of the main thread; see `proc_pid_stat(5)`.
#[cfg(target_os = "linux")]
fn state(server: &Server) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid().as_raw_nonzero())).unwrap();
    stat.split_whitespace().nth(2).unwrap().to_owned()
}
