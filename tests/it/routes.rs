//! Routes: which program or folder answers at which path, and what it is told of the path.

use crate::harness::server::{Server, field, run};
use crate::harness::tree::Tree;
use crate::harness::websocket::Close;

/// Says how the path was shared out.
const SHARES: &str = "echo \"$0 $SCRIPT_NAME|$PATH_INFO\"";

/// A server with these settings, in a file of its own.
fn serve(tree: &Tree, settings: &str, flags: &[&str]) -> Server {
    tree.file("wsd.toml", settings);
    Server::serve(&[&["--config", &tree.path("wsd.toml")], flags].concat())
}

/// A `[[route]]` whose program says its name, and how the path was shared out.
fn route(path: &str, name: &str) -> String {
    format!("[[route]]\npath = \"{path}\"\ncommand = [\"sh\", \"-c\", '{SHARES}', \"{name}\"]\n")
}

#[test]
fn a_route_with_a_folder_serves_all_below_its_path() {
    let tree = Tree::new();
    tree.file("files/index.html", "a page").file("files/a.txt", "text of a").file("files/sub/b.txt", "text of b");
    tree.program("programs/echo", "#!/bin/sh\nexec cat\n");
    tree.program("scripts/name", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s' \"$SCRIPT_NAME\"\n");
    let route = |path: &str, key: &str, folder: &str| {
        format!("[[route]]\npath = \"{path}\"\n{key} = \"{}\"\n", tree.path(folder))
    };
    let (site, slash) = (route("/site", "staticdir", "files"), route("/slash/", "staticdir", "files"));
    let (ws, cgi) = (route("/ws", "dir", "programs"), route("/cgi", "cgidir", "scripts"));
    let server = serve(&tree, &[&*site, &slash, &ws, &cgi].concat(), &[]);

    let table = [
        ("/site/", "a page"),
        ("/site/a.txt", "text of a"),
        ("/site/sub/b.txt", "text of b"),
        ("/slash/a.txt", "text of a"),
        ("/cgi/name", "/cgi/name"),
    ];
    for (path, want) in table {
        let response = server.get(path, "");
        assert_eq!((response.status, &*response.text()), (200, want), "{path}");
    }
    let mut client = server.connect("/ws/echo");
    client.text("hello");
    assert_eq!(client.line(), "hello");
    assert_eq!(server.get("/a.txt", "").status, 404, "outside of the routes");

    let server = serve(&tree, &[&*route("/", "staticdir", "files"), &ws].concat(), &[]);
    assert_eq!(
        (server.get("/", "").text(), server.get("/sub/b.txt", "").text()),
        ("a page".into(), "text of b".into())
    );
    server.connect("/ws/echo").text("beside the root");
}

#[test]
fn the_longest_match_answers_and_the_program_is_told_the_rest_of_the_path() {
    let tree = Tree::new();
    let settings = [
        route("/a", "exact"),
        route("/a/*", "below"),
        route("/a/b/*", "deeper"),
        route("/a/b/c", "deepest"),
        route("/é x/*", "wide"),
        route("/*", "rest"),
        route("/", "root"),
    ];
    let server = serve(&tree, &settings.concat(), &[]);
    let table = [
        ("/", "root /|"),
        ("/a", "exact /a|"),
        ("/a?x=/a/b", "exact /a|"),
        ("/%61", "exact /a|"),
        ("/a/", "below /a|/"),
        ("/a/x/y", "below /a|/x/y"),
        ("/a/bc", "below /a|/bc"),
        ("/a/b", "deeper /a/b|"),
        ("/a/b/", "deeper /a/b|/"),
        ("/a/b/c", "deepest /a/b/c|"),
        ("/a/b/c/d%20e", "deeper /a/b|/c/d e"),
        ("/%61/%62/x", "deeper /a/b|/x"),
        ("/ab", "rest /|/ab"),
        ("/other/a", "rest /|/other/a"),
        ("/A", "rest /|/A"),
        ("/%C3%A9%20x/y", "wide /é x|/y"),
    ];
    for (path, want) in table {
        assert_eq!(server.connect(path).line(), want, "{path}");
    }
}

#[test]
fn the_program_of_the_command_line_answers_beside_the_routes() {
    let tree = Tree::new();
    tree.file("wsd.toml", route("/a", "route"));
    let server =
        Server::shell(&["--config", &tree.path("wsd.toml")], "echo otherwise \"$SCRIPT_NAME|$PATH_INFO\"", &[]);

    assert_eq!(server.connect("/a").line(), "route /a|");
    assert_eq!(server.connect("/a/b").line(), "otherwise /|/a/b");
}

#[test]
fn a_path_without_a_route_or_program_is_404() {
    let tree = Tree::new();
    let server = serve(&tree, &route("/a", "route"), &[]);

    for path in ["/", "/b", "/a/b"] {
        assert_eq!(server.refusal(path, "").status, 404, "{path}");
        assert_eq!(server.get(path, "").status, if path == "/" { 200 } else { 404 }, "{path}");
    }
}

#[test]
fn a_websocket_to_a_path_without_a_program_is_refused_whatever_else_is_there() {
    let tree = Tree::new();
    tree.file("files/a.txt", "a file").program("programs/ok", "#!/bin/sh\n");
    let (files, programs) = (tree.path("files"), tree.path("programs"));
    let routes = ["--route=/b=cat", "--route=/c/*=cat"];
    let table: [(&[&str], &str, &str); 5] = [
        (&routes, "/a", "connect to a program: /b, /c"),
        (&["--devconsole", routes[0]], "/a", "connect to a program: /b"),
        (&["--staticdir", &files, routes[0]], "/a.txt", "connect to a program: /b"),
        (&["--staticdir", &files], "/a", "wsd has no programs: name one with COMMAND, --dir or --route"),
        (&["--dir", &programs], "/a", "no program of --dir has this name"),
    ];
    for (flags, path, want) in table {
        let server = Server::serve(flags);

        assert_eq!(server.refusal(path, "").status, 404, "{flags:?}");
        let line = server.expect_log("session refused").text;
        assert_eq!(field(&line, "why").as_deref(), Some("path"), "{flags:?}: {line}");
        assert_eq!(field(&line, "hint").as_deref(), Some(want), "{flags:?}: {line}");
    }
}

#[test]
fn routes_of_the_command_line() {
    let tree = Tree::new();
    tree.program("say", "#!/bin/sh\necho \"say $*|$SCRIPT_NAME|$PATH_INFO\"\n");
    let say = tree.path("say");
    let server = Server::serve(&[
        &format!("--route=/one={say} a  b"),
        "--route",
        &format!("/two/*={say} x=y"),
        &format!("--route=/={say}"),
    ]);

    assert_eq!(server.connect("/one").line(), "say a b|/one|");
    assert_eq!(server.connect("/two/three").line(), "say x=y|/two|/three");
    assert_eq!(server.connect("/").line(), "say |/|");
    assert_eq!(server.refusal("/three", "").status, 404);
}

#[test]
fn a_route_of_the_command_line_wins_over_the_file() {
    let tree = Tree::new();
    let settings = [route("/a", "file"), route("/b", "file")].concat();
    let server = serve(&tree, &settings, &["--route=/a=echo command line"]);

    assert_eq!(server.connect("/a").line(), "command line");
    assert_eq!(server.connect("/b").line(), "file /b|");
}

#[test]
fn the_reader_at_the_terminal_is_told_the_routes_that_there_are() {
    let tree = Tree::new();
    let folder = format!("[[route]]\npath = \"/files/*\"\nstaticdir = \"{}\"\n", tree.path(""));
    let mut server = serve(&tree, &[route("/a", "file"), folder].concat(), &["--route=/a=echo command line"]);

    let log = server.stop();

    let told: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("  route ")).map(str::trim_start).collect();
    assert_eq!(told, [format!("/files/* --staticdir={}", tree.path("")), "/a echo command line".to_owned()]);
}

#[test]
fn routes_of_the_command_line_that_make_no_sense_are_refused() {
    let table: [(&[&str], i32, &[&str]); 9] = [
        (&["--route=/a"], 2, &["--route", "/a"]),
        (&["--route=/a="], 2, &["--route", "/a"]),
        (&["--route=/a=  "], 2, &["--route", "/a"]),
        (&["--route=a=cat"], 1, &["--route", "`a`"]),
        (&["--route=/a=cat", "--route=/a=date"], 1, &["--route", "/a", "twice"]),
        (&["--route=/a=no-such-command-anywhere x"], 1, &["--route", "no-such-command-anywhere"]),
        (&["--route=/a=sh -c 'echo hello'"], 2, &["--route", "quotes", "--config"]),
        (&["--shared", "path", "cat"], 1, &["`path`", "--shared=path"]),
        (&["--route=/a*=cat"], 1, &["--route", "/a*"]),
    ];
    for (flags, status, words) in table {
        let outcome = run(&[&["--port=0"], flags].concat());

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(status), ""), "{flags:?}: {outcome:?}");
        for word in words {
            assert!(outcome.stderr.contains(word), "{flags:?} does not name {word}: {outcome:?}");
        }
    }
}

#[test]
fn a_folder_of_programs_lies_below_its_route() {
    let tree = Tree::new();
    tree.program("programs/say", &format!("#!/bin/sh\n{}\n", SHARES.replace("$0", "say")));
    tree.program("programs/sub/deep", &format!("#!/bin/sh\n{}\n", SHARES.replace("$0", "deep")));
    let settings = format!("[[route]]\npath = \"/tools/*\"\ndir = \"{}\"\n", tree.path("programs"));
    let server = serve(&tree, &settings, &[]);

    assert_eq!(server.connect("/tools/say/more/x").line(), "say /tools/say|/more/x");
    assert_eq!(server.connect("/tools/sub/deep").line(), "deep /tools/sub/deep|");
    assert_eq!(server.connect("/%74ools/say").line(), "say /tools/say|");
    for path in ["/say", "/tools", "/tools/nothing", "/tools/../say"] {
        assert_eq!(server.refusal(path, "").status, 404, "{path}");
    }
}

#[test]
fn a_folder_of_files_lies_below_its_route() {
    let tree = Tree::new();
    tree.file("files/index.html", "the index").file("files/a b.txt", "a file").file("files/sub/index.html", "below");
    tree.file("secret", "not served");
    let settings = format!("[[route]]\npath = \"/docs/*\"\nstaticdir = \"{}\"\n", tree.path("files"));
    let server = serve(&tree, &settings, &[]);

    for (path, want) in [("/docs/", "the index"), ("/docs/a%20b.txt?x=1", "a file"), ("/docs/sub/", "below")] {
        let response = server.get(path, "");
        assert_eq!((response.status, response.text().as_str()), (200, want), "{path}");
    }
    for path in ["/index.html", "/docs/nothing", "/docs/../secret", "/docs/%2e%2e/secret", "/docs//a%20b.txt"] {
        assert_ne!(server.get(path, "").status, 200, "{path}");
    }
}

#[test]
fn a_folder_without_its_slash_is_redirected_below_its_route() {
    let tree = Tree::new();
    tree.file("files/index.html", "the index").file("files/sub/index.html", "below");
    let settings = format!("[[route]]\npath = \"/docs/*\"\nstaticdir = \"{}\"\n", tree.path("files"));
    let server = serve(&tree, &settings, &[]);

    // Else the links of the page would lead elsewhere.
    for (path, want) in [("/docs/sub", "/docs/sub/"), ("/docs", "/docs/")] {
        let response = server.get(path, "");
        assert_eq!((response.status, response.header("location")), (307, Some(want)), "{path}");
    }
}

#[test]
fn a_folder_of_files_is_found_however_its_path_is_spelled() {
    let tree = Tree::new();
    tree.file("files/page.txt", "a page");
    let route = |path| format!("[[route]]\npath = \"{path}\"\nstaticdir = \"{}\"\n", tree.path("files"));
    let server = serve(&tree, &[route("/docs/*"), route("/été/*")].concat(), &[]);

    let spelled = ["/docs/page.txt", "/%64ocs/page.txt", "/d%6Fc%73/page.txt", "/%C3%A9t%C3%A9/page.txt"];
    for path in spelled.into_iter().chain(["/été/page.txt", "/ét%C3%A9/page.txt"]) {
        let response = server.get(path, "");
        assert_eq!((response.status, response.text().as_str()), (200, "a page"), "{path}");
    }
}

#[test]
fn every_target_is_answered_whatever_its_bytes() {
    let tree = Tree::new();
    tree.file("files/été/page.txt", "a page").program("dir/a", "#!/bin/sh\ncat\n");
    tree.program("cgi/a", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n");
    let route = |path, key, folder: &str| format!("[[route]]\npath = \"{path}\"\n{key} = \"{}\"\n", tree.path(folder));
    let settings =
        [route("/é/*", "staticdir", "files"), route("/日/*", "dir", "dir"), route("/日本/*", "cgidir", "cgi")];
    let mut server = serve(&tree, &settings.concat(), &[]);
    let table: [&[u8]; 14] = [
        "/é".as_bytes(),
        "/éa".as_bytes(),
        "/é/été".as_bytes(),
        "/è/a".as_bytes(),
        "/日/a".as_bytes(),
        "/日本/a".as_bytes(),
        "/%C3é".as_bytes(),
        "/é%".as_bytes(),
        "/é/%é".as_bytes(),
        b"/\xC3",
        b"/\xA9/a",
        b"/\xE6\x97/a",
        b"/%\xC3\xA9",
        b"/\xFF?\xFF",
    ];
    for path in table {
        for headers in ["", "Upgrade: websocket\r\nConnection: Upgrade\r\n"] {
            let mut connection = server.http();
            let rest = format!(" HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", server.host());
            connection.send([b"GET ", path, rest.as_bytes()].concat());

            let response = connection.try_response("GET");

            assert!(response.is_some_and(|response| response.status < 500), "{} {headers}", path.escape_ascii());
        }
    }
    let redirect = server.get("/é/été", "");
    assert_eq!((redirect.status, redirect.header("location")), (307, Some("/é/été/")));
    let log = server.stop();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_folder_of_cgi_scripts_lies_below_its_route() {
    let tree = Tree::new();
    let script = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s|%s' \"$SCRIPT_NAME\" \"$PATH_INFO\"\n";
    tree.program("cgi/hello", script);
    let settings = format!("[[route]]\npath = \"/run/*\"\ncgidir = \"{}\"\n", tree.path("cgi"));
    let server = serve(&tree, &settings, &[]);

    for path in ["/run/hello/more", "/%72un/hello/more"] {
        let response = server.get(path, "");
        assert_eq!((response.status, response.text().as_str()), (200, "/run/hello|/more"), "{path}");
    }
    assert_eq!(server.get("/hello", "").status, 404);
}

#[test]
fn a_route_has_flags_of_its_own() {
    let tree = Tree::new();
    let settings = r#"
        header = ["X-Whole: yes"]
        closems = 1
        passenv = ["PATH", "WHOLE"]

        [[route]]
        path = "/lines"
        command = ["cat"]

        [[route]]
        path = "/bytes"
        command = ["cat"]
        binary = true

        [[route]]
        path = "/room"
        command = ["cat"]
        shared = true
        history = 1

        [[route]]
        path = "/rooms/*"
        command = ["cat"]
        shared = "path"
        slow = "wait"

        [[route]]
        path = "/open"
        command = ["env"]
        origin = ["http://a.example", "http://b.example"]
        header = "X-Own: yes"
        passenv = "PATH,OWN"
        subprotocol = ["chat", "mqtt"]

        [[route]]
        path = "/short"
        command = ["cat"]
        maxframesize = 5
        framing = "lines"
    "#;
    tree.file("wsd.toml", settings);
    let mut command = crate::harness::server::wsd(&["--port=0", "--config", &tree.path("wsd.toml")]);
    command.env("WHOLE", "1").env("OWN", "2");
    let server = Server::spawn(command);

    let mut lines = server.connect("/lines");
    lines.text("hello");
    assert_eq!(lines.line(), "hello");
    let mut bytes = server.connect("/bytes");
    bytes.binary(&[0, 10]);
    assert_eq!(bytes.bytes(2), [0, 10]);

    let (mut one, mut two) = (server.connect("/room"), server.connect("/room"));
    one.text("shared");
    assert_eq!(
        (one.line(), two.line(), server.connect("/room").line()),
        ("shared".into(), "shared".into(), "shared".into())
    );
    let (mut red, mut blue) = (server.connect("/rooms/red"), server.connect("/rooms/blue"));
    blue.text("blue");
    red.text("red");
    assert_eq!((red.line(), blue.line()), ("red".into(), "blue".into()));

    for origin in ["http://a.example", "http://b.example"] {
        let headers = format!("Origin: {origin}\r\nSec-WebSocket-Protocol: mqtt\r\n");
        let lines = server.connect_with("/open", &headers).rest().0;
        assert!(lines.iter().any(|line| line == "OWN=2"), "{lines:?}");
        assert!(!lines.iter().any(|line| line == "WHOLE=1"), "{lines:?}");
    }
    let refusal = server.refusal("/open", "Origin: http://c.example\r\n");
    assert_eq!(refusal.status, 403);
    assert_eq!((refusal.header("x-own"), refusal.header("x-whole")), (Some("yes"), None));
    let refusal = server.refusal("/lines", "Origin: http://a.example\r\n");
    assert_eq!(refusal.status, 403);
    assert_eq!((refusal.header("x-own"), refusal.header("x-whole")), (None, Some("yes")));

    let mut short = server.connect("/short");
    short.text("123456");
    assert_eq!(short.expect_close().code, Some(1009));
}

#[test]
fn the_limit_of_a_route_is_within_that_of_the_whole() {
    let tree = Tree::new();
    let settings = "maxforks = 3\n[[route]]\npath = \"/few\"\ncommand = [\"cat\"]\nmaxforks = 1\n\
                    [[route]]\npath = \"/many\"\ncommand = [\"cat\"]\n";
    let server = serve(&tree, settings, &[]);

    let _few = server.connect("/few");
    assert_eq!(server.refusal("/few", "").status, 429);
    let _many = [server.connect("/many"), server.connect("/many")];
    assert_eq!(server.refusal("/many", "").status, 429);
}

#[test]
fn the_program_of_a_shared_route_knows_its_path() {
    let tree = Tree::new();
    let script = r#"["sh", "-c", 'echo "$SCRIPT_NAME|$PATH_INFO|$PATH_TRANSLATED"; cat']"#;
    let settings = format!(
        "[[route]]\npath = \"/all/*\"\ncommand = {script}\nshared = true\n\
         [[route]]\npath = \"/each/*\"\ncommand = {script}\nshared = \"path\"\n"
    );
    let server = serve(&tree, &settings, &[]);

    assert_eq!(server.connect("/all/red?x=1").line(), "/all||/all");
    assert_eq!(server.connect("/each/red?x=1").line(), "/each|/red|/each/red");
}

#[test]
fn an_eager_route_starts_with_the_server() {
    let tree = Tree::new();
    let settings = "[[route]]\npath = \"/room\"\ncommand = [\"sh\", \"-c\", 'echo \"at $SCRIPT_NAME\" >&2; exec cat']\n\
                    shared = true\neager = true\n";
    let server = serve(&tree, settings, &[]);

    server.expect_log("line=\"at /room\"");
}

#[test]
fn the_code_of_a_routes_program_is_told_as_ever() {
    let tree = Tree::new();
    let server = serve(&tree, "[[route]]\npath = \"/end\"\ncommand = [\"sh\", \"-c\", \"exit 3\"]\n", &[]);

    assert_eq!(server.connect("/end").rest(), (Vec::new(), Close::new(4003, "exit 3")));
}

#[test]
fn the_programs_of_one_route_are_not_the_files_of_another() {
    let tree = Tree::new();
    let source = "#!/bin/sh\n# the source\necho hello\n";
    for name in ["site/cgi/x.sh", "site/dir/x.sh", "site/x.sh", "site/y.sh"] {
        tree.program(name, source);
    }
    tree.file("site/a.txt", "a file").link("site/link", "dir");
    let site = tree.path("site");
    let settings = format!(
        "staticdir = \"{site}\"\n[[route]]\npath = \"/cgi/run/*\"\ncgidir = \"{site}/cgi\"\n\
         [[route]]\npath = \"/programs/*\"\ndir = \"{site}/dir\"\n\
         [[route]]\npath = \"/x\"\ncommand = [\"{site}/x.sh\"]\n\
         [[route]]\npath = \"/files/*\"\nstaticdir = \"{site}\"\n"
    );
    let server = serve(&tree, &settings, &[&format!("--route=/y={site}/y.sh")]);

    for front in ["", "/files"] {
        for path in ["/cgi/x.sh", "/dir/x.sh", "/link/x.sh", "/x.sh", "/y.sh"] {
            let response = server.get(&format!("{front}{path}"), "");

            assert_eq!(response.status, 404, "{front}{path}:\n{response}");
        }
        assert_eq!(server.get(&format!("{front}/a.txt"), "").text(), "a file");
    }
    assert_eq!(server.connect("/programs/x.sh").line(), "hello");
}

#[test]
fn the_files_of_one_route_within_the_programs_of_another_are_exit_1() {
    let tree = Tree::new();
    tree.directory("programs/site");
    let (programs, site) = (tree.path("programs"), tree.path("programs/site"));
    for key in ["dir", "cgidir"] {
        tree.file("wsd.toml", format!("[[route]]\npath = \"/a/*\"\n{key} = \"{programs}\"\n"));
        let outcome = run(&["--port=0", "--config", &tree.path("wsd.toml"), "--staticdir", &site]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{key}: {outcome:?}");
        assert!(outcome.stderr.contains(&site) && outcome.stderr.contains("--cgidir"), "{key}: {outcome:?}");
    }
}
