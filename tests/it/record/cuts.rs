//! Recordings that break off, while their sessions go on.

use std::fs;
use std::process::Command;

use super::kit::{assert_identical, flag, names, recording, steps};
use crate::harness::server::{Server, field, wsd};
use crate::harness::skip::skip_without_kernel;
use crate::harness::tree::Tree;

/// A command that first runs a line of shell, whose `$0` is the rest of the command.
fn after(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{script} && exec \"$0\" \"$@\"")]).arg(command.get_program()).args(command.get_args());
    shell
}

/// Sends messages of a KiB each, and checks that each comes back.
fn talk(server: &Server, count: usize) {
    let (mut client, text) = (server.connect("/"), "x".repeat(1024));
    for _ in 0..count {
        client.text(&text);
        assert_eq!(client.line(), text);
    }
    client.close(1000);
    client.close_at_last();
}

/// Checks that recording has ended with one line, and its session as always.
fn assert_cut(server: &mut Server, cause: &str) {
    let line = server.expect_log("recording cut").text;
    assert!(field(&line, "cause").is_some_and(|told| told.contains(cause)), "{line}");
    server.expect_log("session ended");
    let log = server.stop();
    let count = |event| log.lines().filter(|line| line.contains(event)).count();
    assert_eq!((count(" recording cut "), count(" recording ended ")), (1, 0), "{log}");
}

#[test]
fn a_file_that_may_not_grow_ends_recording_with_one_line_and_no_session() {
    let tree = Tree::new();
    let command = after("ulimit -f 16", &wsd(&["--port=0", &flag(&tree), "cat"]));
    let mut server = Server::spawn(command);

    talk(&server, 100);

    assert_cut(&mut server, "File too large");
    let name = names(&tree).remove(0);
    assert_identical(&[], &tree.path(&format!("rec/{name}")), &["cat"]);
}

#[test]
fn a_disk_without_any_room_has_no_empty_recordings() {
    let tree = Tree::new();
    let mut server = Server::spawn(after("ulimit -f 0", &wsd(&["--port=0", &flag(&tree), "cat"])));

    talk(&server, 1);

    assert_cut(&mut server, "File too large");
    assert_eq!(names(&tree), [""; 0]);
}

#[test]
fn a_full_disk_ends_recording_with_one_line_and_no_session() {
    let tree = Tree::new();
    tree.directory("rec");
    let mount = format!("mount -t tmpfs -o size=32k tmpfs {}", tree.path("rec"));
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", &mount]);
    if !unshare.output().is_ok_and(|output| output.status.success()) {
        return skip_without_kernel("a file system of a test's own");
    }
    let mut command = Command::new("unshare");
    let inner = after(&mount, &wsd(&["--port=0", &flag(&tree), "cat"]));
    command.arg("--mount").arg(inner.get_program()).args(inner.get_args());
    let mut server = Server::spawn(command);

    talk(&server, 100);

    assert_cut(&mut server, "No space left on device");
}

#[test]
fn a_folder_that_is_gone_ends_recording_with_one_line_and_no_session() {
    let tree = Tree::new();
    let mut server = Server::command(&[&*flag(&tree)], &["cat"]);
    let mut client = server.connect("/");
    server.expect_log("recording started");

    fs::remove_dir_all(tree.path("rec")).unwrap();
    for text in ["a", "b"] {
        client.text(text);
        assert_eq!(client.line(), text);
    }
    client.close(1000);
    client.close_at_last();

    assert_cut(&mut server, "No such file");
}

#[test]
fn a_recording_ends_before_its_file_is_longer_than_record_bytes() {
    let tree = Tree::new();
    let mut server = Server::command(&[&*flag(&tree), "--record-bytes=8k"], &["cat"]);

    talk(&server, 20);

    assert_cut(&mut server, "--record-bytes");
    let name = names(&tree).remove(0);
    let file = tree.path(&format!("rec/{name}"));
    let bytes = fs::metadata(&file).unwrap().len();
    assert!((6000..=8192).contains(&bytes), "{bytes}");
    assert_eq!(steps(&file).last().map(String::as_str), Some("cut it has reached --record-bytes"));
    assert_identical(&[], &file, &["cat"]);
}

#[test]
fn clients_that_hold_all_descriptors_end_no_recording() {
    let tree = Tree::new();
    let server = Server::spawn(after("ulimit -n 64", &wsd(&["--port=0", &flag(&tree), "cat"])));
    let mut client = server.connect("/");
    let _idle: Vec<_> = (0..60).map(|_| server.http()).collect();
    server.expect_log("connections wait");

    for text in ["a", "b"] {
        client.text(text);
        assert_eq!(client.line(), text);
    }
    client.close(1000);

    let file = recording(&server, 1);
    assert_eq!(steps(&file)[..4], ["in text a", "out text a", "in text b", "out text b"]);
}

#[test]
fn a_recording_below_record_bytes_is_complete() {
    let tree = Tree::new();
    for (count, bytes) in [(3, "--record-bytes=8k"), (100, "--record-bytes=0"), (100, "--record-bytes=1M")] {
        let server = Server::command(&[&*flag(&tree), bytes], &["cat"]);
        talk(&server, count);
        server.expect_log("recording ended");
    }
}
