//! `--auth` in a browser: a page and its socket, `wsd.js` with a token, the console, and the demo behind a password.

use crate::demos::Demos;
use crate::harness::browser::Browser;
use crate::harness::server::Server;
use crate::harness::tree::Tree;

/// Starts a server of a page and of a program that tells its user, with a user `ada` and a token of `ci`.
fn serve(tree: &Tree) -> Server {
    serve_with(tree, &[])
}

fn serve_with(tree: &Tree, flags: &[&str]) -> Server {
    tree.file("www/page.html", "<!doctype html><link rel=icon href=data:,><title>page</title>");
    // The password is `correct horse`.
    tree.file("users", "ada:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n")
        .file("tokens", "ci:t0ken\n");
    let (users, tokens) =
        (format!("--auth=basic:{}", tree.path("users")), format!("--auth=bearer:{}", tree.path("tokens")));
    let folder = format!("--staticdir={}", tree.path("www"));
    let script = "echo \"$REMOTE_USER $AUTH_TYPE\"; cat";
    let own = [&*users, &tokens, &folder, "--devconsole", "--resume=10"];
    Server::command(&[&own, flags].concat(), &["sh", "-c", script])
}

/// Opens the page of a server as `ada`.
fn open_page(browser: &mut Browser, server: &Server) {
    browser.open(&format!("http://ada:correct%20horse@localhost:{}/page.html", server.address.port()));
}

#[test]
fn the_password_of_a_page_opens_its_websocket() {
    let Some(mut browser) = Browser::start() else { return };
    let tree = Tree::new();
    let server = serve(&tree);
    open_page(&mut browser, &server);

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
    open_page(&mut browser, &server);

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
fn a_token_that_the_server_does_not_know_ends_the_coming_back_and_locks_nobody_out() {
    let Some(mut browser) = Browser::start() else { return };
    for flags in [&[][..], &["--auth-for=ws"]] {
        let tree = Tree::new();
        let server = serve_with(&tree, flags);
        open_page(&mut browser, &server);

        browser.evaluate(
            "import('/.wsd/client.js').then(({ WsdSocket }) => {
                window.ends = [];
                window.wrong = new WsdSocket('./', [], { token: 'wrong' });
                wrong.onclose = ({ code, reason }) => ends.push(`${code} ${reason}`);
            })",
        );

        browser.expect("window.ends?.length === 1");
        assert_eq!(browser.evaluate("ends[0]"), "3000 the server does not know the token", "{flags:?}");
        assert!(server.try_connect("/", "Authorization: Bearer t0ken\r\n").is_ok(), "{flags:?}");
    }
}

#[test]
fn the_client_waits_for_as_long_as_a_server_that_has_seen_guesses_asks_for() {
    let Some(mut browser) = Browser::start() else { return };
    let tree = Tree::new();
    let server = serve(&tree);
    open_page(&mut browser, &server);

    // The page and its guesses come from one address.
    browser.evaluate(
        "import('/.wsd/client.js').then(async ({ WsdSocket }) => {
            for (let guess = 0; guess < 5; guess++) await fetch(location.origin, { headers: { Authorization: `Bearer guess${guess}` } });
            window.socket = new WsdSocket('./', [], { token: 't0ken' });
        })",
    );

    browser.expect("window.socket?.state.name === 'waiting' && socket.state.retryAt - Date.now() > 31_000");
}

#[test]
fn a_ticket_that_cannot_be_got_is_asked_for_seldom() {
    let Some(mut browser) = Browser::start() else { return };
    let tree = Tree::new();
    let server = serve(&tree);
    open_page(&mut browser, &server);

    browser.evaluate(
        "import('/.wsd/client.js').then(({ WsdSocket }) => {
            window.asked = 0;
            const headers = { Authorization: 'Basic Ym9iOndyb25n' };
            const token = async () => {
                asked += 1;
                return (await (await fetch(`${location.origin}/.wsd/ticket`, { method: 'POST', headers })).json()).ticket;
            };
            window.socket = new WsdSocket('./', [], { token });
        })",
    );

    browser.expect("window.socket?.state.name === 'waiting'");
    assert_eq!(browser.evaluate("asked === 1 && socket.state.retryAt - Date.now() > 8000"), true);
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
