//! The program is started before the 101: a client is told the truth when it cannot be, and when the house is full.

use crate::harness::http::Response;
use crate::harness::server::{Server, field, program, wsd};
use crate::harness::tree::Tree;

#[test]
fn a_program_that_was_removed_is_a_500() {
    let tree = Tree::new();
    tree.program("worker.sh", "#!/bin/sh\necho hello\n");
    let server = Server::command(&[], &[&tree.path("worker.sh")]);
    assert_eq!(server.connect("/").line(), "hello");

    tree.remove("worker.sh");

    assert_eq!(server.refusal("/", "").status, 500);
    tree.program("worker.sh", "#!/bin/sh\necho back\n");
    assert_eq!(server.connect("/").line(), "back");
}

#[test]
fn a_program_that_cannot_be_started_is_a_500() {
    let tree = Tree::new();
    tree.program("interpreter.sh", "#!/no/such/interpreter\n")
        .program("shebang.sh", "echo never\n")
        .program("empty.sh", "")
        .file("mode.sh", "#!/bin/sh\necho never\n");
    let server = Server::serve(&["--dir", &tree.path("")]);

    for path in ["/interpreter.sh", "/shebang.sh", "/empty.sh", "/mode.sh"] {
        let response = server.refusal(path, "");

        assert_eq!(response.status, 500, "{path}:\n{response}");
        assert!(!response.body.is_empty(), "{path}: an answer that says nothing");
    }
    #[cfg(target_os = "linux")]
    assert_eq!(crate::harness::process::linux::children(server.pid()), [], "all that failed are reaped");
}

#[test]
fn a_program_that_cannot_be_started_is_in_the_log_with_its_cause() {
    let tree = Tree::new();
    tree.program("worker.sh", "#!/bin/sh\n");
    let server = Server::command(&[], &[&tree.path("worker.sh")]);
    tree.program("worker.sh", "#!/no/such/interpreter\n");

    server.refusal("/", "");

    let line = server.expect_log("No such file or directory").text;
    assert!(line.contains("worker.sh"), "{line}");
}

#[test]
fn a_script_with_the_line_ends_of_windows_is_told_apart() {
    let tree = Tree::new();
    tree.program("windows.sh", "#!/bin/sh\r\necho never\r\n")
        .program("none.sh", "#!/no/such/interpreter\necho never\r\n");
    let server = Server::serve(&["--dir", &tree.path("")]);

    for (path, is_told) in [("/windows.sh", true), ("/none.sh", false)] {
        assert_eq!(server.refusal(path, "").status, 500, "{path}");
        let line = server.expect_log(&path[1..]).text;
        assert_eq!(line.contains("carriage return"), is_told, "{line}");
    }
}

#[test]
fn a_program_of_a_folder_that_cannot_be_started_gets_a_hint_that_names_it() {
    let tree = Tree::new();
    tree.program("windows.sh", "#!/bin/sh\r\n")
        .program("none.sh", "#!/no/such/interpreter\n")
        .program("shebang.sh", "echo never\n")
        .file("mode.sh", "#!/bin/sh\n");
    let server = Server::serve(&["--dir", &tree.path("")]);

    for (name, advice) in [
        ("windows.sh", "the end of the first line of "),
        ("none.sh", "install /no/such/interpreter, which the first line of "),
        ("shebang.sh", "begin "),
        ("mode.sh", "chmod +x "),
    ] {
        assert_eq!(server.refusal(&format!("/{name}"), "").status, 500, "{name}");
        let line = server.expect_log(name).text;
        let hint = field(&line, "hint").unwrap_or_default();
        let file = std::fs::canonicalize(tree.path(name)).unwrap();
        assert!(hint.contains(&format!("{advice}{}", file.display())), "{line}");
    }
}

#[test]
fn an_error_page_does_not_tell_where_the_program_lies() {
    let tree = Tree::new();
    tree.program("worker.sh", "#!/bin/sh\n");
    let server = Server::command(&[], &[&tree.path("worker.sh")]);
    tree.program("worker.sh", "#!/no/such/interpreter\n");

    let response = server.refusal("/", "");

    assert!(!response.text().contains(&tree.path("")), "{response}");
}

#[test]
fn a_failed_start_gives_its_fork_back() {
    let tree = Tree::new();
    tree.program("bad.sh", "#!/no/such/interpreter\n").program("good.sh", "#!/bin/sh\necho hello\n");
    let server = Server::serve(&["--maxforks=1", "--dir", &tree.path("")]);

    for _ in 0..3 {
        assert_eq!(server.refusal("/bad.sh", "").status, 500);
    }

    assert_eq!(server.connect("/good.sh").line(), "hello");
}

#[test]
fn a_refused_request_starts_no_program() {
    let tree = Tree::new();
    let server = Server::shell(&[], "echo started > \"$1\"; cat", &[&tree.path("trace")]);
    let head = |lines: &str| {
        format!("GET / HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{lines}\r\n", server.host())
    };

    let refused = [
        server.request(&head("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n")),
        server.request(&head("Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")),
        server.refusal("/", "Origin: http://evil.example\r\n"),
    ];

    assert!(refused.iter().all(|response| response.status != 101 && response.status < 500));
    assert!(!tree.holds("trace"));
}

#[test]
fn the_last_free_fork_is_given_and_the_next_client_gets_a_429() {
    let server = Server::command(&["--maxforks=2"], &["cat"]);

    let _one = server.connect("/");
    let _two = server.connect("/");

    let response = server.refusal("/", "");
    assert_eq!(response.status, 429, "{response}");
    assert!(!response.body.is_empty());
    let line = server.expect_log("session refused").text;
    assert!(line.contains("WARN") && line.contains("--maxforks"), "{line}");
}

#[test]
fn a_fork_is_free_again_once_the_session_has_ended() {
    let server = Server::command(&["--maxforks=1"], &["cat"]);

    for _ in 0..3 {
        let mut client = server.connect("/");
        assert_eq!(server.refusal("/", "").status, 429);
        client.close(1000);
        client.drain();
    }

    server.connect("/");
}

#[test]
fn a_fork_is_held_until_a_stubborn_worker_is_gone() {
    let server = Server::start(&["--maxforks=1", "--closems=200"], "stubborn.sh");
    let mut client = server.connect("/");
    client.line();

    client.close(1000);
    assert_eq!(client.expect_close().code, Some(1000));

    assert_eq!(server.refusal("/", "").status, 429);
    server.expect_log("session ended");
    server.connect("/");
}

#[test]
fn no_limit_of_forks_is_zero() {
    let server = Server::command(&["--maxforks=0"], &["cat"]);
    let mut clients: Vec<_> = (0..20).map(|_| server.connect("/")).collect();

    clients[19].text("served");

    assert_eq!(clients[19].line(), "served");
}

#[cfg(target_os = "linux")]
#[test]
fn a_system_out_of_descriptors_is_a_503_that_says_when_to_come_back() {
    use crate::harness::process::linux::{leave_descriptors, restore_descriptors};
    let server = Server::command(&[], &["cat"]);
    server.connect("/").close(1000);
    server.expect_log("session ended");

    // One for the connection and one more: too few for the pipes of a worker.
    leave_descriptors(server.pid(), 2);
    let response = server.refusal("/", "");

    assert_out_of_resources(&response);
    restore_descriptors(server.pid());
    server.connect("/");
}

#[cfg(target_os = "linux")]
#[test]
fn a_system_out_of_processes_is_a_503_that_says_when_to_come_back() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    // No limit of processes holds for root. So root runs the server as nobody, from a copy that nobody can reach.
    let tree = Tree::new();
    let as_nobody = |program: &str| {
        const NOBODY: u32 = 65534;
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    std::fs::set_permissions(tree.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    assert!(Command::new("cp").args([env!("CARGO_BIN_EXE_wsd"), &tree.path("wsd")]).status().unwrap().success());
    let mut command = as_nobody(&tree.path("wsd"));
    command.args(["--port=0", "cat"]).current_dir("/");
    let server = Server::spawn(command);
    let limit_processes = |limit: &str| {
        let mut prlimit = as_nobody("prlimit");
        prlimit.args(["--pid", &server.pid().to_string(), &format!("--nproc={limit}:")]);
        assert!(prlimit.status().unwrap().success());
    };
    server.connect("/").close(1000);
    server.expect_log("session ended");

    // The server itself is one, so not one more may be.
    limit_processes("1");
    let response = server.refusal("/", "");

    assert_out_of_resources(&response);
    limit_processes("10000");
    server.connect("/");
}

#[test]
fn the_command_is_looked_up_in_path_and_keeps_its_arguments() {
    let server = Server::command(&[], &["printf", "%s\\n", "a b", "", "--port=1", "*"]);

    assert_eq!(server.connect("/").rest().0, ["a b", "", "--port=1", "*"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_is_started_under_its_resolved_path() {
    let server = Server::shell(&[], "tr '\\0' '\\n' < /proc/$$/cmdline | head -n 1", &[]);

    let name = server.connect("/").line();

    assert!(name.starts_with('/') && name.ends_with("/sh"), "{name}");
}

#[test]
fn a_command_with_a_slash_is_used_as_it_is() {
    let server = Server::command(&[], &[&program("stubborn.sh")]);
    let mut client = server.connect("/");

    let worker = client.line();

    assert_eq!(worker, server.expect_worker(1).to_string());
}

#[test]
fn a_worker_runs_in_the_directory_of_the_server() {
    let tree = Tree::new();
    let here = std::fs::canonicalize(tree.path("")).unwrap();
    let mut command = crate::harness::server::wsd(&["--port=0", "pwd", "-P"]);
    command.current_dir(&here);
    let server = Server::spawn(command);

    assert_eq!(server.connect("/").line(), here.to_str().unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_has_three_descriptors_whatever_the_server_inherited() {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "exec 4</dev/null 9>/dev/null; exec \"$@\"", "sh"]).arg(wsd(&[]).get_program());
    // The fourth is the folder that `ls` reads.
    command.args(["--port=0", "ls", "/proc/self/fd"]);
    let server = Server::spawn(command);
    let _other = server.connect("/");

    assert_eq!(server.connect("/").rest().0, ["0", "1", "2", "3"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_begins_with_no_signal_ignored_or_blocked() {
    // The C library keeps 32 and 33 to itself.
    const OF_LIBC: u64 = 0b11 << 31;
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' QUIT USR1 RTMAX; exec \"$@\"", "sh"]).arg(wsd(&[]).get_program());
    command.args(["--port=0", "grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"]);
    let server = Server::spawn(command);

    let lines = server.connect("/").rest().0;

    assert_eq!(lines.len(), 2);
    for line in lines {
        let mask = u64::from_str_radix(line.split_once('\t').unwrap().1, 16).unwrap();
        assert_eq!(mask & !OF_LIBC, 0, "{line}");
    }
}

fn assert_out_of_resources(response: &Response) {
    assert_eq!(response.status, 503, "{response}");
    let seconds = response.header("retry-after").expect("Retry-After");
    assert!(seconds.parse::<u32>().is_ok(), "Retry-After: {seconds}");
    assert!(!response.body.is_empty());
}
