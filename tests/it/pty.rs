//! `--pty`: a terminal for the program, on either of its two wires.

use std::fs::read_dir;
use std::time::{Duration, Instant};

use crate::harness::process::{gone_within, is_gone, pid};
use crate::harness::server::{Server, field, run};
use crate::harness::skip::has;
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, CLOSE, Client, Close, Frame};
use crate::harness::{DEADLINE, assert_in_time, eventually};

/// The header of a client of ttyd's protocol.
const TTY: &str = "Sec-WebSocket-Protocol: tty\r\n";

/// A person at a terminal.
struct Person {
    client: Client,
    /// Whether the client speaks ttyd's protocol.
    is_tty: bool,
    /// The output that was not looked at.
    screen: Vec<u8>,
}

impl Person {
    /// Opens a terminal as xterm.js' `AttachAddon` does.
    fn at(server: &Server, path: &str) -> Self {
        Self { client: server.connect(path), is_tty: false, screen: Vec::new() }
    }

    /// Opens a terminal of this size as ttyd's page does.
    fn at_tty(server: &Server, columns: u16, rows: u16) -> Self {
        let mut client = server.connect_with("/", TTY);
        client.binary(format!(r#"{{"AuthToken":"","columns":{columns},"rows":{rows}}}"#).as_bytes());
        Self { client, is_tty: true, screen: Vec::new() }
    }

    /// Types keys.
    fn types(&mut self, keys: &str) {
        if self.is_tty {
            self.client.binary(format!("0{keys}").as_bytes());
        } else {
            self.client.text(keys);
        }
    }

    /// Sends a command of ttyd's protocol.
    fn tells(&mut self, command: &str) {
        self.client.binary(command.as_bytes());
    }

    /// Reads until `text` is on the screen; returns all up to its end.
    fn sees(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.screen.windows(text.len()).position(|window| window == text.as_bytes()) {
                let seen: Vec<_> = self.screen.drain(..at + text.len()).collect();
                return String::from_utf8_lossy(&seen).into_owned();
            }
            if let Some(close) = self.reads() {
                panic!("the end came ({close:?}) and not {text:?}: {}", String::from_utf8_lossy(&self.screen));
            }
        }
    }

    /// Reads the next message. Returns the close if it is that.
    fn reads(&mut self) -> Option<Close> {
        let message = self.client.message();
        match (message.opcode, self.is_tty) {
            (CLOSE, _) => return Some(Close::of(&message.payload)),
            (BINARY, false) => self.screen.extend(message.payload),
            (BINARY, true) if message.payload[0] == b'0' => self.screen.extend(&message.payload[1..]),
            _ => {}
        }
        None
    }

    /// Reads to the end; returns all output and the close.
    fn sees_the_end(&mut self) -> (String, Close) {
        loop {
            if let Some(close) = self.reads() {
                return (String::from_utf8_lossy(&self.screen).into_owned(), close);
            }
        }
    }
}

#[test]
fn a_program_has_one_terminal_for_all_and_it_controls_the_program() {
    let script = "for fd in 0 1 2; do test -t $fd && printf $fd; done; echo; stty size; echo $TERM $COLORTERM; \
        : </dev/tty && echo controls; echo error >&2; exit 3";
    let server = Server::shell(&["--pty"], script, &[]);

    let (seen, close) = Person::at(&server, "/").sees_the_end();

    assert_eq!(seen, "012\r\n24 80\r\nxterm-256color truecolor\r\ncontrols\r\nerror\r\n");
    assert_eq!(close, Close::new(4003, "exit 3"));
}

#[test]
fn the_query_sets_the_size_within_limits() {
    let server = Server::command(&["--pty"], &["stty", "size"]);

    for (query, size) in [("?cols=132&rows=50", "50 132"), ("?rows=1", "1 80"), ("?cols=1000&rows=1000", "1000 1000")] {
        assert_eq!(Person::at(&server, &format!("/{query}")).sees_the_end().0.trim_end(), size, "{query}");
    }
    for query in ["?cols=0&rows=0", "?cols=1000000000", "?rows=1001", "?cols=wide"] {
        let refusal = server.refusal(&format!("/{query}"), "");
        assert_eq!(refusal.status, 400, "{query}");
        assert!(refusal.text().contains("from 1 to 1000"), "{}", refusal.text());
    }
    let line = server.expect_log("session refused").text;
    let hint = field(&line, "hint");
    assert!(line.contains("why=size") && hint.as_deref() == Some("cols and rows are numbers from 1 to 1000"), "{line}");
}

#[test]
fn keys_come_as_text_or_bytes_and_the_terminal_echoes_them() {
    let server = Server::command(&["--pty"], &["cat"]);
    let mut person = Person::at(&server, "/");

    person.client.text("héllo\r");
    person.sees("héllo\r\nhéllo\r\n");
    // A page sends the reports of a mouse as bytes.
    person.client.binary(b"bytes\r");
    person.sees("bytes\r\nbytes\r\n");
    // Backspace rubs out a whole character.
    person.client.text("xé\x7Fy\r");
    person.sees("xy\r\n");
    person.client.text("\x04");

    assert_eq!(person.sees_the_end().1, Close::new(1000, ""), "after ^D");
}

#[test]
fn a_client_of_ttyd_gets_title_preferences_and_output() {
    let server = Server::shell(&["--pty"], "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done", &[]);
    let mut client = server.connect_with("/", TTY);

    client.binary(br#"{"AuthToken":"","columns":100,"rows":30}"#);

    for want in [&b"1wsd"[..], b"2{}"] {
        assert_eq!(client.message(), Frame::new(BINARY, want));
    }
    let mut person = Person { client, is_tty: true, screen: Vec::new() };
    person.tells(r#"1{"columns":120,"rows":40}"#);
    person.sees("40 120");
    for odd in [r#"1{"columns":0,"rows":0}"#, r#"1{"columns":1000000000,"rows":1}"#, "1{", "9", ""] {
        person.tells(odd);
    }
    server.expect_log("message ignored");
    person.tells(r#"1{"columns":1000,"rows":1}"#);
    person.sees("1 1000");
}

#[test]
fn the_subprotocol_of_ttyd_is_answered_only_with_a_terminal() {
    let offer = |flags: &[&str]| {
        let server = Server::command(flags, &["cat"]);
        let mut connection = server.http();
        connection.send(crate::harness::websocket::upgrade_request(&server.host(), "/", TTY));
        connection.response("GET").header("sec-websocket-protocol").map(str::to_owned)
    };

    assert_eq!(offer(&["--pty"]).as_deref(), Some("tty"));
    assert_eq!(offer(&[]), None);
}

#[test]
fn readonly_drops_keys_and_follows_the_size() {
    let server =
        Server::shell(&["--pty", "--readonly"], "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done", &[]);
    let mut person = Person::at_tty(&server, 80, 24);
    person.sees("ready");

    person.types("dropped\r\x03");
    person.tells(r#"1{"columns":90,"rows":20}"#);

    let seen = person.sees("20 90");
    assert!(!seen.contains("dropped"), "{seen}");
}

#[test]
fn keys_for_signals_reach_the_foreground_job() {
    let server = Server::command(&["--pty"], &["env", "PS1=$ ", "sh", "-i"]);
    let mut person = Person::at(&server, "/");

    person.sees("$ ");
    person.types("cat\r");
    // The second of the two is the answer of `cat`: it is in the foreground.
    person.types("up\r");
    person.sees("up\r\nup\r\n");
    person.types("\x1A");
    person.sees("Stopped");
    person.sees("$ ");
    person.types("fg\r");
    person.sees("cat\r\n");
    person.types("again\r");
    person.sees("again\r\nagain\r\n");
    person.types("\x03");
    person.sees("$ ");
    person.types("echo status$?\r");
    person.sees("status130\r\n");
    person.types("exit 5\r");

    assert_eq!(person.sees_the_end().1, Close::new(4005, "exit 5"));
}

#[test]
fn a_program_without_a_shell_ends_by_a_key() {
    for (key, want) in [("\x03", Close::new(4130, "signal 2")), ("\x1C", Close::new(4131, "signal 3"))] {
        let server = Server::shell(&["--pty"], "echo ready; exec sleep 1000", &[]);
        let mut person = Person::at(&server, "/");
        person.sees("ready");

        person.types(key);

        assert_eq!(person.sees_the_end().1, want);
    }
}

#[test]
fn a_password_is_not_on_the_screen() {
    if !has("python3") {
        return;
    }
    let script = "import getpass\nprint('length', len(getpass.getpass('Password: ')))";
    let server = Server::command(&["--pty"], &["python3", "-c", script]);
    let mut person = Person::at(&server, "/");

    person.sees("Password: ");
    person.types("hunter2\r");

    let (seen, close) = person.sees_the_end();
    assert_eq!((seen.trim(), close.code), ("length 7", Some(1000)));
}

#[test]
fn vim_edits_a_file() {
    if !has("vim") {
        return;
    }
    let tree = Tree::new();
    let vim = ["vim", "-u", "NONE", "-i", "NONE", "-N", "-n", &tree.path("note.txt")];
    let server = Server::command(&["--pty"], &vim);
    let mut person = Person::at_tty(&server, 60, 20);

    person.sees("note.txt");
    person.types("ihello, terminal\x1B:wq\r");

    assert_eq!(person.sees_the_end().1.code, Some(1000));
    assert_eq!(tree.read("note.txt"), b"hello, terminal\n");
}

#[test]
fn less_shows_pages() {
    if !has("less") {
        return;
    }
    let tree = Tree::new();
    tree.file("long", (1..=500).map(|number| format!("line {number}")).collect::<Vec<_>>().join("\n"));
    let server = Server::command(&["--pty"], &["less", &tree.path("long")]);
    let mut person = Person::at(&server, "/?rows=10");

    let seen = person.sees("line 9");
    assert!(seen.contains("line 1") && !seen.contains("line 10"), "{seen}");
    person.types("G");
    person.sees("line 500");
    person.types("q");

    assert_eq!(person.sees_the_end().1.code, Some(1000));
}

#[test]
fn top_fills_the_screen() {
    if !has("top") {
        return;
    }
    let server = Server::command(&["--pty"], &["top"]);
    let mut person = Person::at_tty(&server, 100, 30);

    person.sees("load average");
    person.sees("PID");
    person.types("q");

    assert_eq!(person.sees_the_end().1.code, Some(1000));
}

#[test]
fn the_rest_of_the_output_and_the_status_come_at_the_end() {
    for is_tty in [false, true] {
        let server = Server::shell(&["--pty"], "seq 1 20000; printf last; exit 3", &[]);
        let mut person = if is_tty { Person::at_tty(&server, 80, 24) } else { Person::at(&server, "/") };

        let (seen, close) = person.sees_the_end();

        let want: String = (1..=20_000).map(|number| format!("{number}\r\n")).chain(["last".to_owned()]).collect();
        assert!(seen == want, "{} bytes", seen.len());
        assert_eq!(close, Close::new(4003, "exit 3"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_that_pauses_stops_its_program_in_flat_memory() {
    use crate::harness::process::linux::{peak_memory, processor_time};
    // More than all buffers on the way hold. A terminal is slow: it takes a switch between processes every 4 KiB.
    const BYTES: usize = 16 << 20;
    let server = Server::command(&["--pty", "--pingms=0"], &["yes"]);
    let mut person = Person::at_tty(&server, 80, 24);
    person.sees("y\r\n");
    let before = peak_memory(server.pid());

    let mut seen = 0;
    while seen < BYTES {
        person.reads();
        seen += std::mem::take(&mut person.screen).len();
        if seen.is_multiple_of(7) {
            person.tells("2");
            person.tells("3");
        }
    }
    person.tells("2");
    let mut late = 0;
    while !person.client.connection().is_silent_for(Duration::from_millis(300)) {
        person.reads();
        late += std::mem::take(&mut person.screen).len();
        assert!(late < BYTES, "it does not pause");
    }
    let used = processor_time(server.pid());
    assert!(person.client.connection().is_silent_for(Duration::from_secs(1)));
    let used = processor_time(server.pid()).saturating_sub(used);
    assert!(used < Duration::from_millis(250), "it used {used:?} while it was paused");
    person.tells("3");
    person.screen.clear();
    person.sees("y\r\n");

    person.types("\x03");
    assert_eq!(person.sees_the_end().1, Close::new(4130, "signal 2"));
    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 4 << 10, "memory grew by {growth_kib} KiB");
}

#[test]
fn the_end_of_the_program_ends_a_pause() {
    let server = Server::shell(&["--pty"], "echo ready; read -r _; echo last; exit 6", &[]);
    let mut person = Person::at_tty(&server, 80, 24);
    person.sees("ready");

    person.tells("2");
    person.types("go\r");

    let (seen, close) = person.sees_the_end();
    assert!(seen.ends_with("last\r\n"), "{seen}");
    assert_eq!(close, Close::new(4006, "exit 6"));
}

#[test]
fn a_program_may_close_its_terminal_and_open_it_again() {
    // As login does.
    const REOPEN: &str = "\
import os, sys
for number in range(200):
    for descriptor in 0, 1, 2: os.close(descriptor)
    os.open('/dev/tty', os.O_RDWR)
    os.dup2(0, 1)
    os.dup2(0, 2)
    os.write(1, b'%d.' % number)
os.write(1, b'ready')
os.read(0, 1)
sys.exit(4)
";
    if !has("python3") {
        return;
    }
    let server = Server::command(&["--pty"], &["python3", "-c", REOPEN]);
    for is_paused in [false, true] {
        let mut person = Person::at_tty(&server, 80, 24);
        if is_paused {
            person.tells("2");
            person.tells("3");
        }
        let all: Vec<_> = (0..200).map(|number| format!("{number}.")).collect();
        assert_eq!(person.sees("ready"), format!("{}ready", all.concat()));

        person.types("\r");

        assert_eq!(person.sees_the_end().1, Close::new(4004, "exit 4"));
    }
}

#[test]
fn jobs_in_the_background_do_not_outlive_their_shell() {
    let quiet = "set -m; trap '' HUP; sleep 1000 & echo pid $! ready; exit 5";
    let loud = "set -m; trap '' HUP; yes >/dev/tty & echo pid $! ready; exit 5";
    for script in [quiet, loud] {
        let server = Server::command(&["--pty"], &["bash", "-c", script]);
        let mut person = Person::at(&server, "/");
        person.sees("pid ");
        let job = pid(person.sees(" ready").trim_end_matches(" ready"));

        assert_eq!(person.sees_the_end().1, Close::new(4005, "exit 5"), "{script}");
        eventually("the job has ended", || is_gone(job).then_some(()));
    }
}

#[test]
fn a_key_reaches_a_program_whose_client_reads_nothing() {
    let server = Server::command(&["--pty", "--pingms=0"], &["yes"]);
    let mut client = server.connect("/");
    let worker = server.expect_worker(1);
    assert_eq!(client.message().opcode, BINARY);
    eventually("the program is blocked", || {
        let state = || std::fs::read_to_string(format!("/proc/{worker}/wchan")).unwrap_or_default();
        (!cfg!(target_os = "linux") || state().contains("n_tty_write") || state().contains("wait")).then_some(())
    });

    let began = Instant::now();
    client.text("\x03");

    eventually("it has ended", || {
        let stat = std::fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
    assert_in_time(began, Duration::from_millis(200));
    assert_eq!(client.close_at_last(), Close::new(4130, "signal 2"));
}

#[test]
fn the_program_gets_the_last_keys_and_then_a_hangup() {
    let tree = Tree::new();
    let script = "trap 'echo hangup >>\"$1\"; exit 7' HUP; read -r line; echo \"$line\" >\"$1\"; \
        while :; do sleep 0.05; done";
    let server = Server::shell(&["--pty"], script, &[&tree.path("got")]);
    let mut person = Person::at(&server, "/");

    person.types("last words\r");
    person.client.close(1000);

    assert_eq!(person.sees_the_end().1.code, Some(1000));
    let end = server.expect_log("session ended").text;
    assert_eq!(field(&end, "status").as_deref(), Some("7"), "{end}");
    assert_eq!(tree.read("got"), b"last words\nhangup\n");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_left_after_500_sessions_that_break_off() {
    use crate::harness::process::linux::{children, terminals};
    let server = Server::shell(&["--pty"], "set -m; trap '' HUP; sleep 1000 & echo $! $$; sleep 1001", &[]);
    let descriptors = || read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    let mut jobs = Vec::new();
    for number in 0..500 {
        let mut person = if number % 2 == 0 { Person::at(&server, "/") } else { Person::at_tty(&server, 80, 24) };
        let seen = person.sees("\n");
        jobs.extend(seen.split_whitespace().map(pid));
        if number % 3 == 0 { person.client.reset() } else { drop(person) }
    }

    eventually("all processes are gone", || children(server.pid()).is_empty().then_some(()));
    for job in jobs {
        assert!(is_gone(job) || gone_within(job, DEADLINE), "{job}");
    }
    assert!(terminals(server.pid()).is_empty());
    let after = descriptors();
    Person::at(&server, "/").sees("\n");
    eventually("its descriptors are closed", || (descriptors() <= after).then_some(()));
}

#[test]
fn flags_without_a_meaning_at_a_terminal_are_refused_with_the_reason() {
    let table = [
        (&["--pty", "--shared"][..], "one size and one keyboard"),
        (&["--pty", "--shared=path"], "one size and one keyboard"),
        (&["--pty", "--framing=json"], "bytes, not messages"),
        (&["--pty", "--framing=lines,nul"], "bytes, not messages"),
        (&["--pty", "--acp"], "bytes, not messages"),
        (&["--pty", "--binary"], "bytes in any case"),
        (&["--pty", "--passstderr"], "one terminal"),
        (&["--pty", "--unbuffer"], "in any case"),
        (&["--readonly"], "without --pty"),
    ];
    for (flags, reason) in table {
        let outcome = run(&[flags, &["--port=0", "cat"]].concat());

        assert_eq!(outcome.status, Some(1), "{flags:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(reason) && outcome.stderr.contains("hint:"), "{flags:?}: {}", outcome.stderr);
    }
}

#[test]
fn a_route_and_a_folder_may_have_terminals() {
    let tree = Tree::new();
    tree.program("dir/size", "#!/bin/sh\nstty size\n");
    let settings = format!(
        "[[route]]\npath = \"/one\"\ncommand = [\"stty\", \"size\"]\npty = true\n\
         [[route]]\npath = \"/many\"\ndir = \"{}\"\npty = true\n\
         [[route]]\npath = \"/plain\"\ncommand = [\"echo\", \"line\"]\n",
        tree.path("dir")
    );
    tree.file("wsd.toml", settings);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    assert_eq!(Person::at(&server, "/one?cols=90").sees_the_end().0, "24 90\r\n");
    assert_eq!(Person::at(&server, "/many/size?rows=5").sees_the_end().0, "5 80\r\n");
    assert_eq!(server.connect("/plain?cols=0").line(), "line");
}

#[cfg(target_os = "linux")]
#[test]
fn wsd_keeps_both_ends_and_the_program_three_descriptors() {
    use crate::harness::process::linux::{controlling_terminal, terminals};
    let server = Server::shell(&["--pty"], "echo ready; exec sleep 1000", &[]);
    let mut person = Person::at(&server, "/");
    person.sees("ready");
    let worker = server.expect_worker(1);

    let own = terminals(server.pid());
    assert!(own.len() == 2 && own.contains(&"/dev/ptmx".to_owned()), "{own:?}");
    assert_eq!(terminals(worker).len(), 3);
    assert_ne!(controlling_terminal(worker), "0");
    assert_ne!(controlling_terminal(worker), controlling_terminal(server.pid()));
}
