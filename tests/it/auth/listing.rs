//! The lists of paths: the first page, the console's list, and the help at a program name nothing that is not for the client.

use crate::harness::server::Server;
use crate::harness::tree::Tree;

use super::kit::{Credential, TOKEN, secret};

/// The programs of the routes, by their paths.
const PATHS: [&str; 6] = ["/open", "/one", "/same", "/two", "/asked", "/afar"];

/// Starts a server with a route for each of [`PATHS`]: open, with the token of `ci` (two), with another token, with a script that
/// admits everybody, and for other addresses. `top` is for all other paths.
fn start(tree: &Tree, top: &str, command: &[&str]) -> Server {
    let token = |name: &str, token: &str| format!("bearer:{}", secret(tree, name, &format!("ci:{token}\n")));
    let (one, two) = (token("one", TOKEN), token("two", "an0ther-token"));
    tree.program("check", "#!/bin/sh\necho 'Status: 204'; echo 'Remote-User: ada'; echo\n");
    let asked = format!("command:{}", tree.path("check"));
    let auth = |kind: &str| format!("auth = '{kind}'");
    let own = [
        "auth = 'none'".to_owned(),
        auth(&one),
        auth(&one),
        auth(&two),
        auth(&asked),
        "allow = '10.0.0.0/8'\nauth = 'none'".to_owned(),
    ];
    let route = |(path, own)| format!("[[route]]\npath = '{path}'\ncommand = ['cat']\n{own}\n");
    let routes = PATHS.iter().zip(own).map(route).collect::<Vec<_>>().concat();
    let top = top.replace("ONE", &one).replace("ASKED", &asked);
    tree.file("wsd.toml", format!("devconsole = true\n{top}\n{routes}"));
    Server::command(&["--config", &tree.path("wsd.toml")], command)
}

/// Returns those of [`PATHS`] that a text names.
fn named(text: &str) -> Vec<&'static str> {
    let is_named =
        |path: &&str| text.contains(&format!("<code>{path}</code>")) || text.contains(&format!("\"{path}\""));
    PATHS.into_iter().filter(is_named).collect()
}

#[test]
fn the_lists_name_only_what_is_for_the_client() {
    let right = Credential::Token(TOKEN.to_owned()).header();
    let table: [(&str, &str, &[&str]); 5] = [
        ("", "", &["/open"]),
        // Where nothing is asked for, nothing is proved.
        ("", &right, &["/open"]),
        ("auth = 'ONE'", &right, &["/open", "/one", "/same"]),
        ("auth = 'ONE'\nauth-for = 'ws'", &right, &["/open"]),
        // The script may admit a client to one path and not to another one.
        ("auth = 'ASKED'", "", &["/open"]),
    ];
    for (top, headers, want) in table {
        let tree = Tree::new();
        let server = start(&tree, top, &[]);

        let list = server.get("/.wsd/paths.json", headers);

        assert_eq!((list.status, named(&list.text())), (200, want.to_vec()), "{top}: {list}");
        tree.file("wsd.toml", String::from_utf8(tree.read("wsd.toml")).unwrap().replace("devconsole = true", ""));
        let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
        let page = server.get("/", headers);
        assert_eq!((page.status, named(&page.text())), (200, want.to_vec()), "{top}: {page}");
    }
}

#[test]
fn the_help_at_a_program_names_it_to_its_client_and_no_other_program() {
    let tree = Tree::new();
    let server = start(&tree, "", &[]);
    tree.file("wsd.toml", String::from_utf8(tree.read("wsd.toml")).unwrap().replace("devconsole = true", ""));
    drop(server);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let right = Credential::Token(TOKEN.to_owned()).header();

    let (with, without) = (server.get("/one", &right), server.get("/one", ""));

    assert_eq!((with.status, named(&with.text())), (426, vec!["/open", "/one", "/same"]), "{with}");
    assert_eq!((without.status, named(&without.text())), (401, vec![]), "{without}");
    let asked = server.get("/asked", "");
    assert_eq!((asked.status, named(&asked.text())), (426, vec!["/open", "/asked"]), "{asked}");
}

#[test]
fn a_stranger_learns_neither_the_program_of_all_paths_nor_its_name() {
    let tree = Tree::new();
    let server = Server::command(&[&super::kit::tokens(&tree), "--auth-for=ws"], &["cat"]);

    let page = server.get("/", "");

    assert!(page.status == 200 && !page.text().contains("cat"), "{page}");
    assert!(page.text().contains("It names a program that is not for everybody only"), "{page}");
}
