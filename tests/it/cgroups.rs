//! `--cgroup`: nothing outlives its program, and a limit of the control group ends it alone.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, geteuid};

use crate::harness::process::linux::children;
use crate::harness::process::{gone_within, pid};
use crate::harness::server::{Server, field, run_to_end, wsd};
use crate::harness::skip::{skip, skip_without_kernel};
use crate::harness::tree::Tree;
use crate::harness::{DEADLINE, eventually, within};

/// A process that wsd cannot tell from others: its parent is gone, and its environment is empty.
const STRANGER: &str = "sh -c 'env -i setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!'; cat";

/// A control group that is delegated to a server. Dropping it kills what is left in it and removes it.
struct Delegated(PathBuf);

impl Delegated {
    /// Makes one with these controllers; where that cannot be, skips the test and returns `None`.
    fn new(controllers: &[&str]) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let lacks = || {
            skip_without_kernel("a cgroup v2 for tests");
            None
        };
        let Some(above) = own_group() else { return lacks() };
        let given = fs::read_to_string(above.join("cgroup.controllers")).unwrap_or_default();
        if controllers.iter().any(|name| !given.split_whitespace().any(|known| known == *name)) {
            skip_without_kernel(&format!("a cgroup v2 with {}", controllers.join(", ")));
            return None;
        }
        let enabled: Vec<_> = controllers.iter().map(|name| format!("+{name}")).collect();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let group = Self(above.join(format!("wsd-test-{}-{number}", std::process::id())));
        if fs::write(above.join("cgroup.subtree_control"), enabled.join(" ")).is_err()
            || fs::create_dir(&group.0).is_err()
            || !group.0.join("cgroup.kill").exists()
        {
            return lacks();
        }
        Some(group)
    }

    /// The command `wsd` with these arguments, in this group.
    fn wsd(&self, arguments: &[&str]) -> Command {
        self.command(&[&[wsd(&[]).get_program().to_str().unwrap(), "--port=0"], arguments].concat())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("sh");
        let procs = self.0.join("cgroup.procs");
        command.args(["-c", "echo $$ >\"$1\"; shift; exec \"$@\"", "sh", procs.to_str().unwrap()]).args(words);
        command
    }

    /// The groups of workers in it.
    fn workers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap().flatten().map(|entry| entry.path());
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("wsd-worker-")).collect()
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        let _ = within(DEADLINE, || remove(&self.0).then_some(()));
    }
}

/// Removes a group with those in it.
fn remove(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
    !group.exists()
}

/// The group of this process in the file system of cgroup v2.
fn own_group() -> Option<PathBuf> {
    let (own, mounts) = (fs::read_to_string("/proc/self/cgroup").ok()?, fs::read_to_string("/proc/mounts").ok()?);
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let place = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let place = fields.next()?;
        (fields.next()? == "cgroup2").then_some(place)
    })?;
    Some(Path::new(place).join(path))
}

#[test]
fn a_process_that_nobody_could_tell_from_others_ends_with_its_program() {
    for flags in [&["--cgroup"][..], &["--cgroup", "--shared", "--linger=0"], &["--cgroup", "--pty"]] {
        let Some(group) = Delegated::new(&[]) else { return };
        let server = Server::spawn(group.wsd(&[flags, &["sh", "-c", STRANGER]].concat()));
        let mut client = server.connect("/");
        let stranger = pid(String::from_utf8(client.message().payload).unwrap().trim_end());
        assert_eq!(group.workers().len(), 1);

        client.close(1000);

        assert!(gone_within(stranger, DEADLINE), "{flags:?}");
        server.expect_log("session ended");
        eventually("the group is removed", || group.workers().is_empty().then_some(()));
        eventually("all are reaped", || children(server.pid()).is_empty().then_some(()));
    }
}

#[test]
fn what_a_cgi_script_has_started_ends_with_it() {
    let Some(group) = Delegated::new(&[]) else { return };
    let tree = Tree::new();
    let script = STRANGER.replace("; cat", "");
    tree.program("cgi/script", &format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; {script}\n"));
    let server = Server::spawn(group.wsd(&["--cgroup", "--cgidir", &tree.path("cgi")]));

    let stranger = pid(server.get("/script", "").text().trim_end());

    assert!(gone_within(stranger, DEADLINE));
    eventually("the group is removed", || group.workers().is_empty().then_some(()));
}

#[test]
fn a_server_that_is_killed_leaves_no_process_and_no_group() {
    let Some(group) = Delegated::new(&[]) else { return };
    let mut server = Server::spawn(group.wsd(&["--cgroup", "sh", "-c", STRANGER]));
    let mut client = server.connect("/");
    let stranger = pid(&client.line());

    server.signal(Signal::KILL);
    server.wait();

    assert!(gone_within(stranger, DEADLINE));
    eventually("the group is removed", || group.workers().is_empty().then_some(()));
}

#[test]
fn a_server_removes_what_one_without_a_guard_has_left() {
    let Some(group) = Delegated::new(&[]) else { return };
    let left = group.0.join("wsd-worker-999999999-1");
    fs::create_dir(&left).unwrap();
    let mut sleeper: Child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    fs::write(left.join("cgroup.procs"), sleeper.id().to_string()).unwrap();

    let server = Server::spawn(group.wsd(&["--cgroup", "cat"]));

    let ended = within(DEADLINE, || sleeper.try_wait().unwrap());
    let _ = sleeper.kill();
    assert!(ended.is_some(), "it is killed");
    eventually("the group is removed", || (!left.exists()).then_some(()));
    let mut client = server.connect("/");
    client.text("hello");
    assert_eq!(client.line(), "hello");
}

#[test]
fn a_reload_may_put_programs_into_groups() {
    let Some(group) = Delegated::new(&[]) else { return };
    let tree = Tree::new();
    let route = format!("[[route]]\npath = '/'\ncommand = ['sh', '-c', \"{STRANGER}\"]\n");
    tree.file("wsd.toml", &route);
    let server = Server::spawn(group.wsd(&["--config", &tree.path("wsd.toml")]));
    tree.file("wsd.toml", format!("{route}cgroup = true\n"));
    server.signal(Signal::HUP);
    server.expect_log("settings loaded");
    let mut client = server.connect("/");
    let stranger = pid(&client.line());

    client.close(1000);

    assert!(gone_within(stranger, DEADLINE));
}

#[test]
fn a_user_without_rights_stays_in_the_group() {
    if !geteuid().is_root() {
        return skip("root");
    }
    let Some(group) = Delegated::new(&[]) else { return };
    let script = format!("echo $$ 2>&1 >{}/cgroup.procs | tail -c 20; grep ^0:: /proc/self/cgroup", group.0.display());
    let server = Server::spawn(group.wsd(&["--cgroup", "--user=nobody", "sh", "-c", &script]));

    let (lines, _) = server.connect("/").rest();

    assert!(lines.last().unwrap().contains("/wsd-worker-"), "{lines:?}");
}

#[test]
fn a_memory_hog_and_a_fork_bomb_end_alone_and_the_close_tells_why() {
    let bomb = "exec perl -e 'while (1) { defined(fork) or exit 7 }'";
    let hog = "exec perl -e '$x .= \"x\" x 1048576 while 1'";
    let table = [
        ("memory=64M", hog, 4137, "memory limit", "memory"),
        ("processes=40", bomb, 4007, "processes limit", "processes"),
    ];
    for (limits, script, code, reason, limit) in table {
        let Some(group) = Delegated::new(&["memory", "pids", "cpu"]) else { return };
        let tree = Tree::new();
        let route = |path: &str, command: &str| format!("[[route]]\npath = \"{path}\"\ncommand = [{command}]\n");
        let greedy = route("/greedy", &format!("\"sh\", \"-c\", '''{script}'''"));
        let echo = route("/echo", "\"cat\"");
        tree.file("wsd.toml", format!("{echo}{greedy}cgroup = '{limits},cpu=0.5'\n"));
        let server = Server::spawn(group.wsd(&["--config", &tree.path("wsd.toml")]));
        let mut echo = server.connect("/echo");
        let mut greedy = server.connect("/greedy");

        let close = greedy.close_at_last();

        assert_eq!((close.code, close.reason.as_str()), (Some(code), reason), "{limits}");
        assert_eq!(field(&server.expect_end_of(&mut greedy), "limit").as_deref(), Some(limit));
        echo.text("after");
        assert_eq!(echo.line(), "after");
        eventually("the group is removed", || group.workers().is_empty().then_some(()));
    }
}

#[test]
fn without_a_delegated_group_the_start_says_how_to_get_one() {
    if !geteuid().is_root() {
        return skip("root");
    }
    let Some(group) = Delegated::new(&[]) else { return };
    let tree = Tree::new();
    assert!(Command::new("cp").arg(wsd(&[]).get_program()).arg(tree.path("wsd")).status().unwrap().success());
    let mut command = Command::new("chmod");
    assert!(command.args(["755", &tree.path(""), &tree.path("wsd")]).status().unwrap().success());
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let own = tree.path("wsd");
    let mut command = group.command(&[&nobody[..], &[&own, "--check", "--cgroup", "cat"]].concat());
    command.current_dir("/");

    let outcome = run_to_end(command);

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stderr.starts_with("wsd: cannot use --cgroup: wsd may not write to "), "{outcome:?}");
    assert!(outcome.stderr.contains("`Delegate=yes`") && outcome.stderr.contains("systemd-run --user"), "{outcome:?}");
}
