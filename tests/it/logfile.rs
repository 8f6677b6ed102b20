//! `--logfile`: what is written there, how it is rotated, and what becomes of a file that cannot be written.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::mpsc::{self, TryRecvError};
use std::thread;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::harness::eventually;
use crate::harness::pages::root;
use crate::harness::server::{Server, run, wsd};
use crate::harness::skip::has;
use crate::harness::tree::Tree;

/// A server of `cat` whose log goes to `log` in the tree.
fn logging(tree: &Tree, flags: &[&str]) -> Server {
    Server::command(&[&["--logfile", &tree.path("log")], flags].concat(), &["cat"])
}

/// Waits until the file has `text`, and returns all of it.
fn expect_in(tree: &Tree, name: &str, text: &str) -> String {
    eventually(&format!("`{text}` in {name}"), || {
        let content = fs::read_to_string(tree.path(name)).unwrap_or_default();
        content.contains(text).then_some(content)
    })
}

#[test]
fn the_log_is_appended_to_a_file_that_only_its_group_may_read() {
    let tree = Tree::new();
    let mut server = logging(&tree, &[]);
    server.connect("/").close(1000);
    let streams = server.stop();
    let mode = fs::metadata(tree.path("log")).unwrap().permissions().mode();

    logging(&tree, &[]).stop();

    let log = String::from_utf8(tree.read("log")).unwrap();
    assert_eq!(mode & 0o777 & !0o640, 0, "{mode:o}");
    assert_eq!(log.matches(" INFO server stopping\n").count(), 2, "{log}");
    assert!(log.contains(" INFO session ended conn="), "{log}");
    assert!(streams.contains("  listens  ") && !streams.contains(" INFO "), "{streams}");
}

#[test]
fn after_sigusr1_the_lines_go_to_a_new_file() {
    let tree = Tree::new();
    let mut server = logging(&tree, &[]);
    expect_in(&tree, "log", "server ready");
    fs::rename(tree.path("log"), tree.path("log.1")).unwrap();
    server.connect("/before").close(1000);
    expect_in(&tree, "log.1", "session ended");

    server.signal(Signal::USR1);

    let opened = format!(" INFO log file opened file={}\n", tree.path("log"));
    expect_in(&tree, "log", &opened);
    server.connect("/after").close(1000);
    expect_in(&tree, "log", "path=/after");
    server.stop();
    let old = String::from_utf8(tree.read("log.1")).unwrap();
    assert!(old.contains("path=/before") && !old.contains("path=/after") && !old.contains("opened"), "{old}");
}

#[test]
fn a_storm_of_sigusr1_loses_no_line() {
    const SESSIONS: usize = 15;
    let tree = Tree::new();
    let mut server = logging(&tree, &[]);
    let pid = server.pid();
    let (stop, stopped) = mpsc::channel::<()>();
    let storm = thread::spawn(move || {
        while stopped.try_recv() == Err(TryRecvError::Empty) {
            kill_process(pid, Signal::USR1).unwrap();
        }
    });

    for session in 0..SESSIONS {
        server.connect(&format!("/{session}")).close(1000);
    }
    let log = expect_in(&tree, "log", &format!("path=/{}", SESSIONS - 1));

    drop(stop);
    storm.join().unwrap();
    server.stop();
    assert!((0..SESSIONS).all(|session| log.contains(&format!("path=/{session}\n"))), "{log}");
    let log = String::from_utf8(tree.read("log")).unwrap();
    assert!(log.contains("server stopping") && !log.contains("lines lost"), "{log}");
}

#[test]
fn sigusr1_ends_no_server_without_a_log_file() {
    let server = Server::command(&[], &["cat"]);

    server.signal(Signal::USR1);
    server.signal(Signal::HUP);
    let mut client = server.connect("/");
    client.text("served");

    assert_eq!(client.line(), "served");
    assert!(!server.log().iter().any(|line| line.contains("log file")));
}

#[test]
fn logrotate_rotates_with_the_file_of_the_package() {
    if !has("logrotate") {
        return;
    }
    let tree = Tree::new();
    let logs = tree.path("logs");
    fs::create_dir(&logs).unwrap();
    let mut server = Server::command(&["--logfile", &format!("{logs}/wsd.log")], &["cat"]);
    server.connect("/before").close(1000);
    expect_in(&tree, "logs/wsd.log", "session ended");
    let rules = fs::read_to_string(root().join("packaging/logrotate/wsd")).unwrap();
    let signal = "systemctl kill --signal=USR1 --kill-who=main wsd.service";
    assert!(rules.contains("\n/var/log/wsd/*.log {") && rules.contains(signal), "{rules}");
    let kill = format!("kill -USR1 {}", server.pid());
    tree.file("rules", rules.replace("/var/log/wsd", &logs).replace(signal, &kill));
    fs::set_permissions(tree.path("rules"), fs::Permissions::from_mode(0o644)).unwrap();

    let rotate =
        Command::new("logrotate").args(["--force", "--state", &tree.path("state"), &tree.path("rules")]).output();

    let rotate = rotate.unwrap();
    assert!(rotate.status.success() && rotate.stderr.is_empty(), "{}", String::from_utf8_lossy(&rotate.stderr));
    expect_in(&tree, "logs/wsd.log", "log file opened");
    server.connect("/after").close(1000);
    server.stop();
    assert!(expect_in(&tree, "logs/wsd.log", "path=/after").contains("server stopping"));
    assert!(expect_in(&tree, "logs/wsd.log.1", "path=/before").contains("server ready"));
}

#[test]
fn logrotate_rotates_without_an_error_if_wsd_does_not_run() {
    if !has("logrotate") {
        return;
    }
    let tree = Tree::new();
    let logs = tree.path("logs");
    tree.file("logs/wsd.log", "old\n");
    let rules = fs::read_to_string(root().join("packaging/logrotate/wsd")).unwrap();
    tree.file("rules", rules.replace("/var/log/wsd", &logs).replace("systemctl kill ", "false "));
    fs::set_permissions(tree.path("rules"), fs::Permissions::from_mode(0o644)).unwrap();

    let rotate =
        Command::new("logrotate").args(["--force", "--state", &tree.path("state"), &tree.path("rules")]).output();

    let rotate = rotate.unwrap();
    assert!(rotate.status.success() && rotate.stderr.is_empty(), "{}", String::from_utf8_lossy(&rotate.stderr));
    assert_eq!(tree.read("logs/wsd.log.1"), b"old\n");
}

#[test]
fn a_file_that_cannot_be_opened_is_named_at_the_start_and_by_check() {
    let tree = Tree::new();
    tree.directory("folder").file("file", "").pipe("pipe");
    let long = "x".repeat(300);
    for (name, cause, hint) in [
        ("none/log", "No such file or directory", format!("make the folder {}, or", tree.path("none"))),
        ("folder", "Is a directory", format!("name a file in this folder: --logfile={}/wsd.log", tree.path("folder"))),
        ("file/log", "Not a directory", format!("make the folder {}, or", tree.path("file"))),
        ("pipe", "No such device or address", format!("start the reader of the pipe {} first", tree.path("pipe"))),
        (&*long, "File name too long", "name another file with --logfile".to_owned()),
    ] {
        let path = tree.path(name);
        let flag = format!("--logfile={path}");
        for (flags, status) in [(&["--port=0", &flag, "cat"][..], 3), (&["--check", &flag, "cat"], 1)] {
            let outcome = run(flags);

            assert_eq!(outcome.status, Some(status), "{outcome:?}");
            let want = format!("wsd: cannot open the log file `{path}`: {cause}");
            assert!(outcome.stderr.contains(&want), "{outcome:?}");
            assert!(outcome.stderr.contains(&format!("\nhint: {hint}")), "{outcome:?}");
        }
    }
}

#[test]
fn check_makes_no_log_file() {
    let tree = Tree::new();
    let flag = format!("--logfile={}", tree.path("log"));

    let outcome = run(&["--check", &flag, "cat"]);

    assert_eq!((outcome.status, tree.holds("log")), (Some(0), false), "{outcome:?}");
}

#[test]
fn a_log_among_the_files_that_wsd_serves_is_refused() {
    let tree = Tree::new();
    tree.directory("files/inner").file("wsd.toml", "[[route]]\npath = \"/a\"\ncommand = [\"cat\"]\n");
    let (files, log) = (tree.path("files"), tree.path("files/inner/log"));

    let outcome = run(&["--check", "--staticdir", &files, "--logfile", &log]);

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let want = format!("cannot write the log to `{log}`: clients can read the files of --staticdir `{files}`\nhint: ");
    assert!(outcome.stderr.contains(&want), "{outcome:?}");

    let server = Server::serve(&["--config", &tree.path("wsd.toml"), "--logfile", &log]);
    tree.file("wsd.toml", format!("staticdir = \"{files}\"\n"));
    server.signal(Signal::HUP);
    expect_in(&tree, "files/inner/log", " ERROR settings not loaded");
}

#[test]
fn if_a_new_file_cannot_be_opened_the_old_one_stays() {
    let tree = Tree::new();
    tree.directory("logs");
    let mut server = Server::command(&["--logfile", &tree.path("logs/log")], &["cat"]);
    expect_in(&tree, "logs/log", "server ready");
    fs::rename(tree.path("logs"), tree.path("old")).unwrap();

    server.signal(Signal::USR1);

    let log = expect_in(&tree, "old/log", " ERROR log file not opened, the old one stays file=");
    assert!(log.contains("cause=\"No such file or directory") && log.contains("hint=\"make the folder"), "{log}");
    server.connect("/still").close(1000);
    server.stop();
    expect_in(&tree, "old/log", "path=/still");
}

#[test]
fn a_full_disk_ends_no_session_and_the_log_tells_later_what_it_lost() {
    const SESSIONS: usize = 40;
    let tree = Tree::new();
    let mut command = Command::new("sh");
    // The limit of a file's size counts in blocks of 512 bytes.
    command.args(["-c", "ulimit -f 8 && exec \"$@\"", "sh"]).arg(wsd(&[]).get_program());
    command.args(["--port=0", "--logformat=json", "--logfile", &tree.path("log"), "cat"]);
    let mut server = Server::spawn(command);
    for session in 0..SESSIONS {
        let mut client = server.connect("/");
        client.text("served");
        assert_eq!(client.line(), "served", "session {session}");
        client.close(1000);
        client.drain();
    }
    let full = expect_in(&tree, "log", "session ended");
    assert!(full.len() <= 4096 && full.len() > 4096 - 200, "{} bytes", full.len());
    fs::rename(tree.path("log"), tree.path("log.1")).unwrap();

    server.signal(Signal::USR1);
    expect_in(&tree, "log", "log file opened");
    server.stop();

    let (old, new) = (expect_in(&tree, "log.1", ""), expect_in(&tree, "log", "server stopping"));
    let lines = [old.lines(), new.lines()].into_iter().flatten();
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let lost = lines.iter().filter(|line| line["event"] == "lines lost").map(|line| line["lines"].as_u64().unwrap());
    let left_out = lines.iter().filter(|line| line["event"] == "lines left out");
    let left_out = left_out.map(|line| line["lines"].as_u64().unwrap());
    let told = lines.iter().filter(|line| line["event"].as_str().unwrap().starts_with("session ")).count() as u64;
    assert!(new.lines().next().unwrap().contains(r#""event":"lines lost""#), "{new}");
    assert!(lost.clone().sum::<u64>() > 5, "{new}");
    // A count of lines left out may be among the lines that are lost, so this is a bound.
    assert!(told + lost.sum::<u64>() + left_out.sum::<u64>() <= 2 * SESSIONS as u64 + 10, "{old}{new}");
}

#[test]
fn a_log_file_that_takes_nothing_holds_up_nobody() {
    const LOG_BYTES: &str = "1000000";
    let script = "head -c \"$1\" /dev/zero | tr '\\0' 'x' >&2; echo done";
    let tree = Tree::new();
    tree.pipe("pipe");
    // Nobody reads of it, so it is full after 64 KiB.
    let reader = File::options().read(true).write(true).open(tree.path("pipe")).unwrap();
    for path in [tree.path("pipe"), "/dev/full".to_owned()] {
        for format in ["text", "json"] {
            let flags = [&format!("--logformat={format}"), "--logfile", &path];
            let mut server = Server::shell(&flags, script, &[LOG_BYTES]);

            for session in 1..=3 {
                assert_eq!(server.connect("/").line(), "done", "session {session}, {path}");
            }

            server.signal(Signal::USR1);
            server.signal(Signal::TERM);
            assert_eq!(server.wait().code(), Some(0), "{path}");
        }
    }
    drop(reader);
}
