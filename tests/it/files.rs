//! Static files: what a browser expects of a web server, and nothing outside the root.

use std::os::unix::net::UnixListener;

use crate::harness::http::{Connection, Response};
use crate::harness::server::{Server, wsd};
use crate::harness::skip::skip;
use crate::harness::tree::Tree;

fn serve(tree: &Tree) -> Server {
    Server::serve(&["--staticdir", &tree.path("")])
}

fn date(response: &Response) -> String {
    response.header("last-modified").expect("Last-Modified").to_owned()
}

fn etag(response: &Response) -> String {
    response.header("etag").expect("ETag").to_owned()
}

#[test]
fn a_file_is_served_as_it_is() {
    let tree = Tree::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[number as usize % 3]).collect();
    tree.file("large.bin", &bytes).file("empty.txt", "").file("sub/dir/a b.txt", "spaces").file("é.txt", "accents");
    let server = serve(&tree);

    let large = server.get("/large.bin", "");
    assert_eq!((large.status, large.header("content-length")), (200, Some("3000000")));
    assert!(large.body == bytes);
    assert_eq!((server.get("/empty.txt", "").status, server.get("/empty.txt", "").text()), (200, String::new()));
    assert_eq!(server.get("/sub/dir/a%20b.txt", "").text(), "spaces");
    assert_eq!(server.get("/%C3%A9.txt", "").text(), "accents");
    assert_eq!(server.get("/sub/dir/a%20b.txt?query=1", "").text(), "spaces");
}

#[test]
fn the_content_type_is_that_of_the_extension() {
    let table = [
        ("html", "text/html"),
        ("css", "text/css"),
        ("js", "text/javascript"),
        ("json", "application/json"),
        ("svg", "image/svg+xml"),
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        ("webp", "image/webp"),
        ("ico", "image/x-icon"),
        ("txt", "text/plain"),
        ("wasm", "application/wasm"),
        ("pdf", "application/pdf"),
        ("woff2", "font/woff2"),
        ("unknown", "application/octet-stream"),
    ];
    let tree = Tree::new();
    for (extension, _) in table {
        tree.file(&format!("file.{extension}"), "content");
    }
    let server = serve(&tree);

    for (extension, want) in table {
        let response = server.get(&format!("/file.{extension}"), "");
        let found = response.header("content-type").unwrap_or_default();

        assert_eq!(found.split(';').next(), Some(want), "{extension}: {found}");
    }
}

#[test]
fn a_directory_shows_its_index_and_never_a_listing() {
    let tree = Tree::new();
    tree.file("index.html", "the root").file("sub/index.html", "the sub").file("bare/secret-name.txt", "x");
    let server = serve(&tree);

    assert_eq!(server.get("/", "").text(), "the root");
    assert_eq!(server.get("/sub/", "").text(), "the sub");
    let redirect = server.get("/sub", "");
    assert!((300..400).contains(&redirect.status), "{redirect}");
    assert!(redirect.header("location").is_some_and(|location| location.ends_with("/sub/")), "{redirect}");
    for path in ["/bare", "/bare/"] {
        let response = server.get(path, "");
        assert_ne!(response.status, 200, "{path}");
        assert!(!response.text().contains("secret-name"), "{response}");
    }
    assert_eq!(server.get("/bare/", "").status, 404);
}

#[test]
fn a_redirect_to_a_directory_stays_on_this_server() {
    // `//evil.example/` in a Location leads to another server.
    let tree = Tree::new();
    tree.file("evil.example/index.html", "a directory that is called like a host").file("sub/index.html", "x");
    let server = serve(&tree);

    for path in ["//evil.example", "/%2Fevil.example", "//evil.example/..%2fsub", "/\\evil.example", "/%5Cevil.example"]
    {
        let response = server.get(path, "");
        let location = response.header("location").unwrap_or("/");

        assert!(location.starts_with('/') && !location[1..].starts_with(['/', '\\']), "{path} leads to {location}");
    }
}

#[test]
fn a_missing_file_is_a_404_that_says_what_this_server_is() {
    let tree = Tree::new();
    let with_files = serve(&tree);
    let with_program = Server::command(&[], &["cat"]);

    for (server, path, status) in
        [(&with_files, "/nothing", 404), (&with_files, "/", 200), (&with_program, "/any", 426)]
    {
        let response = server.get(path, "");

        assert_eq!(response.status, status, "{path}");
        assert!(response.text().contains("wsd") && response.text().contains("WebSocket"), "{response}");
    }
}

#[test]
fn a_404_page_echoes_nothing_of_the_request_as_markup() {
    let server = Server::command(&[], &["cat"]);

    for path in ["/<script>alert(1)</script>", "/%3Cscript%3Ealert(1)%3C/script%3E", "/?<script>"] {
        let mut connection = Connection::open(server.address);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));

        assert!(!connection.response("GET").text().contains("<script>alert"), "{path}");
    }
}

#[test]
fn no_path_leads_out_of_the_root() {
    let tree = Tree::new();
    tree.file("secret.txt", "the secret").file("root/index.html", "hello").directory("root/sub");
    let server = Server::serve(&["--staticdir", &tree.path("root")]);
    let outside = tree.path("secret.txt");

    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E/secret.txt",
        "/..%2fsecret.txt",
        "/..%2Fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/.%2e/secret.txt",
        "/sub/../../secret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/sub/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/%252e%252e/secret.txt",
        "/%252e%252e%252fsecret.txt",
        "/....//secret.txt",
        "/.../secret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/%c0%ae%c0%ae%c0%afsecret.txt",
        "/%e0%80%ae%e0%80%ae/secret.txt",
        "/%uff0e%uff0e/secret.txt",
        "/..;/secret.txt",
        "/../secret.txt%00.html",
        "/index.html/../../secret.txt",
        "/./../secret.txt",
        "//../secret.txt",
        "http://127.0.0.1/../secret.txt",
        "../secret.txt",
        &outside,
        &format!("/{outside}"),
        &format!("/%2f{outside}"),
    ] {
        let mut connection = server.http();
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host()));
        let response = connection.response("GET");

        assert!(!response.text().contains("the secret"), "{path}:\n{response}");
        assert!(response.status >= 300, "{path}:\n{response}");
    }
    assert_eq!(server.get("/", "").text(), "hello");
}

#[test]
fn a_nul_in_a_path_is_no_file() {
    let tree = Tree::new();
    tree.file("index.html", "hello");
    let server = serve(&tree);

    for path in ["/index.html%00", "/index.html%00.txt", "/%00index.html", "/%00"] {
        assert!(matches!(server.get(path, "").status, 400 | 404), "{path}");
    }
}

#[test]
fn links_are_followed_inside_the_root_only() {
    let tree = Tree::new();
    tree.file("outside/secret.txt", "the secret")
        .file("root/real/a.txt", "inside")
        .file("root/real/index.html", "index");
    tree.link("root/link.txt", "real/a.txt").link("root/linked", "real");
    tree.link("root/out.txt", tree.path("outside/secret.txt")).link("root/up.txt", "../outside/secret.txt");
    tree.link("root/absolute.txt", tree.path("root/real/a.txt")).link("root/absolute", tree.path("root/real"));
    tree.link("root/out", "../outside")
        .link("root/slash", "/")
        .link("root/loop.txt", "loop.txt")
        .link("root/gone.txt", "no");
    let server = Server::serve(&["--staticdir", &tree.path("root")]);

    assert_eq!(server.get("/link.txt", "").text(), "inside");
    assert_eq!(server.get("/linked/a.txt", "").text(), "inside");
    assert_eq!(server.get("/linked/", "").text(), "index");
    assert_eq!(server.get("/absolute.txt", "").text(), "inside");
    assert_eq!(server.get("/absolute/a.txt", "").text(), "inside");
    let through_root = format!("/slash{}", tree.path("outside/secret.txt"));
    for path in ["/out.txt", "/up.txt", "/out/secret.txt", "/loop.txt", "/gone.txt", &through_root] {
        assert_eq!(server.get(path, "").status, 404, "{path}");
    }
}

#[test]
fn a_precompressed_sibling_that_leads_out_is_not_served() {
    let tree = Tree::new();
    tree.file("secret.txt", "the secret").file("root/a.js", "plain").link("root/a.js.gz", "../secret.txt");
    let server = Server::serve(&["--staticdir", &tree.path("root")]);

    let response = server.get("/a.js", "Accept-Encoding: gzip\r\n");

    assert_eq!((response.status, response.text()), (200, "plain".to_owned()));
}

#[test]
fn hidden_files_are_hidden_except_well_known() {
    let tree = Tree::new();
    for name in [
        ".env",
        ".git/config",
        "sub/.env",
        "sub/.git/config",
        ".well-known/.secret",
        "sub/.well-known/x",
        ".well-knownx",
    ] {
        tree.file(name, "hidden");
    }
    tree.file(".well-known/security.txt", "public");
    let server = serve(&tree);

    for path in [
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/sub/.env",
        "/sub/.git/config",
        "/sub/%2Egit/config",
        "/.git",
        "/.well-known/.secret",
        "/.well-known/../.env",
        "/sub/.well-known/x",
        "/.well-knownx",
    ] {
        let response = server.get(path, "");
        assert_eq!(response.status, 404, "{path}");
        assert!(!response.text().contains("hidden"), "{path}");
    }
    assert_eq!(server.get("/.well-known/security.txt", "").text(), "public");
}

#[test]
fn a_named_pipe_is_not_opened() {
    // To open a named pipe is to wait for someone to write to it.
    let tree = Tree::new();
    tree.pipe("pipe").pipe("pipe.html").directory("sub").pipe("sub/index.html").file("a.txt", "hello").pipe("a.txt.gz");
    let server = serve(&tree);

    for path in ["/pipe", "/pipe.html", "/sub/"] {
        assert_eq!(server.get(path, "").status, 404, "{path}");
    }
    assert_eq!(server.get("/a.txt", "Accept-Encoding: gzip\r\n").text(), "hello");
}

#[test]
fn a_socket_is_as_if_it_were_not_there() {
    let tree = Tree::new();
    tree.directory("sub").file("a.txt", "hello");
    let _sockets = ["socket", "sub/index.html", "a.txt.gz"].map(|name| UnixListener::bind(tree.path(name)).unwrap());
    tree.directory("cgi");
    // With a folder of scripts, files are opened another way.
    for flags in [&[][..], &["--cgidir", &tree.path("cgi")]] {
        let server = Server::serve(&[&["--staticdir", &tree.path("")], flags].concat());

        for path in ["/socket", "/sub/"] {
            let response = server.get(path, "");
            assert_eq!((response.status, response.text().contains("no such file")), (404, true), "{path}");
        }
        assert_eq!(server.get("/a.txt", "Accept-Encoding: gzip\r\n").text(), "hello");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_as_if_it_were_not_there() {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
    let tree = Tree::new();
    // `zero`, and one that no driver has.
    for (name, device) in [("zero", makedev(1, 5)), ("missing", makedev(4095, 4095))] {
        if mknodat(CWD, tree.path(name), FileType::CharacterDevice, Mode::from_raw_mode(0o644), device).is_err() {
            return skip("the right to make devices");
        }
    }
    let server = serve(&tree);

    for path in ["/zero", "/missing"] {
        assert_eq!(server.get(path, "").status, 404, "{path}");
    }
}

#[test]
fn a_target_in_absolute_form_is_not_repeated() {
    let tree = Tree::new();
    tree.file("sub/index.html", "page");
    let settings = format!("[[route]]\npath = \"/docs/*\"\nstaticdir = \"{}\"\n", tree.path(""));
    tree.file("wsd.toml", settings);
    let server = Server::serve(&["--config", &tree.path("wsd.toml"), "--staticdir", &tree.path("")]);

    for (path, location) in [("/sub", "/sub/"), ("/docs/sub?a=b", "/docs/sub/?a=b"), ("/docs", "/docs/")] {
        for front in ["http://evil.example", "https://user@evil.example:1", ""] {
            let response = server.get(&format!("{front}{path}"), "");

            assert_eq!((response.status, response.header("location")), (307, Some(location)), "{front}{path}");
            assert!(!response.to_string().contains("evil.example"), "{response}");
        }
    }
    let response = server.get("http://evil.example", "");
    assert_eq!((response.status, response.to_string().contains("evil.example")), (200, false), "{response}");
}

#[test]
fn a_file_is_only_gotten() {
    let tree = Tree::new();
    tree.file("a.txt", "hello");
    let server = serve(&tree);

    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
        for path in ["/a.txt", "/"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                server.host()
            );
            let response = server.request(&request);

            assert_eq!(response.status, 405, "{method} {path}");
            let allow = response.header("allow").unwrap_or_default();
            assert!(allow.contains("GET") && allow.contains("HEAD"), "{method} {path}: Allow: {allow}");
        }
    }
    assert_eq!(tree.read("a.txt"), b"hello");
}

#[test]
fn head_is_get_without_the_body() {
    let tree = Tree::new();
    tree.file("a.txt", "hello");
    let server = serve(&tree);
    let get = server.get("/a.txt", "");

    let mut connection = server.http();
    connection.send(format!("HEAD /a.txt HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host()));
    let head = connection.response("HEAD");

    assert_eq!(connection.rest(), b"");
    assert_eq!(head.status, 200);
    for name in ["content-length", "content-type", "etag", "last-modified", "accept-ranges"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[test]
fn a_range_of_another_version_is_the_whole_file() {
    let tree = Tree::new();
    tree.file("digits.txt", "0123456789");
    let server = serve(&tree);
    let whole = server.get("/digits.txt", "");

    for (validator, status) in [("\"another\"", 200), ("Thu, 01 Jan 1970 00:00:00 GMT", 200), (&*etag(&whole), 206)] {
        let response = server.get("/digits.txt", &format!("Range: bytes=0-3\r\nIf-Range: {validator}\r\n"));

        assert_eq!(response.status, status, "If-Range: {validator}");
    }
}

#[test]
fn a_file_that_the_client_has_is_not_sent_again() {
    let tree = Tree::new();
    tree.file("a.txt", "hello");
    let server = serve(&tree);
    let first = server.get("/a.txt", "");

    for (condition, status) in [
        (format!("If-None-Match: {}\r\n", etag(&first)), 304),
        (format!("If-None-Match: \"another\", {}\r\n", etag(&first)), 304),
        ("If-None-Match: *\r\n".to_owned(), 304),
        ("If-None-Match: \"another\"\r\n".to_owned(), 200),
        (format!("If-Modified-Since: {}\r\n", date(&first)), 304),
        ("If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n".to_owned(), 200),
        // The ETag is the better witness of the two.
        (format!("If-None-Match: \"another\"\r\nIf-Modified-Since: {}\r\n", date(&first)), 200),
    ] {
        let response = server.get("/a.txt", &condition);

        assert_eq!(response.status, status, "{condition}");
        assert_eq!(response.body.is_empty(), status == 304, "{condition}");
    }
}

#[test]
fn a_changed_file_has_another_etag() {
    let tree = Tree::new();
    tree.file("a.txt", "hello");
    let server = serve(&tree);
    let before = server.get("/a.txt", "");

    tree.file("a.txt", "hello again");
    let after = server.get("/a.txt", &format!("If-None-Match: {}\r\n", etag(&before)));

    assert_eq!((after.status, after.text()), (200, "hello again".to_owned()));
    assert_ne!(etag(&after), etag(&before));
}

#[test]
fn a_precompressed_sibling_is_served_to_who_takes_it() {
    let tree = Tree::new();
    tree.file("a.js", "plain")
        .file("a.js.br", "brotli")
        .file("a.js.gz", "gzip")
        .file("b.js", "plain")
        .file("b.js.gz", "gzip");
    let server = serve(&tree);
    let table = [
        ("/a.js", "br, gzip", "brotli", Some("br")),
        ("/a.js", "gzip, deflate, br", "brotli", Some("br")),
        ("/a.js", "gzip", "gzip", Some("gzip")),
        ("/a.js", "br;q=0, gzip", "gzip", Some("gzip")),
        ("/a.js", "gzip;q=0", "plain", None),
        ("/a.js", "identity", "plain", None),
        ("/a.js", "zstd", "plain", None),
        ("/b.js", "br, gzip", "gzip", Some("gzip")),
        ("/b.js", "br", "plain", None),
    ];
    for (path, accepted, body, encoding) in table {
        let response = server.get(path, &format!("Accept-Encoding: {accepted}\r\n"));
        let case = format!("{path} with Accept-Encoding: {accepted}");

        assert_eq!((response.status, response.text()), (200, body.to_owned()), "{case}");
        assert_eq!(response.header("content-encoding"), encoding, "{case}");
        assert!(response.header("content-type").unwrap().starts_with("text/javascript"), "{case}");
        let vary = response.header("vary").unwrap_or_default().to_ascii_lowercase();
        assert!(encoding.is_none() || vary.contains("accept-encoding"), "{case}: Vary: {vary}");
    }
    // A cache that saw the plain file must not hand it to everybody either.
    let vary = server.get("/a.js", "").header("vary").unwrap_or_default().to_ascii_lowercase();
    assert!(vary.contains("accept-encoding"), "Vary: {vary}");
}

#[test]
fn the_encodings_of_a_file_have_etags_of_their_own() {
    let tree = Tree::new();
    tree.file("a.js", "plain").file("a.js.gz", "gzip");
    let server = serve(&tree);

    let (plain, packed) = (server.get("/a.js", ""), server.get("/a.js", "Accept-Encoding: gzip\r\n"));

    assert_ne!(etag(&plain), etag(&packed));
}

#[test]
fn no_program_of_dir_is_served_as_a_file() {
    let tree = Tree::new();
    let script = "#!/bin/sh\necho the source\n";
    tree.program("scripts/x.sh", script).program("scripts/sub/y.sh", script).file("scripts/x.sh.gz", script);
    tree.file("index.html", "hello").link("linked", "scripts").link("linked.sh", "scripts/x.sh");
    let server = Server::serve(&["--staticdir", &tree.path(""), "--dir", &tree.path("scripts")]);

    for path in [
        "/scripts/x.sh",
        "/scripts%2fx.sh",
        "/%73cripts/x.sh",
        "/scripts/./x.sh",
        "/scripts//x.sh",
        "//scripts/x.sh",
        "/scripts/sub/../x.sh",
        "/scripts/x.sh/",
        "/scripts/x.sh.gz",
        "/scripts/sub/y.sh",
        "/linked/x.sh",
        "/linked.sh",
        "/x.sh",
    ] {
        for headers in ["", "Accept-Encoding: gzip\r\n", "Range: bytes=0-5\r\n"] {
            let response = server.get(path, headers);

            assert!(!response.text().contains("#!"), "{path} {headers}:\n{response}");
            assert!(response.status >= 300, "{path} {headers}:\n{response}");
        }
    }
    assert_eq!(server.connect("/x.sh").line(), "the source");
    assert_eq!(server.get("/", "").text(), "hello");
}

#[test]
fn the_command_is_not_served_as_a_file_under_any_name() {
    let tree = Tree::new();
    let source = "#!/bin/sh\necho the program\n";
    tree.program("app/run.sh", source).file("app/other.sh", source).link("app/link.sh", "run.sh");
    std::fs::hard_link(tree.path("app/run.sh"), tree.path("app/twin.sh")).unwrap();
    let mut command = wsd(&["--port=0", "--staticdir=app", "app/run.sh"]);
    command.current_dir(tree.path(""));
    let server = Server::spawn(command);

    for name in ["run.sh", "link.sh", "twin.sh", "run%2Esh"] {
        let response = server.get(&format!("/{name}"), "");
        assert_eq!(response.status, 404, "{name}:\n{response}");
    }
    assert_eq!(server.get("/other.sh", "").text(), source);

    // Put in its place later, it is still the program.
    tree.program("app/run.new", source);
    std::fs::rename(tree.path("app/run.new"), tree.path("app/run.sh")).unwrap();
    assert_eq!(server.get("/run.sh", "").status, 404);
    assert_eq!(server.connect("/").line(), "the program");
}

#[test]
fn files_and_programs_share_a_port() {
    let tree = Tree::new();
    tree.file("index.html", "the page");
    let server = Server::command(&["--staticdir", &tree.path("")], &["echo", "the program"]);

    assert_eq!(server.get("/", "").text(), "the page");
    assert_eq!(server.connect("/").line(), "the program");
}

#[test]
fn without_a_program_an_upgrade_is_a_request_like_any_other() {
    let tree = Tree::new();
    tree.file("index.html", "the page");
    let server = serve(&tree);

    assert_eq!(server.refusal("/", "").text(), "the page");
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_that_does_not_read_a_large_file_takes_no_memory() {
    use crate::harness::process::linux::peak_memory;
    let tree = Tree::new();
    tree.file("small.txt", "served");
    // A file of a gigabyte that takes no room: nothing was written to it.
    std::fs::File::create(tree.path("large.bin")).unwrap().set_len(1 << 30).unwrap();
    let server = serve(&tree);
    let before = peak_memory(server.pid());

    let mut connection = server.http();
    connection.send(format!("GET /large.bin HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
    connection.take(1 << 20).unwrap();

    assert_eq!(server.get("/small.txt", "").text(), "served");
    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 8 << 10, "memory grew by {growth_kib} KiB");
}
