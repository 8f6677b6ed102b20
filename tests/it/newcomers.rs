//! A busy room admits new clients, and the bytes that wait in it are limited.

use std::time::Duration;

use crate::harness::process::{is_gone, pid};
use crate::harness::server::Server;
use crate::harness::websocket::{Frame, TEXT};

/// A program that never reads.
const DEAF: &str = "exec sleep 1000";

/// Long enough for what is moving to move, where the test waits to see that nothing does.
const PATIENCE: Duration = Duration::from_millis(500);

#[test]
fn a_client_that_floods_a_room_keeps_nobody_out() {
    for framing in ["lines", "chunks", "json", "nul", "length"] {
        let server = Server::shell(&["--shared", "--pingms=0", &format!("--framing={framing}")], DEAF, &[]);
        let mut flooder = server.connect("/");
        let flood = Frame::new(TEXT, "x".repeat(1000)).masked().repeat(32_000);

        let sent = flooder.connection().send_until_blocked(&flood, PATIENCE);

        assert!(sent < flood.len(), "{framing}: all was taken");
        server.connect("/");
    }
}

#[test]
fn clients_that_come_and_go_unheard_are_refused_at_last() {
    const HEADER_BYTES: usize = 30 << 10;
    const COMINGS: usize = (16 << 20) / HEADER_BYTES;
    let server = Server::shell(&["--shared", "--framing=json"], DEAF, &[]);
    let _stays = server.connect("/");
    let header = format!("X-Long: {}\r\n", "x".repeat(HEADER_BYTES));

    let comings = (0..2 * COMINGS).take_while(|_| server.try_connect("/", &header).is_ok()).count();

    // Each is told of in a line a bit longer than the header, and the pipe takes some.
    assert!((COMINGS * 3 / 4..COMINGS * 5 / 4).contains(&comings), "{comings}");
    let refusal = server.refusal("/", "");
    assert_eq!((refusal.status, refusal.header("retry-after")), (503, Some("1")), "{refusal}");
    server.expect_log("why=full");
}

#[test]
fn a_client_of_a_running_room_does_not_wait_for_another_room_that_ends() {
    let script = "trap '' INT TERM; echo $$; [ $PATH_INFO = /ends ] || exec cat; cat; sleep 1000";
    let server = Server::shell(&["--shared=path", "--maxforks=2", "--closems=2000"], script, &[]);
    let _lives = server.connect("/lives");
    let mut ends = server.connect("/ends");
    let worker = pid(&ends.line());
    ends.close(1000);
    server.expect_nth_log("session ended", 1);

    server.connect("/lives");

    assert!(!is_gone(worker));
}

#[cfg(target_os = "linux")]
#[test]
fn a_message_that_waits_takes_the_memory_that_it_came_with() {
    use crate::harness::process::linux::peak_memory;
    const CLIENTS: u64 = 24;
    const MIB: usize = 1 << 20;
    let server = Server::shell(&["--shared", "--framing=json", "--pingms=0"], DEAF, &[]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect("/")).collect();
    let before = peak_memory(server.pid());
    // As JSON each of these bytes takes six.
    let flood = Frame::new(TEXT, vec![1; MIB]).masked().repeat(16);

    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| client.connection().send_until_blocked(&flood, PATIENCE));
        }
    });

    let growth_mib = (peak_memory(server.pid()) - before) >> 10;
    assert!(growth_mib < 4 * CLIENTS, "memory grew by {growth_mib} MiB");
}
