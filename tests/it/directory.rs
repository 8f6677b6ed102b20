//! `--dir`: the URL path picks the program.

use crate::harness::server::Server;
use crate::harness::tree::Tree;

/// A program that says what it was told of its path, and how many arguments it got.
const TELL: &str = "#!/bin/sh\necho \"$SCRIPT_NAME|$PATH_INFO|$#\"\n";

#[test]
fn the_first_file_on_the_path_is_the_program() {
    let tree = Tree::new();
    tree.program("ok.sh", TELL).program("sub/x.sh", TELL).program("sub/deep/y.sh", TELL).program("with space.sh", TELL);
    tree.program("é.sh", TELL).program("ok.sh.bak", TELL);
    let server = Server::serve(&["--dir", &tree.path("")]);
    let table = [
        ("/ok.sh", "/ok.sh||0"),
        ("/ok.sh?query", "/ok.sh||0"),
        ("/ok.sh/", "/ok.sh|/|0"),
        ("/ok.sh/a/b", "/ok.sh|/a/b|0"),
        ("/ok.sh/a%20b%2Fc", "/ok.sh|/a b/c|0"),
        ("/sub/x.sh", "/sub/x.sh||0"),
        ("/sub%2Fx.sh", "/sub/x.sh||0"),
        ("/sub/x.sh/info", "/sub/x.sh|/info|0"),
        ("/sub/deep/y.sh", "/sub/deep/y.sh||0"),
        ("/with%20space.sh", "/with space.sh||0"),
        ("/%C3%A9.sh", "/é.sh||0"),
        ("/%6fk.sh", "/ok.sh||0"),
    ];
    for (path, want) in table {
        assert_eq!(server.connect(path).line(), want, "{path}");
    }
}

#[test]
fn a_path_without_a_program_is_a_404() {
    let tree = Tree::new();
    tree.program("ok.sh", TELL).program("sub/x.sh", TELL);
    let server = Server::serve(&["--dir", &tree.path("")]);

    for path in [
        "/",
        "/nothing",
        "/sub",
        "/sub/",
        "/sub/nothing",
        "/OK.sh",
        "/ok",
        "/ok.sh%00",
        "/%00",
        "/sub%00/x.sh",
        "/ok.sh/%00",
    ] {
        let response = server.refusal(path, "");

        assert_eq!(response.status, 404, "{path}:\n{response}");
        assert!(!response.body.is_empty(), "{path}");
    }
}

#[test]
fn no_path_leads_out_of_the_directory() {
    let tree = Tree::new();
    tree.program("outside.sh", "#!/bin/sh\necho outside\n").program("root/ok.sh", TELL).directory("root/sub");
    let server = Server::serve(&["--dir", &tree.path("root")]);

    for path in [
        "/../outside.sh",
        "/%2e%2e/outside.sh",
        "/..%2foutside.sh",
        "/%2e%2e%2foutside.sh",
        "/sub/../../outside.sh",
        "/sub/%2e%2e/%2e%2e/outside.sh",
        "/..%5coutside.sh",
        "/%252e%252e/outside.sh",
        "/.../outside.sh",
        "/%c0%ae%c0%ae/outside.sh",
        "//outside.sh",
        &tree.path("outside.sh"),
        &format!("/{}", tree.path("outside.sh")),
    ] {
        if let Ok(mut client) = server.try_connect(path, "") {
            panic!("{path} started a program: {}", client.line());
        }
    }
    assert_eq!(server.connect("/ok.sh").line(), "/ok.sh||0");
}

#[test]
fn links_are_followed_inside_the_directory_only() {
    let tree = Tree::new();
    tree.program("outside/x.sh", TELL).program("root/real/x.sh", TELL);
    tree.link("root/link.sh", "real/x.sh").link("root/linked", "real");
    tree.link("root/out.sh", tree.path("outside/x.sh"))
        .link("root/up.sh", "../outside/x.sh")
        .link("root/out", "../outside");
    tree.link("root/loop.sh", "loop.sh").link("root/dangling.sh", "nothing.sh");
    let server = Server::serve(&["--dir", &tree.path("root")]);

    // A program runs under the name of the link that led to it.
    assert_eq!(server.connect("/link.sh").line(), "/link.sh||0");
    assert_eq!(server.connect("/linked/x.sh/info").line(), "/linked/x.sh|/info|0");
    for path in ["/out.sh", "/up.sh", "/out/x.sh", "/loop.sh", "/dangling.sh"] {
        assert_eq!(server.refusal(path, "").status, 404, "{path}");
    }
}

#[test]
fn only_a_file_is_a_program() {
    let tree = Tree::new();
    tree.pipe("pipe").link("device", "/dev/zero");
    let server = Server::serve(&["--dir", &tree.path("")]);

    for path in ["/pipe", "/device"] {
        let status = server.refusal(path, "").status;
        assert!(status == 404 || status == 500, "{path}: {status}");
    }
}

#[test]
fn the_directory_itself_may_be_reached_by_a_link_and_by_a_relative_path() {
    let tree = Tree::new();
    tree.program("real/ok.sh", TELL).link("link", "real");
    for (directory, here) in
        [(tree.path("link"), "/"), ("link".to_owned(), &*tree.path("")), (".".to_owned(), &*tree.path("real"))]
    {
        let mut command = crate::harness::server::wsd(&["--port=0", "--dir", &directory]);
        command.current_dir(here);

        assert_eq!(Server::spawn(command).connect("/ok.sh").line(), "/ok.sh||0", "{directory} in {here}");
    }
}

#[test]
fn a_program_gets_its_absolute_path_as_its_name() {
    let tree = Tree::new();
    tree.program("ok.sh", "#!/bin/sh\necho \"$0\"\n");
    let server = Server::serve(&["--dir", &tree.path("")]);

    let name = server.connect("/ok.sh/info").line();

    assert_eq!(std::fs::canonicalize(name).unwrap(), std::fs::canonicalize(tree.path("ok.sh")).unwrap());
}

#[test]
fn a_program_runs_in_the_directory_of_the_server_not_in_its_own() {
    let tree = Tree::new();
    tree.program("sub/x.sh", "#!/bin/sh\npwd -P\n");
    let server = Server::serve(&["--dir", &tree.path("")]);

    let here = std::env::current_dir().unwrap().canonicalize().unwrap();
    assert_eq!(server.connect("/sub/x.sh").line(), here.to_str().unwrap());
}

#[test]
fn a_program_that_was_added_later_is_found() {
    let tree = Tree::new();
    let server = Server::serve(&["--dir", &tree.path("")]);
    assert_eq!(server.refusal("/new.sh", "").status, 404);

    tree.program("new.sh", TELL);

    assert_eq!(server.connect("/new.sh").line(), "/new.sh||0");
}

#[test]
fn no_source_is_shown_to_a_browser() {
    let tree = Tree::new();
    tree.program("ok.sh", TELL);
    let server = Server::serve(&["--dir", &tree.path("")]);

    let response = server.get("/ok.sh", "");

    assert_eq!(response.status, 426);
    assert!(!response.text().contains("SCRIPT_NAME"), "{response}");
}

#[test]
fn one_command_serves_every_path() {
    let server = Server::shell(&[], "echo \"$SCRIPT_NAME|$PATH_INFO\"", &[]);

    for (path, want) in [("/", "/|/"), ("/any/path", "/|/any/path"), ("/a%20b%2Fc", "/|/a b/c"), ("/?query", "/|/")] {
        assert_eq!(server.connect(path).line(), want, "{path}");
    }
}
