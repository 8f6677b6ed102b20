//! The recipes of `docs/proxies.md`, each with the real proxy in front of the real `wsd`.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::eventually;
use crate::harness::http::{Connection, Response};
use crate::harness::pages::{blocks, text};
use crate::harness::places::free_port;
use crate::harness::server::Server;
use crate::harness::skip::has;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, Frame, PING, PONG, upgrade_request};

/// Tells of its client, then answers each line; `exit` ends it with status 7.
const PROGRAM: &str = r#"echo "$HTTP_HOST $PATH_INFO $QUERY_STRING $HTTP_X_FORWARDED_FOR"
while read -r line; do [ "$line" != exit ] || exit 7; echo "got $line"; done"#;

/// The page's name for the site, and the header of its pages.
const ORIGIN: &str = "Origin: https://example.com\r\n";

/// A kind of proxy.
struct Kind {
    /// Its program, and the language of its recipe on the page.
    name: &'static str,
    language: &'static str,
    /// The listening address in the recipe, and its replacement; `PORT` is a free port.
    listens: (&'static str, &'static str),
    /// The configuration around the recipe: `RECIPE`, `FOLDER` and `PORT` are replaced.
    around: &'static str,
    /// The arguments; `CONFIG` is replaced by the name of the file.
    arguments: &'static [&'static str],
    /// The recipe's limit for a session in which nothing is said, and a short one.
    idle: Option<(&'static str, &'static str)>,
}

const NGINX: Kind = Kind {
    name: "nginx",
    language: "nginx",
    listens: ("listen 80;", "listen 127.0.0.1:PORT;"),
    around: "daemon off;\nuser root;\nworker_processes 1;\npid FOLDER/pid;\nerror_log stderr;\nevents {}\nhttp {\n\
        access_log off;\nclient_body_temp_path FOLDER/body;\nproxy_temp_path FOLDER/proxy;\n\
        fastcgi_temp_path FOLDER/fastcgi;\nuwsgi_temp_path FOLDER/uwsgi;\nscgi_temp_path FOLDER/scgi;\nRECIPE}\n",
    arguments: &["-p", "FOLDER", "-e", "stderr", "-c", "CONFIG"],
    idle: Some(("75s", "3s")),
};

const CADDY: Kind = Kind {
    name: "caddy",
    language: "caddy",
    // Caddy would ask for a certificate.
    listens: ("example.com {", "http://example.com:PORT {\nbind 127.0.0.1"),
    around: "{\nadmin off\nauto_https off\n}\nRECIPE",
    arguments: &["run", "--adapter", "caddyfile", "--config", "CONFIG"],
    idle: None,
};

const HAPROXY: Kind = Kind {
    name: "haproxy",
    language: "haproxy",
    listens: ("bind :80", "bind 127.0.0.1:PORT"),
    around: "RECIPE",
    arguments: &["-db", "-f", "CONFIG"],
    idle: Some(("timeout tunnel 75s", "timeout tunnel 3s")),
};

const APACHE: Kind = Kind {
    name: "apache2",
    language: "apache",
    listens: ("<VirtualHost *:80>", "<VirtualHost 127.0.0.1:PORT>"),
    around: "ServerRoot FOLDER\nServerName localhost\nPidFile FOLDER/pid\nErrorLog /dev/stderr\nListen 127.0.0.1:PORT\n\
        User www-data\nGroup www-data\nLoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\n\
        LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\n\
        LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so\n\
        LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so\n\
        DefaultRuntimeDir FOLDER\nRECIPE",
    arguments: &["-DFOREGROUND", "-f", "CONFIG"],
    idle: Some(("ProxyTimeout 75", "ProxyTimeout 3")),
};

/// A running proxy.
struct Proxy {
    child: Child,
    port: u16,
    tree: Tree,
}

impl Proxy {
    /// Starts the proxy of the recipe in front of `server`; skips the test where there is none.
    fn start(kind: &Kind, server: &Server, change: impl Fn(String) -> String) -> Option<Self> {
        if !has(kind.name) {
            return None;
        }
        let recipes = blocks(&text("docs/proxies.md"), kind.language);
        assert_eq!(recipes.len(), 1, "docs/proxies.md has a recipe for {}", kind.name);
        let port = free_port();
        let tree = Tree::new();
        let recipe = swapped(&recipes[0], "127.0.0.1:8080", &server.host());
        let recipe = change(swapped(&recipe, kind.listens.0, kind.listens.1));
        let fill = |text: &str| text.replace("FOLDER", &tree.path("")).replace("CONFIG", &tree.path("config"));
        let config = fill(kind.around).replace("RECIPE", &recipe).replace("PORT", &port.to_string());
        tree.file("config", config);
        let mut command = Command::new(kind.name);
        command.args(kind.arguments.iter().map(|argument| fill(argument))).env("HOME", tree.path(""));
        command.env("XDG_DATA_HOME", tree.path("")).env("XDG_CONFIG_HOME", tree.path(""));
        let log = File::create(tree.path("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut proxy = Self { child, port, tree };
        eventually(&format!("{} listens", kind.name), || {
            assert!(proxy.child.try_wait().unwrap().is_none(), "{} ended", kind.name);
            Connection::try_open(([127, 0, 0, 1], port).into()).ok()
        });
        Some(proxy)
    }

    fn connect(&self, path: &str, headers: &str) -> Result<Client, Response> {
        Client::open(([127, 0, 0, 1], self.port).into(), &upgrade_request("example.com", path, headers))
    }

    fn get(&self, path: &str) -> Response {
        let mut connection = Connection::open(([127, 0, 0, 1], self.port).into());
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"));
        connection.response("GET")
    }
}

impl Drop for Proxy {
    #[expect(
        clippy::print_stderr,
        reason = "a failure tells what the proxy said; libtest shows it below the test's name"
    )]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- the proxy\n{}---", String::from_utf8_lossy(&self.tree.read("log")));
        }
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// The text with `old`, which must be there, replaced.
fn swapped(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "the recipe has no `{old}`:\n{text}");
    text.replace(old, new)
}

/// `wsd` as the page starts it, with files beside the program.
fn wsd(flags: &[&str]) -> (Tree, Server) {
    let tree = Tree::new();
    tree.file("page.txt", "a page\n");
    let folder = format!("--staticdir={}", tree.path(""));
    let flags = [&["--origin=https://example.com", &folder], flags].concat();
    let server = Server::shell(&flags, PROGRAM, &[]);
    (tree, server)
}

fn check(kind: &Kind) {
    let (_tree, server) = wsd(&[]);
    let Some(proxy) = Proxy::start(kind, &server, |recipe| recipe) else { return };

    // A session, with what the program must know of its client.
    let mut client =
        proxy.connect("/some/path?a=1", ORIGIN).unwrap_or_else(|response| panic!("{}: {response}", kind.name));
    assert_eq!(client.line(), "example.com /some/path a=1 127.0.0.1", "{}", kind.name);
    client.text("one");
    assert_eq!(client.line(), "got one", "{}", kind.name);
    let long = "x".repeat(200_000);
    client.text(&long);
    assert_eq!(client.line(), format!("got {long}"), "{}", kind.name);

    // The exit status.
    client.text("exit");
    assert_eq!(client.expect_close().code, Some(4007), "{}", kind.name);

    // The end of the client.
    let mut client = proxy.connect("/", ORIGIN).unwrap_or_else(|response| panic!("{}: {response}", kind.name));
    client.line();
    drop(client);
    server.expect_nth_log("session ended", 2);

    // A page of another site, and plain requests.
    let refused = proxy.connect("/", "Origin: https://evil.example\r\n").err().expect("a refusal");
    assert_eq!(refused.status, 403, "{}: {refused}", kind.name);
    let page = proxy.get("/page.txt");
    assert_eq!((page.status, page.text().as_str()), (200, "a page\n"), "{}", kind.name);
    assert_eq!(proxy.get("/nothing").status, 404, "{}", kind.name);
}

/// A session lives longer than the proxy's limit for idle ones, as long as the pings come more often.
fn check_idle(kind: &Kind) {
    let (old, new) = kind.idle.expect("a limit");
    let (_tree, server) = wsd(&["--pingms=500"]);
    let Some(proxy) = Proxy::start(kind, &server, |recipe| swapped(&recipe, old, new)) else { return };
    let mut client = proxy.connect("/", ORIGIN).unwrap_or_else(|response| panic!("{}: {response}", kind.name));
    client.line();

    for _ in 0..8 {
        let frame = client.frame();
        assert_eq!(frame.opcode, PING, "{}: {frame:?}", kind.name);
        client.send(&Frame::new(PONG, &frame.payload));
    }

    client.text("still here");
    assert_eq!(client.line(), "got still here", "{}", kind.name);
}

#[test]
fn nginx_carries_sessions_and_pages_by_its_recipe() {
    check(&NGINX);
}

#[test]
fn caddy_carries_sessions_and_pages_by_its_recipe() {
    check(&CADDY);
}

#[test]
fn haproxy_carries_sessions_and_pages_by_its_recipe() {
    check(&HAPROXY);
}

#[test]
fn apache_carries_sessions_and_pages_by_its_recipe() {
    check(&APACHE);
}

#[test]
fn pings_keep_a_session_through_proxies_that_close_idle_ones() {
    for kind in [NGINX, HAPROXY, APACHE] {
        check_idle(&kind);
    }
}

#[test]
fn every_limit_of_a_recipe_is_longer_than_the_interval_of_pings() {
    // The row of --pingms on the page of flags has the interval.
    assert!(text("docs/flags.md").contains("in milliseconds; 0 sends no pings [default: 30000]"));
    for kind in [NGINX, HAPROXY, APACHE] {
        let (limit, _) = kind.idle.expect("a limit");
        let seconds: u32 = limit.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
        assert!(seconds > 2 * 30, "{}", kind.name);
        assert!(blocks(&text("docs/proxies.md"), kind.language)[0].contains(limit), "{}", kind.name);
    }
}
