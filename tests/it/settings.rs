//! Flags and keys are the same things: each flag is a key, the words of a flag stand once, and layers replace each other
//! by value.

use std::{fs, path::Path};

use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;

/// Flags for the command line only.
const LINE_ONLY: [&str; 7] = ["config", "mcp-config", "check", "route", "help", "version", "license"];

/// Flags for the whole server.
const SERVER_ONLY: [&str; 24] = [
    "bus",
    "bus-cert",
    "bus-key",
    "bus-prefix",
    "node",
    "trust-proxy",
    "proxy-protocol",
    "base",
    "port",
    "address",
    "unixsocket",
    "socketmode",
    "redirport",
    "ssl",
    "sslcert",
    "sslkey",
    "sslca",
    "maxbuffer",
    "compress-memory",
    "threads",
    "loglevel",
    "logformat",
    "logfile",
    "metrics",
];

const ROUTE: &str = "[[route]]\npath = \"/a\"\ncommand = [\"cat\"]\n";

/// The text of `--help`, on one line.
fn help() -> String {
    run(&["--help"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The names of all flags.
fn flags() -> Vec<String> {
    let help = run(&["--help"]).stdout;
    let flags = help.lines().filter_map(|line| line.strip_prefix("      --"));
    flags.map(|flag| flag.split([' ', '[']).next().unwrap().to_owned()).collect()
}

/// The error for this file, without the file's name: `LINE: message`.
fn error(settings: &str, flags: &[&str]) -> String {
    let tree = Tree::new();
    tree.file("wsd.toml", settings);
    let outcome = run(&[&["--port=0", "--check", "--config", &tree.path("wsd.toml")], flags].concat());
    assert_eq!(outcome.status, Some(1), "{settings}\n{outcome:?}");
    outcome.stderr.replace(&format!("wsd: {}:", tree.path("wsd.toml")), "")
}

#[test]
fn each_flag_is_a_key_of_the_file() {
    let keys: Vec<_> = flags().into_iter().filter(|flag| !LINE_ONLY.contains(&&**flag)).collect();
    assert!(keys.len() > 30, "{keys:?}");
    for key in keys {
        // No flag has a list in a table for a value, so only a key that is read is refused.
        let refused = error(&format!("\n{key} = {{ x = [] }}\n"), &[]);
        assert!(refused.starts_with(&format!("2: invalid value for `{key}`: expected ")), "{refused}");

        let refused = error(&format!("{ROUTE}{key} = {{ x = [] }}\n"), &[]);
        let want = if SERVER_ONLY.contains(&&*key) {
            format!("4: cannot set `{key}` in a route: it is for the whole server")
        } else {
            format!("4: invalid value for `{key}`: expected ")
        };
        assert!(refused.starts_with(&want), "{refused}");
    }
    for key in LINE_ONLY.iter().filter(|key| **key != "route") {
        assert!(
            error(&format!("{key} = {{ x = [] }}\n"), &[]).starts_with(&format!("1: unknown key `{key}`")),
            "{key}"
        );
    }
}

#[test]
fn the_words_of_a_flag_are_the_same_everywhere() {
    let help = help();
    for (flag, words) in [
        ("framing", &["lines", "chunks", "json", "nul", "length", "jsonrpc", "lsp"][..]),
        ("shared", &["all", "true", "path", "false"]),
        ("slow", &["close", "drop", "wait"]),
        ("logformat", &["text", "json"]),
        ("loglevel", &["trace", "debug", "access", "info", "warn", "error", "fatal", "none"]),
    ] {
        let listed = format!("[possible values: {}]", words.join(", "));
        let (last, others) = words.split_last().unwrap();
        let hint = format!("\nhint: use {} or {last}\n", others.join(", "));
        let own_help = help.split(&format!(" --{flag}")).nth(1).and_then(|text| text.split(" --").next()).unwrap();
        assert!(own_help.contains(&listed), "{own_help}");
        let refused = run(&[&format!("--{flag}=wrong"), "cat"]);
        assert!(refused.status == Some(2) && refused.stderr.ends_with(&hint), "{refused:?}");
        let refused = error(&format!("{flag} = \"wrong\"\n"), &[]);
        assert!(refused.contains(&format!("expected {}, got `wrong`", words.join(" or "))), "{refused}");

        // Without rooms nobody is slow.
        let rooms: &[&str] = if flag == "slow" { &["--shared"] } else { &[] };
        for word in words {
            let outcome = run(&[&["--check", &format!("--{flag}={word}")][..], rooms, &["cat"]].concat());
            assert_eq!(outcome.status, Some(0), "--{flag}={word}: {outcome:?}");
            let tree = Tree::new();
            tree.file("wsd.toml", format!("{flag} = \"{word}\"\n"));
            let outcome = run(&[&["--check", "--config", &tree.path("wsd.toml")][..], rooms, &["cat"]].concat());
            assert_eq!(outcome.status, Some(0), "{flag} = {word}: {outcome:?}");
        }
    }
}

#[test]
fn an_error_is_on_the_line_of_the_value_that_it_is_about() {
    let two = format!("{ROUTE}[[route]]\npath = \"/b\"\ncommand = [\"cat\"]\n");
    let table: [(&str, &str, &[&str], &str); 9] = [
        // The keys of the second route, the keys of the top, the command line, and the error.
        ("slow = \"never\"", "slow = \"drop\"", &[], "8: invalid value for `slow`"),
        ("framing = \"json\"", "binary = true", &[], "8: cannot combine `binary` and `framing`"),
        ("framing = \"json\"", "", &["--binary"], "8: cannot combine --binary and `framing`"),
        ("", "framing = \"json\"\nbinary = true", &[], "2: cannot combine `binary` and `framing`"),
        ("header = \"--slow and `--binary`\"", "slow = \"drop\"\nbinary = true", &[], "9: invalid header "),
        ("origin = [\n\"a.example\",\n\"a b\"]", "", &[], "8: invalid origin `a b` in `origin`: "),
        ("subprotocol = \"a b\"", "subprotocol = \"chat\"", &[], "8: invalid subprotocol name `a b`"),
        ("eager = true", "eager = true", &[], "8: cannot use `eager` without `shared`"),
        ("history = 5", "", &["--route=/c=cat"], "8: cannot use `history` without `shared`"),
    ];
    for (own, top, flags, want) in table {
        let refused = error(&format!("{top}\n{two}{own}\n"), flags);

        assert!(refused.starts_with(want), "{own}, {top}, {flags:?}: {refused}");
    }
    // Such a route has no line of its own, but inherits from the file.
    let refused = error("origin = \"a b\"\n", &["--route=/c=cat"]);
    assert!(refused.starts_with("1: invalid origin `a b`"), "{refused}");
    let refused = error("slow = \"drop\"\n", &["--route=/c=no-such-program"]);
    assert!(refused.starts_with("wsd: --route: cannot find COMMAND `no-such-program`"), "{refused}");
}

#[test]
fn the_command_line_replaces_the_route_which_replaces_the_top() {
    let table: [(&str, &str, &[&str], &[&str]); 9] = [
        // The value at the top, in the route, on the command line, and the headers that the route sends.
        ("", "", &[], &[]),
        ("\"X-A: top\"", "", &[], &["top"]),
        ("", "\"X-A: route\"", &[], &["route"]),
        ("\"X-A: top\"", "\"X-A: route\"", &[], &["route"]),
        ("[\"X-A: top\", \"X-A: more\"]", "\"X-A: route\"", &[], &["route"]),
        ("\"X-A: top\"", "[]", &[], &[]),
        ("\"X-A: top\"", "", &["--header=X-A: line"], &["line"]),
        ("\"X-A: top\"", "\"X-A: route\"", &["--header=X-A: line", "--header=X-A: more"], &["line", "more"]),
        ("", "[]", &["--header=X-A: line"], &["line"]),
    ];
    for (top, own, line, want) in table {
        let tree = Tree::new();
        let key = |value: &str| if value.is_empty() { String::new() } else { format!("header = {value}\n") };
        tree.file("wsd.toml", format!("{}{ROUTE}{}", key(top), key(own)));
        let server = Server::serve(&[&["--config", &tree.path("wsd.toml")], line].concat());

        let response = server.get("/a", "").to_string();

        let got: Vec<_> =
            response.lines().filter_map(|line| line.to_lowercase().strip_prefix("x-a: ").map(str::to_owned)).collect();
        assert_eq!(got, want, "{top}, {own}, {line:?}:\n{response}");
    }
}

#[test]
fn a_route_keeps_its_own_programs_and_maxforks() {
    let tree = Tree::new();
    tree.file("top/x", "top").file("own/x", "own").file("line/x", "line");
    let [top, own, line] = ["top", "own", "line"].map(|name| tree.path(name));
    let settings = format!(
        "staticdir = \"{top}\"\nmaxforks = 2\n[[route]]\npath = \"/own/*\"\nstaticdir = \"{own}\"\n\
         [[route]]\npath = \"/program/*\"\ncommand = [\"cat\"]\nmaxforks = 1\n"
    );
    tree.file("wsd.toml", settings);
    let config = tree.path("wsd.toml");
    for (flags, elsewhere) in [(&[][..], "top"), (&["--staticdir", &line, "--maxforks=5"], "line")] {
        let server = Server::serve(&[&["--config", &config], flags].concat());

        assert_eq!(server.get("/x", "").text(), elsewhere);
        assert_eq!(server.get("/own/x", "").text(), "own");
        assert_eq!(server.get("/program/x", "").status, 426);
        let _one = server.connect("/program/");
        assert_eq!(server.refusal("/program/", "").status, 429);
    }
}

#[test]
fn the_defaults_of_help_are_those_that_hold() {
    let limits = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/limits.rs")).unwrap();
    let help = help();
    for (flag, default, limit) in [
        ("maxforks", "1024", "FORKS_MAX: usize = 1024;"),
        ("maxframesize", "1048576", "MESSAGE_BYTES_MAX: usize = 1 << 20;"),
        ("pingms", "30000", "PING_INTERVAL: Duration = Duration::from_secs(30);"),
        ("cgi-timeout", "60", "CGI_TIMEOUT: Duration = Duration::from_mins(1);"),
        ("port", "8080, with --ssl 8443", "PORT: u16 = 8080;"),
    ] {
        let own_help = help.split(&format!(" --{flag} ")).nth(1).unwrap();
        let told = own_help.split("[default: ").nth(1).and_then(|text| text.split(']').next());
        assert_eq!(told, Some(default), "--{flag}");
        assert!(limits.contains(limit), "{limit}");
    }
}
