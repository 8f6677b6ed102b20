//! Files of users and tokens, credentials, and requests for each kind of answer.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use data_encoding::{BASE64, BASE64URL_NOPAD};

use crate::harness::server::Server;
use crate::harness::tree::Tree;

/// The password of `ada`, and the token of `ci`.
pub(super) const PASSWORD: &str = "correct horse";
pub(super) const TOKEN: &str = "t0p-secret.token";

/// Hashes of [`PASSWORD`]: of bcrypt with a low cost, of `htpasswd -B -C 10`, and of crypt(3) with SHA-512 and SHA-256.
pub(super) const BCRYPT: &str = "$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
pub(super) const BCRYPT_10: &str = "$2y$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu";
pub(super) const SHA512: &str =
    "$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv/uamSo5z0";
pub(super) const SHA512_ROUNDS: &str =
    "$6$rounds=1000$saltsalt$4GMtaIz3E1AdDi2SmCokEW0ehi.HdxNDcL3fGE1XXuzvo6kbx7UOloZKONqEk5H3JrQA4NOfU8BmqFPrpGqwA1";
pub(super) const SHA256: &str = "$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/";

/// A credential that a client shows.
pub(super) enum Credential {
    /// User and password, with a colon between.
    Basic(String),
    /// A token.
    Token(String),
}

impl Credential {
    /// Returns the line of `Authorization`.
    pub(super) fn header(&self) -> String {
        match self {
            Self::Basic(pair) => format!("Authorization: Basic {}\r\n", base64(pair)),
            Self::Token(token) => format!("Authorization: Bearer {token}\r\n"),
        }
    }

    /// Returns the token, if it is one.
    pub(super) fn token(&self) -> Option<&str> {
        if let Self::Token(token) = self { Some(token) } else { None }
    }

    /// Lists what nobody may see.
    pub(super) fn secrets(&self) -> Vec<String> {
        match self {
            Self::Basic(pair) => vec![base64(pair), pair.split_once(':').unwrap().1.to_owned()],
            Self::Token(token) => vec![token.clone(), base64url(token)],
        }
    }
}

pub(super) fn base64(text: &str) -> String {
    BASE64.encode(text.as_bytes())
}

pub(super) fn base64url(text: &str) -> String {
    BASE64URL_NOPAD.encode(text.as_bytes())
}

/// Writes a file that only its owner may read, and returns its path.
pub(super) fn secret(tree: &Tree, name: &str, text: &str) -> String {
    tree.file(name, text);
    set_permissions(tree.path(name), Permissions::from_mode(0o600)).unwrap();
    tree.path(name)
}

/// Writes a file of users, and returns the flag for it.
pub(super) fn users(tree: &Tree) -> String {
    format!("--auth=basic:{}", secret(tree, "users", &format!("# users\nada:{BCRYPT}\nbob:{SHA256}\n")))
}

/// Writes a file of tokens, and returns the flag for it.
pub(super) fn tokens(tree: &Tree) -> String {
    format!("--auth=bearer:{}", secret(tree, "tokens", &format!("# tokens\nother:x\nci:{TOKEN}\n")))
}

/// Starts a server with a program that prints its environment, a file, a CGI script that prints its environment, and the console.
pub(super) fn start(tree: &Tree, flags: &[&str]) -> Server {
    tree.file("www/page.html", "<p>a page</p>");
    tree.program("cgi/env", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\n");
    let (files, scripts) = (format!("--staticdir={}", tree.path("www")), format!("--cgidir={}", tree.path("cgi")));
    Server::command(&[&[&*files, &scripts, "--devconsole", "--http"], flags].concat(), &["env"])
}

/// An answer: its status, 200 for a session, and its text, for a session all messages and the head of the 101.
pub(super) struct Asked {
    /// The status.
    pub(super) status: u16,
    /// The text.
    pub(super) text: String,
}

/// A kind of answer, and how to ask for it with these header lines and this query.
pub(super) type Target = (&'static str, fn(&Server, &str, &str) -> Asked);

/// The kinds of answers.
pub(super) const TARGETS: [Target; 6] = [
    ("WebSocket", session),
    ("event stream", |server, headers, query| {
        let response = server.get(&format!("/ws{query}"), &format!("Accept: text/event-stream\r\n{headers}"));
        Asked { status: response.status, text: response.to_string().replace("\ndata: ", "\n") }
    }),
    ("POST", |server, headers, query| {
        let host = server.host();
        let response =
            server.request(&format!("POST /ws{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{headers}\r\n"));
        Asked { status: response.status, text: response.to_string() }
    }),
    ("file", |server, headers, query| get(server, &format!("/page.html{query}"), headers)),
    ("CGI script", |server, headers, query| get(server, &format!("/env{query}"), headers)),
    ("console", |server, headers, query| get(server, &format!("/nothing{query}"), headers)),
];

/// Whether the answer of this kind is a session.
pub(super) fn is_session(target: &str) -> bool {
    matches!(target, "WebSocket" | "event stream" | "POST")
}

fn session(server: &Server, headers: &str, query: &str) -> Asked {
    match server.try_connect(&format!("/ws{query}"), headers) {
        Ok(mut client) => Asked { status: 200, text: client.rest().0.join("\n") },
        Err(response) => Asked { status: response.status, text: response.to_string() },
    }
}

fn get(server: &Server, path: &str, headers: &str) -> Asked {
    let response = server.get(path, &format!("Accept: text/html\r\n{headers}"));
    Asked { status: response.status, text: response.to_string() }
}
