//! The recipes of `docs/proxies.md`, each with the real proxy in front of the real `wsd`.

use std::fs::{File, Permissions, set_permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustls::version::TLS13;

use crate::harness::certificates::Authority;
use crate::harness::eventually;
use crate::harness::http::{Connection, Response};
use crate::harness::pages::{blocks, text};
use crate::harness::places::free_port;
use crate::harness::server::{Server, wsd as command};
use crate::harness::skip::has;
use crate::harness::stream::Stream;
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
    /// The line of the recipe that names wsd, and those of the page for a Unix socket and for a path of the site.
    upstream: (&'static str, &'static str),
    path: (&'static str, &'static str),
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
    upstream: ("proxy_pass http://127.0.0.1:8080;", "proxy_pass http://unix:/run/wsd/wsd.sock;"),
    path: ("location / {", "location /live/ {"),
};

const CADDY: Kind = Kind {
    name: "caddy",
    language: "caddy",
    // Caddy would ask for a certificate.
    listens: ("example.com {", "http://example.com:PORT {\nbind 127.0.0.1"),
    around: "{\nadmin off\nauto_https off\n}\nRECIPE",
    arguments: &["run", "--adapter", "caddyfile", "--config", "CONFIG"],
    idle: None,
    upstream: ("reverse_proxy 127.0.0.1:8080 {", "reverse_proxy unix//run/wsd/wsd.sock {"),
    path: ("reverse_proxy 127.0.0.1:8080 {", "reverse_proxy /live/* 127.0.0.1:8080 {"),
};

const HAPROXY: Kind = Kind {
    name: "haproxy",
    language: "haproxy",
    listens: ("bind :80", "bind 127.0.0.1:PORT"),
    around: "RECIPE",
    arguments: &["-db", "-f", "CONFIG"],
    idle: Some(("timeout tunnel 75s", "timeout tunnel 3s")),
    upstream: ("server wsd 127.0.0.1:8080", "server wsd unix@/run/wsd/wsd.sock"),
    path: ("default_backend wsd", "use_backend wsd if { path /live } or { path_beg /live/ }"),
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
        LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so\n\
        DefaultRuntimeDir FOLDER\nRECIPE",
    arguments: &["-DFOREGROUND", "-f", "CONFIG"],
    idle: Some(("ProxyTimeout 75", "ProxyTimeout 3")),
    upstream: (
        "ProxyPass / http://127.0.0.1:8080/ upgrade=websocket",
        "ProxyPass / unix:/run/wsd/wsd.sock|http://localhost/ upgrade=websocket",
    ),
    path: (
        "ProxyPass / http://127.0.0.1:8080/ upgrade=websocket",
        "ProxyPass /live/ http://127.0.0.1:8080/live/ upgrade=websocket",
    ),
};

const ALL: [&Kind; 4] = [&NGINX, &CADDY, &HAPROXY, &APACHE];

/// A running proxy.
struct Proxy {
    child: Child,
    port: u16,
    tree: Tree,
}

impl Proxy {
    /// Starts the proxy of the recipe in front of `server`; skips the test where there is none.
    fn start(kind: &Kind, server: &Server, change: impl Fn(String) -> String) -> Option<Self> {
        Self::with_recipe(kind, 0, |recipe| change(swapped(&recipe, "127.0.0.1:8080", &server.host())))
    }

    /// Starts the proxy with one of its recipes, which names wsd after `change`.
    fn with_recipe(kind: &Kind, number: usize, change: impl FnOnce(String) -> String) -> Option<Self> {
        if !has(kind.name) {
            return None;
        }
        let recipes = blocks(&text("docs/proxies.md"), kind.language);
        assert_eq!(recipes.len(), if kind.name == "haproxy" { 2 } else { 1 }, "recipes for {}", kind.name);
        let port = free_port();
        let tree = Tree::new();
        let recipe = &recipes[number];
        let recipe = if number == 0 { swapped(recipe, kind.listens.0, kind.listens.1) } else { recipe.clone() };
        let recipe = change(recipe);
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

/// The site of the tests below, a name of this machine: their clients are of this machine, too.
const SITE: &str = "app.localhost";

/// The address of a client that is no proxy.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Headers by which a client claims to be another one, by TLS, and of another site.
const FORGED: &str = "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9;proto=https;host=evil.example\r\n\
                      X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n";

/// Tells its client as CGI names it.
const TELL: &str = r#"echo "$REMOTE_ADDR|$HTTPS|$SERVER_NAME|$SCRIPT_NAME|$PATH_INFO"; cat"#;

/// Connects from an address of this machine.
fn connect_from(address: Ipv4Addr, port: u16) -> Connection {
    Connection::over(Stream::tcp_from(address, SocketAddr::from(([127, 0, 0, 1], port))))
}

/// Asks for a session as a client of that address.
fn session_from(address: Ipv4Addr, port: u16, path: &str, headers: &str) -> Result<Client, Response> {
    Client::upgrade(connect_from(address, port), &upgrade_request(SITE, path, headers))
}

/// Checks a proxy that wsd trusts: the real client is seen and no forged one, and pages of the site are admitted.
fn check_trusted(kind: &Kind, server: &Server, proxy: &Proxy) {
    let origin = format!("Origin: http://{SITE}\r\n");
    let name = kind.name;

    let mut session =
        session_from(CLIENT, proxy.port, "/", &origin).unwrap_or_else(|answer| panic!("{name}: {answer}"));
    assert_eq!(session.line(), format!("{CLIENT}||{SITE}|/|/"), "{name}");
    server.expect_log(&format!("peer={CLIENT} "));

    // Whatever the client claims: it has its own address, or wsd refuses it.
    let mut session = session_from(CLIENT, proxy.port, "/", FORGED).unwrap_or_else(|answer| panic!("{name}: {answer}"));
    assert_eq!(session.line(), format!("{CLIENT}||{SITE}|/|/"), "{name}");

    let evil = format!("{FORGED}Origin: http://evil.example\r\n");
    let refused = session_from(CLIENT, proxy.port, "/", &evil).err().expect("a refusal");
    assert_eq!(refused.status, 403, "{name}: {refused}");
    assert!(!server.log().iter().any(|line| line.contains("203.0.113.9") || line.contains("malformed")), "{name}");
}

/// The recipe for the site of the tests.
fn at_site(recipe: &str) -> String {
    recipe.replace("example.com", SITE)
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

#[test]
fn behind_each_proxy_the_real_client_is_seen_and_no_forged_one() {
    for kind in ALL {
        let server = Server::shell(&["--trust-proxy=127.0.0.1"], TELL, &[]);
        let Some(proxy) = Proxy::start(kind, &server, |recipe| at_site(&recipe)) else { continue };

        check_trusted(kind, &server, &proxy);

        // The same headers of a client that comes without the proxy.
        let mut direct =
            session_from(CLIENT, server.address.port(), "/", FORGED).unwrap_or_else(|answer| panic!("{answer}"));
        assert_eq!(direct.line(), format!("{CLIENT}||{SITE}|/|/"), "{}", kind.name);
    }
}

#[test]
fn behind_each_proxy_at_a_unix_socket_the_real_client_is_seen_and_no_forged_one() {
    for kind in ALL {
        let tree = Tree::new();
        // The proxy may run as another user.
        set_permissions(tree.path(""), Permissions::from_mode(0o755)).unwrap();
        let path = tree.path("socket");
        let socket = format!("--unixsocket={path}");
        let server = Server::spawn(command(&[&socket, "--socketmode=666", "--trust-proxy=unix", "sh", "-c", TELL]));
        let change = |recipe: String| {
            let recipe = swapped(&recipe, kind.upstream.0, kind.upstream.1);
            at_site(&swapped(&recipe, "/run/wsd/wsd.sock", &path)).replace("127.0.0.1:8080", "localhost")
        };
        let Some(proxy) = Proxy::with_recipe(kind, 0, change) else { continue };

        check_trusted(kind, &server, &proxy);
    }
}

#[test]
fn behind_each_proxy_a_path_of_the_site_is_the_base() {
    for kind in ALL {
        let server = Server::shell(&["--trust-proxy=127.0.0.1", "--base=/live"], TELL, &[]);
        let change = |recipe: String| {
            let recipe = swapped(&recipe, kind.path.0, kind.path.1);
            at_site(&recipe.replace("127.0.0.1:8080", &server.host()))
        };
        let Some(proxy) = Proxy::with_recipe(kind, 0, change) else { continue };
        let origin = format!("Origin: http://{SITE}\r\n");

        let mut session = session_from(CLIENT, proxy.port, "/live/a", &origin)
            .unwrap_or_else(|answer| panic!("{}: {answer}", kind.name));
        assert_eq!(session.line(), format!("{CLIENT}||{SITE}|/live|/a"), "{}", kind.name);
        let mut connection = connect_from(CLIENT, proxy.port);
        connection.send(format!("GET /live/.wsd/client.js HTTP/1.1\r\nHost: {SITE}\r\nConnection: close\r\n\r\n"));
        assert_eq!(connection.response("GET").status, 200, "{}", kind.name);
    }
}

#[test]
fn haproxy_names_its_client_by_the_proxy_protocol() {
    for (word, has_tls) in [("send-proxy-v2", false), ("send-proxy", false), ("send-proxy-v2", true)] {
        let authority = Authority::new();
        let identity = authority.identity("server");
        let tree = Tree::new();
        tree.file("cert.pem", &identity.certificate).file("key.pem", &identity.key);
        let (cert, key) = (tree.path("cert.pem"), tree.path("key.pem"));
        let tls = ["--ssl", "--sslcert", &cert, "--sslkey", &key];
        let flags =
            [&["--trust-proxy=127.0.0.1", "--proxy-protocol"][..], if has_tls { &tls[..] } else { &[] }].concat();
        let server = Server::shell(&flags, TELL, &[]);
        let change = |recipe: String| {
            let recipe = swapped(&recipe, "127.0.0.1:8443 send-proxy-v2", &format!("{} {word}", server.host()));
            swapped(&recipe, "bind :443", "bind 127.0.0.1:PORT")
        };
        let Some(proxy) = Proxy::with_recipe(&HAPROXY, 1, change) else { return };
        let mut connection = connect_from(CLIENT, proxy.port);
        if has_tls {
            let stream = Stream::over(connection.into_parts().0);
            connection = Connection::over(stream.secure(&authority.client(&[&TLS13], None)).unwrap());
        }

        let session = Client::upgrade(connection, &upgrade_request(SITE, "/", FORGED));

        let line = session.unwrap_or_else(|answer| panic!("{word}: {answer}")).line();
        let https = if has_tls { "on" } else { "" };
        assert_eq!(line, format!("{CLIENT}|{https}|{SITE}|/|/"), "{word}");
    }
}

#[test]
fn the_page_has_the_lines_for_a_unix_socket_and_for_a_path() {
    let page = text("docs/proxies.md");

    for kind in ALL {
        for line in [kind.upstream.1, kind.path.1] {
            assert!(page.contains(&format!("`{line}`")), "{}: {line}", kind.name);
        }
    }
    assert!(page.contains("For version 1 write `send-proxy`."));
}
