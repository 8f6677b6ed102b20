//! `--auth` in a browser: a page and its socket, `wsd.js` with a token, the console, and the demo behind a password.

use crate::demos::Demos;
use crate::harness::browser::Browser;
use crate::harness::server::Server;
use crate::harness::tree::Tree;

/// Starts a server of a page and of a program that tells its user, with a user `ada` and a token of `ci`.
fn serve(tree: &Tree) -> Server {
    tree.file("www/page.html", "<!doctype html><link rel=icon href=data:,><title>page</title>");
    // The password is `correct horse`.
    tree.file("users", "ada:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n")
        .file("tokens", "ci:t0ken\n");
    let (users, tokens) =
        (format!("--auth=basic:{}", tree.path("users")), format!("--auth=bearer:{}", tree.path("tokens")));
    let folder = format!("--staticdir={}", tree.path("www"));
    let script = "echo \"$REMOTE_USER $AUTH_TYPE\"; cat";
    Server::command(&[&users, &tokens, &folder, "--devconsole", "--resume=10"], &["sh", "-c", script])
}

#[test]
fn the_password_of_a_page_opens_its_websocket() {
    let Some(mut browser) = Browser::start() else { return };
    let tree = Tree::new();
    let server = serve(&tree);
    browser.open(&format!("http://ada:correct%20horse@localhost:{}/page.html", server.address.port()));

    browser.evaluate(
        "const url = `ws://${location.host}/`;
        window.plain = new WebSocket(url);
        plain.onmessage = ({ data }) => { window.said = data; };",
    );

    browser.expect("window.said === 'ada Basic'");
    assert_eq!(browser.evaluate("document.cookie"), "", "no script reads the cookie");
}

#[test]
fn the_client_shows_a_token_for_each_try_and_the_console_too() {
    let Some(mut browser) = Browser::start() else { return };
    let tree = Tree::new();
    let server = serve(&tree);
    browser.open(&format!("http://ada:correct%20horse@localhost:{}/page.html", server.address.port()));

    browser.evaluate(
        "import('/.wsd/client.js').then(({ WsdSocket }) => {
            window.said = [];
            const hear = (name, options, protocols = []) => {
                const socket = new WsdSocket('./', protocols, options);
                socket.onmessage = ({ data }) => said.push(`${name} ${data} ${socket.protocol}`);
                return socket;
            };
            window.asked = 0;
            window.first = hear('text', { token: 't0ken' });
            window.second = hear('function', { token: async () => { asked += 1; return 't0ken'; } });
            window.third = hear('resumed', { token: 't0ken', resume: true });
        })",
    );
    browser.expect("said.length === 3");
    let said = browser.evaluate("said.sort().join('; ')");
    assert_eq!(said, "function ci Bearer ; resumed ci Bearer ; text ci Bearer ");
    browser.evaluate("second.reconnect()");
    browser.expect("said.length === 4 && asked === 2");
    browser.evaluate("const late = new first.constructor('./', [], { token: () => new Promise(() => {}) }); late.close(); window.late = late;");
    browser.expect("late.state.name === 'closed'");

    browser.open(&format!("http://localhost:{}/console", server.address.port()));
    browser.enter("#token", "t0ken");
    browser.click("#connect");
    browser.expect("document.querySelector('#state').dataset.state === 'open'");
    browser.expect_text("#messages", "ci Bearer");
    let shown = browser.evaluate("document.body.textContent.includes('base64url.bearer')");
    assert_eq!(shown, false, "the carrier is no subprotocol of the session");
}

#[test]
fn the_page_behind_a_password_tells_a_wrong_one_from_a_right_one() {
    let Some(mut browser) = Browser::start() else { return };
    let demos = Demos::start(Vec::new());
    browser.open(&demos.url("private.html"));

    browser.enter("#user", "demo");
    browser.enter("#password", "wrong");
    browser.click("#login button");
    browser.expect_text("#why", "wsd does not know this user and password.");

    browser.enter("#password", "demo");
    browser.click("#login button");
    browser.expect_text("#log", "Hello, demo. You are known by Basic.");
    browser.enter("#line", "hi");
    browser.click("#send button");
    browser.expect_text("#log", "demo: hi");
    assert_eq!(browser.evaluate("document.querySelector('#login').hidden"), true);
}
