//! `docs/http.md`: each command on the page is run, and prints what the page says.

use std::process::{Command, Stdio};

use crate::harness::pages::{blocks, root, text};
use crate::harness::server::{Server, wsd};
use crate::harness::skip::has;
use crate::harness::tree::Tree;

/// The address in the commands of the page.
const PLACE: &str = "http://localhost:8080";

/// The text with the word `TOKEN` for each token.
fn without_tokens(text: &str) -> String {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let mut words = text.split_inclusive(|c| !is_of_token(c)).map(|word| {
        let name = word.trim_end_matches(|c| !is_of_token(c));
        if name.len() == 43 { format!("TOKEN{}", &word[43..]) } else { word.to_owned() }
    });
    words.by_ref().collect()
}

#[test]
fn the_pages_commands_print_what_it_says() {
    if !has("curl") {
        return;
    }
    let blocks = blocks(&text("docs/http.md"), "console");
    assert!(blocks.len() >= 6, "{blocks:#?}");
    for block in blocks {
        let (commands, output): (Vec<_>, Vec<_>) = block.lines().partition(|line| line.starts_with("$ "));
        let serve = commands[0].strip_prefix("$ wsd --port 8080 ").expect("the first command starts wsd");
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$0\" --port=0 {serve}")]).arg(wsd(&[]).get_program()).current_dir(root());
        let server = Server::spawn(shell);
        let script: Vec<_> = commands[1..].iter().map(|command| &command[2..]).collect();
        let script = script.join("\n").replace(PLACE, &format!("http://{}", server.host()));
        let tree = Tree::new();

        let run = Command::new("sh").args(["-c", &script]).current_dir(tree.path("")).stdin(Stdio::null()).output();

        let run = run.unwrap();
        let printed = without_tokens(&String::from_utf8_lossy(&run.stdout)).replace('\r', "");
        let complaints = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(printed.lines().collect::<Vec<_>>(), output, "{script}\n{complaints}");
    }
}
