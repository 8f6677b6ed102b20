//! `wsd.js` with `resume`: a page whose network is cut finds its session again, and loses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::cutting::{Cut, Cutting, Way};
use crate::harness::server::Server;
use crate::harness::tree::Tree;

/// A connection that lasts.
const WHOLE: Cut = Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin };

/// Starts a server of an empty page and of `command`, for pages of any origin: those of a proxy have another one.
fn serve(flags: &[&str], command: &[&str]) -> (Server, Tree) {
    let files = Tree::new();
    files.file("blank.html", "<!doctype html><link rel=icon href=data:,><title>blank</title>");
    let folder = format!("--staticdir={}", files.path(""));
    (Server::command(&[flags, &["--anyorigin", &folder]].concat(), command), files)
}

/// Loads the client into a page of `server`. `start` opens a session over the server or a proxy.
fn load(browser: &mut Browser, server: &Server) {
    browser.open(&format!("http://{}/blank.html", server.address));
    import(browser);
}

fn import(browser: &mut Browser) {
    browser.evaluate(
        "import('/.wsd/client.js').then(({ WsdSocket }) => {
            window.log = [];
            window.reports = [];
            window.start = (url = './', options = { resume: true }, protocols = []) => {
                window.socket = new WsdSocket(url, protocols, options);
                socket.onopen = () => log.push('open');
                socket.onmessage = ({ data }) => log.push(data);
                socket.onclose = ({ code, reason }) => log.push(`close ${code} ${reason}`);
                socket.onresume = ({ detail }) => reports.push(detail);
            };
        })",
    );
}

#[test]
fn a_page_whose_connection_is_cut_again_and_again_loses_and_doubles_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    load(&mut browser, &server);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let proxy = Cutting::to(server.address, move || match counted.fetch_add(1, Ordering::Relaxed) {
        0 => Cut { down: 3000, ..WHOLE },
        1 => Cut { up: 5000, way: Way::Reset, ..WHOLE },
        2 => Cut { down: 1500, way: Way::Reset, ..WHOLE },
        _ => WHOLE,
    });

    browser.evaluate(&format!(
        "start('ws://{}/');
         window.sent = 0;
         window.timer = setInterval(() => {{
             for (let each = 0; each < 10 && sent < 1500; each += 1) {{ socket.send(`${{sent}}`); sent += 1; }}
         }}, 5)",
        proxy.address
    ));

    browser.expect("log.length === 1501");
    assert_eq!(browser.evaluate("log.slice(1).every((text, number) => text === String(number))"), true);
    assert_eq!(browser.evaluate("log[0]"), "open");
    assert_eq!(browser.evaluate("reports.filter(({ resumed }) => resumed).length"), 3);
    assert_eq!(browser.evaluate("reports.filter(({ lost, gap }) => lost || gap).length"), 0);
    browser.expect("socket.bufferedAmount === 0");
    assert_eq!(count.load(Ordering::Relaxed), 4);
}

#[test]
fn texts_that_begin_with_nul_and_bytes_arrive_as_they_are() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60", "--subprotocol=chat"], &["cat"]);
    load(&mut browser, &server);

    browser.evaluate(
        "start('./', { resume: true }, 'chat'); socket.send('\\0'); socket.send('\\0{\"ack\":7}');
         socket.send(new TextEncoder().encode('bytes'))",
    );

    browser.expect("log.length === 4");
    assert_eq!(browser.evaluate("log"), json!(["open", "\0", "\0{\"ack\":7}", "bytes"]));
    assert_eq!(browser.evaluate("socket.protocol"), "chat");
}

#[test]
fn a_page_that_is_loaded_again_goes_on_with_its_session() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["sh", "-c", "echo $$; exec cat"]);
    load(&mut browser, &server);
    browser.evaluate("start('./', { resume: 'tab' }); socket.send('before')");
    browser.expect("log.at(-1) === 'before'");

    load(&mut browser, &server);
    browser.evaluate("start('./', { resume: 'tab' }); socket.send('after')");

    browser.expect("log.at(-1) === 'after'");
    assert_eq!(browser.evaluate("log"), json!(["after"]));
    assert_eq!(browser.evaluate("reports"), json!([{ "resumed": true, "gap": 0 }]));
    assert_eq!(server.log().iter().filter(|line| line.contains("session started")).count(), 1);
}

#[test]
fn a_session_goes_to_the_newest_tab_and_the_older_one_does_not_fight() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    load(&mut browser, &server);
    browser.evaluate("start('./', { resume: 'tab' })");
    browser.expect("socket.state.name === 'open'");

    // As in a duplicated tab, which has a copy of the storage.
    browser.evaluate("window.first = { socket, log }; window.log = []; start('./', { resume: 'tab' })");

    browser.expect("first.socket.state.name === 'closed'");
    assert_eq!(browser.evaluate("first.socket.state.code"), 4409);
    browser.evaluate("socket.send('mine')");
    browser.expect("log.at(-1) === 'mine'");
}

#[test]
fn the_status_of_a_program_that_ended_meanwhile_is_told() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, files) = serve(
        &["--resume=60"],
        &["sh", "-c", "read -r name; until [ -e \"$name\" ]; do sleep 0.01; done; echo tail; exit 3"],
    );
    load(&mut browser, &server);
    browser.evaluate(&format!(
        "start('./', {{ resume: true, retry: ({{ code }}) => code === 1006 }}); socket.send({:?})",
        files.path("go")
    ));
    browser.expect("socket.bufferedAmount === 0");

    browser.set_offline(true);
    files.file("go", "");
    browser.set_offline(false);

    browser.expect("socket.state.name === 'closed'");
    assert_eq!(browser.evaluate("log"), json!(["open", "tail", "close 4003 exit 3"]));
}

#[test]
fn a_server_without_resume_is_used_as_ever() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&[], &["cat"]);
    load(&mut browser, &server);

    browser.evaluate("start(); socket.send('\\0x')");

    browser.expect("log.length === 2");
    assert_eq!(browser.evaluate("log"), json!(["open", "\0x"]));
}

#[test]
fn a_page_that_is_closed_ends_its_session_at_once_unless_its_tab_may_load_it_again() {
    let Some(browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    for (options, told) in [("{ resume: true }", "session ended"), ("{ resume: 'tab' }", "session detached")] {
        let mut page = browser.another();
        load(&mut page, &server);
        page.evaluate(&format!("start('./', {options})"));
        page.expect("socket.state.name === 'open'");

        page.close();

        server.expect_log(told);
    }
    let ended = server.expect_log("session ended").text;
    assert!(ended.contains("code=1000"), "{ended}");
    let log = server.log();
    assert_eq!(log.iter().filter(|line| line.contains("session detached")).count(), 1, "{log:#?}");
}

#[test]
fn a_page_that_leaves_ends_its_session_for_good() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    load(&mut browser, &server);
    browser.evaluate("start('./', { resume: 'tab' })");
    browser.expect("socket.state.name === 'open'");

    browser.evaluate("socket.close()");

    browser.expect("socket.state.name === 'closed'");
    assert_eq!(browser.evaluate("sessionStorage.length"), 0);
    server.expect_log("end=closed");
}
