//! `--cgidir`: scripts that fail, hang or are left alone; whatever happens, no process stays.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::harness::process::{gone_within, pid};
use crate::harness::server::{Server, field, program, run};
use crate::harness::tree::Tree;
use crate::harness::{DEADLINE, assert_in_time, eventually};

/// A server of one script, `/script`, which is a shell's.
fn shell(tree: &Tree, flags: &[&str], script: &str) -> Server {
    tree.program("cgi/script", &format!("#!/bin/sh\n{script}\n"));
    Server::serve(&[&["--cgidir", &tree.path("cgi")], flags].concat())
}

/// A line of shell that writes the process id of the shell into the file `pid` of `tree`.
fn note_pid(tree: &Tree) -> String {
    format!("echo $$ > '{0}.new' && mv '{0}.new' '{0}'", tree.path("pid"))
}

/// The process id that [`note_pid`] wrote.
fn noted_pid(tree: &Tree) -> Pid {
    eventually("the script runs", || tree.holds("pid").then_some(()));
    pid(&String::from_utf8(tree.read("pid")).unwrap())
}

/// A line of shell that waits for good, for the end of its input and deaf to signals too.
const STUBBORN: &str = "trap '' INT TERM HUP; while :; do sleep 1; done";

#[test]
fn a_script_that_gives_no_answer_is_a_500_or_a_502() {
    let table = [
        (500, "exit 3"),
        (500, "kill -KILL $$"),
        (502, "exit 0"),
        (502, "cat"),
        (502, "echo hello"),
        (502, "echo hello world; echo; echo body"),
        (502, "echo; echo body"),
        (502, "printf 'Content-Type: text/plain'"),
        (502, "printf 'Content-Type: text/plain\\n'; exit 1"),
        (502, "printf 'X-A: b\\n\\nbody'"),
        (502, "printf 'Status: maybe\\n\\n'"),
        (502, "printf 'Status: 99\\nContent-Type: a/b\\n\\n'"),
        (502, "printf 'Status: 101\\nContent-Type: a/b\\n\\n'"),
        (502, "printf 'Content-Type: a\\033/b\\n\\n'"),
        (502, "printf 'Bad Name: x\\nContent-Type: a/b\\n\\n'"),
        (502, "printf 'Location: /a b\\n\\n'"),
        (502, "printf 'HTTP/1.1 200 OK\\r\\nContent-Type: a/b\\r\\n\\r\\n'"),
        (502, "printf 'X-Long: '; head -c 100000 /dev/zero | tr '\\0' x; printf '\\nContent-Type: a/b\\n\\n'"),
        (500, "exec >&-; exec sleep 1000"),
    ];
    for (status, script) in table {
        let tree = Tree::new();
        let server = shell(&tree, &[], script);
        let response = server.get("/script", "");

        assert_eq!(response.status, status, "{script}:\n{response}");
        assert!(!response.text().contains(&tree.path("")) && !response.body.is_empty(), "{script}:\n{response}");
        let line = server.expect_log("script failed").text;
        assert!(line.contains(" WARN ") && line.contains(&tree.path("cgi/script")), "{line}");
    }
}

#[test]
fn a_script_that_cannot_be_started_is_a_500() {
    let tree = Tree::new();
    tree.file("cgi/mode", "#!/bin/sh\necho the source\n")
        .program("cgi/interpreter", "#!/no/such/interpreter\nthe source\n")
        .program("cgi/shebang", "echo the source\n");
    let server = Server::serve(&["--cgidir", &tree.path("cgi")]);

    for name in ["mode", "interpreter", "shebang"] {
        let response = server.get(&format!("/{name}"), "");

        assert_eq!(response.status, 500, "{name}:\n{response}");
        assert!(!response.text().contains("the source"), "{name}:\n{response}");
        assert!(!response.text().contains(&tree.path("")), "{name}:\n{response}");
    }
    server.expect_nth_log("worker not started", 3);
}

#[test]
fn a_script_that_hangs_is_a_504_and_gone() {
    let tree = Tree::new();
    for script in
        ["sleep 1000", "cat > /dev/null; exec sleep 1000", "printf 'Content-Type: a/b\\n'; sleep 1000", STUBBORN]
    {
        let server = shell(&tree, &["--cgi-timeout=0.3"], &format!("{}; {script}", note_pid(&tree)));
        let start = Instant::now();

        let response = server.get("/script", "");

        assert_eq!(response.status, 504, "{script}:\n{response}");
        assert!(start.elapsed() > Duration::from_millis(300), "{script}: {:?}", start.elapsed());
        assert!(gone_within(noted_pid(&tree), DEADLINE), "{script}");
        assert!(server.expect_log("script failed").text.contains("--cgi-timeout"));
        tree.remove("pid");
    }
}

#[test]
fn a_body_that_does_not_come_is_a_504_too() {
    let tree = Tree::new();
    let server = shell(&tree, &["--cgi-timeout=0.3"], "cat > /dev/null; printf 'Content-Type: a/b\\n\\n'");
    let mut connection = server.http();

    connection.send("POST /script HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nhalf");

    assert_eq!(connection.response("POST").status, 504);
}

#[test]
fn an_answer_that_does_not_end_is_cut_and_its_script_gone() {
    let tree = Tree::new();
    let script = format!("{}; printf 'Content-Type: a/b\\n\\nbegun\\n'; {STUBBORN}", note_pid(&tree));
    let server = shell(&tree, &["--cgi-timeout=0.5"], &script);
    let mut connection = server.http();

    connection.send(format!("GET /script HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
    let answer = String::from_utf8(connection.rest()).unwrap();

    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("begun\n"), "{answer}");
    // The end of the body is not told, so that nobody takes a part for the whole.
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    assert!(gone_within(noted_pid(&tree), DEADLINE));
    let line = server.expect_log("script failed").text;
    assert!(line.contains("--cgi-timeout") && line.contains(&tree.path("cgi/script")), "{line}");
}

/// Returns the whole response to a request for `/script` on a connection of its own.
fn raw_answer(server: &Server) -> String {
    let mut connection = server.http();
    connection.send("GET /script HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    String::from_utf8(connection.rest()).unwrap()
}

#[test]
fn an_answer_of_a_script_that_is_killed_does_not_look_whole() {
    for kill in ["kill -KILL $$", "kill -TERM $$", "sleep 0.2; kill -KILL $$", "sleep 1 & kill -SEGV $$"] {
        let tree = Tree::new();
        let server = shell(&tree, &[], &format!("printf 'Content-Type: text/plain\\n\\nhalf'; {kill}"));

        let answer = raw_answer(&server);

        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\n4\r\nhalf\r\n"), "{kill}: {answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{kill}: {answer}");
        let line = server.expect_log("script failed").text;
        assert!(line.contains(" WARN ") && field(&line, "cause").unwrap().contains("killed"), "{line}");
        assert!(field(&line, "status").unwrap().parse::<u16>().unwrap() > 128, "{line}");
    }
}

#[test]
fn an_answer_is_whole_whatever_the_status_of_its_script() {
    // The status of a shell is that of its last command, which may be any; and who has said all may go on or be killed.
    let table = [
        ("printf 'Content-Type: text/plain\\n\\nwhole'; exit 1", "\r\n5\r\nwhole\r\n0\r\n\r\n"),
        ("printf 'Content-Type: text/plain\\n\\nwhole'; exec >&-; exec sleep 1000", "\r\n5\r\nwhole\r\n0\r\n\r\n"),
        ("printf 'Content-Type: text/plain\\nContent-Length: 5\\n\\nwhole'; kill -KILL $$", "\r\n\r\nwhole"),
    ];
    for (script, want) in table {
        let tree = Tree::new();
        let mut server = shell(&tree, &[], script);

        let answer = raw_answer(&server);

        assert!(answer.ends_with(want), "{script}: {answer}");
        assert!(!server.stop().contains("script failed"), "{script}");
    }
}

#[test]
fn an_answer_that_the_end_of_the_server_cuts_does_not_look_whole() {
    let tree = Tree::new();
    let server = shell(&tree, &[], "printf 'Content-Type: text/plain\\n\\nhalf'; exec sleep 1000");
    let mut connection = server.http();
    connection.send("GET /script HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answer = String::new();
    while !answer.ends_with("half\r\n") {
        answer += &String::from_utf8(connection.take(1).unwrap()).unwrap();
    }

    server.signal(Signal::TERM);

    assert_eq!(String::from_utf8(connection.rest()).unwrap(), "");
}

#[test]
fn an_answer_whose_request_breaks_off_does_not_look_whole() {
    let tree = Tree::new();
    let server = shell(&tree, &[], "printf 'Content-Type: text/plain\\n\\nhalf'; cat > /dev/null; exec sleep 1000");
    let mut connection = server.http();
    connection.send("POST /script HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    let mut answer = String::new();
    while !answer.ends_with("half\r\n") {
        answer += &String::from_utf8(connection.take(1).unwrap()).unwrap();
    }

    connection.send("rubbish\r\n");

    assert_eq!(String::from_utf8(connection.rest()).unwrap(), "");
    let line = server.expect_log("script failed").text;
    assert!(field(&line, "cause").unwrap().contains("body"), "{line}");
}

#[test]
fn a_script_may_have_a_hundred_headers_and_the_log_says_when_it_has_more() {
    for (count, status) in [(99, 200), (100, 502), (300, 502)] {
        let tree = Tree::new();
        let headers = format!("for n in $(seq {count}); do echo \"X-$n: y\"; done");
        let server = shell(&tree, &[], &format!("echo 'Content-Type: a/b'; {headers}; echo; echo body"));

        let response = server.get("/script", "");

        assert_eq!(response.status, status, "{count}: {response}");
        if status == 502 {
            let line = server.expect_log("script failed").text;
            assert!(field(&line, "cause").unwrap().contains("more than 100 headers"), "{line}");
        }
    }
}

#[test]
fn an_answer_may_take_its_time_as_long_as_there_is_more_of_it() {
    // Four times as long as the script may be silent.
    let tree = Tree::new();
    let script = "printf 'Content-Type: a/b\\n\\n'; for n in 1 2 3 4 5 6 7 8; do sleep 0.5; echo $n; done";
    let server = shell(&tree, &["--cgi-timeout=1"], script);

    assert_eq!(server.get("/script", "").text(), "1\n2\n3\n4\n5\n6\n7\n8\n");
}

#[test]
fn the_time_that_a_client_takes_to_read_is_not_the_scripts() {
    const LINES: usize = 40_000;
    let tree = Tree::new();
    let flood = format!("printf 'Content-Type: text/plain\\n\\n'; exec perl '{}' {LINES} 1000", program("flood.pl"));
    let server = shell(&tree, &["--cgi-timeout=0.5"], &flood);
    let mut connection = server.http();

    connection.send("GET /script HTTP/1.1\r\nHost: localhost\r\n\r\n");
    server.expect_log("blocked at ");
    // Nothing comes here; meanwhile nobody reads the answer for three times what the script may be silent.
    assert!(server.http().is_silent_for(Duration::from_millis(1500)));

    assert_eq!(connection.response("GET").body.len(), LINES * 1000);
}

#[test]
fn a_script_that_ends_in_time_is_not_cut() {
    let tree = Tree::new();
    let server = shell(&tree, &["--cgi-timeout=10"], "printf 'Content-Type: a/b\\n\\none\\n'; sleep 1; echo two");

    assert_eq!(server.get("/script", "").text(), "one\ntwo\n");
}

#[test]
fn a_time_that_is_none_is_exit_2() {
    for text in ["0", "-1", "soon", "", "1e400", "nan"] {
        let outcome = run(&["--port=0", &format!("--cgi-timeout={text}"), "cat"]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{text}: {outcome:?}");
        assert!(outcome.stderr.contains("--cgi-timeout"), "{text}: {outcome:?}");
    }
}

#[test]
fn a_client_that_leaves_ends_its_script() {
    let tree = Tree::new();
    let table = [
        ("sleep 1000", ""),
        (STUBBORN, ""),
        ("printf 'Content-Type: a/b\\n\\nbegun\\n'; exec sleep 1000", "begun"),
        ("printf 'Content-Type: a/b\\n\\nbegun\\n'; exec yes", "begun"),
    ];
    for (script, seen) in table {
        let server = shell(&tree, &[], &format!("{}; {script}", note_pid(&tree)));
        let mut connection = server.http();
        connection.send("GET /script HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let script_pid = noted_pid(&tree);
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains(seen) {
            answer.extend(connection.take(1).unwrap());
        }

        connection.reset();

        assert!(gone_within(script_pid, DEADLINE), "{script}");
        tree.remove("pid");
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_ends_its_script() {
    let tree = Tree::new();
    let script = format!("{}; cat > /dev/null; exec sleep 1000", note_pid(&tree));
    let server = shell(&tree, &[], &script);
    let mut connection = server.http();
    connection.send("POST /script HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf");
    let script_pid = noted_pid(&tree);

    connection.reset();

    assert!(gone_within(script_pid, DEADLINE));
}

#[test]
fn a_body_that_breaks_off_is_not_taken_for_the_whole() {
    // A chunked body has no length that the script could compare.
    let tree = Tree::new();
    let done = tree.path("done");
    let server = shell(&tree, &[], &format!("{}; cat > /dev/null; echo > '{done}'", note_pid(&tree)));
    let mut connection = server.http();
    connection.send("POST /script HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    let script_pid = noted_pid(&tree);

    connection.reset();

    assert!(gone_within(script_pid, DEADLINE));
    assert!(!tree.holds("done"), "the script was told that the body ended well");
}

#[test]
fn a_script_may_go_on_after_its_answer() {
    let answers = [
        ("closes its output", "printf 'Content-Type: a/b\\n\\nok'; exec >&-", "ok"),
        ("has sent its length", "printf 'Content-Type: a/b\\nContent-Length: 2\\n\\nok'", "ok"),
        ("has no body", "printf 'Status: 204\\n\\n'", ""),
    ];
    for (case, answer, text) in answers {
        let tree = Tree::new();
        tree.pipe("gate");
        let (gate, done) = (tree.path("gate"), tree.path("done"));
        let server = shell(&tree, &[], &format!("{answer}; read -r _ < '{gate}'; sleep 0.5; echo > '{done}'"));

        assert_eq!(server.get("/script", "").text(), text, "{case}: the answer does not wait");

        tree.release("gate");
        eventually(&format!("done: the script {case}"), || tree.holds("done").then_some(()));
    }
}

#[test]
fn a_script_that_stays_after_its_answer_is_stopped_when_its_time_is_over() {
    let tree = Tree::new();
    let script = format!("{}; printf 'Content-Type: a/b\\n\\nok'; exec >&-; exec sleep 1000", note_pid(&tree));
    let server = shell(&tree, &["--cgi-timeout=0.3"], &script);

    assert_eq!(server.get("/script", "").text(), "ok");

    assert!(gone_within(noted_pid(&tree), DEADLINE));
}

#[test]
fn processes_that_a_script_leaves_behind_end_with_it() {
    let tree = Tree::new();
    let script = format!(
        "(trap '' INT TERM HUP; exec sleep 1000) < /dev/null > /dev/null 2>&1 &\necho $! > '{}'\n\
         printf 'Content-Type: a/b\\n\\nbody'",
        tree.path("pid")
    );
    let server = shell(&tree, &[], &script);

    assert_eq!(server.get("/script", "").text(), "body");

    assert!(gone_within(noted_pid(&tree), DEADLINE));
}

#[test]
fn the_end_of_the_server_ends_scripts() {
    let tree = Tree::new();
    let script = format!("{}; printf 'Content-Type: a/b\\n\\nbegun\\n'; {STUBBORN}", note_pid(&tree));
    let mut server = shell(&tree, &[], &script);
    let mut connection = server.http();
    connection.send("GET /script HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let script_pid = noted_pid(&tree);

    let start = Instant::now();
    server.signal(Signal::TERM);

    assert_eq!(server.wait().code(), Some(0));
    assert_in_time(start, Duration::from_secs(1));
    assert!(gone_within(script_pid, DEADLINE));
}

#[test]
fn a_script_takes_a_fork_and_gives_it_back() {
    let tree = Tree::new();
    tree.pipe("gate");
    let wait =
        format!("{}; read -r _ < '{}'; printf 'Content-Type: a/b\\n\\nbody'", note_pid(&tree), tree.path("gate"));
    tree.program("cgi/script", &format!("#!/bin/sh\n{wait}\n"));
    let server = Server::command(&["--maxforks=1", "--cgidir", &tree.path("cgi")], &["cat"]);
    let mut waiting = server.http();
    waiting.send("GET /script HTTP/1.1\r\nHost: localhost\r\n\r\n");
    noted_pid(&tree);

    for response in [server.get("/script", ""), server.refusal("/", "")] {
        assert_eq!(response.status, 429, "{response}");
        assert!(response.header("retry-after").is_some(), "{response}");
    }

    tree.release("gate");
    assert_eq!(waiting.response("GET").text(), "body");
    let mut client = eventually("the fork is free again", || server.try_connect("/", "").ok());
    client.text("hello");
    assert_eq!(client.line(), "hello");
    assert_eq!(server.get("/script", "").status, 429);
}

#[test]
fn a_script_that_failed_gives_its_fork_back() {
    let tree = Tree::new();
    let server = shell(&tree, &["--maxforks=1"], "exit 1");

    for _ in 0..3 {
        assert_eq!(server.get("/script", "").status, 500);
    }
}

#[test]
fn a_script_that_points_to_another_has_ended_before_that_starts() {
    let tree = Tree::new();
    tree.program("cgi/there", "#!/bin/sh\nprintf 'Location: /here\\n\\n'; exec sleep 1000\n");
    let here =
        format!("kill -0 $(cat '{}') && echo 'Status: 500'; printf 'Content-Type: a/b\\n\\nhere'", tree.path("pid"));
    tree.program("cgi/here", &format!("#!/bin/sh\n{here}\n"));
    let server = shell(&tree, &["--maxforks=1"], &format!("{}; exec '{}'", note_pid(&tree), tree.path("cgi/there")));

    for path in ["/there", "/script"] {
        tree.file("pid", "");
        let response = server.get(path, "");

        assert_eq!((response.status, response.text().as_str()), (200, "here"), "{path}:\n{response}");
    }
}

#[test]
fn a_request_whose_body_is_broken_is_a_400() {
    let tree = Tree::new();
    let server = shell(&tree, &[], "cat > /dev/null; printf 'Content-Type: a/b\\n\\nbody'");
    let chunked = "POST /script HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let counted = "POST /script HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";

    for (count, request) in [format!("{chunked}rubbish\r\n"), format!("{counted}half")].iter().enumerate() {
        let mut connection = server.http();
        connection.send(request);
        if request.starts_with(counted) {
            connection.finish();
        } else {
            let response = connection.response("POST");
            assert_eq!(response.status, 400, "{request}:\n{response}");
        }
        let line = server.expect_nth_log("script failed", count + 1).text;
        assert!(field(&line, "cause").unwrap().contains("body"), "{line}");
    }
}

#[test]
fn standard_error_of_a_script_is_in_the_log() {
    let tree = Tree::new();
    let server = shell(&tree, &[], "echo one >&2; printf 'Content-Type: a/b\\n\\nbody'; printf 'two\\033' >&2");

    assert_eq!(server.get("/script", "").text(), "body");

    let lines = [1, 2].map(|count| server.expect_nth_log("worker stderr", count).text);
    assert_eq!(lines.each_ref().map(|line| field(line, "line").unwrap()), ["one", "two\\u{1b}"]);
    assert!(lines.iter().all(|line| field(line, "conn").is_some()), "{lines:?}");
}

#[test]
fn a_script_that_complains_a_lot_is_not_held_up() {
    const BYTES: &str = "1000000";
    let tree = Tree::new();
    let script = format!("head -c {BYTES} /dev/zero | tr '\\0' x >&2; printf 'Content-Type: a/b\\n\\nbody'");
    let server = shell(&tree, &["--loglevel=error"], &script);

    assert_eq!(server.get("/script", "").text(), "body");
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_scripts_leave_no_process() {
    use crate::harness::process::linux::children;
    let tree = Tree::new();
    let server = shell(&tree, &[], "printf 'Content-Type: a/b\\n\\nbody'");
    let mut connections: Vec<_> = (0..100).map(|_| server.http()).collect();
    for connection in &mut connections {
        connection.send("GET /script HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    }

    for connection in &mut connections {
        assert_eq!(connection.response("GET").text(), "body");
    }

    eventually("all are reaped", || children(server.pid()).is_empty().then_some(()));
}
