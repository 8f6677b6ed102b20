//! The command line: Go-style spelling, exit codes as promises, and messages that name the way out.

use crate::harness::http::Connection;
use crate::harness::server::{Outcome, Server, address_of, run, run_to_end, wsd};
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, TEXT};

/// A run that must end with this status, say nothing on standard output, and name each of `words` on standard error.
fn assert_refused(arguments: &[&str], status: i32, words: &[&str]) {
    let outcome = run(arguments);

    assert_eq!(outcome.status, Some(status), "{arguments:?}: {outcome:?}");
    assert_eq!(outcome.stdout, "", "{arguments:?}: {outcome:?}");
    for word in words {
        assert!(outcome.stderr.contains(word), "{arguments:?} does not name {word}: {outcome:?}");
    }
}

#[test]
fn flags_are_spelled_as_in_go() {
    for flags in [
        &["-port", "0"][..],
        &["-port=0"],
        &["--port", "0"],
        &["--port=0"],
        &["--port=1", "--port=0"],
        &["--port=0", "--"],
    ] {
        let server = Server::spawn(wsd(&[flags, &["echo", "hello"]].concat()));

        assert_eq!(server.connect("/").line(), "hello", "{flags:?}");
    }
}

#[test]
fn a_switch_takes_no_word_of_its_own() {
    for (flags, opcode) in [
        (&["--binary"][..], BINARY),
        (&["-binary"], BINARY),
        (&["--binary=true"], BINARY),
        (&["--binary=True"], BINARY),
        (&["--binary=TRUE"], BINARY),
        (&["-binary=t"], BINARY),
        (&["--binary=T"], BINARY),
        (&["--binary=1"], BINARY),
        (&["--binary=false"], TEXT),
        (&["--binary=False"], TEXT),
        (&["--binary=FALSE"], TEXT),
        (&["--binary=f"], TEXT),
        (&["--binary=F"], TEXT),
        (&["-binary=0"], TEXT),
        (&["--binary", "--binary=false"], TEXT),
        (&[], TEXT),
    ] {
        let server = Server::command(flags, &["echo", "hello"]);

        assert_eq!(server.connect("/").frame().opcode, opcode, "{flags:?}");
    }
}

#[test]
fn flags_stop_at_the_command() {
    let server = Server::command(&[], &["echo", "--port=1", "-binary", "--", "--help"]);

    assert_eq!(server.connect("/").line(), "--port=1 -binary -- --help");
}

#[test]
fn a_flag_of_ours_after_the_command_is_pointed_out() {
    let table: [(&[&str], Option<&str>); 10] = [
        (&["cat", "--port", "80"], Some("--port after COMMAND")),
        (&["cat", "-port=80"], Some("--port after COMMAND")),
        (&["cat", "--check"], Some("--check after COMMAND")),
        (&["cat", "--config=x"], Some("--config after COMMAND")),
        (&["cat", "--route=/a=b"], Some("--route after COMMAND")),
        (&["cat", "-u", "--staticdir=x"], Some("--staticdir after COMMAND")),
        (&["cat", "--binary"], Some("--binary after COMMAND")),
        (&["cat", "--help", "--version", "--license"], None),
        (&["cat", "-port", "port", "--ports"], None),
        (&["cat"], None),
    ];
    for (command, want) in table {
        let banner = Server::command(&[], command).stop();

        assert_eq!(banner.contains("after COMMAND"), want.is_some(), "{command:?}: {banner}");
        assert!(banner.contains(want.unwrap_or_default()), "{command:?}: {banner}");
    }
}

#[test]
fn an_unknown_flag_gets_the_hint_of_a_listed_one() {
    let table = [
        ("--cert=x", "did you mean `--sslcert`?"),
        ("--key=x", "did you mean `--sslkey`?"),
        ("--tls", "did you mean `--ssl`?"),
        ("--host=x", "did you mean `--address`?"),
        ("--bind=x", "did you mean `--address`?"),
        ("--listen=x", "did you mean `--address`?"),
        ("-p", "did you mean `--port`?"),
        ("--histori=1", "did you mean `--history`?"),
        ("--lsp", "did you mean `--framing=lsp`?"),
        ("--json", "did you mean `--framing=json`?"),
        ("--jsonrpc", "did you mean `--framing=jsonrpc`?"),
        ("--nul", "did you mean `--framing=nul`?"),
        ("--terminal", "did you mean `--pty`?"),
        ("--tty", "did you mean `--pty`?"),
        ("--writable", "terminals of --pty take input anyway; --readonly takes none"),
        ("--cols=90", "the query sets the size of a terminal: /?cols=132&rows=50"),
        ("--rows=90", "the query sets the size of a terminal: /?cols=132&rows=50"),
        // Its nearest is a hidden flag.
        ("--generat=x", "use a flag that `wsd --help` lists"),
    ];
    for (flag, hint) in table {
        assert_refused(&[flag, "cat"], 2, &[&format!("\nhint: {hint}\n")]);
    }
}

#[test]
fn resume_of_the_server_without_a_time_is_told_how_to_write_one() {
    for flags in [&["--resume", "--check", "cat"][..], &["--resume", "cat"], &["--resume"]] {
        assert_refused(flags, 2, &["\nhint: write --resume=60\n"]);
    }
}

#[test]
fn a_command_that_is_nearly_connect_before_a_url_gets_the_client() {
    let hint = "\nhint: did you mean `wsd connect`?\n";
    for url in ["ws://h/", "wss://h/", "http://h/", "unix:/socket"] {
        for word in ["conect", "connct", "conncet", "connects"] {
            assert_refused(&[word, url], 1, &[&format!("cannot find COMMAND `{word}`"), hint]);
        }
    }
    for line in [&["conect", "x"][..], &["conect"], &["collect-4711", "ws://h/"]] {
        assert!(!run(line).stderr.contains("wsd connect"), "{line:?}");
    }
}

#[test]
fn a_port_with_an_address_is_told_where_each_goes() {
    for (flag, hint) in [
        ("--port=:9000", "write the number alone, --port=9000"),
        ("--redirport=localhost:80", "write the number alone, --redirport=80"),
    ] {
        assert_refused(&[flag, "cat"], 2, &[hint, "--address takes the address"]);
    }
}

#[test]
fn mistakes_that_wsd_can_live_with_get_a_hint_in_the_banner() {
    let table: [(&[&str], &[&str], &str); 4] = [
        (&["--binary"], &["true"], "to set --binary, write --binary=true"),
        (&["--maxforks=-1"], &["cat"], "--maxforks=-1 is no limit"),
        (&["--passenv=PATH,NO_SUCH_NAME_4711"], &["cat"], "--passenv names NO_SUCH_NAME_4711, which is not set"),
        (&["--maxforks=0", "--binary=true"], &["cat"], ""),
    ];
    for (flags, command, want) in table {
        let banner = Server::command(flags, command).stop();

        assert!(banner.contains(want), "{flags:?} {command:?}: {banner}");
        assert_eq!(banner.contains("  hint "), !want.is_empty(), "{flags:?} {command:?}: {banner}");
    }
}

#[test]
fn a_command_that_cannot_be_found_gets_the_hint_that_helps() {
    let tree = Tree::new();
    tree.file("counter.sh", "#!/bin/sh\necho 1\n").file("my counter.sh", "#!/bin/sh\n");
    let (counter, spaced) = (tree.path("counter.sh"), tree.path("my counter.sh"));
    let (executable, quoted) = (format!("chmod +x {counter}\n"), format!("chmod +x '{spaced}'\n"));
    let table: [(&[&str], &[&str]); 8] = [
        (&[&counter], &["not executable", &executable]),
        (&[&spaced], &["not executable", &quoted]),
        (&["echo 'a' | cat"], &[r"sh -c 'echo '\''a'\'' | cat'"]),
        (&["--staticdir=no-such-folder", "cat"], &["hint: name an existing folder\n"]),
        (&["\u{2014}port", "0"], &["two hyphens"]),
        (&["cat -n"], &["without quotes: cat -n"]),
        (&["cat | sort"], &["sh -c 'cat | sort'"]),
        (&["--origin=htps://a.example", "cat"], &["unknown scheme `htps`", "https://a.example"]),
    ];
    for (words, said) in table {
        assert_refused(words, 1, said);
    }
    for known in ["http://a.example", "https://a.example", "chrome-extension://abcdef"] {
        let origin = format!("--origin={known}");
        Server::command(&[&origin], &["cat"]);
    }
}

#[test]
fn a_name_of_this_folder_is_told_how_to_write_it() {
    let tree = Tree::new();
    tree.program("ok.sh", "#!/bin/sh\n").file("plain.sh", "#!/bin/sh\n").directory("my programs");
    for (name, want) in [
        ("ok.sh", "hint: write a file of this folder as ./ok.sh\n"),
        ("plain.sh", "hint: write a file of this folder as ./plain.sh; make it executable: chmod +x ./plain.sh\n"),
        ("my programs", "it is a folder\nhint: serve its programs with --dir='my programs', or its files with"),
    ] {
        let mut command = wsd(&["--port=0", name]);
        command.current_dir(tree.path(""));
        let outcome = run_to_end(command);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{name}: {outcome:?}");
        assert!(outcome.stderr.contains(want), "{name}: {outcome:?}");
    }
}

#[test]
fn a_script_whose_first_line_names_no_interpreter_is_refused_at_the_start() {
    let tree = Tree::new();
    tree.program("windows.sh", "#!/bin/sh\r\n")
        .program("env.py", "#!/usr/bin/env python3\r\n")
        .program("marked.sh", "\u{feff}#!/bin/sh\n")
        .program("none.sh", "#!/no/such/interpreter -x\n")
        .program("good.sh", "#!/bin/sh -e\necho 1\r\n");
    for (name, said) in [
        ("windows.sh", ["carriage return", "sed -i"]),
        ("env.py", ["carriage return", "sed -i"]),
        ("none.sh", ["names `/no/such/interpreter`", "install"]),
    ] {
        let file = tree.path(name);
        for check in ["--check", "--check=false"] {
            assert_refused(&["--port=0", check, &file], 1, &[said[0], said[1], &format!(" {file}\n")]);
        }
        let route = format!("--route=/a={file}");
        assert_refused(&["--check", &route], 1, &["--route: ", said[0]]);
    }
    assert_refused(&["--port=0", &tree.path("marked.sh")], 1, &["a byte order mark is before", "without that mark"]);
    assert_eq!(run(&["--check", &tree.path("good.sh")]).status, Some(0));
}

#[test]
fn a_file_without_settings_is_named_as_empty() {
    let tree = Tree::new();
    tree.file("empty.toml", "").file("latin1.toml", b"port = 0\n# caf\xE9\n");

    tree.file("comment.toml", "# nothing\n").file("port.toml", "port = 0\n").file("none.toml", "route = []\n");

    assert_refused(&["--config", &tree.path("empty.toml")], 1, &["empty.toml", "is empty", "[[route]]"]);
    for name in ["comment.toml", "port.toml", "none.toml"] {
        assert_refused(&["--config", &tree.path(name)], 1, &[name, "has no route", "[[route]]"]);
    }
    assert_refused(&["--config", &tree.path("latin1.toml")], 1, &["latin1.toml", "line 2 is not UTF-8"]);
}

#[test]
fn flags_that_do_not_parse_are_exit_2() {
    assert_refused(&["--nosuch", "cat"], 2, &["--nosuch"]);
    assert_refused(&["-nosuch=1", "cat"], 2, &["nosuch"]);
    assert_refused(&["--port=abc", "cat"], 2, &["--port", "abc"]);
    assert_refused(&["--port=", "cat"], 2, &["--port"]);
    assert_refused(&["--port"], 2, &["--port"]);
    assert_refused(&["--port=1.5", "cat"], 2, &["--port", "1.5"]);
    assert_refused(&["--binary=maybe", "cat"], 2, &["--binary", "maybe"]);
    assert_refused(&["--maxforks=many", "cat"], 2, &["--maxforks", "many"]);
    assert_refused(&["--closems=-1", "cat"], 2, &["--closems", "-1"]);
    assert_refused(&["--pingms=x", "cat"], 2, &["--pingms"]);
    assert_refused(&["---port=1", "cat"], 2, &["---port"]);
    assert_refused(&["--loglevel=loud", "cat"], 2, &["--loglevel", "loud", "access"]);
}

#[test]
fn an_unknown_flag_is_shown_as_it_was_written() {
    for (written, shown) in [("-p", "`-p`"), ("--p", "`--p`"), ("-prot=1", "`-prot`"), ("--prot=1", "`--prot`")] {
        assert_refused(&["--binary", written, "8080", "cat", "-p"], 2, &[&format!("unknown flag {shown}\n")]);
    }
}

#[test]
fn flags_that_make_no_sense_are_exit_1() {
    let tree = Tree::new();
    tree.file("file", "").directory("directory").file("plain.sh", "#!/bin/sh\n");
    let (file, directory, nothing) = (tree.path("file"), tree.path("directory"), tree.path("nothing"));

    assert_refused(&[], 1, &["COMMAND", "--help"]);
    assert_refused(&["--port=0"], 1, &["COMMAND", "--dir"]);
    assert_refused(&["--port=0", "--dir", &directory, "cat"], 1, &["COMMAND", "--dir"]);
    assert_refused(&["--port=0", "no-such-command-anywhere"], 1, &["no-such-command-anywhere"]);
    assert_refused(&["--port=0", &nothing], 1, &[&nothing]);
    assert_refused(&["--port=0", &tree.path("plain.sh")], 1, &["plain.sh"]);
    assert_refused(&["--port=0", &directory], 1, &[&directory, "folder", "--dir=", "--staticdir="]);
    assert_refused(&["--port=0", "-"], 1, &["-"]);
    assert_refused(&["--port=0", "--dir", &nothing], 1, &["--dir", &nothing]);
    assert_refused(&["--port=0", "--dir", &file], 1, &["--dir", &file, "COMMAND"]);
    assert_refused(&["--port=0", "--staticdir", &nothing, "cat"], 1, &["--staticdir", &nothing]);
    assert_refused(&["--port=0", "--staticdir", &file, "cat"], 1, &["--staticdir", &file]);
    // All files would be programs, or lie among them, and no program is served as text.
    for files in [tree.path(""), directory] {
        assert_refused(&["--port=0", "--dir", &tree.path(""), "--staticdir", &files], 1, &["--dir", "--staticdir"]);
    }
}

#[test]
fn a_port_in_use_is_exit_3_and_names_the_address() {
    let server = Server::command(&[], &["cat"]);
    let port = format!("--port={}", server.address.port());

    assert_refused(&[&port, "cat"], 3, &[&server.host(), "--port"]);
}

#[test]
fn an_address_of_another_machine_is_exit_3_and_named() {
    // An address of the block for documentation (RFC 5737): no machine has it.
    assert_refused(&["--port=0", "--address=192.0.2.1", "cat"], 3, &["192.0.2.1"]);
}

#[test]
fn help_is_readable_at_80_columns() {
    for flag in ["--help", "-help", "-h"] {
        let Outcome { status, stdout, stderr } = run(&[flag]);

        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{flag}");
        for line in stdout.lines() {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        }
        for name in [
            "--port",
            "--address",
            "--binary",
            "--dir",
            "--staticdir",
            "--maxforks",
            "--maxframesize",
            "--closems",
            "--pingms",
            "--passenv",
            "--loglevel",
            "--help",
            "--version",
            "COMMAND",
        ] {
            assert!(stdout.contains(name), "{flag} does not tell of {name}");
        }
    }
}

#[test]
fn help_wins_over_everything_else_on_the_line() {
    assert_eq!(run(&["--port=0", "--help", "cat"]).status, Some(0));
}

#[test]
fn help_and_version_may_have_a_value() {
    for (asked, start) in [("-h", "Turns "), ("--help", "Turns "), ("-version", "wsd "), ("--license", "MIT ")] {
        for value in ["=1", "=true", "=T"] {
            let Outcome { status, stdout, .. } = run(&[&format!("{asked}{value}"), "cat"]);
            assert_eq!(status, Some(0), "{asked}{value}");
            assert!(stdout.starts_with(start), "{asked}{value}: {stdout}");
        }
        // Not asked: the next flag is read.
        assert_refused(&[&format!("{asked}=false"), "--port=x", "cat"], 2, &["--port"]);
        let want = if asked == "-h" { "did you mean `--help`?" } else { "unexpected value `maybe`" };
        assert_refused(&[&format!("{asked}=maybe"), "cat"], 2, &[want]);
    }
}

#[test]
fn the_version_is_one_line() {
    for flag in ["--version", "-version"] {
        let Outcome { status, stdout, stderr } = run(&[flag]);

        assert_eq!((status, stderr.as_str()), (Some(0), ""));
        assert!(stdout.starts_with(concat!("wsd ", env!("CARGO_PKG_VERSION"))), "{stdout}");
        assert_eq!(stdout.lines().count(), 1);
    }
}

#[test]
fn standard_output_carries_the_ready_urls_only() {
    let mut server = Server::shell(&[], "echo to the client; echo to the log >&2", &[]);
    server.connect("/").rest();
    server.get("/", "");
    server.refusal("/", "Origin: http://evil.example\r\n");

    server.stop();

    let urls = server.output();
    assert!(urls[0].starts_with("http://127.0.0.1:"), "{urls:?}");
    for url in &urls {
        assert_eq!(address_of(url).port(), server.address.port(), "{urls:?}");
    }
    assert!(urls.len() <= 2, "{urls:?}");
}

#[test]
fn every_ready_url_answers() {
    let mut server = Server::command(&[], &["cat"]);
    server.connect("/");

    for url in server.output() {
        let mut connection = Connection::open(address_of(&url));
        connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(connection.response("GET").status, 200, "{url}");
    }
    server.stop();
}

#[cfg(target_os = "linux")]
#[test]
fn only_loopback_is_served_unless_an_address_is_given() {
    use std::net::SocketAddr;
    // On Linux all of 127.0.0.0/8 is this machine, and a listener on all interfaces would answer there too.
    let elsewhere = |server: &Server| SocketAddr::from(([127, 0, 0, 2], server.address.port()));

    let server = Server::command(&[], &["cat"]);
    assert!(Connection::try_open(elsewhere(&server)).is_err());

    let server = Server::command(&["--address=127.0.0.2"], &["cat"]);
    assert_eq!(server.address, elsewhere(&server));
    assert!(Connection::try_open(SocketAddr::from(([127, 0, 0, 1], server.address.port()))).is_err());
}

#[test]
fn several_addresses_are_served_on_one_port() {
    let mut server = Server::command(&["--address=127.0.0.1", "--address=127.0.0.2"], &["cat"]);
    server.connect("/");
    server.stop();

    let urls = server.output();
    let port = server.address.port();
    assert_eq!(urls, [format!("http://127.0.0.1:{port}/"), format!("http://127.0.0.2:{port}/")]);
}

#[test]
fn the_banner_says_what_is_served_from_where_and_for_whom() {
    let tree = Tree::new();
    tree.directory("programs").directory("files");
    let (programs, files) = (tree.path("programs"), tree.path("files"));
    let table: [(&[&str], &[&str], &[&str]); 4] = [
        (&[], &["cat", "-u"], &["cat -u", "origin", "this machine only", "  connect  ws://127.0.0.1:", "--devconsole"]),
        (&["--devconsole"], &["cat"], &["  next     open a URL"]),
        (&["--staticdir", &files], &["cat"], &["cat", &files]),
        (&["--dir", &programs, "--address=0.0.0.0"], &[], &[&programs, "0.0.0.0"]),
    ];
    for (flags, command, words) in table {
        let banner = Server::command(flags, command).stop();

        for word in words {
            assert!(banner.contains(word), "{flags:?} {command:?}: the banner does not tell of {word}:\n{banner}");
        }
    }
}

#[test]
fn the_banner_tells_where_programs_and_the_console_answer() {
    let tree = Tree::new();
    tree.file("with/index.html", "a page").directory("without").directory("programs");
    let (with, without, programs) = (tree.path("with"), tree.path("without"), tree.path("programs"));
    let settings = "[[route]]\npath = '/talk'\ncommand = ['cat']\ndevconsole = true\n";
    let config = tree.file("wsd.toml", settings).path("wsd.toml");
    let console = ["--devconsole", "--staticdir"];
    let table: [(&[&str], &[&str], &str, &str); 8] = [
        (&[], &["cat"], "/", "add --devconsole"),
        (&["--devconsole"], &["cat"], "/", "open a URL"),
        (&[console[0], console[1], &with], &["cat"], "/", "open http://127.0.0.1:PORT/console: "),
        (&[console[0], console[1], &without], &["cat"], "/", "open a URL"),
        (&["--route=/b/*=cat", "--route=/c=cat"], &[], "/b", "add --devconsole"),
        (&["--route=/b=cat"], &["cat"], "/", "add --devconsole"),
        (&["--dir", &programs], &[], "/NAME", "add --devconsole"),
        (&["--config", &config], &[], "/talk", "open http://127.0.0.1:PORT/talk: "),
    ];
    for (flags, command, path, next) in table {
        let mut server = Server::command(&[&["--address=127.0.0.1"], flags].concat(), command);
        let port = server.address.port();
        let banner = server.stop();

        let want =
            format!("  connect  ws://127.0.0.1:{port}{path}\n  next     {}", next.replace("PORT", &port.to_string()));
        assert!(banner.contains(&want), "{flags:?} {command:?}: {want}\n{banner}");
    }
    let banner = Server::serve(&["--staticdir", &with]).stop();
    assert!(!banner.contains("  connect ") && !banner.contains("  next "), "{banner}");
}

#[test]
fn the_banner_tells_if_the_list_of_origins_keeps_the_console_out() {
    for (origins, is_out) in [("https://a.example", true), ("https://a.example,127.0.0.1:*", false)] {
        let mut server = Server::command(&["--devconsole", "--origin", origins], &["cat"]);
        let port = server.address.port();
        let banner = server.stop();

        let hint = format!("--origin keeps the console at these URLs out; add http://127.0.0.1:{port} to it");
        assert_eq!(banner.contains(&hint), is_out, "{origins}: {banner}");
    }
}

#[test]
fn an_empty_folder_name_is_not_in_the_banner() {
    let banner = Server::command(&["--staticdir=", "--cgidir="], &["cat"]).stop();

    assert!(!banner.contains("  files ") && !banner.contains("  scripts "), "{banner}");
}
