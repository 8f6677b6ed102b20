//! Nothing is queued: who does not read stops who writes, memory stays flat, and a client that left is missed at once.

use std::time::Duration;

use crate::harness::process::gone_within;
use crate::harness::server::{Server, program};
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, Close, Frame, TEXT};
use crate::harness::{DEADLINE, at_latest};

/// A client that left is noticed within a second; a worker that ignores nothing is gone 100 ms after that.
const NOTICED: Duration = Duration::from_millis(1100);

/// Long enough for what is moving to move, where the test waits to see that nothing does.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a test watches what is to be idle.
const WATCH: Duration = Duration::from_secs(1);

#[cfg(target_os = "linux")]
#[test]
fn a_client_that_does_not_read_stops_its_program() {
    use crate::harness::process::linux::peak_memory;
    const LINES: usize = 40_000;
    for flags in [&["--pingms=0"][..], &["--pingms=0", "--unbuffer"]] {
        let server = Server::command(flags, &["perl", &program("flood.pl"), &LINES.to_string(), "1000"]);
        let before = peak_memory(server.pid());
        let mut client = server.connect("/");

        let blocked = server.expect_log("blocked at ").text;

        let lines = (1..=LINES).take_while(|number| client.line().trim_end() == number.to_string()).count();
        assert_eq!(lines, LINES, "{flags:?} after: {blocked}");
        assert_eq!(client.expect_close(), Close::new(1000, ""), "{flags:?}");
        let growth_kib = peak_memory(server.pid()) - before;
        assert!(growth_kib < 8 << 10, "{flags:?}: memory grew by {growth_kib} KiB");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_does_not_read_stops_its_client() {
    use crate::harness::process::linux::peak_memory;
    const MESSAGE_BYTES: usize = 1000;
    let tree = Tree::new();
    tree.pipe("gate");
    let collect = [&*program("collect.sh"), &tree.path("input"), &tree.path("gate")];
    let server = Server::command(&["--binary"], &collect);
    let before = peak_memory(server.pid());
    let mut client = server.connect("/");
    // Far more than the pipe and the sockets hold.
    let frame = Frame::new(BINARY, [b'x'; MESSAGE_BYTES]).masked();
    let flood = frame.repeat(64_000);

    let sent = client.connection().send_until_blocked(&flood, PATIENCE);
    assert!(sent < flood.len(), "all {sent} bytes were taken");
    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 8 << 10, "memory grew by {growth_kib} KiB");

    tree.release("gate");
    client.raw(&flood[sent..]);
    client.close(1000);
    server.expect_log("session ended");
    assert_eq!(tree.read("input").len(), 64_000 * MESSAGE_BYTES);
}

#[cfg(target_os = "linux")]
#[test]
fn a_session_that_waits_does_not_spin() {
    use crate::harness::process::linux::processor_time;
    let closed_input = "exec <&-; echo ready; exec sleep 1000";
    let table = [
        ("for either side", "echo ready; exec cat", 0),
        ("for a program that reads nothing", "echo ready; exec sleep 1000", 64_000),
        ("for a program that closed its input", closed_input, 0),
        ("for a client that reads nothing", "echo ready; exec perl \"$1\" 60000 1000", 0),
    ];
    let servers = table.map(|(_, script, _)| Server::shell(&["--pingms=0"], script, &[&program("flood.pl")]));
    let mut clients: Vec<_> = servers.iter().map(|server| server.connect("/")).collect();
    for (client, (_, _, messages)) in clients.iter_mut().zip(table) {
        assert_eq!(client.line(), "ready");
        let flood = Frame::new(TEXT, [b'x'; 1000]).masked().repeat(messages);
        client.connection().send_until_blocked(&flood, PATIENCE);
    }
    servers[3].expect_log("blocked at ");

    let before: Vec<_> = servers.iter().map(|server| processor_time(server.pid())).collect();
    assert!(clients[0].connection().is_silent_for(WATCH));

    for ((server, before), (what, _, _)) in servers.iter().zip(before).zip(table) {
        let used = processor_time(server.pid()).saturating_sub(before);
        assert!(used < WATCH / 4, "it used {used:?} of {WATCH:?} while it waited {what}");
    }
}

#[test]
fn a_program_that_does_not_read_goes_on_talking() {
    let tree = Tree::new();
    tree.pipe("gate");
    let server = Server::shell(&[], "read -r _ < \"$1\"; echo talking; read -r _ < \"$1\"", &[&tree.path("gate")]);
    let mut client = server.connect("/");
    let flood = Frame::new(TEXT, [b'x'; 1000]).masked().repeat(64_000);

    client.connection().send_until_blocked(&flood, PATIENCE);
    tree.release("gate");

    assert_eq!(client.line(), "talking");
    client.reset();
}

#[test]
fn one_client_that_does_not_read_holds_up_no_other() {
    let script = "case $PATH_INFO in /flood) exec perl \"$1\" 60000 1000;; esac; cat";
    let server = Server::shell(&[], script, &[&program("flood.pl")]);
    let _blocked = server.connect("/flood");
    server.expect_log("blocked at ");

    let mut client = server.connect("/");
    client.text("served");

    assert_eq!(client.line(), "served");
}

#[test]
fn a_client_that_leaves_while_its_program_reads_nothing_is_missed() {
    let server = Server::command(&["--pingms=0"], &["sleep", "1000"]);
    let mut client = server.connect("/");
    let worker = server.expect_worker(1);

    // More than the pipe holds, less than pipe and socket: the end of the connection stands behind data nobody takes.
    client.raw(Frame::new(TEXT, [b'x'; 1000]).masked().repeat(100));
    drop(client);

    assert!(gone_within(worker, at_latest(NOTICED)));
}

#[test]
fn a_client_that_resets_while_its_program_reads_nothing_is_missed() {
    for bytes in [0, 100_000, 64_000_000] {
        let server = Server::command(&["--pingms=0"], &["sleep", "1000"]);
        let mut client = server.connect("/");
        let worker = server.expect_worker(1);

        let flood = Frame::new(TEXT, [b'x'; 1000]).masked().repeat(bytes / 1000);
        client.connection().send_until_blocked(&flood, PATIENCE);
        client.reset();

        assert!(gone_within(worker, at_latest(NOTICED)), "after up to {bytes} bytes");
    }
}

#[test]
fn a_client_that_leaves_while_its_program_is_silent_is_missed() {
    let server = Server::command(&["--pingms=0"], &["sleep", "1000"]);
    let client = server.connect("/");
    let worker = server.expect_worker(1);

    drop(client);

    assert!(gone_within(worker, at_latest(NOTICED)));
}

#[test]
fn a_client_that_leaves_while_it_is_flooded_is_missed() {
    for is_reset in [false, true] {
        let server = Server::command(&["--pingms=0"], &["perl", &program("flood.pl"), "60000", "1000"]);
        let client = server.connect("/");
        let worker = server.expect_worker(1);
        server.expect_log("blocked at ");

        if is_reset {
            client.reset();
        } else {
            drop(client);
        }

        assert!(gone_within(worker, at_latest(NOTICED)), "is_reset: {is_reset}");
    }
}

#[test]
fn a_client_that_says_goodbye_while_it_is_flooded_is_heard() {
    let server = Server::command(&["--pingms=0"], &["perl", &program("flood.pl"), "60000", "1000"]);
    let mut client = server.connect("/");
    let worker = server.expect_worker(1);
    server.expect_log("blocked at ");

    client.close(4001);

    assert!(gone_within(worker, at_latest(NOTICED)));
    assert_eq!(client.close_at_last().code, Some(4001));
}

#[test]
fn a_client_that_ends_its_half_while_it_is_flooded_is_missed() {
    let server = Server::command(&["--pingms=0"], &["perl", &program("flood.pl"), "60000", "1000"]);
    let mut client = server.connect("/");
    let worker = server.expect_worker(1);
    server.expect_log("blocked at ");

    client.connection().finish();

    assert!(gone_within(worker, at_latest(NOTICED)));
}

#[test]
fn a_program_that_closed_its_input_goes_on_talking() {
    let tree = Tree::new();
    tree.pipe("gate");
    let script = "exec <&-; echo closed; read -r _ < \"$1\"; echo still talking";
    let server = Server::shell(&[], script, &[&tree.path("gate")]);
    let mut client = server.connect("/");
    assert_eq!(client.line(), "closed");

    // More than any buffer on the way holds: it is thrown away, not kept.
    client.raw(Frame::new(TEXT, [b'x'; 1000]).masked().repeat(16_000));
    tree.release("gate");

    assert_eq!(client.line(), "still talking");
    assert_eq!(client.expect_close(), Close::new(1000, ""));
}

#[test]
fn a_client_of_a_program_that_closed_its_input_may_say_goodbye() {
    let server = Server::shell(&[], "exec <&-; echo closed; exec sleep 1000", &[]);
    let mut client = server.connect("/");
    assert_eq!(client.line(), "closed");

    client.text("nobody reads this");
    client.close(4001);

    assert_eq!(client.expect_close().code, Some(4001));
    assert!(gone_within(server.expect_worker(1), DEADLINE));
}

#[test]
fn a_megabyte_of_standard_error_blocks_nothing() {
    for (kind, script) in [
        ("one line", "head -c 1048576 /dev/zero | tr '\\0' x >&2; echo >&2; echo after >&2; echo done"),
        ("many lines", "yes xxxxxxx | head -n 131072 >&2; echo after >&2; echo done"),
    ] {
        let server = Server::shell(&[], script, &[]);

        assert_eq!(server.connect("/").rest(), (vec!["done".to_owned()], Close::new(1000, "")), "{kind}");
        server.expect_log("line=after");
        let xs: usize = server.log().iter().map(|line| line.matches('x').count()).sum();
        assert!(xs >= 4096, "{kind}: the log holds {xs} bytes of it");
    }
}
