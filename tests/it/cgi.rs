//! `--cgidir`: what a script is told (RFC 3875), what it is given, and what becomes of its answer.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::harness::http::Response;
use crate::harness::server::{Server, program, wsd};
use crate::harness::tree::Tree;

/// A script that says its environment.
const ENV: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec env\n";
/// A script that says what it is sent.
const CAT: &str = "#!/bin/sh\nprintf 'Content-Type: application/octet-stream\\n\\n'\nexec cat\n";

/// A server of the scripts in the folder `cgi` of `tree`.
fn serve(tree: &Tree, flags: &[&str]) -> Server {
    Server::serve(&[&["--cgidir", &tree.path("cgi")], flags].concat())
}

/// One of a script that prints what `printf` makes of this, and ends.
fn answering(format: &str) -> (Tree, Server) {
    let tree = Tree::new();
    tree.program("cgi/script", &format!("#!/bin/sh\nprintf '{format}'\n"));
    let server = serve(&tree, &[]);
    (tree, server)
}

fn variables(response: &Response) -> BTreeMap<String, String> {
    assert_eq!(response.status, 200, "{response}");
    let text = response.text();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn post(server: &Server, path: &str, headers: &str, body: &[u8]) -> Response {
    let mut connection = server.http();
    connection.send(format!("POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", server.host()));
    connection.send(body);
    connection.response("POST")
}

#[test]
fn a_script_gets_the_variables_of_cgi_and_no_other() {
    let tree = Tree::new();
    tree.program("cgi/sub/env.sh", ENV);
    let mut command = wsd(&["--port=0", "--cgidir", &tree.path("cgi"), "--passenv=PATH,PASSED"]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("PASSED", "on").env("SECRET", "of the administrator");
    let server = Server::spawn(command);
    let mut connection = server.http();
    let peer_port = connection.local_address().port().to_string();
    let head = format!(
        "POST /sub/env.sh/more%20path/x?a=1&b=%20 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nX-One: 1\r\n\
         Content-Type: text/csv; x=y\r\nContent-Length: 5\r\nCookie: a=1\r\nCookie: b=2\r\n\r\nhello",
        server.host()
    );
    connection.send(head);

    let mut found = variables(&connection.response("POST"));

    assert_eq!(found.remove("UNIQUE_ID").unwrap().len(), 32);
    // What may stand there is for a folder of files to say; there is none here.
    found.remove("PATH_TRANSLATED");
    let (host, port) = (server.host(), server.address.port().to_string());
    let file = fs::canonicalize(tree.path("cgi/sub/env.sh")).unwrap().to_str().unwrap().to_owned();
    let want = [
        ("PATH", "/usr/bin:/bin"),
        ("PASSED", "on"),
        ("SERVER_SOFTWARE", concat!("wsd/", env!("CARGO_PKG_VERSION"))),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_NAME", "127.0.0.1"),
        ("SERVER_PORT", &port),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_HOST", "127.0.0.1"),
        ("REMOTE_PORT", &peer_port),
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/sub/env.sh/more%20path/x?a=1&b=%20"),
        ("SCRIPT_NAME", "/sub/env.sh"),
        ("SCRIPT_FILENAME", &file),
        ("PATH_INFO", "/more path/x"),
        ("QUERY_STRING", "a=1&b=%20"),
        ("CONTENT_LENGTH", "5"),
        ("CONTENT_TYPE", "text/csv; x=y"),
        ("AUTH_TYPE", ""),
        ("REMOTE_IDENT", ""),
        ("REMOTE_USER", ""),
        ("HTTP_HOST", &host),
        ("HTTP_CONNECTION", "close"),
        ("HTTP_COOKIE", "a=1; b=2"),
        ("HTTP_X_ONE", "1"),
    ];
    let want: BTreeMap<_, _> = want.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // The shell adds what it keeps for itself.
    for own in ["PWD", "OLDPWD", "SHLVL", "_"] {
        found.remove(own);
    }
    assert_eq!(found, want);
}

#[test]
fn a_path_is_shared_out_between_script_and_path_info() {
    let tree = Tree::new();
    tree.program("cgi/env.sh", ENV).program("cgi/sub/env.sh", ENV).program("cgi/with space", ENV);
    let server = serve(&tree, &[]);
    let table = [
        ("/env.sh", "/env.sh", ""),
        ("/env.sh?query", "/env.sh", ""),
        ("/env.sh/", "/env.sh", "/"),
        ("/env.sh/a/b", "/env.sh", "/a/b"),
        ("/env.sh/a%20b%2Fc", "/env.sh", "/a b/c"),
        ("/sub/env.sh/x", "/sub/env.sh", "/x"),
        ("/sub%2Fenv.sh", "/sub/env.sh", ""),
        ("/with%20space/x", "/with space", "/x"),
    ];
    for (path, name, info) in table {
        let found = variables(&server.get(path, ""));

        assert_eq!((&*found["SCRIPT_NAME"], &*found["PATH_INFO"]), (name, info), "{path}");
        assert_eq!(found["REQUEST_URI"], path);
    }
}

#[test]
fn without_a_path_info_nothing_is_translated() {
    // RFC 3875, section 4.1.6.
    let tree = Tree::new();
    tree.program("cgi/env.sh", ENV);

    let found = variables(&serve(&tree, &[]).get("/env.sh", ""));

    assert_eq!(found.get("PATH_TRANSLATED").map_or("", String::as_str), "");
}

#[test]
fn a_request_of_http_1_0_is_told_as_one() {
    // RFC 3875, section 4.1.16.
    let tree = Tree::new();
    tree.program("cgi/env.sh", ENV);

    let found = variables(&serve(&tree, &[]).request("GET /env.sh HTTP/1.0\r\nHost: localhost\r\n\r\n"));

    assert_eq!(found["SERVER_PROTOCOL"], "HTTP/1.0");
}

#[test]
fn a_request_without_a_body_has_no_length() {
    let tree = Tree::new();
    tree.program("cgi/env.sh", ENV);

    let found = variables(&serve(&tree, &[]).get("/env.sh", ""));

    for name in ["CONTENT_LENGTH", "CONTENT_TYPE", "QUERY_STRING"] {
        assert_eq!(found[name], "", "{name}");
    }
}

#[test]
fn a_proxy_header_does_not_become_http_proxy() {
    // httpoxy (CVE-2016-5385): it would choose the proxy of what the script asks of other servers.
    let tree = Tree::new();
    tree.program("cgi/env.sh", ENV);
    let server = serve(&tree, &[]);

    let found = variables(&server.get("/env.sh", "Proxy: http://evil.example\r\nX_Real_IP: 1\r\nPROXY: x\r\n"));

    assert!(!found.contains_key("HTTP_PROXY") && !found.contains_key("HTTP_X_REAL_IP"), "{found:?}");
}

#[test]
fn a_page_of_another_origin_cannot_make_a_script_run() {
    let tree = Tree::new();
    tree.program("cgi/env.sh", ENV);
    let server = serve(&tree, &[]);
    let status = |host: &str, origin: &str| {
        let headers = format!("Host: {host}\r\n{origin}Content-Length: 0\r\nConnection: close\r\n");
        server.request(&format!("POST /env.sh HTTP/1.1\r\n{headers}\r\n")).status
    };
    let own = server.host();

    assert_eq!(status(&own, &format!("Origin: http://{own}\r\n")), 200);
    assert_eq!(status(&own, ""), 200);
    assert_eq!(status(&own, "Origin: http://evil.example\r\n"), 403);
    assert_eq!(status(&own, "Origin: null\r\n"), 403);
    // DNS rebinding: the page's name was made to lead to this machine.
    assert_eq!(status("evil.example", ""), 403);
    assert_eq!(status("evil.example", "Origin: http://evil.example\r\n"), 403);
}

#[test]
fn a_script_runs_in_its_folder_under_its_own_name() {
    let tree = Tree::new();
    let tell = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\npwd -P\necho \"$#\"\n";
    tree.program("cgi/sub/tell.sh", tell);
    let server = serve(&tree, &[]);

    let response = server.get("/sub/tell.sh?word+word", "");

    let folder = fs::canonicalize(tree.path("cgi/sub")).unwrap();
    assert_eq!(response.text(), format!("{}\n0\n", folder.display()));
}

#[test]
fn a_relative_folder_is_one_of_the_servers_directory() {
    let tree = Tree::new();
    tree.program("cgi/env.sh", ENV);
    let mut command = wsd(&["--port=0", "--cgidir=cgi"]);
    command.current_dir(tree.path(""));

    let found = variables(&Server::spawn(command).get("/env.sh", ""));

    let file = fs::canonicalize(tree.path("cgi/env.sh")).unwrap();
    assert_eq!(fs::canonicalize(&found["SCRIPT_FILENAME"]).unwrap(), file);
    assert!(found["SCRIPT_FILENAME"].starts_with('/'));
}

#[test]
fn every_method_reaches_the_script() {
    let tree = Tree::new();
    tree.program("cgi/env.sh", ENV);
    let server = serve(&tree, &[]);
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
        let request =
            format!("{method} /env.sh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");

        assert_eq!(variables(&server.request(&request))["REQUEST_METHOD"], method);
    }
}

#[test]
fn status_and_headers_are_those_of_the_script() {
    let table = [
        ("Content-Type: text/x-one\\n\\nbody", 200, "text/x-one", "body"),
        ("Content-Type: text/x-one\\r\\n\\r\\nbody\\r\\n", 200, "text/x-one", "body\r\n"),
        ("content-type: text/x-one\\n\\n", 200, "text/x-one", ""),
        ("Status: 404 Gone fishing\\nContent-Type: text/x-one\\n\\nnot here", 404, "text/x-one", "not here"),
        ("Content-Type: text/x-one\\nStatus: 500\\n\\nfailed", 500, "text/x-one", "failed"),
        ("Status: 201 Created\\nContent-Type: text/x-one\\n\\n\\n", 201, "text/x-one", "\n"),
    ];
    for (format, status, kind, body) in table {
        let (_tree, server) = answering(format);
        let response = server.get("/script", "");

        assert_eq!((response.status, response.text().as_str()), (status, body), "{format}:\n{response}");
        assert_eq!(response.header("content-type"), Some(kind), "{format}");
        assert_eq!(response.header("status"), None, "{format}");
    }
    for status in [204, 304] {
        let (_tree, server) = answering(&format!("Status: {status}\\n\\n"));
        assert_eq!(server.get("/script", "").status, status);
    }
}

#[test]
fn an_answer_without_content_has_no_length() {
    // RFC 9110, section 8.6, and nothing of the body may pose as the next answer.
    for more in ["", "Content-Length: 5\\n", "Transfer-Encoding: chunked\\n", "Content-Type: a/b\\n"] {
        let (_tree, server) = answering(&format!("Status: 204\\n{more}\\nhello"));
        let mut connection = server.http();
        for _ in 0..2 {
            connection.send("GET /script HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let response = connection.response("GET");

            let lengths = ["content-length", "transfer-encoding"].map(|name| response.header(name));
            assert_eq!((response.status, lengths), (204, [None, None]), "{more}: {response}");
            assert_eq!(response.text(), "");
        }
    }
}

#[test]
fn an_answer_that_has_not_changed_has_no_false_length() {
    let tree = Tree::new();
    tree.file("files/a.txt", "hello").program("cgi/script", "#!/bin/sh\nprintf 'Status: 304\\n\\nhello'\n");
    let server = serve(&tree, &["--staticdir", &tree.path("files")]);
    let etag = |path: &str| format!("If-None-Match: {}\r\n", server.get(path, "").header("etag").unwrap_or("none"));

    for path in ["/a.txt", "/.wsd/client.js", "/script"] {
        let response = server.get(path, &etag(path));

        let length = response.header("content-length").is_none_or(|length| path == "/a.txt" && length == "5");
        assert!(response.status == 304 && length, "{path}: {response}");
        assert_eq!((response.header("transfer-encoding"), response.text()), (None, String::new()), "{path}");
    }
}

#[test]
fn headers_of_any_name_are_handed_on_but_for_those_of_the_connection() {
    let (_tree, server) = answering(
        "Content-Type: text/plain\\nSet-Cookie: a=1\\nSet-Cookie: b=2\\nX-Any: thing\\nConnection: x-any\\n\
         Transfer-Encoding: chunked\\nKeep-Alive: 5\\nUpgrade: x\\n\\nbody",
    );

    let response = server.get("/script", "");

    assert_eq!((response.status, response.text().as_str()), (200, "body"), "{response}");
    assert_eq!(response.header("x-any"), Some("thing"));
    assert_eq!(response.head.matches("Set-Cookie: ").count(), 2, "{response}");
    for name in ["keep-alive", "upgrade"] {
        assert_eq!(response.header(name), None, "{response}");
    }
    assert_ne!(response.header("connection"), Some("x-any"));
}

#[test]
fn a_length_that_is_not_true_harms_nobody_else() {
    // More than it says is no second answer on the same connection; less is an end that the client can see.
    let (_tree, server) = answering("Content-Type: a/b\\nContent-Length: 4\\n\\nbodyHTTP/1.1 200 OK\\r\\n\\r\\n");
    let mut connection = server.http();
    connection.send("GET /script HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(connection.response("GET").text(), "body");
    connection.finish();
    assert_eq!(String::from_utf8_lossy(&connection.rest()), "");

    for _ in 0..20 {
        let (_tree, server) = answering("Content-Type: a/b\\nContent-Length: 10\\n\\nbody");
        let mut connection = server.http();
        connection.send("GET /script HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = String::from_utf8(connection.rest()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("Content-Length: 10\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nbody"), "{answer}");
        assert!(server.expect_log("script failed").text.contains("Content-Length"));
    }

    for (method, status) in [("HEAD", 200), ("GET", 304)] {
        let (_tree, mut server) =
            answering(&format!("Status: {status}\\nContent-Type: a/b\\nContent-Length: 10\\n\\n"));
        let response = server.request(&format!("{method} /script HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!((response.status, response.header("content-length")), (status, Some("10")), "{response}");
        assert!(!server.stop().contains("script failed"), "{method}");
    }

    for format in ["Content-Length: x", "Content-Length: -1", "Content-Length: 4\\nContent-Length: 5"] {
        let (_tree, server) = answering(&format!("Content-Type: a/b\\n{format}\\n\\nbody"));
        assert_eq!(server.get("/script", "").status, 502, "{format}");
    }
}

#[test]
fn a_location_elsewhere_is_a_redirect() {
    let table = [
        ("Location: https://a.example/x?y\\n\\n", 302, "https://a.example/x?y"),
        ("Status: 301 Moved\\nLocation: /there\\n\\n", 301, "/there"),
        ("Status: 303\\nLocation: https://a.example/\\nContent-Type: text/plain\\n\\nmoved", 303, "https://a.example/"),
        ("Location: //a.example/x\\n\\n", 302, "//a.example/x"),
    ];
    for (format, status, location) in table {
        let (_tree, server) = answering(format);
        let response = server.get("/script", "");

        assert_eq!((response.status, response.header("location")), (status, Some(location)), "{format}");
    }
}

#[test]
fn a_location_here_is_answered_here() {
    let tree = Tree::new();
    tree.program("cgi/env.sh", ENV).file("files/a.txt", "a file");
    for (name, location) in
        [("script", "/env.sh/info?a=1"), ("file", "/a.txt"), ("lost", "/nothing"), ("twice", "/file")]
    {
        tree.program(&format!("cgi/{name}"), &format!("#!/bin/sh\nprintf 'Location: {location}\\n\\n'\n"));
    }
    let server = serve(&tree, &["--staticdir", &tree.path("files")]);

    for method in ["GET", "POST"] {
        let request = format!(
            "{method} /script?old=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Type: a/b\r\n\
             Connection: close\r\n\r\nbody"
        );
        let response = server.request(&request);
        let found = variables(&response);

        assert_eq!(response.header("location"), None);
        assert_eq!((&*found["SCRIPT_NAME"], &*found["PATH_INFO"]), ("/env.sh", "/info"));
        assert_eq!((&*found["QUERY_STRING"], &*found["REQUEST_METHOD"]), ("a=1", "GET"), "{method}");
        assert_eq!((&*found["CONTENT_LENGTH"], &*found["CONTENT_TYPE"]), ("", ""), "{method}");
    }
    assert_eq!(server.get("/file", "").text(), "a file");
    assert_eq!(server.get("/twice", "").text(), "a file");
    assert_eq!(server.get("/lost", "").status, 404);
}

#[test]
fn a_location_here_is_looked_for_from_the_top() {
    // A route leads out of its own scripts: to another's, to files, and to what is no route.
    let tree = Tree::new();
    for (name, location) in [("script", "/other/env.sh/info"), ("file", "/site/a.txt"), ("out", "/a.txt")] {
        tree.program(&format!("one/{name}"), &format!("#!/bin/sh\nprintf 'Location: {location}\\n\\n'\n"));
    }
    tree.program("other/env.sh", ENV).file("site/a.txt", "of the route").file("files/a.txt", "of no route");
    let route = |path: &str, flag: &str| {
        format!("[[route]]\npath = \"/{path}/*\"\n{flag} = \"{}\"\nheader = [\"X-Of: {path}\"]\n", tree.path(path))
    };
    tree.file("wsd.toml", [route("one", "cgidir"), route("other", "cgidir"), route("site", "staticdir")].concat());
    let server = Server::serve(&["--config", &tree.path("wsd.toml"), "--staticdir", &tree.path("files")]);

    let response = server.get("/one/script", "");
    let found = variables(&response);
    assert_eq!((&*found["SCRIPT_NAME"], &*found["PATH_INFO"]), ("/other/env.sh", "/info"));
    assert_eq!(response.header("x-of"), Some("other"));
    let response = server.get("/one/file", "");
    assert_eq!((&*response.text(), response.header("x-of")), ("of the route", Some("site")));
    let response = server.get("/one/out", "");
    assert_eq!((&*response.text(), response.header("x-of")), ("of no route", None));
}

#[test]
fn scripts_that_lead_to_each_other_are_a_502() {
    let tree = Tree::new();
    for (name, location) in [("one", "/two"), ("two", "/one"), ("self", "/self"), ("out", "/a/in"), ("in", "/out")] {
        tree.program(&format!("cgi/{name}"), &format!("#!/bin/sh\nprintf 'Location: {location}\\n\\n'\n"));
    }
    let route = format!("[[route]]\npath = \"/a/*\"\ncgidir = \"{}\"\n", tree.path("cgi"));
    tree.file("wsd.toml", route);
    let server = serve(&tree, &["--config", &tree.path("wsd.toml")]);

    for path in ["/one", "/self", "/out"] {
        assert_eq!(server.get(path, "").status, 502, "{path}");
    }
}

#[test]
fn head_is_the_answer_without_its_body() {
    let tree = Tree::new();
    tree.program(
        "cgi/env.sh",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\nX-Method: %s\\n\\n' \"$REQUEST_METHOD\"\necho body\n",
    );
    let server = serve(&tree, &[]);
    let mut connection = server.http();

    connection.send("HEAD /env.sh HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let response = connection.response("HEAD");

    assert_eq!((response.status, response.header("x-method")), (200, Some("HEAD")));
    assert_eq!(connection.rest(), b"");
}

#[test]
fn a_body_reaches_the_script_as_it_is() {
    let tree = Tree::new();
    tree.program("cgi/cat", CAT).program("cgi/env.sh", ENV);
    let server = serve(&tree, &[]);
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();

    let response = post(&server, "/cat", &format!("Content-Length: {}\r\n", body.len()), &body);
    assert!(response.body == body);

    let chunks = [&b"186A0\r\n"[..], &body, b"\r\n5\r\nhello\r\n0\r\n\r\n"].concat();
    let response = post(&server, "/cat", "Transfer-Encoding: chunked\r\n", &chunks);
    assert!(response.body == [&body, &b"hello"[..]].concat());
    // Its length is not known before it ends.
    let found = variables(&post(&server, "/env.sh", "Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"));
    assert_eq!(found["CONTENT_LENGTH"], "");
    assert!(!found.contains_key("HTTP_CONTENT_LENGTH"));
}

#[test]
fn a_client_that_waits_to_be_asked_is_asked() {
    let tree = Tree::new();
    tree.program("cgi/cat", CAT);
    let server = serve(&tree, &[]);
    let mut connection = server.http();
    connection.send("POST /cat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");

    assert_eq!(connection.response("POST").status, 100);

    connection.send("hello");
    assert_eq!(connection.response("POST").text(), "hello");
}

#[test]
fn a_body_that_the_script_does_not_read_is_no_request() {
    let (_tree, server) = answering("Content-Type: text/plain\\n\\nanswer");
    let body = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    let mut connection = server.http();

    connection
        .send(format!("POST /script HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len()));

    assert_eq!(connection.response("POST").text(), "answer");
    // The connection may go on with the next request, or end; nothing else may come.
    connection.finish();
    assert_eq!(String::from_utf8_lossy(&connection.rest()), "");
}

#[test]
fn body_and_answer_flow_at_the_same_time() {
    const LENGTH: usize = 8 << 20;
    let tree = Tree::new();
    tree.program("cgi/cat", CAT);
    let server = serve(&tree, &[]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sender = thread::spawn(move || {
        write!(writer, "POST /cat HTTP/1.0\r\nHost: localhost\r\nContent-Length: {LENGTH}\r\n\r\n").unwrap();
        writer.write_all(&vec![b'x'; LENGTH]).unwrap();
    });

    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();

    sender.join().unwrap();
    let head_end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    assert_eq!(answer.len() - head_end - 4, LENGTH);
}

#[test]
fn an_answer_is_sent_on_as_it_is_made() {
    let tree = Tree::new();
    tree.pipe("gate");
    let script = format!(
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nfirst\\n'\nread -r _ < '{}'\necho second\n",
        tree.path("gate")
    );
    tree.program("cgi/script", &script);
    let server = serve(&tree, &[]);
    let mut connection = server.http();
    connection.send("GET /script HTTP/1.0\r\nHost: localhost\r\n\r\n");

    let mut seen = Vec::new();
    while !seen.ends_with(b"first\n") {
        seen.extend(connection.take(1).unwrap());
    }
    tree.release("gate");

    assert_eq!(connection.rest(), b"second\n");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat_whatever_comes_and_goes() {
    use crate::harness::process::linux::peak_memory;
    const LENGTH: usize = 64 << 20;
    let tree = Tree::new();
    tree.program("cgi/count", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec wc -c\n").program(
        "cgi/zeros",
        &format!("#!/bin/sh\nprintf 'Content-Type: a/b\\n\\n'\nexec head -c {LENGTH} /dev/zero\n"),
    );
    let server = serve(&tree, &[]);
    let before = peak_memory(server.pid());

    let response = post(&server, "/count", &format!("Content-Length: {LENGTH}\r\n"), &vec![b'x'; LENGTH]);
    assert_eq!(response.text().trim(), LENGTH.to_string());
    assert_eq!(server.get("/zeros", "").body.len(), LENGTH);

    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 8 << 10, "memory grew by {growth_kib} KiB");
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_that_does_not_read_stops_its_script() {
    use crate::harness::process::linux::peak_memory;
    const LINES: usize = 40_000;
    let tree = Tree::new();
    let flood = program("flood.pl");
    tree.program(
        "cgi/flood",
        &format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec perl '{flood}' {LINES} 1000\n"),
    );
    let server = serve(&tree, &[]);
    let before = peak_memory(server.pid());
    let mut connection = server.http();

    connection.send("GET /flood HTTP/1.0\r\nHost: localhost\r\n\r\n");
    server.expect_log("blocked at ");

    let response = connection.response("GET");
    assert_eq!(response.body.len(), LINES * 1000);
    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 8 << 10, "memory grew by {growth_kib} KiB");
}

#[test]
fn a_slow_upload_is_waited_for() {
    // Longer than a request's head may take.
    const PAUSE: Duration = Duration::from_secs(11);
    let tree = Tree::new();
    tree.program("cgi/count", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s' \"$(wc -c)\"\n");
    let server = serve(&tree, &[]);
    let mut connection = server.http();
    connection.send("POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhalf");

    assert!(connection.is_silent_for(PAUSE));

    connection.send("half");
    assert_eq!(connection.response("POST").text().trim(), "8");
}
