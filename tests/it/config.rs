//! `--config`: what a file may say, what wins, and errors that name file, line and key.

use crate::harness::server::{Outcome, Server, run};
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, TEXT};

/// Runs `wsd` with these settings to its end, which must come by itself.
fn check(tree: &Tree, settings: &str, flags: &[&str]) -> Outcome {
    tree.file("wsd.toml", settings);
    run(&[&["--port=0", "--config", &tree.path("wsd.toml")], flags].concat())
}

/// Settings that must be refused with exit 1, on this line and with these words; with `--check` as well.
fn assert_refused(settings: &str, line: usize, words: &[&str]) {
    let tree = Tree::new();
    for flags in [&[][..], &["--check"]] {
        let outcome = check(&tree, settings, flags);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{settings}\n{outcome:?}");
        let place = format!("wsd: {}:{line}: ", tree.path("wsd.toml"));
        assert!(outcome.stderr.starts_with(&place), "no {place}\n{settings}\n{}", outcome.stderr);
        for word in words {
            assert!(outcome.stderr.contains(word), "{settings}\ndoes not name {word}: {}", outcome.stderr);
        }
        assert!(outcome.stderr.contains("\nhint: "), "{}", outcome.stderr);
    }
}

const ROUTE: &str = "[[route]]\npath = \"/a\"\ncommand = [\"cat\"]\n";

#[test]
fn an_unknown_key_is_refused_with_the_nearest_name() {
    assert_refused("closms = 5\n", 1, &["`closms`", "`closems`"]);
    assert_refused("\n# a comment\nmaxfork = 5\n", 3, &["`maxfork`", "`maxforks`"]);
    assert_refused(&format!("{ROUTE}framin = \"json\"\n"), 4, &["`framin`", "`framing`"]);
    assert_refused("colour = \"blue\"\n", 1, &["`colour`", "--help"]);
    assert_refused("server = \"blue\"\n", 1, &["`server`", "--help"]);
    assert_refused("[routes]\npath = \"/a\"\n", 1, &["`routes`", "`route`"]);
    assert_refused("[[route]]\npaht = \"/a\"\n", 2, &["`paht`", "`path`"]);
    assert_refused("[[route]]\npath = \"/a\"\ncomand = [\"cat\"]\n", 3, &["`comand`", "`command`"]);
    // What no route may have is no hint in one.
    assert_refused(&format!("{ROUTE}prot = 1\n"), 4, &["`prot`", "--help"]);
    assert_refused("path = \"/a\"\n", 1, &["`path`", "`[[route]]`"]);
    assert_refused("command = [\"cat\"]\n", 1, &["`command`", "`[[route]]`"]);
    // These are for the command line only.
    for key in ["config", "check", "help", "version"] {
        assert_refused(&format!("{key} = true\n"), 1, &[&format!("`{key}`")]);
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    assert_refused("port = \"many\"\n", 1, &["`port`", "number"]);
    assert_refused("closems = true\n", 1, &["`closems`", "number"]);
    assert_refused("closems = 1.5\n", 1, &["`closems`", "number"]);
    assert_refused("binary = 1\n", 1, &["`binary`", "true or false"]);
    assert_refused("binary = \"true\"\n", 1, &["`binary`", "true or false"]);
    assert_refused("staticdir = 7\n", 1, &["`staticdir`", "text"]);
    assert_refused("header = [\n  \"X: 1\",\n  7,\n]\n", 1, &["`header`", "texts"]);
    assert_refused("origin = [1]\n", 1, &["`origin`", "texts"]);
    assert_refused("route = 1\n", 1, &["`route`", "[[route]]"]);
    assert_refused("route = [1]\n", 1, &["`route`", "[[route]]"]);
    assert_refused("[route]\npath = \"/a\"\ncommand = [\"cat\"]\n", 1, &["`route`", "[[route]]"]);
    assert_refused("[[route]]\npath = 7\ncommand = [\"cat\"]\n", 2, &["`path`", "text"]);
    assert_refused("[[route]]\npath = \"/a\"\ncommand = \"cat\"\n", 3, &["`command`", "list"]);
    assert_refused("[[route]]\npath = \"/a\"\ncommand = []\n", 3, &["`command`", "list"]);
    assert_refused("[[route]]\npath = \"/a\"\ncommand = [\"cat\", 7]\n", 3, &["`command`", "list"]);
}

#[test]
fn a_value_out_of_range_is_refused() {
    assert_refused("\nport = 70000\n", 2, &["`port`", "65535"]);
    assert_refused("\nclosems = -1\n", 2, &["`closems`"]);
    assert_refused(&format!("{ROUTE}\nhistory = -1\n"), 5, &["`history`"]);
    assert_refused("\n\"cgi-timeout\" = 0\n", 2, &["`cgi-timeout`"]);
}

#[test]
fn a_value_that_makes_no_sense_is_refused_on_its_line() {
    assert_refused(&format!("{ROUTE}shared = true\nslow = \"never\"\n"), 5, &["slow", "`never`"]);
    assert_refused(&format!("{ROUTE}framing = \"xml\"\n"), 4, &["framing", "`xml`"]);
    assert_refused(&format!("{ROUTE}origin = \"a b\"\n"), 4, &["origin", "`a b`"]);
    assert_refused(&format!("{ROUTE}header = \"no colon\"\n"), 4, &["header", "no colon"]);
    assert_refused(&ROUTE.replace("/a", "/.wsd/a"), 2, &["`/.wsd/a`", "wsd's own folder"]);
    assert_refused(&format!("loglevel = \"loud\"\n{ROUTE}"), 1, &["loglevel", "`loud`"]);
    assert_refused(&format!("\nslow = \"never\"\n{ROUTE}shared = true\n"), 2, &["slow", "`never`"]);
}

#[test]
fn a_double_path_is_refused() {
    assert_refused(&format!("{ROUTE}\n{ROUTE}"), 6, &["`/a`", "twice"]);
    let below = ROUTE.replace("/a", "/a/*");
    assert_refused(&format!("{below}{ROUTE}{below}"), 8, &["`/a/*`", "twice"]);
}

#[test]
fn a_route_below_the_path_of_a_folder_is_refused() {
    let (tree, below) = (Tree::new(), ROUTE.replace("/a", "/a/*"));
    let folder = format!("[[route]]\npath = \"/a\"\nstaticdir = \"{}\"\n", tree.path(""));
    let words = ["`/a`", "twice", "`/a/*`"];

    assert_refused(&format!("{below}{folder}"), 5, &words);
    assert_refused(&format!("{folder}{below}"), 2, &words);
    assert_refused(&format!("{folder}{}", folder.replace("/a", "/a/*")), 2, &words);
}

#[test]
fn a_path_that_is_none_is_refused() {
    for path in ["a", "", "/a*", "/*/a", "/a?b", "/a/../b", "/a//b", "/%61", "/a/**"] {
        let settings = format!("\n[[route]]\ncommand = [\"cat\"]\npath = \"{path}\"\n");
        assert_refused(&settings, 4, &[&format!("path `{path}`")]);
    }
    assert_refused("\n[[route]]\ncommand = [\"cat\"]\n", 2, &["`path`"]);
}

#[test]
fn a_missing_program_is_refused_on_its_line() {
    assert_refused("[[route]]\npath = \"/a\"\n\ncommand = [\"no-such-program\", \"x\"]\n", 4, &["no-such-program"]);
    assert_refused("[[route]]\ncommand = [\"/no/such/program\"]\n\npath = \"/a\"\n", 2, &["/no/such/program"]);
    assert_refused(
        "[[route]]\npath = \"/a\"\n\nstaticdir = \"/no/such/folder\"\n",
        4,
        &["/no/such/folder", "staticdir"],
    );
    assert_refused("[[route]]\npath = \"/a\"\n\ndir = \"/no/such/folder\"\n", 4, &["/no/such/folder", "dir"]);
}

#[test]
fn a_route_serves_exactly_one_thing() {
    assert_refused("\n[[route]]\npath = \"/a\"\n", 3, &["cannot serve the route"]);
    assert_refused(
        "\n[[route]]\npath = \"/a\"\nshared = true\n",
        3,
        &["cannot serve the route", "\nhint: add a line such as command"],
    );
    assert_refused("[[route]]\npath = \"/a\"\ncommand = [\"cat\"]\ndir = \"/\"\n", 4, &["command", "`dir`"]);
}

#[test]
fn a_key_of_the_whole_server_is_refused_in_a_route() {
    for (key, value) in [
        ("port", "8080"),
        ("address", "\"127.0.0.1\""),
        ("ssl", "true"),
        ("sslcert", "\"x\""),
        ("loglevel", "\"info\""),
        ("unixsocket", "\"x\""),
        ("redirport", "80"),
    ] {
        assert_refused(&format!("{ROUTE}\n{key} = {value}\n"), 5, &[&format!("`{key}`"), "top of the file"]);
    }
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    assert_refused(&format!("{ROUTE}binary = true\nframing = \"json\"\n"), 4, &["`binary`", "`framing`"]);
    assert_refused(&format!("binary = true\n{ROUTE}\nframing = \"json\"\n"), 6, &["`binary`", "`framing`"]);
    assert_refused(
        &format!("{ROUTE}shared = true\n[[route]]\npath = \"/b\"\ndir = \"/\"\nshared = true\n"),
        8,
        &["`dir`"],
    );
    assert_refused(&format!("{ROUTE}eager = true\n"), 4, &["`eager`", "`shared`"]);
    assert_refused(&format!("{ROUTE}history = 5\n"), 4, &["`history`", "`shared`"]);
    assert_refused(&format!("{ROUTE}slow = \"close\"\n"), 4, &["`slow`", "`shared`"]);
    assert_refused(&format!("slow = \"drop\"\n{ROUTE}shared = true\nslow-wait = 5\n"), 6, &["`slow-wait`"]);
    assert_refused(&format!("{ROUTE}cgi-timeout = 5\n"), 4, &["`cgi-timeout`", "`cgidir`"]);
    assert_refused("[[route]]\npath = \"/a\"\nstaticdir = \"/\"\nshared = true\n", 4, &["`shared`"]);
}

#[test]
fn an_error_in_the_file_speaks_of_keys_and_one_of_the_command_line_of_flags() {
    let tree = Tree::new();
    let told = |settings: String, flags: &[&str], want: &str| {
        let outcome = check(&tree, &settings, flags);
        assert_eq!(outcome.stderr.split_once("wsd.toml:").map(|(_, told)| told.trim_end()), Some(want), "{outcome:?}");
    };
    told(
        format!("{ROUTE}history = 5\n"),
        &[],
        "4: cannot use `history` without `shared`: only a room has new clients\n\
         hint: add `shared = true` or `shared = \"path\"`",
    );
    told(
        "sslkey = \"k\"\n".to_owned(),
        &["cat"],
        "1: cannot use `sslkey` without `ssl`\nhint: add `ssl = true` to serve over TLS",
    );
    told(
        format!("{ROUTE}framing = \"json\"\n"),
        &["--binary"],
        "4: cannot combine --binary and `framing`: --binary is short for `framing = \"chunks\"`\nhint: remove one of them",
    );
    told(
        "[[route]]\npath = \"/a\"\ncommand = [\"cat -n\"]\n".to_owned(),
        &[],
        "3: cannot find command `cat -n`\nhint: write each word apart: `command = [\"cat\", \"-n\"]`",
    );
    told(
        format!("devconsole = \"true\"\n{ROUTE}"),
        &[],
        "1: invalid value for `devconsole`: expected true or false, got `true`\nhint: remove the quotes",
    );
    told(
        format!("address = \"127.0.0.1,::1\"\n{ROUTE}"),
        &[],
        "1: cannot listen on `127.0.0.1,::1`: not an address or a known host name\n\
         hint: write a list: `address = [\"127.0.0.1\", \"::1\"]`",
    );
    told(
        format!("address = \"127.0.0.1:80\"\n{ROUTE}"),
        &[],
        "1: cannot listen on `127.0.0.1:80`: not an address or a known host name\n\
         hint: write the port apart: `address = \"127.0.0.1\"` --port=80",
    );
    let outcome = run(&["--check", "--history=5", "cat"]);
    assert!(outcome.stderr.contains("add --shared or --shared=path"), "{outcome:?}");
}

#[test]
fn room_keys_at_the_top_are_for_the_routes_that_have_rooms() {
    let tree = Tree::new();
    let routes =
        format!("{ROUTE}shared = true\n[[route]]\npath = \"/b\"\ncommand = [\"cat\"]\n[[route]]\npath = \"/c\"\n");
    let routes = format!("{routes}staticdir = \"{}\"\n", tree.path(""));
    let top = "history = 5\neager = true\nslow = \"wait\"\nslow-wait = 5\nlinger = 5\ncgi-timeout = 5\n";
    let line = ["--history=5", "--eager", "--slow=wait", "--slow-wait=5", "--linger=5", "--cgi-timeout=5"];
    for (top, flags) in [(top, &[][..]), ("", &line)] {
        tree.file("wsd.toml", format!("{top}{routes}"));
        let server = Server::serve(&[&["--config", &tree.path("wsd.toml")], flags].concat());

        server.expect_room(1);
        let mut client = server.connect("/a");
        client.text("hello");
        assert_eq!(client.line(), "hello");
        assert_eq!(server.connect("/a").line(), "hello");
        let mut alone = server.connect("/b");
        alone.text("alone");
        assert_eq!(alone.line(), "alone");
        assert_eq!(check(&tree, &format!("{top}{routes}"), &["--check"]).status, Some(0));
    }
    // A program that is named beside such a flag is meant by it.
    let outcome = check(&tree, &routes, &["--check", "--history=5", "cat"]);
    assert!(
        outcome.status == Some(1) && outcome.stderr.contains("cannot use --history without --shared"),
        "{outcome:?}"
    );
    let outcome = check(&tree, "history = 5\n", &["--check", "cat"]);
    assert!(outcome.status == Some(1) && outcome.stderr.contains("wsd.toml:1: cannot use `history`"), "{outcome:?}");
}

#[test]
fn a_path_that_leads_nowhere_is_explained() {
    assert_refused("[[route]]\npath = \"/a\"\ncommand = [\"./nowhere\"]\n", 3, &["`./nowhere`", "wsd was started"]);
}

#[test]
fn a_file_that_is_not_toml_is_refused() {
    assert_refused("port = 8080\nheader = \"X: 1\n", 2, &["TOML"]);
    assert_refused("port 8080\n", 1, &["TOML"]);
    assert_refused("closems = 1\nclosems = 2\n", 2, &["TOML"]);
    assert_refused(&format!("{ROUTE}path = \"/b\"\n"), 4, &["TOML"]);
    assert_refused("[[route]\n", 1, &["TOML"]);
}

#[test]
fn a_file_that_cannot_be_read_is_exit_1_and_named() {
    let tree = Tree::new();
    tree.directory("directory").file("latin1.toml", b"# \xE9\n");
    for name in ["nothing.toml", "directory", "latin1.toml"] {
        let outcome = run(&["--port=0", "--config", &tree.path(name)]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{name}: {outcome:?}");
        assert!(outcome.stderr.contains(&tree.path(name)) && outcome.stderr.contains("--config"), "{outcome:?}");
    }
}

#[test]
fn check_only_checks() {
    let tree = Tree::new();
    for settings in ["", ROUTE, "port = 1\nstaticdir = \"/\"\n"] {
        let outcome = check(&tree, settings, &["--check", "cat"]);

        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
        assert!(!outcome.stdout.contains("http://"), "{outcome:?}");
    }
    assert_eq!(check(&tree, ROUTE, &["--check"]).status, Some(0));
    assert_eq!(run(&["--check", "cat"]).status, Some(0));
    assert_eq!(run(&["--check", "no-such-program-anywhere"]).status, Some(1));
}

#[test]
fn a_port_in_use_is_no_matter_of_a_check() {
    let server = Server::command(&[], &["cat"]);
    let port = format!("--port={}", server.address.port());

    assert_eq!(run(&[&port, "--check", "cat"]).status, Some(0));
}

#[test]
fn the_keys_are_those_of_flags_with_the_same_values() {
    let tree = Tree::new();
    let settings = "port = 0\naddress = [\"127.0.0.1\"]\ncgidir = \".\"\nbinary = true\nmaxforks = 0b10\nclosems = 0x10\nheader = [\"X-One: 1\", \"X-Two: 2\"]\n\
                    pingms = 1_000\n\"cgi-timeout\" = 1.5\nloglevel = \"access\"\n";
    tree.file("wsd.toml", settings);
    let server = Server::spawn(crate::harness::server::wsd(&["--config", &tree.path("wsd.toml"), "cat"]));

    assert_eq!(server.output().len(), 1, "one address");
    let mut clients = [server.connect("/"), server.connect("/")];
    clients[0].text("hello");
    assert_eq!(clients[0].frame().opcode, BINARY);
    let refusal = server.refusal("/", "");
    assert_eq!(refusal.status, 429);
    assert_eq!((refusal.header("x-one"), refusal.header("x-two")), (Some("1"), Some("2")));
}

#[test]
fn flags_of_the_command_line_win_over_the_file() {
    let tree = Tree::new();
    tree.file("wsd.toml", "port = 1\nbinary = true\nheader = [\"X-File: 1\"]\nmaxforks = 1\nanyorigin = true\n");
    let config = tree.path("wsd.toml");
    let flags = ["--config", &config, "--binary=false", "--header=X-Line: 1", "-maxforks", "2"];
    let server = Server::command(&flags, &["cat"]);

    let mut clients = [server.connect_with("/", "Origin: http://any.example\r\n"), server.connect("/")];
    clients[0].text("hello");

    assert_eq!(clients[0].frame().opcode, TEXT);
    let refusal = server.refusal("/", "");
    assert_eq!(refusal.status, 429);
    assert_eq!((refusal.header("x-line"), refusal.header("x-file")), (Some("1"), None));
}

#[test]
fn flags_of_the_command_line_win_over_those_of_a_route() {
    let tree = Tree::new();
    tree.file("files/index.html", "the index");
    let settings = format!(
        "binary = true\n{ROUTE}binary = true\nheader = \"X-File: 1\"\nmaxforks = 1\n\
         [[route]]\npath = \"/files/*\"\nstaticdir = \"{}\"\n",
        tree.path("files")
    );
    tree.file("wsd.toml", settings);
    let flags = ["--binary=false", "--header=X-Line: 1", "--maxforks=5", "--staticdir=/", "--config"];
    let server = Server::serve(&[&flags[..], &[&tree.path("wsd.toml")]].concat());

    let mut client = server.connect("/a");
    client.text("hello");
    assert_eq!(client.frame().opcode, TEXT);

    // What a route serves and how often is its own matter.
    let refusal = server.refusal("/a", "");
    assert_eq!(refusal.status, 429);
    assert_eq!((refusal.header("x-line"), refusal.header("x-file")), (Some("1"), None));
    assert_eq!(server.get("/files/", "").text(), "the index");
}

#[test]
fn a_bad_flag_of_the_command_line_is_not_blamed_on_the_file() {
    let tree = Tree::new();

    let settings = format!("subprotocol = \"chat\"\n{ROUTE}subprotocol = \"mqtt\"\n");
    let outcome = check(&tree, &settings, &["--subprotocol=a b"]);

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("`a b`"), "{outcome:?}");
    assert!(!outcome.stderr.contains("wsd.toml:"), "{outcome:?}");
}
