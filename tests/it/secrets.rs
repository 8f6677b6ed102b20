//! No file of settings or secrets that flags name is served, nor a script that COMMAND names, and the start warns of it.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;
use rustls::version::TLS13;

use crate::harness::certificates::Authority;
use crate::harness::http::{Connection, Response};
use crate::harness::server::{Server, field, wsd};
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::turning::Turning;

/// In every file that is not to be served.
const SECRET: &str = "the secret";

/// A folder `site` with a file that is served.
fn site() -> Tree {
    let tree = Tree::new();
    tree.file("site/a.txt", "public");
    tree
}

/// A server that was started in the folder that holds `site`.
fn serve(tree: &Tree, words: &[&str]) -> Server {
    let mut command = wsd(&[&["--port=0", "--staticdir=site"], words].concat());
    command.current_dir(tree.path(""));
    Server::spawn(command)
}

/// Gives the file `site/NAME` more names, and returns ways to ask for it.
fn spellings(tree: &Tree, name: &str) -> Vec<String> {
    tree.link(&format!("site/soft-{name}"), name)
        .link(&format!("site/absolute-{name}"), tree.path(&format!("site/{name}")));
    fs::hard_link(tree.path(&format!("site/{name}")), tree.path(&format!("site/hard-{name}"))).unwrap();
    if !tree.holds("site/again") {
        tree.link("site/again", ".");
    }
    let (first, rest) = name.split_at(1);
    vec![
        format!("/{name}"),
        format!("/{name}?x=1"),
        format!("/./{name}"),
        format!("//{name}"),
        format!("/again/../{name}"),
        format!("/%{:02x}{rest}", first.as_bytes()[0]),
        format!("/{}", name.replace('.', "%2E")),
        format!("/{}", name.to_uppercase()),
        format!("/soft-{name}"),
        format!("/absolute-{name}"),
        format!("/hard-{name}"),
        format!("/again/{name}"),
        format!("/again/again/hard-{name}"),
    ]
}

/// Asserts that `get` gets the file `site/NAME` under no name, and another file.
fn assert_secret(tree: &Tree, name: &str, get: impl Fn(&str, &str) -> Response) {
    for path in spellings(tree, name) {
        for headers in ["", "Range: bytes=0-5\r\n", "If-None-Match: *\r\n"] {
            let response = get(&path, headers);
            assert_eq!(response.status, 404, "{path} {headers}:\n{response}");
        }
    }
    assert_eq!(get("/a.txt", "").text(), "public");
}

#[test]
fn the_private_key_is_not_served_under_any_name() {
    let (tree, authority) = (site(), Authority::new());
    let identity = authority.identity("server");
    tree.file("site/cert.pem", &identity.certificate).file("site/key.pem", &identity.key);
    let server = serve(&tree, &["--ssl", "--sslcert=site/cert.pem", "--sslkey=site/key.pem", "cat"]);
    let config = authority.client(&[&TLS13], None);
    let get = |path: &str, headers: &str| {
        let mut connection = Connection::over(Stream::tcp(server.address).unwrap().secure(&config).unwrap());
        let host = format!("localhost:{}", server.address.port());
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"));
        connection.response("GET")
    };

    assert_secret(&tree, "key.pem", get);
    assert_eq!(get("/cert.pem", "").text(), identity.certificate);

    // A new key comes as a new file. The old one has other names still.
    tree.file("site/key.new", authority.identity("server").key);
    fs::rename(tree.path("site/key.new"), tree.path("site/key.pem")).unwrap();
    server.signal(Signal::HUP);
    server.expect_log("certificates not loaded");
    for path in ["/key.pem", "/soft-key.pem", "/hard-key.pem"] {
        assert_eq!(get(path, "").status, 404, "{path}");
    }
}

#[test]
fn the_file_of_settings_is_not_served_by_any_route() {
    let tree = site();
    tree.file(
        "site/wsd.toml",
        format!("staticdir = \"site\"\nheader = [\"X-Token: {SECRET}\"]\n[[route]]\npath = \"/more/*\"\nstaticdir = \"site\"\n"),
    );
    let server = serve(&tree, &["--config=site/wsd.toml"]);

    assert_secret(&tree, "wsd.toml", |path, headers| server.get(path, headers));
    assert_eq!(server.get("/more/wsd.toml", "").status, 404);
    assert_eq!(server.get("/more/a.txt", "").text(), "public");

    // An editor puts a new file in its place.
    tree.file("site/wsd.new", tree.read("site/wsd.toml"));
    fs::rename(tree.path("site/wsd.new"), tree.path("site/wsd.toml")).unwrap();
    for path in ["/wsd.toml", "/hard-wsd.toml"] {
        assert_eq!(server.get(path, "").status, 404, "{path}, before it is loaded");
    }
    server.signal(Signal::HUP);
    server.expect_log("settings loaded");
    for path in ["/wsd.toml", "/hard-wsd.toml"] {
        assert_eq!(server.get(path, "").status, 404, "{path}, once it is loaded");
    }
}

#[test]
fn a_script_that_is_an_argument_of_command_is_not_served() {
    let script = format!("# {SECRET}\nread -r line\necho \"$line\"\n");
    for argument in ["site/server.sh", "./site/../site/server.sh", "ABSOLUTE"] {
        let tree = site();
        tree.file("site/server.sh", &script);
        let absolute = tree.path("site/server.sh");
        let argument = if argument == "ABSOLUTE" { &absolute } else { argument };
        let server = serve(&tree, &["sh", argument]);

        assert_secret(&tree, "server.sh", |path, headers| server.get(path, headers));
        let mut client = server.connect("/");
        client.text("it runs");
        assert_eq!(client.line(), "it runs", "{argument}");
    }
}

#[test]
fn a_file_that_an_argument_names_behind_its_own_flag_is_not_served() {
    let tree = site();
    tree.file("site/settings.ini", SECRET);
    let server = serve(&tree, &["sh", "-c", "cat", "sh", "--settings=site/settings.ini"]);

    assert_secret(&tree, "settings.ini", |path, headers| server.get(path, headers));
}

#[test]
fn a_file_that_is_attached_to_a_short_option_is_not_served() {
    for argument in ["-fsite/counter.awk", "-asite/counter.awk", "-f=site/counter.awk"] {
        let tree = site();
        tree.file("site/counter.awk", SECRET);
        let server = serve(&tree, &["sh", "-c", "cat", "sh", argument]);

        assert_secret(&tree, "counter.awk", |path, headers| server.get(path, headers));
        let line = server.expect_log("file not served file=site/counter.awk ").text;
        assert_eq!(field(&line, "named").as_deref(), Some("COMMAND"), "{argument}");
    }
}

#[test]
fn the_scripts_of_one_route_are_not_among_the_files_of_another() {
    let tree = site();
    tree.file("site/server.sh", SECRET);
    let server = serve(&tree, &["--route=/ws=sh site/server.sh"]);

    assert_secret(&tree, "server.sh", |path, headers| server.get(path, headers));
}

#[test]
fn a_folder_that_is_an_argument_is_served_on() {
    let tree = site();
    tree.file("site/index.html", "the page").file("site/sub/index.html", "another page");
    let server = serve(&tree, &["ls", "site", "--sub=site/sub"]);

    assert_eq!(server.get("/", "").text(), "the page");
    assert_eq!(server.get("/sub/", "").text(), "another page");
}

#[test]
fn a_new_argument_is_not_served_once_the_settings_are_loaded_and_the_old_one_is() {
    let tree = site();
    let settings =
        |script: &str| format!("staticdir = \"site\"\n[[route]]\npath = \"/ws\"\ncommand = [\"sh\", \"{script}\"]\n");
    tree.file("site/old.sh", "old").file("site/new.sh", "new").file("wsd.toml", settings("site/old.sh"));
    let server = serve(&tree, &["--config=wsd.toml"]);
    assert_eq!((server.get("/old.sh", "").status, server.get("/new.sh", "").status), (404, 200));

    tree.file("wsd.toml", settings("site/new.sh"));
    server.signal(Signal::HUP);
    server.expect_log("settings loaded");

    assert_eq!((server.get("/old.sh", "").status, server.get("/new.sh", "").status), (200, 404));
}

#[test]
fn a_link_turned_to_a_secret_meanwhile_does_not_show_it() {
    let tree = site();
    tree.file("site/server.sh", SECRET);
    symlink("a.txt", tree.path("site/x")).unwrap();
    let server = serve(&tree, &["sh", "site/server.sh"]);
    let mut connection = server.http();
    let turning = Turning::link(&tree, "site/x", &["server.sh", "a.txt"]);

    let answers: Vec<_> = (0..300)
        .map(|_| {
            connection.send(format!("GET /x HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
            connection.response("GET").text()
        })
        .collect();

    drop(turning);
    assert!(answers.iter().all(|text| !text.contains(SECRET)));
    assert!(answers.iter().any(|text| text == "public"));
}

#[test]
fn the_start_warns_of_secrets_in_the_folder_of_files() {
    let tree = site();
    let settings =
        |script: &str| format!("staticdir = \"site\"\n[[route]]\npath = \"/ws\"\ncommand = [\"sh\", \"{script}\"]\n");
    tree.file("site/old.sh", "").file("site/new.sh", "").file("site/wsd.toml", settings("site/old.sh"));
    let mut server = serve(&tree, &["--config=site/wsd.toml"]);
    for (file, named) in [("site/wsd.toml", "--config"), ("site/old.sh", "COMMAND")] {
        let line = server.expect_log(&format!("file not served file={file} ")).text;
        assert!(line.contains(" WARN ") && !field(&line, "hint").unwrap().is_empty(), "{line}");
        assert_eq!(field(&line, "named").as_deref(), Some(named), "{line}");
    }

    tree.file("site/wsd.toml", settings("site/new.sh"));
    server.signal(Signal::HUP);
    server.expect_log("file not served file=site/new.sh ");

    let log = server.stop();
    assert_eq!(log.matches("file not served").count(), 3, "each is told of once:\n{log}");
}

#[test]
fn the_start_does_not_warn_of_secrets_elsewhere() {
    let tree = site();
    tree.file("server.sh", "").file("site/.hidden/wsd.toml", "").link("site/link", "../server.sh");
    let mut server = serve(&tree, &["--config=site/.hidden/wsd.toml", "sh", "server.sh", "site"]);

    let log = server.stop();

    assert!(!log.contains("file not served"), "{log}");
}
