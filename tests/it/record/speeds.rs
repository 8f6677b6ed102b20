//! The times of a replay, and the command line.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use super::kit::{assert_different, assert_identical, content, replay};
use crate::harness::caller::Caller;
use crate::harness::process::{gone_within, pid};
use crate::harness::server::{run, wsd};
use crate::harness::time::DEADLINE;
use crate::harness::tree::Tree;

/// The head of a recording.
const HEAD: &str = r#"{"recording":1,"wsd":"0.1.0","began":"","conn":1,"route":"/","program":"cat","framing":"lines","maxframesize":0,"unbuffer":false}"#;

/// Writes a recording of two messages to `cat`, the second one after so many microseconds.
fn late(tree: &Tree, us: u64) -> String {
    let steps = format!(
        r#"{{"us":1,"dir":"in","type":"text","text":"a"}}
{{"us":2,"dir":"out","type":"text","text":"a"}}
{{"us":{us},"dir":"in","type":"text","text":"b"}}
{{"us":{us},"dir":"out","type":"text","text":"b"}}
{{"us":{us},"dir":"end","by":"wsd","status":0}}
"#
    );
    tree.file("late.jsonl", format!("{HEAD}\n{steps}"));
    tree.path("late.jsonl")
}

#[test]
fn at_full_speed_a_replay_does_not_wait_for_the_time_of_a_message() {
    let tree = Tree::new();

    assert_identical(&[], &late(&tree, 3_600_000_000), &["cat"]);
}

#[test]
fn at_the_recorded_speed_no_message_comes_before_its_time() {
    let tree = Tree::new();
    let start = Instant::now();

    assert_identical(&["--speed=recorded"], &late(&tree, 700_000), &["cat"]);

    assert!(start.elapsed() >= Duration::from_millis(700), "{:?}", start.elapsed());
}

#[test]
fn a_message_waits_for_the_output_before_it() {
    let tree = Tree::new();
    let file = late(&tree, 3);
    // It notices a message that comes before its answer to the one before.
    let script = "read -r line; timeout 0.3 head -c 1 >/dev/null && echo early; echo \"$line\"; exec cat";

    assert_identical(&[], &file, &["sh", "-c", script]);
    assert_different(&replay(&["--timeout=0.1"], &file, &["sh", "-c", "exec sleep 100"]), &["did not send message 2"]);
}

#[test]
fn a_recording_that_breaks_off_is_replayed_as_far_as_it_goes() {
    let tree = Tree::new();
    let step = r#"{"us":1,"dir":"out","type":"text","text":"a"}"#;
    let cut = r#"{"us":2,"dir":"cut","why":"the disk is too slow"}"#;
    for (rest, why) in [("", ""), (r#"{"us":2,"di"#, ""), (&*format!("{cut}\n"), ": the disk is too slow")] {
        tree.file("part.jsonl", format!("{HEAD}\n{step}\n{rest}"));

        let outcome = replay(&[], &tree.path("part.jsonl"), &["sh", "-c", "echo a; echo b; exit 5"]);

        let told = format!("identical: in=0 out=1, as far as the recording goes, which breaks off{why}\n");
        assert_eq!((outcome.status, outcome.stdout), (Some(0), told), "{rest}");
    }
}

#[test]
fn a_recording_does_not_control_the_terminal() {
    let tree = Tree::new();
    let cut = r#"{"us":2,"dir":"cut","why":"\u001b[31m"}"#;
    let framing = HEAD.replace("lines", r"\u001b[31m");
    for file in [format!("{HEAD}\n{cut}\n"), framing + "\n", format!("{HEAD}\n{{\"us\":1,\"dir\":\"\\u001b[31m\"}}\n")]
    {
        tree.file("control.jsonl", &file);

        let outcome = replay(&[], &tree.path("control.jsonl"), &["true"]);

        let told = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(told.contains(r"\u{1b}[31m") && !told.contains('\x1B'), "{file}: {outcome:?}");
    }
}

#[test]
fn the_status_of_a_program_that_wsd_had_to_stop_does_not_count() {
    let tree = Tree::new();
    for (by, status, is_same) in [("wsd", 130, true), ("wsd", 139, false), ("wsd", 1, false), ("program", 130, false)] {
        let end = format!(r#"{{"us":1,"dir":"end","by":"{by}","status":{status}}}"#);
        tree.file("end.jsonl", format!("{HEAD}\n{end}\n"));

        let outcome = replay(&[], &tree.path("end.jsonl"), &["sh", "-c", "exit 0"]);

        assert_eq!(outcome.status, Some(i32::from(!is_same)), "{by} {status}: {outcome:?}");
    }
}

#[test]
fn nothing_to_compare_is_exit_2_with_a_hint() {
    let tree = Tree::new();
    let (good, none) = (late(&tree, 3), tree.path("none"));
    tree.file("other", "not JSON\n")
        .file("new", HEAD.replace(":1,", ":2,") + "\n")
        .file("bad", format!("{HEAD}\n{{}}\n"));
    let [other, new, bad] = ["other", "new", "bad"].map(|name| tree.path(name));
    let table: [(&[&str], &str); 11] = [
        (&[], "without a recording"),
        (&[&*good], "without COMMAND"),
        (&[&*good, "--"], "without COMMAND"),
        (&[&*none, "cat"], "No such file"),
        (&[&*other, "cat"], "it is not a recording"),
        (&["/dev/zero", "cat"], "it is not a recording"),
        (&[&*new, "cat"], "version 2"),
        (&[&*bad, "cat"], "line 2: "),
        (&[&*good, "./no-such-program"], "cannot find COMMAND"),
        (&["--fast", &*good, "cat"], "unknown flag `--fast`"),
        (&["--speed=half", &*good, "cat"], "full"),
    ];
    for (words, told) in table {
        let outcome = run(&[&["replay"], words].concat());
        assert_eq!((outcome.status, &*outcome.stdout), (Some(2), ""), "{words:?}: {outcome:?}");
        assert!(outcome.stderr.contains(told) && outcome.stderr.contains("\nhint: "), "{words:?}: {outcome:?}");
    }
}

#[test]
fn flags_may_stand_behind_the_file_and_help_tells_of_them() {
    let tree = Tree::new();
    let outcome = run(&["replay", &late(&tree, 3), "--speed", "full", "-timeout=5", "cat", "-u"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");

    let help = run(&["replay", "--help"]);
    assert_eq!(help.status, Some(0));
    for word in ["--speed <HOW>", "--ignore <NAMES>", "--timeout <SECS>", "FILE [--] COMMAND"] {
        assert!(help.stdout.contains(word), "no {word}:\n{}", help.stdout);
    }
    assert!(run(&["--help"]).stdout.contains("wsd replay [FLAGS] FILE [--] COMMAND [ARGS]"));
}

#[test]
fn a_signal_ends_the_program_of_a_replay_too() {
    let tree = Tree::new();
    let (file, id) = (late(&tree, 3), tree.path("id"));
    let caller =
        Caller::spawn(wsd(&["replay", &file, "--", "sh", "-c", "echo $$ >\"$1\"; exec sleep 1000", "sh", &id]));
    let program = pid(content(&id).trim());

    kill_process(caller.pid(), Signal::TERM).unwrap();

    assert_eq!(caller.finish(b"").status, Some(143));
    assert!(gone_within(program, DEADLINE));
}
