//! `--cgidir`: which path means which script, and that the source of a script is never served.

use crate::harness::http::Response;
use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;

/// A script that runs, and what stands in its source and in no answer of it.
const SCRIPT: &str =
    "#!/bin/sh\n# the source\nprintf 'Content-Type: text/plain\\n\\nit ran: %s|%s' \"$SCRIPT_NAME\" \"$PATH_INFO\"\n";

/// Asks for a target as it is written, dots and all.
fn get(server: &Server, target: &str) -> Response {
    server.request(&format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host()))
}

fn assert_no_source(response: &Response, path: &str) {
    assert!(!response.text().contains("the source"), "{path}:\n{response}");
}

/// A site with its scripts in the folder `cgi-bin`.
fn nested() -> (Tree, Server) {
    let tree = Tree::new();
    tree.program("site/cgi-bin/x.sh", SCRIPT)
        .program("site/cgi-bin/sub/y.sh", SCRIPT)
        .file("site/cgi-bin/plain.sh", SCRIPT)
        .file("site/cgi-bin/x.sh.gz", "the source, packed")
        .file("site/index.html", "the page")
        .file("site/a.txt", "a file");
    tree.link("site/scripts", "cgi-bin").link("site/link.sh", "cgi-bin/x.sh");
    let server = Server::serve(&["--staticdir", &tree.path("site"), "--cgidir", &tree.path("site/cgi-bin")]);
    (tree, server)
}

#[test]
fn scripts_within_the_site_run_at_both_their_urls() {
    let (_tree, server) = nested();
    let table = [
        ("/x.sh", "it ran: /x.sh|"),
        ("/cgi-bin/x.sh", "it ran: /cgi-bin/x.sh|"),
        ("/cgi-bin/x.sh/info", "it ran: /cgi-bin/x.sh|/info"),
        ("/cgi%2Dbin/%78.sh", "it ran: /cgi-bin/x.sh|"),
        ("/sub/y.sh", "it ran: /sub/y.sh|"),
        ("/cgi-bin/sub/y.sh/a/b", "it ran: /cgi-bin/sub/y.sh|/a/b"),
        ("/", "the page"),
        ("/a.txt", "a file"),
    ];
    for (path, want) in table {
        assert_eq!(server.get(path, "").text(), want, "{path}");
    }
}

#[test]
fn the_source_of_a_script_is_never_served() {
    let (_tree, server) = nested();
    for path in [
        "/cgi-bin/plain.sh",
        "/plain.sh",
        "/cgi-bin/x.sh.gz",
        "/x.sh.gz",
        "/cgi-bin//x.sh",
        "//cgi-bin/x.sh",
        "/./cgi-bin/x.sh",
        "/cgi-bin/./x.sh",
        "/cgi-bin/../cgi-bin/x.sh",
        "/a/../cgi-bin/x.sh",
        "/cgi-bin/x.sh%00",
        "/cgi-bin/x.sh%00.txt",
        "/cgi-bin%2Fx.sh",
        "/cgi-bin%5Cx.sh",
        "/CGI-BIN/x.sh",
        "/cgi-bin/x.sh.",
        "/cgi-bin/x.sh;a",
        "/cgi-bin/x.sh/",
        "/cgi-bin/",
        "/cgi-bin",
        "/scripts/x.sh",
        "/scripts/plain.sh",
        "/scripts/",
        "/link.sh",
        "/x.sh/../plain.sh",
    ] {
        let response = get(&server, path);
        assert_no_source(&response, path);
        for headers in ["Accept-Encoding: gzip\r\n", "Range: bytes=0-30\r\n"] {
            assert_no_source(&server.get(path, headers), path);
        }
        let head = format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_ne!(server.request(&head).header("content-length"), Some(&*SCRIPT.len().to_string()), "{path}");
    }
}

#[test]
fn a_site_within_the_scripts_is_exit_1() {
    // All its files would be scripts.
    let tree = Tree::new();
    tree.directory("cgi/site");
    for site in [tree.path("cgi/site"), tree.path("cgi"), tree.path("cgi/site/..")] {
        let outcome = run(&["--port=0", "--cgidir", &tree.path("cgi"), "--staticdir", &site]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{site}: {outcome:?}");
        assert!(outcome.stderr.contains("--staticdir") && outcome.stderr.contains("--cgidir"), "{site}: {outcome:?}");
    }
}

#[test]
fn a_folder_that_is_none_is_exit_1() {
    let tree = Tree::new();
    tree.file("file", "");
    for path in [tree.path("file"), tree.path("nothing"), String::new()] {
        let outcome = run(&["--port=0", "--cgidir", &path]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{path}: {outcome:?}");
        assert!(outcome.stderr.contains("--cgidir") && outcome.stderr.contains(&path), "{path}: {outcome:?}");
    }
}

#[test]
fn a_path_without_a_script_is_a_404() {
    let tree = Tree::new();
    tree.program("cgi/x.sh", SCRIPT).program("cgi/sub/y.sh", SCRIPT);
    let server = Server::serve(&["--cgidir", &tree.path("cgi")]);

    for path in
        ["/nothing", "/X.sh", "/x", "/sub", "/sub/", "/sub/x.sh", "//x.sh", "/sub//y.sh", "/./x.sh", "/%2e/x.sh"]
    {
        let response = get(&server, path);

        assert_eq!(response.status, 404, "{path}:\n{response}");
        assert!(!response.body.is_empty(), "{path}");
    }
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let tree = Tree::new();
    tree.program("outside.sh", SCRIPT).program("cgi/x.sh", SCRIPT).program("cgi/real/y.sh", SCRIPT);
    tree.link("cgi/out.sh", tree.path("outside.sh")).link("cgi/up.sh", "../outside.sh").link("cgi/up", "..");
    tree.link("cgi/in.sh", "x.sh").link("cgi/in", "real").link("cgi/loop.sh", "loop.sh").link("cgi/gone.sh", "nothing");
    let server = Server::serve(&["--cgidir", &tree.path("cgi")]);

    for path in [
        "/out.sh",
        "/up.sh",
        "/up/outside.sh",
        "/up/cgi/../outside.sh",
        "/../outside.sh",
        "/%2e%2e/outside.sh",
        "/..%2foutside.sh",
        "/real/../../outside.sh",
        "/%252e%252e/outside.sh",
        "/loop.sh",
        "/gone.sh",
        "/%2fbin%2fsh",
        "//bin/sh",
    ] {
        let response = get(&server, path);

        assert_eq!(response.status, 404, "{path}:\n{response}");
    }
    // Links within are followed, and keep their names.
    assert_eq!(server.get("/in.sh", "").text(), "it ran: /in.sh|");
    assert_eq!(server.get("/in/y.sh/info", "").text(), "it ran: /in/y.sh|/info");
}

#[test]
fn a_nul_in_a_path_is_no_script() {
    let tree = Tree::new();
    tree.program("cgi/x.sh", SCRIPT);
    let server = Server::serve(&["--cgidir", &tree.path("cgi")]);

    for path in ["/x.sh%00", "/x.sh%00.txt", "/%00x.sh", "/%00/x.sh", "/x.sh/%00", "/x.sh/a%00b"] {
        assert_eq!(server.get(path, "").status, 404, "{path}");
    }
}

#[test]
fn only_a_file_is_a_script() {
    let tree = Tree::new();
    tree.program("cgi/x.sh", SCRIPT).pipe("cgi/pipe");
    let server = Server::serve(&["--cgidir", &tree.path("cgi")]);

    assert_eq!(server.get("/pipe", "").status, 404);
    assert_eq!(server.get("/pipe/x", "").status, 404);
}

#[test]
fn a_script_comes_before_a_file_and_after_a_websocket() {
    let tree = Tree::new();
    tree.program("cgi/same", SCRIPT).file("site/same", "the file").file("site/other", "the other file");
    let (site, cgi) = (tree.path("site"), tree.path("cgi"));
    let server = Server::command(&["--staticdir", &site, "--cgidir", &cgi], &["echo", "the program"]);

    assert_eq!(server.get("/same", "").text(), "it ran: /same|");
    assert_eq!(server.get("/other", "").text(), "the other file");
    assert_eq!(server.connect("/same").line(), "the program");
}

#[test]
fn without_programs_an_upgrade_is_a_request_like_any_other() {
    let tree = Tree::new();
    tree.program("cgi/x.sh", SCRIPT);
    let server = Server::serve(&["--cgidir", &tree.path("cgi")]);

    let response = server.refusal("/x.sh", "");

    assert_eq!((response.status, response.text().as_str()), (200, "it ran: /x.sh|"), "{response}");
}

#[test]
fn a_new_script_is_found_and_an_old_one_forgotten() {
    let tree = Tree::new();
    tree.directory("cgi");
    let server = Server::serve(&["--cgidir", &tree.path("cgi")]);
    assert_eq!(server.get("/x.sh", "").status, 404);

    tree.program("cgi/x.sh", SCRIPT);
    assert_eq!(server.get("/x.sh", "").status, 200);

    tree.remove("cgi/x.sh");
    assert_eq!(server.get("/x.sh", "").status, 404);
}
