//! Ranges of files (RFC 9110, section 14), and nginx's answers to the same requests.

use std::process::{Child, Command, Stdio};

use crate::harness::eventually;
use crate::harness::http::{Connection, Response};
use crate::harness::server::Server;
use crate::harness::skip::has;
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;

/// A right answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    /// 200, the whole file.
    Whole,
    /// 206 with this `Content-Range` after `bytes`.
    Part(&'static str),
    /// 416 with this length.
    None(u64),
    /// 206 with several parts.
    Parts,
}
use Answer::{None, Part, Parts, Whole};

/// Method, file, `Range`, wsd's answer, nginx's answer, and the reason if they differ.
const TABLE: &[(&str, &str, &str, Answer, Answer, &str)] = &[
    ("GET", "a.txt", "bytes=0-4", Part("0-4/12"), Part("0-4/12"), ""),
    ("GET", "a.txt", "bytes=6-", Part("6-11/12"), Part("6-11/12"), ""),
    ("GET", "a.txt", "bytes=11-11", Part("11-11/12"), Part("11-11/12"), ""),
    ("GET", "a.txt", "bytes=-3", Part("9-11/12"), Part("9-11/12"), ""),
    ("GET", "a.txt", "bytes=-100", Part("0-11/12"), Part("0-11/12"), ""),
    ("GET", "a.txt", "bytes=4-100", Part("4-11/12"), Part("4-11/12"), ""),
    ("GET", "a.txt", "bytes= 0-1", Part("0-1/12"), Part("0-1/12"), ""),
    ("GET", "a.txt", "bytes=0-1\t", Part("0-1/12"), None(12), "a tab is a blank, too (section 5.6.3)"),
    ("GET", "a.txt", "BYTES=0-1", Part("0-1/12"), Part("0-1/12"), ""),
    ("GET", "a.txt", "bytes=,0-1", Part("0-1/12"), None(12), "empty elements of a list are allowed (section 5.6.1.2)"),
    ("GET", "a.txt", "bytes=0-1,", Part("0-1/12"), None(12), "empty elements of a list are allowed (section 5.6.1.2)"),
    ("GET", "a.txt", "bytes=12-", None(12), None(12), ""),
    ("GET", "a.txt", "bytes=-0", None(12), None(12), ""),
    ("GET", "a.txt", "bytes=5-2", None(12), None(12), ""),
    ("GET", "a.txt", "bytes=x", None(12), None(12), ""),
    ("GET", "a.txt", "bytes=-+3", None(12), None(12), ""),
    ("GET", "a.txt", "bytes=-+30", None(12), None(12), ""),
    ("GET", "a.txt", "bytes=00-03", Part("0-3/12"), Part("0-3/12"), ""),
    ("GET", "a.txt", "bytes=007-", Part("7-11/12"), Part("7-11/12"), ""),
    ("GET", "a.txt", "bytes=-003", Part("9-11/12"), Part("9-11/12"), ""),
    ("GET", "a.txt", "bytes=-", None(12), None(12), ""),
    ("GET", "a.txt", "bytes=0-3;q=1", None(12), None(12), ""),
    ("GET", "a.txt", "bytes=0-3-5", None(12), None(12), ""),
    (
        "GET",
        "a.txt",
        "bytes=5-99999999999999999999999",
        Part("5-11/12"),
        None(12),
        "a last byte beyond the end is the end",
    ),
    (
        "GET",
        "a.txt",
        "bytes=-99999999999999999999999",
        Part("0-11/12"),
        None(12),
        "a suffix longer than the file is the file",
    ),
    ("GET", "a.txt", "lines=1-2", Whole, Whole, ""),
    (
        "GET",
        "a.txt",
        "bytes=0-1, 4-5",
        Whole,
        Parts,
        "a server may ignore Range (section 14.2); no browser asks for parts",
    ),
    ("GET", "a.txt", "bytes=0-1,99-", Whole, Part("0-1/12"), "as above"),
    ("HEAD", "a.txt", "bytes=0-1", Whole, Part("0-1/12"), "Range is for GET only (section 14.2)"),
    ("HEAD", "a.txt", "bytes=99-", Whole, None(12), "Range is for GET only (section 14.2)"),
    ("GET", "empty.txt", "bytes=0-", Whole, Whole, ""),
    ("GET", "empty.txt", "bytes=-1", Whole, Whole, ""),
    ("GET", "empty.txt", "bytes=5-", None(0), None(0), ""),
    ("GET", "empty.txt", "bytes=00-", Whole, Whole, ""),
    ("GET", "empty.txt", "bytes=0-3;q=1", None(0), None(0), ""),
    ("GET", "empty.txt", "bytes=0-3-5", None(0), None(0), ""),
];

const CONTENT: &str = "hello world\n";

fn files() -> Tree {
    let tree = Tree::new();
    tree.file("site/a.txt", CONTENT).file("site/empty.txt", "");
    tree
}

/// Checks an answer: status, headers and content.
fn check(who: &str, response: &Response, method: &str, file: &str, want: Answer) -> Result<(), String> {
    let content = if file == "a.txt" { CONTENT } else { "" };
    let range = response.header("content-range").map(|range| range.trim_start_matches("bytes ").to_owned());
    let body = (method == "GET").then(|| response.text());
    let is_right = match want {
        Whole => response.status == 200 && range.is_none() && body.is_none_or(|body| body == content),
        Part(part) => {
            let bytes = part.split_once('/').and_then(|(range, _)| range.split_once('-')).unwrap();
            let (first, last): (usize, usize) = (bytes.0.parse().unwrap(), bytes.1.parse().unwrap());
            response.status == 206
                && range.as_deref() == Some(part)
                && body.is_none_or(|body| body == content[first..=last])
        }
        None(length) => response.status == 416 && range == Some(format!("*/{length}")),
        Parts => {
            let kind = response.header("content-type").unwrap_or_default();
            response.status == 206 && kind.starts_with("multipart/byteranges")
        }
    };
    if is_right { Ok(()) } else { Err(format!("{who}: {want:?} is right, and not {response}")) }
}

fn ask(mut connection: Connection, method: &str, file: &str, range: &str) -> Response {
    let head = format!("{method} /{file} HTTP/1.1\r\nHost: localhost\r\nRange: {range}\r\nConnection: close\r\n\r\n");
    connection.send(head);
    connection.response(method)
}

#[test]
fn each_range_has_its_answer() {
    let tree = files();
    let server = Server::serve(&["--staticdir", &tree.path("site")]);

    let wrong: Vec<_> = TABLE
        .iter()
        .filter_map(|&(method, file, range, want, ..)| {
            let response = ask(server.http(), method, file, range);
            check("wsd", &response, method, file, want).err().map(|error| format!("{method} {file} {range}: {error}"))
        })
        .collect();

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(server.get("/a.txt", "").header("accept-ranges"), Some("bytes"));
}

#[test]
fn wsd_differs_from_nginx_only_where_the_table_says_why() {
    if !has("nginx") {
        return;
    }
    let tree = files();
    let nginx = Nginx::start(&tree);

    for &(method, file, range, own, theirs, why) in TABLE {
        let response = ask(nginx.open(), method, file, range);
        check("nginx", &response, method, file, theirs)
            .unwrap_or_else(|error| panic!("{method} {file} {range}: {error}"));
        assert_eq!(own != theirs, !why.is_empty(), "{method} {file} {range}: a reason for each difference");
    }
}

/// An nginx that serves the files on a Unix socket.
struct Nginx {
    process: Child,
    socket: String,
}

impl Nginx {
    fn start(tree: &Tree) -> Self {
        let (root, socket) = (tree.path(""), tree.path("socket"));
        // Started as root, its workers are another user, whom the folder of the test is closed to.
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let paths =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {root}/{kind};"));
        let server = format!("server {{ listen unix:{socket}; root {root}/site; }}");
        let http = format!("http {{ access_log off; default_type text/plain; {} {server} }}", paths.concat());
        tree.file("nginx.conf", format!("daemon off; {user} pid {root}/pid; events {{}} {http}"));
        let mut command = Command::new("nginx");
        command.args(["-c", &tree.path("nginx.conf"), "-e", &tree.path("error.log")]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let nginx = Self { process, socket };
        eventually("nginx", || Stream::unix(&nginx.socket).ok());
        nginx
    }

    fn open(&self) -> Connection {
        Connection::over(Stream::unix(&self.socket).unwrap())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}
