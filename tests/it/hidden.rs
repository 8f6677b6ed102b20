//! wsd neither runs nor serves a file that is hidden or outside of the folder, even if links change meanwhile.

use std::fs;

use crate::harness::server::Server;
use crate::harness::tree::Tree;
use crate::harness::turning::Turning;

const PROGRAM: &str = "#!/bin/sh\necho \"ran|$SCRIPT_NAME|$PATH_INFO\"\n";
const SCRIPT: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nran|%s|%s' \"$SCRIPT_NAME\" \"$PATH_INFO\"\n";

/// How often a link that is turned is asked for.
const ASKED: usize = 300;

/// A folder `root` with hidden programs, and others.
fn programs(text: &str) -> Tree {
    let tree = Tree::new();
    for name in [
        "seen",
        "sub/seen",
        ".well-known/tool",
        ".tool",
        ".git/hooks/pre-push",
        "sub/.tool",
        "sub/.venv/bin/tool",
        "sub/.well-known/tool",
        ".well-known/.tool",
        ".well-knownx",
    ] {
        tree.program(&format!("root/{name}"), text);
    }
    tree
}

const HIDDEN: [&str; 14] = [
    "/.tool",
    "/%2etool",
    "/%2Etool",
    "/.tool/",
    "/.tool/more",
    "/.git/hooks/pre-push",
    "/%2egit/hooks/pre-push",
    "/.git%2Fhooks/pre-push",
    "/.git/hooks/pre-push/more",
    "/sub/.tool",
    "/sub/%2evenv/bin/tool",
    "/sub/.well-known/tool",
    "/.well-known/.tool",
    "/.well-knownx",
];

const NOT_HIDDEN: [(&str, &str); 4] = [
    ("/seen", "ran|/seen|"),
    ("/sub/seen", "ran|/sub/seen|"),
    ("/seen/.more/.x", "ran|/seen|/.more/.x"),
    ("/.well-known/tool", "ran|/.well-known/tool|"),
];

#[test]
fn no_hidden_program_of_dir_is_run() {
    let tree = programs(PROGRAM);
    let server = Server::serve(&["--dir", &tree.path("root")]);

    for path in HIDDEN {
        assert_eq!(server.refusal(path, "").status, 404, "{path}");
    }
    for (path, want) in NOT_HIDDEN {
        assert_eq!(server.connect(path).line(), want, "{path}");
    }
}

#[test]
fn no_hidden_script_of_cgidir_is_run() {
    let tree = programs(SCRIPT);
    let server = Server::serve(&["--cgidir", &tree.path("root")]);

    for path in HIDDEN {
        let response = server.get(path, "");
        assert_eq!((response.status, response.text().contains("ran|")), (404, false), "{path}");
    }
    for (path, want) in NOT_HIDDEN {
        assert_eq!(server.get(path, "").text(), want, "{path}");
    }
}

#[test]
fn a_link_does_not_uncover_what_is_hidden() {
    let tree = programs(PROGRAM);
    tree.link("root/link", ".tool").link("root/hooks", ".git/hooks").link("root/absolute", tree.path("root/.tool"));
    tree.file("root/.index.html", "hidden").link("root/index.html", ".index.html");
    let (programs, files) =
        (Server::serve(&["--dir", &tree.path("root")]), Server::serve(&["--staticdir", &tree.path("root")]));

    for path in ["/link", "/hooks/pre-push", "/absolute"] {
        assert_eq!(programs.refusal(path, "").status, 404, "{path}");
        assert_eq!(files.get(path, "").status, 404, "{path}");
    }
    assert!(!files.get("/", "").text().contains("hidden"));
    assert_eq!(programs.connect("/seen").line(), "ran|/seen|");
}

#[test]
fn the_links_of_a_kubernetes_volume_are_followed() {
    let tree = Tree::new();
    tree.program("root/..2026_11_27/tool", PROGRAM).file("root/..2026_11_27/a.txt", "settings");
    tree.link("root/..data", "..2026_11_27").link("root/tool", "..data/tool").link("root/a.txt", "..data/a.txt");
    let (programs, files) =
        (Server::serve(&["--dir", &tree.path("root")]), Server::serve(&["--staticdir", &tree.path("root")]));

    assert_eq!(programs.connect("/tool").line(), "ran|/tool|");
    assert_eq!(files.get("/a.txt", "").text(), "settings");
    for path in ["/..data/tool", "/..data/a.txt", "/..2026_11_27/a.txt"] {
        assert_eq!(programs.refusal(path, "").status, 404, "{path}");
        assert_eq!(files.get(path, "").status, 404, "{path}");
    }
}

/// The answers to many requests for `path`, on one connection.
fn answers(server: &Server, path: &str) -> Vec<String> {
    let mut connection = server.http();
    let ask = |_| {
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
        connection.response("GET").text()
    };
    (0..ASKED).map(ask).collect()
}

/// Asserts that all that was to be had is what it should be, and that there was some of it.
fn assert_only(want: &str, secret: &str, answers: &[String]) {
    let shown = answers.iter().filter(|text| text.contains(secret)).count();
    assert_eq!(shown, 0, "of {}", answers.len());
    assert!(answers.iter().any(|text| text == want), "{want} never came");
}

#[test]
fn a_link_that_is_turned_meanwhile_shows_nothing_outside_or_hidden() {
    let tree = Tree::new();
    tree.file("outside.txt", "secret").file("site/.hidden", "secret").file("site/a.txt", "public");
    let server = Server::serve(&["--staticdir", &tree.path("site")]);
    let _turning = Turning::link(&tree, "site/x", &["../outside.txt", "a.txt", ".hidden", "a.txt"]);

    assert_only("public", "secret", &answers(&server, "/x"));
}

#[test]
fn a_link_that_is_turned_meanwhile_shows_no_script() {
    let tree = Tree::new();
    tree.program("site/cgi/job", "#!/bin/sh\n# secret\n").file("site/a.txt", "public");
    let server = Server::serve(&["--staticdir", &tree.path("site"), "--cgidir", &tree.path("site/cgi")]);
    let _turning = Turning::link(&tree, "site/x", &["cgi/job", "a.txt"]);

    assert_only("public", "secret", &answers(&server, "/x"));
}

#[test]
fn a_folder_and_a_link_that_change_places_meanwhile_show_nothing_outside() {
    let tree = Tree::new();
    tree.file("outside/a.txt", "secret").file("site/sub/a.txt", "public");
    let server = Server::serve(&["--staticdir", &tree.path("site")]);
    let _turning = Turning::folder(&tree, "site/sub", "../outside");

    assert_only("public", "secret", &answers(&server, "/sub/a.txt"));
}

#[test]
fn a_link_that_is_turned_meanwhile_runs_no_program_outside_or_hidden() {
    let tree = Tree::new();
    tree.program("outside", "#!/bin/sh\necho secret\n").program("root/.hidden", "#!/bin/sh\necho secret\n");
    tree.program("root/in", "#!/bin/sh\necho inside\n");
    let server = Server::serve(&["--dir", &tree.path("root")]);
    let turning = Turning::link(&tree, "root/x", &["../outside", "in", ".hidden", "in"]);

    let said = |_| {
        server.try_connect("/x", "").map_or_else(|response| response.status.to_string(), |mut client| client.line())
    };
    let said: Vec<_> = (0..ASKED).map(said).collect();

    drop(turning);
    assert_only("inside", "secret", &said);
}

#[test]
fn a_link_that_is_turned_meanwhile_runs_no_script_outside_or_hidden() {
    let script = |text: &str| format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n{text}'\n");
    let tree = Tree::new();
    tree.program("outside", &script("secret")).program("root/.hidden", &script("secret"));
    tree.program("root/in", &script("inside"));
    let server = Server::serve(&["--cgidir", &tree.path("root")]);
    let _turning = Turning::link(&tree, "root/x", &["../outside", "in", ".hidden", "in"]);

    assert_only("inside", "secret", &answers(&server, "/x"));
}

#[test]
fn a_program_is_told_the_name_of_its_link_and_a_script_runs_by_its_path_without_links() {
    let tree = Tree::new();
    tree.program("root/real/x.sh", "#!/bin/sh\necho \"$0\"\n").link("root/link", "real/x.sh");
    fs::copy("/bin/sleep", tree.path("root/real/sleep")).unwrap();
    tree.link("root/nap", "real/sleep");
    let server = Server::serve(&["--dir", &tree.path("root")]);
    let root = fs::canonicalize(tree.path("root")).unwrap();

    assert_eq!(server.connect("/link").line(), root.join("real/x.sh").to_str().unwrap());
    // It complains that it has no operand, under its own name.
    server.connect("/nap").expect_close();
    let line = server.expect_log("worker stderr").text;
    assert!(line.contains("nap"), "{line}");
}
