//! The flags, and what cannot go with them.

use std::process::Command;

use rustix::process::Signal;

use super::client::{BOTH, Session, fault, heads, initialize, modern, value};
use crate::harness::pages::{blocks, root, text};
use crate::harness::server::{Server, program, run};
use crate::harness::skip::has;
use crate::harness::tree::Tree;

#[test]
fn flags_that_give_a_program_another_protocol_cannot_go_with_mcp() {
    for other in
        ["--http", "--acp", "--pty", "--binary", "--passstderr", "--shared", "--framing=lines", "--framing=lsp"]
    {
        let outcome = run(&["--check", "--mcp", other, "cat"]);
        assert_eq!(outcome.status, Some(1), "{other}: {outcome:?}");
        assert!(outcome.stderr.contains("--mcp"), "{other}: {outcome:?}");
    }
    assert_eq!(run(&["--check", "--mcp", "--framing=jsonrpc", "cat"]).status, Some(0));
}

#[test]
fn a_form_behind_a_blank_is_told_the_equals_sign() {
    for form in ["session", "shared"] {
        let outcome = run(&["--port=0", "--mcp", form, "cat"]);
        assert!(outcome.stderr.contains(&format!("hint: did you mean --mcp={form}?")), "{outcome:?}");
    }
}

#[test]
fn the_banner_and_the_first_page_tell_where_clients_connect() {
    let tree = Tree::new();
    let route = |path: &str, more: &str| format!("[[route]]\npath = '{path}'\ncommand = ['cat']\n{more}\n");
    let settings = [route("/a/mcp", "mcp = true"), route("/b/mcp", "mcp = true"), route("/talk", "")].concat();
    tree.file("wsd.toml", settings);
    let config = format!("--config={}", tree.path("wsd.toml"));
    let table: [(&[&str], &[&str], &str, &str); 4] = [
        (&["--mcp"], &["cat"], "  mcp      ORIGIN/mcp\n  next     add --devconsole ", "<code>/mcp</code>, over"),
        (&["--mcp", "--base=/live"], &["cat"], "  mcp      ORIGIN/live/mcp\n", "<code>/live/mcp</code>, over"),
        (&["--mcp", "--devconsole"], &["cat"], "  next     open ORIGIN/.wsd/mcp: ", ""),
        (&[&config], &[], "  mcp      ORIGIN/a/mcp ORIGIN/b/mcp\n", "<code>/a/mcp</code> the server of MCP cat"),
    ];
    for (flags, command, told, on_page) in table {
        let mut server = Server::command(&[&["--address=127.0.0.1"], flags].concat(), command);
        let (base, origin) = (if flags.contains(&"--base=/live") { "/live/" } else { "/" }, server.address);
        let page = server.get(base, "Accept: text/html\r\n").text();
        let banner = server.stop();

        let told = told.replace("ORIGIN", &format!("http://{origin}"));
        assert!(banner.contains(&told), "{flags:?}: {told}\n{banner}");
        assert!(page.contains(on_page), "{flags:?}: {page}");
        assert_eq!(banner.contains("/talk"), command.is_empty(), "{flags:?}: {banner}");
    }
}

#[test]
fn each_form_can_be_refused() {
    let server = Server::command(&["--mcp=session"], &[&program("mcp.py"), "modern"]);
    assert_eq!(fault(&server.post("/", &heads("tools/list", ""), modern("1", "tools/list", ""))), (400, -32000));

    let server = Server::command(&["--mcp=shared"], &[&program("mcp.py"), "legacy"]);
    let refused = server.post("/", BOTH, initialize("2025-06-18"));
    assert_eq!(fault(&refused), (400, -32022));
    assert_eq!(value(&refused)["error"]["data"]["requested"], "2025-06-18");
    assert!(!server.log().iter().any(|line| line.contains("mcp started")));
}

#[test]
fn a_route_can_be_a_gateway_beside_others() {
    let tree = Tree::new();
    let fixture = program("mcp.py");
    let table = format!(
        "[[route]]\npath = \"/tools/mcp\"\ncommand = [\"{fixture}\", \"legacy\"]\nmcp = true\nmcp-idle = 60\n\
         [[route]]\npath = \"/echo\"\ncommand = [\"cat\"]\n"
    );
    tree.file("wsd.toml", &table);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    assert_eq!(server.post("/tools/mcp", BOTH, initialize("2025-11-25")).status, 200);
    assert_eq!(server.post("/echo", BOTH, initialize("2025-11-25")).status, 405);
    let mut client = server.connect("/echo");
    client.text("x");
    assert_eq!(client.line(), "x");
}

#[test]
fn a_reload_that_changes_the_route_ends_no_session() {
    let tree = Tree::new();
    let settings = |era: &str, more: &str| {
        let fixture = program("mcp.py");
        let table = format!("[[route]]\npath = \"/\"\ncommand = [\"{fixture}\", \"{era}\"]\nmcp = true\n{more}\n");
        tree.file("wsd.toml", &table);
    };
    settings("legacy", "mcp-idle = 60");
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let session = Session::begin(&server);
    let before = session.state();

    settings("legacy", "mcp-idle = 90");
    server.signal(Signal::HUP);
    server.expect_log("settings loaded");

    assert_eq!(session.state()["pid"], before["pid"], "the process goes on");
    assert_eq!(session.call("exit", r#"{"status":0}"#).status, 502);
    assert_ne!(session.state()["pid"], before["pid"], "the next one starts by the new route");
    assert_eq!(session.delete().status, 200);
}

#[test]
fn without_the_flag_a_post_is_refused_as_before() {
    let server = Server::command(&[], &["cat"]);

    assert_eq!(server.post("/", BOTH, initialize("2025-11-25")).status, 405);
}

#[test]
fn the_commands_of_the_page_print_what_it_says() {
    if !has("curl") {
        return;
    }
    let page = blocks(&text("docs/mcp.md"), "console");
    let block = page.iter().find(|block| block.contains("curl")).expect("the page uses curl");
    // An answer is a line of JSON.
    let (answers, script): (Vec<_>, Vec<_>) = block.lines().partition(|line| line.starts_with('{'));
    let serve = "$ wsd --port 8080 --mcp ./examples/mcp.py";
    assert_eq!(script[0], serve);
    let server = Server::command(&["--mcp"], &[root().join("examples/mcp.py").to_str().expect("UTF-8")]);
    let script: Vec<_> = script[1..].iter().map(|line| line.strip_prefix("$ ").unwrap_or(line)).collect();
    let script = script.join("\n").replace("localhost:8080", &server.host());
    let tree = Tree::new();

    let run = Command::new("sh").args(["-ec", &script]).current_dir(tree.path("")).output().expect("a shell");

    // The answer has no end of line.
    let printed = String::from_utf8_lossy(&run.stdout).replace('\n', "");
    assert_eq!(printed, answers.concat(), "{script}\n{}", String::from_utf8_lossy(&run.stderr));
}
