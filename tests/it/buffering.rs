//! The table of `docs/programs.md` about programs that hold their output back: who does, and what helps.

use crate::harness::pages::{table, text};
use crate::harness::server::Server;
use crate::harness::skip::has;

/// A program that prints a line and then is killed, so that what it holds back is lost.
struct Holder {
    /// The row of the table, and how to run the program.
    row: &'static str,
    command: &'static [&'static str],
}

const HOLDERS: [Holder; 6] = [
    Holder { row: "sh, bash (`echo`, `printf`)", command: &["sh", "-c", "echo line; kill -9 $$"] },
    Holder { row: "Python", command: &["python3", "-c", "import os\nprint('line')\nos.kill(os.getpid(), 9)"] },
    Holder { row: "Perl", command: &["perl", "-e", "print \"line\\n\"; kill 9, $$"] },
    Holder { row: "Ruby", command: &["ruby", "-e", "puts 'line'; Process.kill(9, $$)"] },
    Holder {
        row: "Node.js (`console.log`)",
        command: &["node", "-e", "console.log('line'); process.kill(process.pid, 'SIGKILL')"],
    },
    Holder {
        row: "C (`printf`)",
        command: &[
            "sh",
            "-c",
            "f=$(mktemp -d) && trap 'rm -r $f' EXIT && printf '#include <stdio.h>\\n#include <stdlib.h>\\n\
             int main(void) { printf(\"line\\\\n\"); _Exit(0); }' >$f/p.c && cc -o $f/p $f/p.c && $f/p",
        ],
    },
];

/// A cell of what helps, and a program with that help: it prints what it is sent, and goes on.
const HELP: [(&str, &str, &[&str]); 16] = [
    ("sh, bash (`echo`, `printf`)", "", &["sh", "-c", "while read -r line; do echo \"$line\"; done"]),
    ("cat, tail -f", "", &["cat"]),
    ("Python", "python3 -u", &["python3", "-u", "-c", "import sys\nfor line in sys.stdin: print(line, end='')"]),
    (
        "Python",
        "PYTHONUNBUFFERED=1",
        &["env", "PYTHONUNBUFFERED=1", "python3", "-c", "import sys\nfor line in sys.stdin: print(line, end='')"],
    ),
    (
        "Python",
        "print(…, flush=True)",
        &["python3", "-c", "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"],
    ),
    ("Perl", "STDOUT->autoflush(1);", &["perl", "-e", "use IO::Handle; STDOUT->autoflush(1); print while <STDIN>"]),
    ("Ruby", "$stdout.sync = true", &["ruby", "-e", "$stdout.sync = true; while line = gets do puts line end"]),
    ("gawk", "fflush()", &["gawk", "{ print; fflush() }"]),
    ("gawk", "stdbuf -oL", &["stdbuf", "-oL", "gawk", "{ print }"]),
    ("mawk", "fflush()", &["mawk", "-W", "interactive", "{ print; fflush() }"]),
    ("mawk", "mawk -W interactive", &["mawk", "-W", "interactive", "{ print }"]),
    ("grep", "grep --line-buffered", &["grep", "--line-buffered", "l"]),
    ("sed", "sed -u", &["sed", "-u", "s/l/l/"]),
    ("jq", "jq --unbuffered", &["jq", "-R", "-r", "--unbuffered", "."]),
    ("tr, cut, uniq and others of coreutils", "stdbuf -oL", &["stdbuf", "-oL", "tr", "a", "b"]),
    ("tr, cut, uniq and others of coreutils", "stdbuf -oL", &["stdbuf", "-oL", "cut", "-c1-9"]),
];

fn rows() -> Vec<Vec<String>> {
    table(&text("docs/programs.md"), "| program | output to a pipe | what helps |")
}

fn cells(row: &str) -> Vec<String> {
    rows().into_iter().find(|cells| cells[0] == row).unwrap_or_else(|| panic!("no row {row}"))
}

#[test]
fn a_program_that_is_said_to_buffer_loses_what_it_holds_when_it_is_killed() {
    for Holder { row, command } in HOLDERS {
        if !has(command[0]) || row.starts_with("C ") && !has("cc") {
            continue;
        }
        let server = Server::command(&[], command);

        let (lines, _) = server.connect("/").rest();

        let want: &[&str] = if cells(row)[1] == "buffered" { &[] } else { &["line"] };
        assert_eq!(lines, want, "{row}");
    }
}

#[test]
fn a_program_with_the_help_that_its_row_names_sends_each_line_at_once() {
    for (row, help, command) in HELP {
        assert!(cells(row)[2].contains(help), "{row}: {help}");
        if !command
            .iter()
            .filter(|word| ["python3", "gawk", "mawk", "jq", "ruby", "perl"].contains(word))
            .all(|name| has(name))
        {
            continue;
        }
        let server = Server::command(&[], command);
        let mut client = server.connect("/");
        for line in ["line 1", "line 2"] {
            client.text(line);
            assert_eq!(client.line(), line.replace('a', "b"), "{row}: {help}");
        }
    }
}
