//! Guessing is slow, also for many at once, and slows nobody else.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::http::Connection;
use crate::harness::server::Server;
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::Client;
use crate::harness::{eventually, pace};

use super::jwt;
use super::kit::{self, BCRYPT, BCRYPT_10, Credential, PASSWORD, TOKEN, secret, tokens};

#[test]
fn the_sixth_failure_in_a_minute_is_429_even_with_the_right_one() {
    let tree = Tree::new();
    let server = Server::command(&[&tokens(&tree)], &["cat"]);
    let show = |token: &str| server.refusal("/", &Credential::Token(token.to_owned()).header());
    for attempt in 0..5 {
        assert_eq!(show(&format!("guess-{attempt}")).status, 401);
    }

    let response = show(TOKEN);

    assert_eq!(response.status, 429, "{response}");
    let wait: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{response}");
    assert_eq!(server.refusal("/", "").status, 401, "without credentials it is no guess");
    server.expect_log("why=guesses");
}

#[test]
fn a_guess_counts_whatever_another_check_answers() {
    let tree = Tree::new();
    let users = format!("--auth=basic:{}", secret(&tree, "users", &format!("ada:{BCRYPT}\n")));
    tree.program("login", "#!/bin/sh\nprintf 'Status: 302\\nLocation: /login\\n\\n'\n");
    let server = Server::command(&[&users, &format!("--auth=command:{}", tree.path("login"))], &["cat"]);
    let show = |password: &str| server.refusal("/", &Credential::Basic(format!("ada:{password}")).header()).status;
    for attempt in 0..5 {
        assert_eq!(show(&format!("guess-{attempt}")), 302);
    }

    assert_eq!(show(PASSWORD), 429);
}

#[test]
fn many_guesses_at_once_are_counted_too() {
    let tree = Tree::new();
    let users = format!("--auth=basic:{}", secret(&tree, "users", &format!("ada:{BCRYPT_10}\n")));
    let server = Server::command(&[&users], &["cat"]);
    let header = Credential::Basic("ada:wrong".to_owned()).header();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let tries: Vec<_> = (0..40).map(|_| scope.spawn(|| server.refusal("/", &header).status)).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let wrong = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(wrong, 5, "{statuses:?}");
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
}

#[test]
fn a_guess_whose_client_leaves_before_the_answer_is_counted() {
    let tree = Tree::new();
    // A guess at `slow` takes long enough to leave meanwhile.
    let users = secret(&tree, "users", &format!("slow:{BCRYPT_10}\nada:{BCRYPT}\n"));
    let server = Server::command(&[&format!("--auth=basic:{users}")], &["cat"]);
    let guess = Credential::Basic("slow:wrong".to_owned()).header();
    let right = Credential::Basic(format!("ada:{PASSWORD}")).header();

    eventually("the guesses count", || {
        server.http().send(format!("GET / HTTP/1.1\r\nHost: {}\r\n{guess}\r\n", server.host()));
        (server.try_connect("/", &right).err()?.status == 429).then_some(())
    });
}

#[test]
fn a_password_that_wsd_remembers_is_not_guessed_faster() {
    let tree = Tree::new();
    let server = Server::command(&[&kit::users(&tree)], &["cat"]);
    let show = |password: &str| {
        let header = Credential::Basic(format!("ada:{password}")).header();
        server.try_connect("/", &header).map_or_else(|refusal| refusal.status, |_| 200)
    };
    assert_eq!(show(PASSWORD), 200);
    for attempt in 0..5 {
        assert_eq!(show(&format!("guess-{attempt}")), 401);
    }

    assert_eq!(show(PASSWORD), 429);
}

#[test]
fn a_token_of_one_file_is_no_guess_at_another() {
    let tree = Tree::new();
    let of_jwt = jwt::flags(&tree);
    let other = format!("--auth=bearer:{}", secret(&tree, "others", "other:t0ken-of-another\n"));
    let known = kit::tokens(&tree);
    let flags: Vec<_> = [&*other, &known].into_iter().chain(of_jwt.iter().map(String::as_str)).collect();
    let server = Server::command(&flags, &["cat"]);
    for token in [TOKEN.to_owned(), jwt::signed(&jwt::claims(600))] {
        for _ in 0..8 {
            server.connect_with("/", &Credential::Token(token.clone()).header());
        }
    }
}

#[test]
fn at_a_unix_socket_guesses_at_one_user_slow_down_no_other() {
    let tree = Tree::new();
    let socket = tree.path("socket");
    let server = Server::command(
        &[&kit::users(&tree), &kit::tokens(&tree), &format!("--unixsocket={socket}"), "--port=0"],
        &["cat"],
    );
    let show = |credential: Credential| {
        let mut connection = Connection::over(Stream::unix(&socket).unwrap());
        connection.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", credential.header()));
        connection.response("GET").status
    };
    let basic = |user: &str, password: &str| Credential::Basic(format!("{user}:{password}"));
    for attempt in 0..5 {
        assert_eq!(show(basic("ada", &format!("guess-{attempt}"))), 401);
    }

    assert_eq!(show(basic("ada", PASSWORD)), 429);
    let known = show(basic("bob", PASSWORD));
    assert!(![401, 429].contains(&known), "{known}");
    assert_eq!(show(basic("eve", "guess")), 401);
    assert_eq!(show(Credential::Token("guess".to_owned())), 401);
    let known = show(Credential::Token(TOKEN.to_owned()));
    assert!(![401, 429].contains(&known), "{known}");
    drop(server);
}

/// The time of a flood of guesses, one each millisecond.
const FLOOD: Duration = Duration::from_secs(2);

/// Guesses from this address for the time of a flood. Returns the number of guesses.
fn flood(server: SocketAddr, own: Ipv4Addr) -> u32 {
    let begun = Instant::now();
    let (mut connection, mut guesses) = (None::<Connection>, 0);
    while begun.elapsed() < FLOOD {
        let one = connection.get_or_insert_with(|| Connection::over(Stream::tcp_from(own, server)));
        let header = Credential::Basic(format!("ada:{guesses}")).header();
        one.send(format!("GET / HTTP/1.1\r\nHost: {server}\r\n{header}\r\n"));
        if one.try_response("GET").is_none() {
            connection = None;
        }
        guesses += 1;
        pace((Duration::from_millis(1) * guesses).saturating_sub(begun.elapsed()));
    }
    guesses
}

/// Returns the 99th of a hundred times in which a client gets its message back.
fn echo_p99(client: &mut Client, count: usize) -> Duration {
    let echo = |_| {
        let start = Instant::now();
        client.text("x");
        assert_eq!(client.line(), "x");
        let took = start.elapsed();
        pace(Duration::from_millis(2));
        took
    };
    let mut times: Vec<_> = (0..count).map(echo).collect();
    times.sort();
    times[count * 99 / 100]
}

#[test]
fn a_flood_of_guesses_leaves_the_echo_of_another_source_under_5_ms() {
    let tree = Tree::new();
    let users = format!("--auth=basic:{}", secret(&tree, "users", &format!("ada:{BCRYPT}\n")));
    let server = Server::command(&[&users, "--loglevel=error", "--pingms=0"], &["cat"]);
    let mut client = server.connect_with("/", &Credential::Basic(format!("ada:{PASSWORD}")).header());
    let mut seen = Vec::new();
    // A busy machine may delay any echo: then the next flood decides, from a source that has not guessed yet.
    for number in 2..12 {
        let calm = echo_p99(&mut client, 200);
        let address = server.address;
        let flood = thread::spawn(move || flood(address, Ipv4Addr::new(127, 0, 0, number)));

        let flooded = echo_p99(&mut client, 500);

        let guesses = flood.join().unwrap();
        if flooded < Duration::from_millis(5) && f64::from(guesses) > 900.0 * FLOOD.as_secs_f64() {
            return;
        }
        seen.push((calm, flooded, guesses));
    }
    // At worst the machine is never calm itself.
    let is_slow = |(calm, flooded, guesses): &(Duration, Duration, u32)| {
        *guesses > 100 && *flooded < Duration::from_millis(5) + *calm * 4
    };
    assert!(seen.iter().any(is_slow), "calm, flooded, guesses: {seen:?}");
}
