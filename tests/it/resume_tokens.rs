//! `--resume` and strangers: a token opens its session at its path and from its Origin only. Others get the answer to an unknown
//! token, and neither read of the session nor disturb it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::returning::Returning;
use crate::harness::server::Server;

const PATH: &str = "/a";
const ORIGIN: &str = "Origin: http://a.example\r\n";

/// The client of the session that others want.
struct Victim {
    client: Returning,
    is_away: bool,
}

impl Victim {
    /// Opens a session, with a message on the way to its client.
    fn start(server: &Server, is_away: bool) -> Self {
        let mut client = Returning::new(server.address, PATH, "wsd.resume.1", ORIGIN);
        client.connect().unwrap();
        for text in ["seen", "seen, too"] {
            client.text(text);
            assert_eq!(client.line(), text);
        }
        client.acknowledge();
        client.control("{\"ping\":1}");
        while client.pongs.is_empty() {
            client.next(Duration::from_millis(10));
        }
        client.text("secret");
        if is_away {
            client.drop_connection();
            server.expect_log("session detached");
        }
        Self { client, is_away }
    }

    /// Fails unless the session is as it was.
    fn assert_undisturbed(mut self, server: &Server) {
        let told = |event: &str| server.log().iter().filter(|line| line.contains(event)).count();
        assert_eq!((told("session detached"), told("session resumed")), (usize::from(self.is_away), 0));
        if self.is_away {
            self.client.connect().unwrap();
            assert_eq!(self.client.greetings[1]["resumed"], true);
        }
        assert_eq!(self.client.line(), "secret");
        self.client.text("still here");
        assert_eq!(self.client.line(), "still here");
    }
}

/// One who wants the session of another: at this path, with these headers, this token, and so many messages.
struct Stranger<'a> {
    path: &'a str,
    headers: &'a str,
    token: fn(&str) -> String,
    got: u64,
}

/// The victim's own way.
const SAME: Stranger<'_> = Stranger { path: PATH, headers: ORIGIN, token: str::to_owned, got: 2 };

impl Stranger<'_> {
    /// Asks for the session of a token. Returns the client, and the answer without its own token.
    fn ask(&self, address: SocketAddr, token: &str) -> (Returning, String) {
        let mut client = Returning::new(address, self.path, "wsd.resume.1", self.headers);
        token.clone_into(&mut client.token);
        client.connect_with(self.got).unwrap();
        let answer = client.answers[0].replace(&client.token, "TOKEN");
        let lines = answer.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
        let answer = lines.collect::<Vec<_>>().join("\n");
        (client, answer)
    }

    /// Fails unless the session is closed to it, while the victim is there and while it is away.
    fn assert_kept_out(&self) {
        for is_away in [false, true] {
            let server = Server::command(&["--resume=60", "--anyorigin"], &["cat"]);
            let victim = Victim::start(&server, is_away);
            let (_guesser, unknown) = self.ask(server.address, &"A".repeat(43));
            assert!(unknown.contains("\"lost\":\"unknown\""), "{unknown}");

            let (mut stranger, answer) = self.ask(server.address, &(self.token)(&victim.client.token));

            assert_eq!(answer, unknown);
            assert_ne!(stranger.token, victim.client.token);
            stranger.text("mine");
            assert_eq!(stranger.line(), "mine");
            victim.assert_undisturbed(&server);
        }
    }
}

#[test]
fn a_token_of_another_path_is_unknown() {
    Stranger { path: "/b", ..SAME }.assert_kept_out();
}

#[test]
fn a_token_of_another_origin_is_unknown() {
    Stranger { headers: "Origin: http://b.example\r\n", ..SAME }.assert_kept_out();
}

#[test]
fn a_token_of_a_page_is_unknown_without_an_origin() {
    Stranger { headers: "", ..SAME }.assert_kept_out();
}

#[test]
fn a_token_that_was_guessed_in_part_is_unknown() {
    // The last two thirds: wsd looks a session up by the first third.
    let guess = |token: &str| format!("{}{}", &token[..14], "A".repeat(29));

    Stranger { token: guess, ..SAME }.assert_kept_out();
}

#[test]
fn what_is_no_token_is_unknown() {
    for token in [|_: &str| "x".to_owned(), |token: &str| format!("{token}A"), |token: &str| token[1..].to_owned()] {
        Stranger { token, ..SAME }.assert_kept_out();
    }
}

#[test]
fn a_token_with_a_number_of_messages_that_its_client_cannot_have_is_unknown() {
    // Two are acknowledged, and three were sent.
    for got in [0, 1, 4, u64::MAX] {
        Stranger { got, ..SAME }.assert_kept_out();
    }
}
