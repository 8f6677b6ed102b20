//! The first visit: a page at `/` that helps, and 426 for plain requests to programs.

use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;

#[test]
fn a_server_without_a_page_explains_itself_at_its_root() {
    let server = Server::command(&[], &["cat"]);

    let response = server.get("/", "");

    assert_eq!(
        (response.status, response.header("content-type")),
        (200, Some("text/html; charset=utf-8")),
        "{response}"
    );
    for word in ["the program cat", "new WebSocket(", "+ &quot;/&quot;)", "--devconsole"] {
        assert!(response.text().contains(word), "{word}: {response}");
    }
    let post = format!("POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host());
    let refused = server.request(&post);
    assert_eq!(refused.status, 405);
    assert!(refused.text().contains("A program answers over a WebSocket"), "{refused}");
}

#[test]
fn a_plain_request_to_a_program_is_told_to_upgrade() {
    let server = Server::command(&[], &["cat"]);

    for path in ["/chat", "/favicon.ico"] {
        let response = server.get(path, "");
        assert_eq!((response.status, response.header("upgrade")), (426, Some("websocket")), "{response}");
        assert!(response.text().contains("new WebSocket(") && response.text().contains("--devconsole"), "{response}");
        let program = format!("+ &quot;{path}&quot;)");
        assert!(response.text().contains("the program cat") && response.text().contains(&program), "{response}");
    }
}

#[test]
fn a_terminal_is_told_to_need_a_page_with_one() {
    let tree = Tree::new();
    for (flags, command) in [(vec!["--pty"], vec!["cat"]), (vec!["--pty", "--dir", &tree.path("")], vec![])] {
        let mut server = Server::command(&flags, &command);

        for page in [server.get("/", ""), server.get("/chat", "")].iter().filter(|page| page.status != 404) {
            let text = page.text();
            assert!(text.contains("This is a terminal") && text.contains("static/terminal.html"), "{flags:?}: {text}");
            assert!(!text.contains("new WebSocket(") && !text.contains("--devconsole"), "{flags:?}: {text}");
        }
        let banner = server.stop();
        let next = "  next     this is a terminal: it needs a page with xterm.js, such as static/terminal.html\n";
        assert!(banner.contains(next), "{flags:?}: {banner}");
    }
}

#[test]
fn the_help_advises_no_console_where_there_is_one() {
    let tree = Tree::new();
    let settings = "[[route]]\npath = '/echo'\ncommand = ['cat']\n[[route]]\npath = '/talk'\ncommand = ['cat']\n\
        devconsole = true\n";
    tree.file("wsd.toml", settings);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    let help = server.get("/echo", "");

    assert_eq!(help.status, 426);
    assert!(help.text().contains("<a href=\"/talk\">") && !help.text().contains("--devconsole"), "{help}");
}

#[test]
fn without_programs_the_first_page_promises_none() {
    let tree = Tree::new();
    for flag in ["--cgidir", "--staticdir"] {
        let page = Server::serve(&[flag, &tree.path("")]).get("/", "").text();

        assert!(page.contains("wsd runs here"), "{flag}: {page}");
        assert!(
            page.contains("it has no program") && !page.contains("new WebSocket(") && !page.contains("--devconsole"),
            "{flag}: {page}"
        );
    }
}

#[test]
fn the_first_page_lists_the_routes_and_links_to_their_console() {
    let tree = Tree::new();
    let settings = "[[route]]\npath = '/echo'\ncommand = ['cat']\n[[route]]\npath = '/a\"<b>/*'\ncommand = ['sort']\n\
        [[route]]\npath = '/talk'\ncommand = ['cat']\ndevconsole = true\n";
    tree.file("wsd.toml", settings);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    let page = server.get("/", "").text();

    for word in [
        "<code>/echo</code> the program cat",
        "<code>/a&quot;&lt;b&gt;/*</code> the program sort",
        "<a href=\"/talk\">",
    ] {
        assert!(page.contains(word), "{word}: {page}");
    }
    assert_eq!(server.get("/echo", "").status, 426);
    assert_eq!(server.get("/elsewhere", "").status, 404);
}

#[test]
fn a_folder_of_files_has_the_first_page_only_where_it_has_none() {
    let tree = Tree::new();
    tree.file("with/index.html", "my page").file("without/a.txt", "a");
    for (folder, root) in [("with", "my page"), ("without", "wsd runs here")] {
        let server = Server::command(&["--staticdir", &tree.path(folder)], &["cat"]);

        assert!(server.get("/", "").text().contains(root), "{folder}");
        assert_eq!(server.get("/nothing.css", "").status, 404, "{folder}");
    }
}

#[test]
fn a_client_that_offers_unlisted_subprotocols_is_warned_of_once() {
    let server = Server::command(&[], &["cat"]);

    for offers in ["\"junk\"", &"x".repeat(5000), "soap, wamp", "soap", "mqtt"] {
        let mut client = server.connect_with("/", &format!("Sec-WebSocket-Protocol: {offers}\r\n"));
        client.close(1000);
        client.close_at_last();
    }

    let line = server.expect_log("subprotocol not listed").text;
    assert!(line.contains(" WARN "), "{line}");
    assert_eq!(field(&line, "offered").as_deref(), Some("soap"), "{line}");
    assert!(field(&line, "hint").is_some_and(|hint| hint.ends_with("--subprotocol=soap")), "{line}");
    assert_eq!(server.log().iter().filter(|line| line.contains("subprotocol not listed")).count(), 1);
}

#[test]
fn the_first_page_of_a_folder_of_programs_names_one_in_its_example() {
    let tree = Tree::new();
    let server = Server::serve(&["--dir", &tree.path("")]);

    assert!(server.get("/", "").text().contains("&quot;/NAME&quot;"));
}
