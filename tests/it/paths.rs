//! Paths with `.`, `..` or an empty part in them lead nowhere, whatever is served.

use crate::harness::server::Server;
use crate::harness::tree::Tree;

/// The ends that make a path unclean, after `/a`.
const UNCLEAN: [&str; 10] =
    ["//", "//b.txt", "/./b.txt", "/../a/b.txt", "/..", "/%2e%2e/b", "/.%2E", "%2F%2Fb.txt", "/x%2f..%2fb.txt", "/%2e"];

/// A script that tells how the path was shared out.
const SCRIPT: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s|%s' \"$SCRIPT_NAME\" \"$PATH_INFO\"\n";

#[test]
fn a_websocket_at_an_unclean_path_is_a_404() {
    let tree = Tree::new();
    tree.program("dir/a", SCRIPT);
    let servers = [
        Server::command(&[], &["cat"]),
        Server::serve(&["--dir", &tree.path("dir")]),
        Server::serve(&["--route=/a/*=cat"]),
        Server::command(&["--shared=path"], &["cat"]),
    ];
    for server in &servers {
        for rest in UNCLEAN {
            let response = server.refusal(&format!("/a{rest}"), "");

            assert_eq!(response.status, 404, "/a{rest}:\n{response}");
        }
        server.connect("/a/");
    }
}

#[test]
fn a_request_for_an_unclean_path_is_a_404() {
    let tree = Tree::new();
    tree.program("cgi/a", SCRIPT).file("site/a/b.txt", "a file").file("site/b", "").file("site/index.html", "");
    let (cgi, site) = (tree.path("cgi"), tree.path("site"));
    let table = [
        (Server::serve(&["--cgidir", &cgi]), "/a/b.txt", "/a|/b.txt"),
        (Server::serve(&["--staticdir", &site]), "/a/b.txt", "a file"),
        (Server::serve(&["--cgidir", &cgi, "--staticdir", &site, "--devconsole"]), "/a/", "/a|/"),
    ];
    for (server, clean, want) in table {
        for rest in UNCLEAN {
            let response = server.get(&format!("/a{rest}"), "");

            assert_eq!(response.status, 404, "/a{rest}:\n{response}");
        }
        assert_eq!(server.get(clean, "").text(), want);
    }
}

#[test]
fn a_script_that_points_to_an_unclean_path_is_a_404() {
    let tree = Tree::new();
    tree.file("site/a/b.txt", "a file");
    tree.program("cgi/there", "#!/bin/sh\nprintf 'Location: %s\\n\\n' \"$QUERY_STRING\"\n");
    let server = Server::serve(&["--cgidir", &tree.path("cgi"), "--staticdir", &tree.path("site")]);

    for rest in UNCLEAN {
        let response = server.get(&format!("/there?/a{rest}"), "");

        assert_eq!(response.status, 404, "/a{rest}:\n{response}");
    }
    assert_eq!(server.get("/there?/a/b.txt", "").text(), "a file");
}

#[test]
fn a_target_without_a_path_is_a_400() {
    let tree = Tree::new();
    tree.program("cgi/a", SCRIPT).file("site/index.html", "index");
    let servers = [
        Server::command(&[], &["cat"]),
        Server::serve(&["--staticdir", &tree.path("site")]),
        Server::serve(&["--cgidir", &tree.path("cgi")]),
    ];
    for server in &servers {
        for target in ["GET evil:443", "GET evil", "CONNECT evil:443"] {
            let response =
                server.request(&format!("{target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));

            assert_eq!(response.status, 400, "{target}:\n{response}");
            assert!(response.text().contains("has no path"), "{target}:\n{response}");
        }
    }
}
