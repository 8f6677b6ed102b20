//! TLS: the versions and certificates that are taken, those that are not, and new ones without a restart.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion};

use crate::harness::certificates::{Authority, Identity};
use crate::harness::crowd::raise_descriptor_limit;
use crate::harness::http::{Connection, Response};
use crate::harness::server::{Server, field, run};
use crate::harness::skip::has;
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{CLOSE, Client, Close, Frame, TEXT, upgrade_request};
use crate::harness::{assert_in_time, eventually};

/// Writes what `--sslcert` and `--sslkey` of [`serve`] name.
fn write(tree: &Tree, identity: &Identity) {
    tree.file("cert.pem", &identity.certificate).file("key.pem", &identity.key);
}

/// A server with the certificate in `tree`.
fn serve(tree: &Tree, flags: &[&str], command: &[&str]) -> Server {
    let (certificate, key) = (tree.path("cert.pem"), tree.path("key.pem"));
    Server::command(&[&["--ssl", "--sslcert", &certificate, "--sslkey", &key], flags].concat(), command)
}

/// A server with a certificate of `authority`, and where its files are.
fn start(authority: &Authority, flags: &[&str], command: &[&str]) -> (Tree, Server) {
    let tree = Tree::new();
    write(&tree, &authority.identity("server"));
    let server = serve(&tree, flags, command);
    (tree, server)
}

/// One that asks clients for a certificate of `authority`, too.
fn start_asking(authority: &Authority, command: &[&str]) -> (Tree, Server) {
    let tree = Tree::new();
    write(&tree, &authority.identity("server"));
    tree.file("ca.pem", authority.pem());
    let server = serve(&tree, &["--sslca", &tree.path("ca.pem")], command);
    (tree, server)
}

fn try_secure(server: &Server, config: &Arc<ClientConfig>) -> io::Result<Stream> {
    Stream::tcp(server.address)?.secure(config)
}

fn secure(server: &Server, config: &Arc<ClientConfig>) -> Stream {
    try_secure(server, config).unwrap_or_else(|error| panic!("no handshake: {error}"))
}

fn host(server: &Server) -> String {
    format!("localhost:{}", server.address.port())
}

fn connect(server: &Server, config: &Arc<ClientConfig>) -> Client {
    let connection = Connection::over(secure(server, config));
    let client = Client::upgrade(connection, &upgrade_request(&host(server), "/", ""));
    client.unwrap_or_else(|response| panic!("no session:\n{response}"))
}

fn get(stream: Stream, host: &str, path: &str) -> Response {
    let mut connection = Connection::over(stream);
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
    let response = connection.response("GET");
    // The end must be told within TLS: without that a cut looks like an end.
    assert_eq!(connection.rest(), b"");
    response
}

/// The environment that a program behind `env` has.
fn environment(mut client: Client) -> BTreeMap<String, String> {
    let lines = client.rest().0.into_iter();
    lines.map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()).collect()
}

/// Whether a client of this kind gets no answer: the handshake fails, or the first read does.
fn is_refused(server: &Server, config: &Arc<ClientConfig>) -> bool {
    let asked = try_secure(server, config).and_then(|mut stream| {
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host(server)).as_bytes())?;
        stream.read(&mut [0; 100])
    });
    asked.is_err()
}

fn is_identity(stream: &Stream, identity: &Identity) -> bool {
    let shown = stream.tls().peer_certificates().unwrap();
    shown[0] == CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()
}

#[test]
fn sessions_and_files_pass_through_tls_1_2_and_1_3() {
    let authority = Authority::new();
    let tree = Tree::new();
    let large = (0..300_000).map(|number| number.to_string()).collect::<Vec<_>>().join("\n");
    tree.file("large.txt", &large);
    let (_tree, server) = start(&authority, &["--staticdir", &tree.path("")], &["cat"]);

    for (version, number) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let config = authority.client(&[version], None);

        let stream = secure(&server, &config);
        assert_eq!(stream.tls().protocol_version(), Some(number));
        assert!(get(stream, &host(&server), "/large.txt").text() == large, "{number:?}");
        let mut client = connect(&server, &config);
        let message = "x".repeat(1 << 20);
        for text in ["hello", "", &message] {
            client.text(text);
            assert!(client.line() == text, "{number:?}");
        }
        client.close(1000);
        assert_eq!(client.expect_close().code, Some(1000));
        client.expect_end();
    }
}

#[test]
fn an_older_tls_is_refused() {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    /// A fatal alert: the server speaks other versions only (RFC 8446, section 6).
    const PROTOCOL_VERSION: [u8; 2] = [2, 70];
    let (_tree, server) = start(&Authority::new(), &[], &["cat"]);
    // The ClientHello of SSL 3.0, TLS 1.0, 1.1 and 1.2 (RFC 5246, section 7.4.1.2), which differ in nothing else: suites
    // of ECDSA, no compression, P-256 as group, and ECDSA with SHA-256 as signature.
    let answer = |minor: u8| {
        let (suites, compressions) = ([0, 4, 0xC0, 0x2B, 0xC0, 0x09], [1, 0]);
        let extensions = [0, 18, 0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 6, 0, 4, 4, 3, 8, 4];
        let hello = [&[3, minor][..], &[7; 32], &[0], &suites, &compressions, &extensions].concat();
        let length = u8::try_from(hello.len()).unwrap();
        let mut connection = server.http();
        connection.send([&[HANDSHAKE, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat());
        connection.take(7).unwrap()
    };

    for minor in [0, 1, 2] {
        let answer = answer(minor);
        assert_eq!((answer[0], &answer[5..]), (ALERT, &PROTOCOL_VERSION[..]), "3.{minor}: {answer:?}");
    }
    assert_eq!(answer(3)[0], HANDSHAKE);
}

#[test]
fn http_1_1_is_the_protocol_that_is_agreed_on() {
    let authority = Authority::new();
    let (_tree, server) = start(&authority, &[], &["cat"]);
    for (offered, chosen) in
        [(&["h2", "http/1.1"][..], Some("http/1.1")), (&["http/1.1"], Some("http/1.1")), (&[], None)]
    {
        let mut config = (*authority.client(&[&TLS13, &TLS12], None)).clone();
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();

        let stream = secure(&server, &Arc::new(config));

        assert_eq!(stream.tls().alpn_protocol(), chosen.map(str::as_bytes), "{offered:?}");
        assert_eq!(get(stream, &host(&server), "/").status, 200, "{offered:?}");
    }
}

#[test]
fn a_program_learns_of_tls() {
    let authority = Authority::new();
    let (_tree, server) = start(&authority, &[], &["env"]);

    for (version, name, cipher) in [(&TLS12, "TLSv1.2", "TLS_ECDHE_"), (&TLS13, "TLSv1.3", "TLS_")] {
        let config = authority.client(&[version], None);
        let found = environment(connect(&server, &config));

        assert_eq!(found["HTTPS"], "on");
        assert_eq!(found["SSL_PROTOCOL"], name);
        assert!(found["SSL_CIPHER"].starts_with(cipher), "{}", found["SSL_CIPHER"]);
        assert!(!found["SSL_CIPHER"].contains("TLS13"), "{}", found["SSL_CIPHER"]);
        assert_eq!(found["SSL_CLIENT_VERIFY"], "NONE");
        assert!(!found.contains_key("SSL_CLIENT_S_DN"));
        assert_eq!(found["SERVER_PORT"], server.address.port().to_string());
    }
    // Without a port in Host it is the default one of https.
    let connection = Connection::over(secure(&server, &authority.client(&[&TLS13], None)));
    let client = Client::upgrade(connection, &upgrade_request("localhost", "/", "")).ok().unwrap();
    assert_eq!(environment(client)["SERVER_PORT"], "443");
}

#[test]
fn without_tls_nothing_says_so() {
    let server = Server::command(&[], &["env"]);

    let headers = "HTTPS: on\r\nSSL-CLIENT-VERIFY: SUCCESS\r\nSSL_CLIENT_VERIFY: SUCCESS\r\n";
    let found = environment(server.connect_with("/", headers));

    assert!(!found.keys().any(|name| name == "HTTPS" || name.starts_with("SSL_")), "{found:?}");
}

#[test]
fn a_page_of_the_same_origin_may_connect_through_tls() {
    let authority = Authority::new();
    let (_tree, server) = start(&authority, &[], &["cat"]);
    let config = authority.client(&[&TLS13], None);

    for (origin, status) in [(format!("https://{}", host(&server)), 101), ("https://evil.example".to_owned(), 403)] {
        let mut connection = Connection::over(secure(&server, &config));
        connection.send(upgrade_request(&host(&server), "/", &format!("Origin: {origin}\r\n")));

        assert_eq!(connection.response("GET").status, status, "{origin}");
    }
}

#[test]
fn a_client_without_the_certificate_that_is_asked_for_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (_tree, server) = start_asking(&authority, &["cat"]);
    // All are known by the name that is let in; only the signatures and dates differ.
    let table = [("none", None), ("of another", Some(other.identity("Ada"))), ("expired", Some(authority.expired()))];

    for version in [&TLS12, &TLS13] {
        for (what, identity) in &table {
            assert!(is_refused(&server, &authority.client(&[version], identity.as_ref())), "{what}");
        }
        let ada = authority.identity("Ada");
        assert!(!is_refused(&server, &authority.client(&[version], Some(&ada))));
    }
    let line = server.expect_log("connection refused").text;
    assert!(line.contains("why=tls"), "{line}");
}

#[test]
fn a_program_learns_whose_certificate_it_is() {
    let authority = Authority::new();
    let (_tree, server) = start_asking(&authority, &["env"]);

    for version in [&TLS12, &TLS13] {
        let found = environment(connect(&server, &authority.client(&[version], Some(&authority.identity("Ada L.")))));

        assert_eq!(found["SSL_CLIENT_S_DN"], "CN=Ada L.");
        assert_eq!(found["SSL_CLIENT_VERIFY"], "SUCCESS");
    }
}

#[test]
fn a_program_learns_of_a_subject_in_every_kind_of_string() {
    use rcgen::{DnValue, string};
    let authority = Authority::new();
    let (_tree, server) = start_asking(&authority, &["env"]);
    let table: [(DnValue, &str); 6] = [
        (DnValue::Utf8String("Zoë €".to_owned()), "CN=Zoë €"),
        (DnValue::PrintableString("Ada L.".try_into().unwrap()), "CN=Ada L."),
        (DnValue::Ia5String("ada@example.com".try_into().unwrap()), "CN=ada@example.com"),
        (DnValue::TeletexString("Ada T.".try_into().unwrap()), "CN=Ada T."),
        (DnValue::BmpString(string::BmpString::try_from("Zoë €").unwrap()), "CN=Zoë €"),
        (DnValue::UniversalString(string::UniversalString::try_from("Zoë 😀").unwrap()), "CN=Zoë 😀"),
    ];
    for (name, want) in table {
        let config = authority.client(&[&TLS13], Some(&authority.identity(name)));

        assert_eq!(environment(connect(&server, &config))["SSL_CLIENT_S_DN"], want);
    }
}

#[test]
fn a_client_cannot_say_whose_certificate_it_has() {
    let authority = Authority::new();
    let (_tree, server) = start_asking(&authority, &["env"]);
    let config = authority.client(&[&TLS13], Some(&authority.identity("Eve")));
    let headers = "SSL-CLIENT-S-DN: CN=Ada\r\nSSL_CLIENT_S_DN: CN=Ada\r\n";

    let connection = Connection::over(secure(&server, &config));
    let client = Client::upgrade(connection, &upgrade_request(&host(&server), "/", headers)).ok().unwrap();

    assert_eq!(environment(client)["SSL_CLIENT_S_DN"], "CN=Eve");
}

#[test]
fn a_subject_cannot_pose_as_two() {
    // A comma in a name is no border between names (RFC 4514, section 2.4).
    let authority = Authority::new();
    let (_tree, server) = start_asking(&authority, &["env"]);

    let config = authority.client(&[&TLS13], Some(&authority.identity("Eve, CN=Ada")));
    let subject = environment(connect(&server, &config))["SSL_CLIENT_S_DN"].clone();

    // An equals sign may be escaped, too.
    assert_eq!(subject.replace("\\=", "="), "CN=Eve\\, CN=Ada");
}

#[test]
fn flags_of_tls_that_make_no_sense_are_exit_1() {
    let tree = Tree::new();
    let authority = Authority::new();
    write(&tree, &authority.identity("server"));
    tree.file("ca.pem", authority.pem());
    let [cert, key, ca] =
        ["cert", "key", "ca"].map(|name| format!("--ssl{name}={}", tree.path(&format!("{name}.pem"))));
    let table: [(&[&str], &[&str]); 10] = [
        (&["--ssl"], &["--sslcert", "--sslkey"]),
        (&["--ssl", "--sslcert=", &key], &["--sslcert", "--sslkey"]),
        (&["--ssl", &cert, "--sslkey="], &["--sslcert", "--sslkey"]),
        (&["--ssl", &cert], &["--sslkey"]),
        (&["--ssl", &key], &["--sslcert"]),
        (&["--ssl", &ca], &["--sslcert", "--sslkey"]),
        (&[&cert, &key], &["--sslcert", "--ssl "]),
        (&[&key], &["--sslkey", "--ssl "]),
        (&[&ca], &["--sslca", "--ssl "]),
        (&["--ssl=false", &cert, &key], &["--sslcert", "--ssl "]),
    ];
    for (flags, words) in table {
        let outcome = run(&[&["--port=0"], flags, &["cat"]].concat());

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{flags:?}: {outcome:?}");
        assert!(words.iter().all(|word| outcome.stderr.contains(word)), "{flags:?}: {outcome:?}");
    }
}

#[test]
fn an_empty_name_of_a_file_is_none() {
    // Scripts pass what may be empty.
    let mut server = Server::command(&["--sslcert=", "--sslkey=", "--sslca="], &["cat"]);

    assert!(server.output()[0].starts_with("http://"), "{:?}", server.output());
    assert!(!server.stop().contains("certificate"));
}

#[test]
fn certificates_that_cannot_be_used_are_exit_3_and_named() {
    let tree = Tree::new();
    let authority = Authority::new();
    let server = authority.identity("server");
    write(&tree, &server);
    tree.file("ca.pem", authority.pem())
        .file("other-key.pem", authority.identity("other").key)
        .file("empty.pem", "")
        .file("text.pem", "no certificate, and no key\n")
        .file("cut.pem", &server.certificate[..server.certificate.len() / 2])
        .file("hollow.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n")
        .file("hollow-key.pem", "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n")
        .directory("directory.pem");
    let table = [
        ("--sslcert", "nothing.pem"),
        ("--sslcert", "directory.pem"),
        ("--sslcert", "empty.pem"),
        ("--sslcert", "text.pem"),
        ("--sslcert", "cut.pem"),
        ("--sslcert", "hollow.pem"),
        ("--sslcert", "key.pem"),
        ("--sslkey", "nothing.pem"),
        ("--sslkey", "directory.pem"),
        ("--sslkey", "empty.pem"),
        ("--sslkey", "text.pem"),
        ("--sslkey", "hollow-key.pem"),
        ("--sslkey", "cert.pem"),
        ("--sslkey", "other-key.pem"),
        ("--sslca", "nothing.pem"),
        ("--sslca", "directory.pem"),
        ("--sslca", "empty.pem"),
        ("--sslca", "text.pem"),
        ("--sslca", "hollow.pem"),
        ("--sslca", "key.pem"),
    ];
    for (flag, name) in table {
        let file = |own: &str, default: &str| tree.path(if flag == own { name } else { default });
        let (cert, key, ca) = (file("--sslcert", "cert.pem"), file("--sslkey", "key.pem"), file("--sslca", "ca.pem"));
        let flags = ["--port=0", "--ssl", "--sslcert", &cert, "--sslkey", &key, "--sslca", &ca, "cat"];

        let outcome = run(&flags);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{flag} {name}: {outcome:?}");
        let says = |word: &str| outcome.stderr.contains(word);
        assert!(says(flag) && says(&tree.path(name)) && says("hint:"), "{flag} {name}: {outcome:?}");
    }
}

#[test]
fn a_certificate_in_a_file_with_its_chain_comes_first() {
    let authority = Authority::new();
    let tree = Tree::new();
    let identity = authority.identity("server");
    tree.file("cert.pem", identity.certificate.clone() + &authority.pem()).file("key.pem", &identity.key);
    let server = serve(&tree, &[], &["cat"]);

    let stream = secure(&server, &authority.client(&[&TLS13], None));

    assert!(is_identity(&stream, &identity));
    assert_eq!(stream.tls().peer_certificates().unwrap().len(), 2);
}

#[test]
fn certificate_and_key_may_be_in_one_file() {
    let authority = Authority::new();
    let tree = Tree::new();
    let identity = authority.identity("server");
    tree.file("both.pem", identity.key.clone() + &identity.certificate);
    let both = tree.path("both.pem");
    let server = Server::command(&["--ssl", "--sslcert", &both, "--sslkey", &both], &["cat"]);

    assert!(is_identity(&secure(&server, &authority.client(&[&TLS13], None)), &identity));
}

#[test]
fn a_hangup_loads_new_certificates_and_ends_no_session() {
    let authority = Authority::new();
    let tree = Tree::new();
    let (old, new) = (authority.identity("old"), authority.identity("new"));
    write(&tree, &old);
    let server = serve(&tree, &[], &["cat"]);
    let config = authority.client(&[&TLS13], None);
    let mut client = connect(&server, &config);
    assert!(is_identity(&secure(&server, &config), &old));

    write(&tree, &new);
    server.signal(Signal::HUP);

    server.expect_log("certificates loaded");
    eventually("new connections get the new certificate", || {
        is_identity(&secure(&server, &config), &new).then_some(())
    });
    client.text("still here");
    assert_eq!(client.line(), "still here");
}

#[test]
fn a_hangup_loads_new_authorities_of_clients() {
    let (authority, next) = (Authority::new(), Authority::new());
    let (tree, server) = start_asking(&authority, &["cat"]);
    let [of_old, of_next] = [&authority, &next].map(|of| authority.client(&[&TLS13], Some(&of.identity("client"))));
    assert!(!is_refused(&server, &of_old) && is_refused(&server, &of_next));

    tree.file("ca.pem", next.pem());
    server.signal(Signal::HUP);

    eventually("the new authority counts, the old one does not", || {
        (is_refused(&server, &of_old) && !is_refused(&server, &of_next)).then_some(())
    });
}

#[test]
fn changed_files_are_loaded_by_themselves() {
    let authority = Authority::new();
    let tree = Tree::new();
    write(&tree, &authority.identity("old"));
    let server = serve(&tree, &[], &["cat"]);
    let config = authority.client(&[&TLS13], None);
    let mut client = connect(&server, &config);
    let new = authority.identity("new");

    write(&tree, &new);

    eventually("new connections get the new certificate", || {
        is_identity(&secure(&server, &config), &new).then_some(())
    });
    client.text("still here");
    assert_eq!(client.line(), "still here");
}

#[test]
fn a_bad_new_certificate_leaves_the_old_one_and_is_told_of() {
    let authority = Authority::new();
    let tree = Tree::new();
    let old = authority.identity("old");
    let config = authority.client(&[&TLS13], None);
    for (bad, flag) in [
        (Identity { certificate: "rubbish".to_owned(), key: old.key.clone() }, "--sslcert"),
        (Identity { certificate: old.certificate.clone(), key: authority.identity("other").key }, "--sslkey"),
    ] {
        write(&tree, &old);
        let server = serve(&tree, &[], &["cat"]);
        let mut client = connect(&server, &config);

        write(&tree, &bad);
        server.signal(Signal::HUP);

        let line = server.expect_log("certificates not loaded").text;
        assert!(line.contains(" ERROR ") && line.contains(flag), "{line}");
        assert!(is_identity(&secure(&server, &config), &old), "{flag}");
        client.text("still here");
        assert_eq!(client.line(), "still here");

        let good = authority.identity("good");
        write(&tree, &good);
        eventually("a good one is loaded after the bad one", || {
            is_identity(&secure(&server, &config), &good).then_some(())
        });
    }
}

#[test]
fn a_certificate_that_is_not_valid_now_is_served_and_warned_of() {
    let authority = Authority::new();
    let config = authority.client(&[&TLS13], None);
    for (identity, cause) in [(authority.expired(), "it has expired"), (authority.early(), "it is not yet valid")] {
        let tree = Tree::new();
        write(&tree, &identity);
        let server = serve(&tree, &[], &["cat"]);

        for count in 1..=2 {
            let line = server.expect_nth_log("certificate not valid now", count).text;
            assert!(line.contains(" WARN "), "{line}");
            assert_eq!(field(&line, "cause").as_deref(), Some(cause), "{line}");
            assert!(["file", "from", "to", "hint"].iter().all(|key| field(&line, key).is_some()), "{line}");
            // The client refuses the certificate, and tells why: it has come.
            let refusal = try_secure(&server, &config).err().expect("a refusal").to_string();
            assert!(refusal.contains("certificate"), "{refusal}");
            server.signal(Signal::HUP);
        }
    }
}

#[test]
fn authorities_that_are_not_valid_now_are_warned_of() {
    let (tree, authority) = (Tree::new(), Authority::new());
    let Identity { certificate, key } = authority.identity("server");
    // A chain, and a bundle of authorities: in each the second has expired.
    write(&tree, &Identity { certificate: certificate + &authority.expired().certificate, key });
    tree.file("ca.pem", authority.pem() + &authority.expired().certificate);

    let server = serve(&tree, &["--sslca", &tree.path("ca.pem")], &["cat"]);

    for name in ["cert.pem", "ca.pem"] {
        let line = server.expect_log(&format!("certificate not valid now file={} ", tree.path(name))).text;
        assert_eq!(field(&line, "cause").as_deref(), Some("it has expired"), "{line}");
    }
}

#[test]
fn keys_that_tls_cannot_use_are_refused_with_the_reason() {
    if !has("openssl") {
        return;
    }
    let request = "openssl req -x509 -subj /CN=localhost -days 30 -out cert.pem";
    let table = [
        (format!("{request} -newkey rsa:1024 -nodes -keyout key.pem"), "an RSA key of 1024 bits is too weak"),
        (
            format!("openssl ecparam -name secp256k1 -genkey -noout -out key.pem && {request} -key key.pem"),
            "the curve secp256k1 is not supported",
        ),
        (
            format!("{request} -newkey rsa:2048 -passout pass:secret -keyout key.pem"),
            "it is encrypted with a passphrase",
        ),
        (
            format!("openssl genpkey -algorithm ED448 -out key.pem && {request} -key key.pem"),
            "an Ed448 key is not supported",
        ),
        (
            format!("openssl genpkey -algorithm RSA-PSS -out key.pem && {request} -key key.pem"),
            "an RSA-PSS key is not supported",
        ),
        (
            format!("{request} -newkey rsa:2048 -nodes -keyout /dev/null && openssl genrsa -out key.pem 1024"),
            "TLS cannot use a key of its kind or size",
        ),
        (
            "openssl req -new -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=localhost -out request.pem &&
                openssl x509 -req -in request.pem -key key.pem -out cert.pem"
                .to_owned(),
            "cert.pem` of --sslcert: it has version 1 of X.509, not 3",
        ),
        (
            format!("{request} -newkey rsa:2048 -nodes -keyout whole.pem && head -n 3 whole.pem > key.pem"),
            "it is cut short: the line -----END PRIVATE KEY----- is missing",
        ),
    ];
    for (command, reason) in table {
        let tree = Tree::new();
        let made = Command::new("sh").args(["-ec", &command]).current_dir(tree.path("")).output().unwrap();
        assert!(made.status.success(), "{made:?}");

        let outcome =
            run(&["--port=0", "--ssl", "--sslcert", &tree.path("cert.pem"), "--sslkey", &tree.path("key.pem"), "cat"]);

        assert_eq!(outcome.status, Some(3), "{outcome:?}");
        let has = |text| outcome.stderr.contains(text);
        assert!(has(reason) && has("hint:") && !has("certificate was made with"), "{reason}: {outcome:?}");
    }
}

#[test]
fn files_that_are_gone_leave_the_old_certificate() {
    let authority = Authority::new();
    let tree = Tree::new();
    let old = authority.identity("old");
    write(&tree, &old);
    let server = serve(&tree, &[], &["cat"]);

    tree.remove("cert.pem");
    tree.remove("key.pem");

    server.expect_log("certificates not loaded");
    assert!(is_identity(&secure(&server, &authority.client(&[&TLS13], None)), &old));
}

#[test]
fn plain_http_is_told_to_use_tls() {
    let (_tree, server) = start(&Authority::new(), &[], &["cat"]);
    for method in ["GET", "HEAD", "POST"] {
        let mut connection = server.http();
        connection.send(format!("{method} / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host()));
        let response = connection.response("GET");

        assert_eq!(response.status, 400, "{method}");
        assert!(response.text().contains("https://"), "{method}: {response}");
        assert_eq!(connection.rest(), b"", "{method}");
    }
    assert_eq!(server.refusal("/", "").status, 400);
}

#[test]
fn a_connection_that_is_neither_tls_nor_http_ends_nothing_else() {
    let authority = Authority::new();
    let (_tree, server) = start(&authority, &[], &["cat"]);
    for rubbish in [&b"\0\0\0\0\0\0\0\0"[..], b"\x16\x03\x01\xFF\xFF", b"\x15\x03\x01\0\x02\x02\x28", b"\r\n\r\n", b""]
    {
        let mut connection = server.http();
        connection.send(rubbish);
        connection.finish();
        connection.rest();
    }

    let mut client = connect(&server, &authority.client(&[&TLS13], None));
    client.text("hello");
    assert_eq!(client.line(), "hello");
}

#[test]
fn a_handshake_that_takes_too_long_is_cut() {
    const LIMIT: Duration = Duration::from_secs(10);
    let (_tree, server) = start(&Authority::new(), &[], &["cat"]);
    let start = Instant::now();
    let (mut silent, mut unfinished) = (server.http(), server.http());
    unfinished.send([22, 3, 1, 2, 0, 1]);

    for connection in [&mut silent, &mut unfinished] {
        assert_eq!(connection.rest(), b"");
        // The server may have begun to count a bit before the test did.
        assert!(start.elapsed() >= LIMIT.mul_f64(0.95), "cut after {:?}", start.elapsed());
        assert_in_time(start, LIMIT);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn handshakes_that_do_not_end_stay_within_maxbuffer() {
    use crate::harness::process::linux::peak_memory;
    const CLIENTS: usize = 800;
    const MIB: usize = 1 << 20;
    raise_descriptor_limit(4096);
    let authority = Authority::new();
    let (_tree, server) = start(&authority, &["--maxbuffer=1048576"], &["cat"]);
    let before = peak_memory(server.pid());
    // A ClientHello of 65,000 bytes, in 5 records; the last has only its head.
    let mut hello = vec![1, 0, 0xFD, 0xE8, 3, 3];
    hello.resize(64_000, b'A');
    let record = |part: &[u8]| [&[22, 3, 1, 0x3E, 0x80][..], part].concat();
    let mut records: Vec<u8> = hello.chunks(16_000).flat_map(record).collect();
    records.extend([22, 3, 1, 0x3E, 0x80]);

    // 53 MB, were there no limit.
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.http()).collect();
    for client in &mut clients {
        let _ = client.try_send(&records);
    }

    eventually("most are cut off", || {
        let cut = clients.iter_mut().filter_map(|client| client.try_send("A").err()).count();
        (cut >= CLIENTS - MIB / (64 << 10)).then_some(())
    });
    let growth = (peak_memory(server.pid()) - before) << 10;
    assert!(growth < (1 + 32) * MIB as u64, "memory grew by {growth} bytes");
    drop(clients);
    secure(&server, &authority.client(&[&TLS13], None));
}

#[test]
fn handshakes_under_way_do_not_hold_up_the_end() {
    let (_tree, mut server) = start(&Authority::new(), &[], &["cat"]);
    let _silent = server.http();
    let mut unfinished = server.http();
    unfinished.send([22, 3, 1, 2, 0, 1]);

    let start = Instant::now();
    server.signal(Signal::TERM);

    assert_eq!(server.wait().code(), Some(0));
    assert_in_time(start, Duration::from_secs(1));
}

#[test]
fn the_end_is_a_close_within_tls_too() {
    let authority = Authority::new();
    let (_tree, mut server) = start(&authority, &[], &["cat"]);
    let mut client = connect(&server, &authority.client(&[&TLS13], None));

    server.signal(Signal::TERM);

    assert_eq!(client.expect_close().code, Some(1001));
    client.close(1001);
    client.expect_end();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_broken_frame_ends_with_close_1002_and_a_clean_end_of_tls() {
    let authority = Authority::new();
    let (_tree, server) = start(&authority, &[], &["cat"]);
    for version in [&TLS12, &TLS13] {
        let mut stream = secure(&server, &authority.client(&[version], None));
        let broken = Frame::new(TEXT, "broken").with_reserved_bits(4).masked();
        // What is left unread when a connection is closed would reset it.
        let after = Frame::new(TEXT, vec![b'x'; 100_000]).masked();

        stream.write_all(upgrade_request(&host(&server), "/", "").as_bytes()).unwrap();
        stream.write_all(&[broken, after].concat()).unwrap();
        let mut answer = Vec::new();
        // Fails on a reset, and on an end that TLS was not told of.
        stream.read_to_end(&mut answer).unwrap();

        let frame = answer.split_off(answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4);
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        assert_eq!((frame[0], usize::from(frame[1])), (0x80 | CLOSE, frame.len() - 2), "{frame:?}");
        assert_eq!(Close::of(&frame[2..]).code, Some(1002));
    }
}

#[test]
fn a_client_gone_without_a_word_ends_its_program() {
    let authority = Authority::new();
    let (_tree, server) = start(&authority, &[], &["cat"]);
    let mut client = connect(&server, &authority.client(&[&TLS13], None));
    let worker = server.expect_worker_of(&mut client);

    client.reset();

    assert!(crate::harness::process::gone_within(worker, crate::harness::DEADLINE));
}

#[test]
fn a_hangup_without_certificates_ends_nothing() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    server.signal(Signal::HUP);

    for _ in 0..3 {
        client.text("still here");
        assert_eq!(client.line(), "still here");
        server.connect("/").close(1000);
    }
}

#[test]
fn parts_of_records_count_against_the_budget() {
    let authority = Authority::new();
    let (_tree, server) = start(&authority, &["--shared", "--pingms=0", "--maxbuffer=1048576"], &["cat"]);
    let config = authority.client(&[&TLS13], None);
    let mut honest = connect(&server, &config);

    // A header that announces 16,640 bytes, and most of them.
    let part = [&[23, 3, 3, 0x41, 0][..], &vec![b'x'; 16_600]].concat();
    let hostile = (0..60).filter_map(|_| {
        let stream = try_secure(&server, &config).ok()?;
        let mut bare = File::from(stream.as_fd().try_clone_to_owned().unwrap());
        let mut connection = Connection::over(stream);
        // The budget may cut it off meanwhile.
        connection.try_send(upgrade_request(&host(&server), "/", "")).ok()?;
        let is_upgraded = connection.try_response("GET")?.status == 101;
        bare.write_all(&part).ok()?;
        is_upgraded.then_some(connection)
    });
    let hostile: Vec<_> = hostile.collect();

    server.expect_log("end=overload");
    honest.text("still here");
    assert_eq!(honest.line(), "still here");
    drop(hostile);
}
