//! `--base`: all of the site is below a path that a proxy passes on.

use rustix::process::Signal;

use crate::harness::http::Response;
use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;

/// Tells the part of the path that names the program, and the rest.
const PROGRAM: &str = r#"echo "$SCRIPT_NAME|$PATH_INFO|$REQUEST_URI"; cat"#;

fn location(response: &Response) -> Option<&str> {
    assert_eq!(response.status, 307, "{response}");
    response.header("location")
}

#[test]
fn a_program_has_the_base_in_its_script_name() {
    let server = Server::shell(&["--base=/live/app"], PROGRAM, &[]);

    for (target, want) in [
        ("/live/app", "/live/app||/live/app"),
        ("/live/app/", "/live/app|/|/live/app/"),
        ("/live/app/a%20b?c", "/live/app|/a b|/live/app/a%20b?c"),
    ] {
        assert_eq!(server.connect(target).line(), want, "{target}");
    }
}

#[test]
fn outside_of_the_base_there_is_nothing() {
    let tree = Tree::new();
    tree.file("index.html", "a page\n").program("cgi/script", "#!/bin/sh\nprintf '\\n\\n'\n");
    let flags = ["--base=/app", "--staticdir", &tree.path(""), "--cgidir", &tree.path("cgi"), "--devconsole"];
    let server = Server::command(&flags, &["cat"]);

    for path in ["/", "/ap", "/apps/", "/other/script", "/xyz/script", "/.wsd/client.js", "/.wsd/console.js", "/script"]
    {
        let response = server.get(path, "Accept: text/html\r\n");
        assert_eq!(response.status, 404, "{path}: {response}");
        assert!(response.text().contains("everything here is below /app/"), "{path}: {response}");
    }
    for path in ["/", "/other", "/xyz/"] {
        assert_eq!(server.refusal(path, "").status, 404, "{path}");
    }
    let line = server.expect_log("session refused").text;
    assert!(line.contains("why=path hint=\"connect below /app/, which is the path of --base\""), "{line}");
    assert!(!server.log().iter().any(|line| line.contains("session started")));
}

#[test]
fn the_base_leads_to_its_folder() {
    let server = Server::command(&["--base=/app"], &["cat"]);

    assert_eq!(location(&server.get("/app", "")), Some("/app/"));
    assert_eq!(location(&server.get("/app?a=b", "")), Some("/app/?a=b"));
    // A client of WebSockets follows no redirect.
    server.connect("/app");
}

#[test]
fn files_scripts_and_redirects_are_below_the_base() {
    let tree = Tree::new();
    tree.file("files/index.html", "a page\n").file("files/sub/index.html", "below\n");
    tree.program("cgi/tell", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\necho \"$SCRIPT_NAME|$PATH_INFO\"\n");
    tree.program("cgi/lead", "#!/bin/sh\nprintf 'Location: /app/tell/led\\n\\n'\n");
    tree.program("cgi/stray", "#!/bin/sh\nprintf 'Location: /tell\\n\\n'\n");
    let flags = ["--base=/app/", "--staticdir", &tree.path("files"), "--cgidir", &tree.path("cgi")];
    let server = Server::serve(&flags);

    for (path, want) in [
        ("/app/", "a page\n"),
        ("/app/index.html", "a page\n"),
        ("/app/sub/", "below\n"),
        ("/app/tell/more", "/app/tell|/more\n"),
        ("/app/lead", "/app/tell|/led\n"),
    ] {
        let response = server.get(path, "");
        assert_eq!((response.status, &*response.text()), (200, want), "{path}");
    }
    assert_eq!(location(&server.get("/app/sub", "")), Some("/app/sub/"));
    assert_eq!(server.get("/app/stray", "").status, 404);
}

#[test]
fn the_pages_of_wsd_are_below_the_base() {
    let server = Server::command(&["--base=/app", "--devconsole"], &["cat"]);

    for part in ["client.js", "look.css", "console.js", "console.css", "paths.json"] {
        assert_eq!(server.get(&format!("/app/.wsd/{part}"), "").status, 200, "{part}");
    }
    assert_eq!(server.get("/app/.wsd/paths.json", "").text(), r#"["/app/*"]"#);
    let console = server.get("/app/anything", "").text();
    for part in ["console.js", "look.css", "console.css"] {
        assert!(console.contains(&format!("=\"/app/.wsd/{part}\"")), "{part}");
    }
    assert!(!console.contains("=\"/.wsd/"), "{console}");
    let welcome = Server::command(&["--base=/app"], &["cat"]).get("/app/", "").text();
    assert!(welcome.contains("<code>/app/*</code>") && welcome.contains("&quot;/app&quot;"), "{welcome}");
}

#[test]
fn routes_are_below_the_base() {
    let tree = Tree::new();
    let route = |path: &str| format!("[[route]]\npath = {path:?}\ncommand = ['sh', '-c', '''{PROGRAM}''']\n");
    let settings = format!("base = '/app'\n{}{}", route("/chat"), route("/tools/*"));
    tree.file("wsd.toml", &settings);
    let config = tree.path("wsd.toml");
    let server = Server::serve(&["--config", &config, "--route=/own=cat"]);

    for (path, want) in [("/app/chat", "/app/chat||/app/chat"), ("/app/tools/a", "/app/tools|/a|/app/tools/a")] {
        assert_eq!(server.connect(path).line(), want, "{path}");
    }
    server.connect("/app/own");
    for path in ["/chat", "/own", "/app/nothing"] {
        assert_eq!(server.refusal(path, "").status, 404, "{path}");
    }
    server.expect_log("connect to a program: /app/chat, /app/tools, /app/own");

    // A changed base takes effect at once.
    tree.file("wsd.toml", settings.replace("/app", "/new"));
    server.signal(Signal::HUP);
    server.expect_log("settings loaded");
    assert_eq!(server.connect("/new/chat").line(), "/new/chat||/new/chat");
    assert!(!server.log().iter().any(|line| line.contains("settings need a restart")));
}

#[test]
fn a_shared_program_knows_the_base() {
    let tell = r#"while read -r line; do echo "$SCRIPT_NAME|$PATH_INFO"; done"#;
    let cases = [(&["--shared"][..], "/app|"), (&["--shared", "--eager"], "/app|"), (&["--shared=path"], "/app|/a")];
    for (flags, want) in cases {
        let server = Server::shell(&[&["--base=/app"], flags].concat(), tell, &[]);
        let mut session = server.connect("/app/a");

        session.text("tell");

        assert_eq!(session.line(), want, "{flags:?}");
    }
}

#[test]
fn the_start_tells_the_urls_with_the_base() {
    let server = Server::command(&["--base=/app", "--devconsole"], &["cat"]);
    let port = server.address.port();

    let urls = server.output();
    assert!(urls.iter().all(|url| url.ends_with("/app/")) && urls[0] == format!("http://127.0.0.1:{port}/app/"));
    server.expect_log(&format!("server ready url=http://127.0.0.1:{port}/app/"));
    let banner = server.log().join("\n");
    assert!(banner.contains(&format!("  connect  ws://127.0.0.1:{port}/app")), "{banner}");
    assert!(banner.contains("  next     open a URL: the console talks to the programs"), "{banner}");
}

#[test]
fn a_base_that_is_no_path_is_refused() {
    for (base, hint) in [
        ("app", "write --base=/app"),
        ("http://a.example/", "write a path such as --base=/live"),
        ("/a//b", "write a path such as --base=/live"),
        ("/a/../b", "write a path such as --base=/live"),
        ("/a b", "write a path such as --base=/live"),
        ("/a%20b", "write a path such as --base=/live"),
        ("/a/*", "write a path such as --base=/live"),
        ("/a?b", "write a path such as --base=/live"),
        ("/é", "write a path such as --base=/live"),
    ] {
        let outcome = run(&[&format!("--base={base}"), "--check", "cat"]);

        assert_eq!(outcome.status, Some(1), "{base}: {outcome:?}");
        assert!(outcome.stderr.contains(&format!("invalid path `{base}` of --base: ")), "{base}: {outcome:?}");
        assert!(outcome.stderr.contains(hint), "{base}: {outcome:?}");
    }
    for base in ["", "/", "/a", "/a/b/", "/a-b_c.d~e"] {
        let outcome = run(&[&format!("--base={base}"), "--check", "cat"]);
        assert_eq!(outcome.status, Some(0), "{base}: {outcome:?}");
    }
    let tree = Tree::new();
    tree.file("wsd.toml", "# a line\nbase = 'app'\n[[route]]\npath = '/'\ncommand = ['cat']\n");
    let outcome = run(&["--config", &tree.path("wsd.toml"), "--check"]);
    assert!(outcome.stderr.contains("wsd.toml:2: invalid path `app` of `base`"), "{outcome:?}");
    assert!(outcome.stderr.contains("hint: write `base = \"/app\"`"), "{outcome:?}");
}
