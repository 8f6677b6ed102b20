//! `--passstderr`: each line of either output stream is a JSON object, byte for byte as websocketd has it.

use serde_json::Value;

use crate::harness::process::gone_within;
use crate::harness::server::{Server, field, program};
use crate::harness::tree::Tree;
use crate::harness::websocket::Close;
use crate::harness::{DEADLINE, eventually};

/// A server that runs this line of shell.
fn shell(script: &str, arguments: &[&str]) -> Server {
    Server::shell(&["--passstderr"], script, arguments)
}

/// The messages of a program that prints what `printf` makes of this on both streams, those of each stream.
fn printing(format: &str) -> [Vec<String>; 2] {
    let (lines, close) = shell("printf \"$1\"; exec >&-; printf \"$1\" >&2", &[format]).connect("/").rest();
    assert_eq!(close, Close::new(1000, ""), "{format}");
    let (out, error): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.starts_with("{\"stream\":\"stdout\""));
    [out, error]
}

/// The lines that messages carry of one stream, in one string.
fn data(messages: &[String], stream: &str) -> String {
    let messages = messages.iter().map(|message| serde_json::from_str::<Value>(message).unwrap());
    messages
        .filter(|message| message["stream"] == stream)
        .map(|message| message["data"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_line_of_either_stream_is_an_object_in_these_bytes() {
    let table = [
        ("hello\\n", &["hello"][..]),
        ("one\\ntwo\\n", &["one", "two"]),
        ("crlf\\r\\nlf\\n", &["crlf", "lf"]),
        ("a\\rb\\n", &["a\\rb"]),
        ("\\n", &[""]),
        ("no end", &["no end"]),
        ("one\\nno end", &["one", "no end"]),
        ("say \"hi\" \\\\\\n", &["say \\\"hi\\\" \\\\"]),
        ("tab\\there /slash\\n", &["tab\\there /slash"]),
        ("<b>&amp;</b>\\n", &["\\u003cb\\u003e\\u0026amp;\\u003c/b\\u003e"]),
        ("\\001\\033[31m\\177\\n", &["\\u0001\\u001b[31m\u{7f}"]),
        ("\\000\\n", &["\\u0000"]),
        ("é€😀\\n", &["é€😀"]),
        ("\\342\\200\\250\\342\\200\\251\\n", &["\\u2028\\u2029"]),
        // Go writes what is no UTF-8 as an escape, one for each byte.
        ("a\\377b\\n", &["a\\ufffdb"]),
        ("\\342\\202\\n", &["\\ufffd\\ufffd"]),
        // A character that was printed as such stays one.
        ("\\357\\277\\275\\n", &["\u{FFFD}"]),
    ];
    for (format, lines) in table {
        let want = ["stdout", "stderr"].map(|stream| {
            let objects = lines.iter().map(|line| format!("{{\"stream\":\"{stream}\",\"data\":\"{line}\"}}"));
            objects.collect::<Vec<_>>()
        });

        assert_eq!(printing(format), want, "{format}");
    }
}

#[test]
fn messages_to_the_program_are_lines_as_ever() {
    let server = shell("while read -r line; do echo \"$line\"; echo \"$line\" >&2; done", &[]);
    let mut client = server.connect("/");

    client.text("hello");

    let mut messages = [client.line(), client.line()];
    messages.sort();
    assert_eq!(messages, [r#"{"stream":"stderr","data":"hello"}"#, r#"{"stream":"stdout","data":"hello"}"#]);
}

#[test]
fn standard_error_is_logged_as_well() {
    let server = shell("echo oops >&2", &[]);

    server.connect("/").rest();

    let line = server.expect_log("worker stderr").text;
    assert_eq!(field(&line, "line").as_deref(), Some("oops"), "{line}");
}

#[test]
fn without_the_flag_only_standard_output_is_sent() {
    let server = Server::shell(&[], "echo out; echo oops >&2", &[]);

    assert_eq!(server.connect("/").rest().0, ["out"]);
}

#[test]
fn a_session_goes_on_until_both_streams_have_ended() {
    for (closes, other, stream) in [(">&-", ">&2", "stderr"), ("2>&-", ">&1", "stdout")] {
        let tree = Tree::new();
        tree.pipe("gate");
        let server = shell(&format!("exec {closes}; read -r _ < \"$1\"; echo late {other}"), &[&tree.path("gate")]);
        let mut client = server.connect("/");
        assert!(client.connection().is_silent_for(std::time::Duration::from_millis(300)), "{closes}");

        tree.release("gate");

        let (messages, close) = client.rest();
        assert_eq!(messages, [format!("{{\"stream\":\"{stream}\",\"data\":\"late\"}}")]);
        assert_eq!(close.code, Some(1000));
    }
}

#[test]
fn the_end_of_a_program_is_told_as_ever() {
    let (messages, close) = shell("echo out; echo oops >&2; exit 3", &[]).connect("/").rest();

    assert_eq!((data(&messages, "stdout"), data(&messages, "stderr")), ("out".to_owned(), "oops".to_owned()));
    assert_eq!(close, Close::new(4003, "exit 3"));
}

#[test]
fn a_line_of_1_mib_is_one_message_and_a_longer_one_several() {
    const LIMIT: usize = 1 << 20;
    // As characters of two bytes, that the limit may fall within one.
    for (length, count) in [(LIMIT - 1, 1), (LIMIT, 1), (LIMIT + 1, 2), (2 * LIMIT + 1, 3)] {
        let script = "my $line = 'x' x ($ARGV[0] % 2) . \"\\xC3\\xA9\" x ($ARGV[0] / 2); print \"$line\\n\"; print STDERR \"$line\\n\"";
        let server =
            Server::command(&["--passstderr", "--loglevel=warn"], &["perl", "-e", script, &length.to_string()]);
        let line = "x".repeat(length % 2) + &"é".repeat(length / 2);

        let messages = server.connect("/").rest().0;

        assert_eq!(messages.len(), 2 * count, "{length}");
        for stream in ["stdout", "stderr"] {
            assert!(data(&messages, stream) == line, "{length} bytes on {stream} did not come as they were");
        }
    }
}

#[test]
fn all_of_both_streams_comes_and_each_in_its_order() {
    let script = "i=0; while [ $i -lt 5000 ]; do echo $i; echo $i >&2; i=$((i + 1)); done";
    let server = shell(script, &[]);

    let messages = server.connect("/").rest().0;

    let want: String = (0..5000).map(|number| number.to_string()).collect();
    assert!(data(&messages, "stdout") == want);
    assert!(data(&messages, "stderr") == want);
}

#[test]
fn one_stream_does_not_wait_for_the_other() {
    let server = shell("printf 'no end'; echo whole >&2; read -r _", &[]);
    let mut client = server.connect("/");

    assert_eq!(client.line(), r#"{"stream":"stderr","data":"whole"}"#);

    client.text("");
    assert_eq!(client.rest().0, [r#"{"stream":"stdout","data":"no end"}"#]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_that_does_not_read_stops_both_streams_and_costs_no_memory() {
    use crate::harness::process::linux::peak_memory;
    const LINES: usize = 20_000;
    let tree = Tree::new();
    let flood = [&*program("flood-both.pl"), &LINES.to_string(), "1000", &tree.path("")];
    let server = Server::command(&["--passstderr", "--loglevel=warn", "--pingms=0"], &flood);
    let before = peak_memory(server.pid());
    let mut client = server.connect("/");

    eventually("both streams are stopped", || (tree.holds("blocked-1") && tree.holds("blocked-2")).then_some(()));

    let (messages, close) = client.rest();
    assert_eq!((messages.len(), close.code), (2 * LINES, Some(1000)));
    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 16 << 10, "memory grew by {growth_kib} KiB");
}

#[test]
fn a_stubborn_program_goes_down_the_ladder_as_ever() {
    let server = Server::start(&["--passstderr"], "stubborn.sh");
    let mut client = server.connect("/");
    client.line();
    let worker = server.expect_worker_of(&mut client);

    client.close(1000);

    assert!(gone_within(worker, DEADLINE));
}

#[test]
fn binary_and_both_streams_contradict_each_other() {
    let outcome = crate::harness::server::run(&["--port=0", "--binary", "--passstderr", "cat"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    assert!(outcome.stderr.contains("--binary") && outcome.stderr.contains("--passstderr"), "{outcome:?}");
}
