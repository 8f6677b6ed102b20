//! `--chdir` and `--env`: the folder and the variables of programs.

use std::process::Command;

use crate::harness::server::{Server, run, wsd};
use crate::harness::tree::Tree;

/// The command `wsd`, started in this tree, with a free port.
fn in_tree(tree: &Tree, arguments: &[&str]) -> Command {
    let mut command = wsd(&[&["--port=0"], arguments].concat());
    command.current_dir(tree.path(""));
    command
}

#[test]
fn a_program_starts_in_the_folder_of_chdir_and_is_found_from_that_of_the_server() {
    let tree = Tree::new();
    tree.directory("sub").program("where", "#!/bin/sh\npwd\n").program("dir/where", "#!/bin/sh\npwd\n");
    tree.program("cgi/where", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; pwd\n");
    let folder = std::fs::canonicalize(tree.path("sub")).unwrap();
    let folder = folder.to_str().unwrap();
    let table: [(&[&str], &str); 4] = [
        (&["--chdir=sub", "./where"], "/"),
        (&["--chdir", folder, "./where"], "/"),
        (&["--chdir=sub", "--shared", "./where"], "/"),
        (&["--chdir=sub", "--dir=dir"], "/where"),
    ];
    for (arguments, path) in table {
        let server = Server::spawn(in_tree(&tree, arguments));
        assert_eq!(server.connect(path).line(), folder, "{arguments:?}");
    }
    let server = Server::spawn(in_tree(&tree, &["--chdir=sub", "--cgidir=cgi"]));
    assert_eq!(server.get("/where", "").text(), format!("{folder}\n"));
}

#[test]
fn a_folder_that_programs_cannot_start_in_is_refused_at_the_start_and_named_later() {
    let tree = Tree::new();
    tree.directory("sub").file("file", "");
    let table = [("none", "No such file or directory"), ("file", "it is no folder")];
    for (name, cause) in table {
        let path = tree.path(name);
        let outcome = run(&["--check", "--chdir", &path, "cat"]);

        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        let message = format!("wsd: cannot start programs in the folder `{path}` of --chdir: {cause}");
        assert!(outcome.stderr.starts_with(&message), "{outcome:?}");
    }
    let server = Server::command(&["--chdir", &tree.path("sub")], &["cat"]);
    std::fs::remove_dir(tree.path("sub")).unwrap();

    assert_eq!(server.refusal("/", "").status, 500);

    server.expect_log("of --chdir is gone");
}

#[test]
fn variables_of_env_reach_programs_before_those_of_passenv() {
    let tree = Tree::new();
    tree.program("cgi/show", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; echo \"$A|$B|$C\"\n");
    let route = "[[route]]\npath = '/'\ncgidir = 'cgi'\ncommand = ['sh', '-c', 'echo \"$A|$B|$C\"; cat']\n";
    let route = route.replace("'cgi'", &format!("'{}'", tree.path("cgi")));
    let keys = [
        "env = ['A=1', 'B=x=y, z', 'C=']",
        "env = { A = 1, B = 'x=y, z', C = '' }",
        "passenv = 'B,C'\n[route.env]\nA = '1'\nB = 'x=y, z'\nC = ''",
    ];
    for keys in keys {
        tree.file("wsd.toml", format!("{route}{keys}\n"));
        let mut command = in_tree(&tree, &["--config=wsd.toml"]);
        command.env("B", "of the server").env("C", "of the server");
        let server = Server::spawn(command);

        assert_eq!(server.connect("/").line(), "1|x=y, z|", "{keys}");
        assert_eq!(server.get("/show", "").text(), "1|x=y, z|\n", "{keys}");
    }
    let flags = ["--env", "A=1", "--env=A=2", "-env=B=3", "--shared"];
    let server = Server::shell(&flags, "echo \"$A|$B|$C\"; cat", &[]);
    assert_eq!(server.connect("/").line(), "2|3|");
}

#[test]
fn a_variable_of_env_is_no_fact_about_a_client() {
    let flags = ["--framing=json", "--env=SECRET=hidden"];
    let server =
        Server::shell(&flags, "read -r line; case $line in *SECRET*) exit 3;; *REMOTE_ADDR*) exit 4;; esac", &[]);

    assert_eq!(server.connect("/").expect_close().code, Some(4004));
}

#[test]
fn a_variable_that_no_program_may_get_is_refused() {
    let table = [
        ("A", "invalid variable `A` in --env: there is no `=`"),
        ("1A=b", "invalid variable `1A=b` in --env: `1A` is not a name"),
        ("=b", "invalid variable `=b` in --env: `` is not a name"),
        ("A-B=c", "invalid variable `A-B=c` in --env: `A-B` is not a name"),
        ("REMOTE_USER=ada", "cannot set `REMOTE_USER` with --env: wsd sets it from the request"),
        ("HTTP_COOKIE=a", "cannot set `HTTP_COOKIE` with --env: wsd sets it from the request"),
        ("UNIQUE_ID=1", "cannot set `UNIQUE_ID` with --env: wsd sets it from the request"),
        ("HTTPS=on", "cannot set `HTTPS` with --env: wsd sets it from the request"),
    ];
    for (variable, message) in table {
        let outcome = run(&["--check", "--env", variable, "cat"]);

        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.starts_with(&format!("wsd: {message}\nhint: ")), "{outcome:?}");
    }
}
