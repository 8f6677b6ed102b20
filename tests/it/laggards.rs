//! Clients of a room that do not keep up: what `--slow` says, and that nobody else notices.

use std::thread;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use crate::harness::crowd::{Crowd, raise_descriptor_limit};
#[cfg(target_os = "linux")]
use crate::harness::http::Connection;
use crate::harness::scrape::{METRICS, Watch};
use crate::harness::server::{Server, field, program};
#[cfg(target_os = "linux")]
use crate::harness::stream::Stream;
#[cfg(target_os = "linux")]
use crate::harness::tree::Tree;
use crate::harness::websocket::{CLOSE, Client, Close, Frame, TEXT};
#[cfg(target_os = "linux")]
use crate::harness::websocket::{PONG, upgrade_request};
#[cfg(target_os = "linux")]
use crate::harness::{DEADLINE, within};

/// Bytes that the program of [`rounds`] prints: far more than the sockets and the seat of a laggard hold.
const ROUNDS: usize = 130;
const LINES_PER_ROUND: usize = 100;
const LINES: usize = ROUNDS * LINES_PER_ROUND;
const LINE_BYTES: usize = 1000;

/// A room whose program, told to begin, waits after each round for this many who keep up.
fn rounds(slow: &str, answers: usize) -> Server {
    let sizes = [ROUNDS, LINES_PER_ROUND, LINE_BYTES, answers].map(|size| size.to_string());
    let [rounds, lines, bytes, answers] = sizes.each_ref().map(String::as_str);
    let flags = [METRICS, "--shared", "--pingms=0", &format!("--slow={slow}")];
    Server::command(&flags, &["perl", &program("rounds.pl"), rounds, lines, bytes, answers])
}

/// The number of a line, which must be whole.
fn number(line: &str) -> usize {
    assert_eq!(line.len(), LINE_BYTES - 1, "{line}");
    line.trim_end().parse().unwrap()
}

/// Reads all lines, each the next one, and tells the program of each round.
fn keep_up(client: &mut Client) {
    for next in 1..=LINES {
        assert_eq!(number(&client.line()), next);
        if next % LINES_PER_ROUND == 0 {
            client.text("next round");
        }
    }
}

/// Lets all clients keep up, each in a thread of its own.
fn keep_up_all(clients: &mut [Client]) {
    clients[0].text("begin");
    thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| keep_up(client));
        }
    });
}

#[test]
fn a_laggard_is_cut_off_with_1013_and_the_others_get_everything() {
    let server = rounds("close", 4);
    let mut laggard = server.connect("/");
    let mut healthy: Vec<_> = (0..4).map(|_| server.connect("/")).collect();

    keep_up_all(&mut healthy);

    let ended = server.expect_log("end=slow").text;
    assert!(ended.contains("session ended") && ended.contains("code=1013"), "{ended}");
    // What it still gets is whole, without a gap, and then the reason.
    let (lines, close) = laggard.rest();
    assert!(lines.iter().enumerate().all(|(index, line)| number(line) == index + 1));
    assert!(lines.len() < LINES);
    assert_eq!(close, Close::new(1013, "too slow"));
    laggard.close(1013);
    laggard.expect_end();
    assert_eq!(Watch::of(&server).scrape().value(r#"wsd_slow_clients_total{route="/*",did="close"}"#), 1);
}

#[test]
fn a_long_line_with_more_behind_it_cuts_off_nobody_who_reads() {
    const ROUNDS: usize = 100;
    // What is printed in one go is more than a seat holds, and no more than a client that reads is sent at once.
    let burst = "$| = 1; while (<STDIN>) { syswrite STDOUT, 'x' x 1_048_000 . \"\\n\" . ('y' x 1000 . \"\\n\") x 400 }";
    let server = Server::command(&["--shared", "--pingms=0"], &["perl", "-e", burst]);
    let mut clients = [server.connect("/"), server.connect("/"), server.connect("/")];

    for _ in 0..ROUNDS {
        clients[0].text("go");
        thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(|| {
                    assert_eq!(client.line().len(), 1_048_000);
                    for _ in 0..400 {
                        assert_eq!(client.line().len(), 1000);
                    }
                });
            }
        });
    }
}

#[test]
fn a_thousand_clients_notice_nothing_of_a_laggard() {
    const CLIENTS: usize = 1000;
    raise_descriptor_limit(4096);
    let flags = ["--shared", "--framing=json", "--pingms=0"];
    let server = Server::command(&flags, &["perl", &program("two_speeds.pl")]);
    let mut laggard = server.connect("/");
    let mut crowd = Crowd::default();
    for _ in 0..CLIENTS {
        crowd.add(server.connect("/"));
    }

    crowd.send(CLIENTS - 1, &Frame::new(TEXT, "go").masked());

    let mut heard = vec![0; CLIENTS];
    let mut done = 0;
    crowd.hear_until("all have heard all", |client, frame| {
        let frame = frame.unwrap_or_else(|| panic!("client {client} was ended"));
        heard[client] += 1;
        let want = if heard[client] <= 100 { heard[client].to_string() } else { "over".to_owned() };
        assert_eq!(frame, Frame::new(TEXT, want), "client {client}");
        done += usize::from(heard[client] == 101);
        done == CLIENTS
    });
    server.expect_log("end=slow");
    let close = loop {
        let message = laggard.message();
        match message.opcode {
            CLOSE => break Close::of(&message.payload),
            _ => assert!(message.payload.len() == 65536 || message.payload.len() <= 3),
        }
    };
    assert_eq!(close, Close::new(1013, "too slow"));
    assert_eq!(server.log().iter().filter(|line| line.contains("session ended")).count(), 1);
}

#[test]
fn a_laggard_that_may_lose_messages_loses_the_oldest_and_the_log_tells_how_many() {
    let server = rounds("drop", 2);
    let mut laggard = server.connect("/");
    let mut healthy = [server.connect("/"), server.connect("/")];

    keep_up_all(&mut healthy);

    // While it is still there.
    server.expect_log("messages lost");
    let mut numbers = vec![number(&laggard.line())];
    while numbers.last() != Some(&LINES) {
        numbers.push(number(&laggard.line()));
    }
    assert_eq!(numbers[0], 1);
    assert!(numbers.is_sorted_by(|one, next| one < next));
    // In the middle, where the seat was full: the oldest that had not left, the newest are all there.
    assert!(numbers[numbers.len() - 1000..].iter().copied().eq(LINES - 999..=LINES));
    laggard.close(1000);
    assert_eq!(laggard.expect_close(), Close::new(1000, ""));
    assert!(server.expect_end_of(&mut laggard).contains(&format!(" out={}", numbers.len())));
    let log = server.log();
    let lost = log.iter().filter(|line| line.contains("messages lost"));
    let lost: usize = lost.map(|line| field(line, "lost").unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(lost, LINES - numbers.len());
    let scrape = Watch::of(&server).scrape();
    assert_eq!(scrape.value(r#"wsd_messages_lost_total{route="/*"}"#), lost as u64);
    assert!(scrape.value(r#"wsd_slow_clients_total{route="/*",did="drop"}"#) >= 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_waits_for_laggards_loses_nothing_and_takes_no_memory() {
    use crate::harness::process::linux::peak_memory;
    const LINES: usize = 60_000;
    let flood = ["perl", &program("flood.pl"), &LINES.to_string(), "1000"];
    let server = Server::command(&["--shared", "--slow=wait", "--pingms=0"], &flood);
    let before = peak_memory(server.pid());
    let mut clients = [server.connect("/"), server.connect("/"), server.connect("/")];
    let worker = server.expect_room(1);

    // The first two may have missed the start of the flood, but not each other.
    server.expect_log("blocked at ");
    assert!(!crate::harness::process::is_gone(worker));
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                let (lines, close) = client.rest();
                let first = number(&lines[0]);
                assert!(lines.iter().enumerate().all(|(index, line)| number(line) == first + index));
                assert_eq!(number(lines.last().unwrap()), LINES);
                assert_eq!(close, Close::new(1000, ""));
            });
        }
    });
    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 12 << 10, "memory grew by {growth_kib} KiB");
}

#[test]
fn a_program_that_waits_goes_on_when_the_laggard_has_left() {
    for is_reset in [false, true] {
        let flags = ["--shared", "--slow=wait", "--pingms=0"];
        let server = Server::command(&flags, &["perl", &program("flood.pl"), "30000", "1000"]);
        let laggard = server.connect("/");
        let mut healthy = server.connect("/");

        thread::scope(|scope| {
            let reader = scope.spawn(|| healthy.rest());
            // It tells so when it could not write for a while.
            server.expect_log("blocked at ");
            if is_reset {
                laggard.reset();
            } else {
                drop(laggard);
            }
            let (lines, close) = reader.join().unwrap();
            assert_eq!((number(lines.last().unwrap()), close), (30_000, Close::new(1000, "")), "is_reset: {is_reset}");
        });
    }
}

#[test]
fn many_slow_readers_never_stop_a_program_that_waits_for_good() {
    const LINES: usize = 20_000;
    let script = "read -r _; exec perl \"$1\" \"$2\" 1000";
    let flood = [program("flood.pl"), LINES.to_string()];
    let server = Server::shell(&["--shared", "--slow=wait"], script, &flood.each_ref().map(String::as_str));
    let mut clients: Vec<_> = (0..6).map(|_| server.connect("/")).collect();

    clients[0].text("go");

    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                let (lines, close) = client.rest();
                assert!(lines.iter().enumerate().all(|(index, line)| number(line) == index + 1));
                assert_eq!((lines.len(), close), (LINES, Close::new(1000, "")));
            });
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn tiny_messages_count_with_what_it_takes_to_keep_them() {
    use crate::harness::process::linux::peak_memory;
    const CLIENTS: usize = 20;
    const MESSAGES: usize = 12_000;
    let tree = Tree::new();
    let tell_each =
        "my @clients; while (<STDIN>) { push @clients, $1 if /\"open\",\"client\":\"(\\w+)\"/; last if /go/ }
        for my $client (@clients) { print qq({\"to\":\"$client\",\"text\":\"), 'x' x 1000, qq(\"}\\n) for 1 .. 500 }
        for (1 .. $ARGV[0]) { print qq({\"to\":\"$_\",\"text\":\"x\"}\\n) for @clients }
        1 while <STDIN>;";
    let socket = format!("--unixsocket={}", tree.path("socket"));
    let flags = ["--shared", "--framing=json", "--pingms=0", &*socket];
    let server = Server::command(&flags, &["perl", "-e", tell_each, &MESSAGES.to_string()]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| connect(&tree)).collect();
    let before = peak_memory(server.pid());

    clients[0].text("go");

    // 1 MiB for each, what TCP and the processor hold aside. Of that what is told would be a twentieth.
    for count in 1..=CLIENTS {
        let ended = server.expect_nth_log("session ended", count).text;
        assert!(ended.contains("end=slow") && ended.contains("code=1013"), "{ended}");
    }
    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < (CLIENTS as u64 + 12) << 10, "memory grew by {growth_kib} KiB");
    for client in &mut clients {
        assert_eq!(client.close_at_last(), Close::new(1013, "too slow"));
    }
}

/// A client over a Unix socket, where the kernel holds little for one that takes nothing.
#[cfg(target_os = "linux")]
fn connect(tree: &Tree) -> Client {
    let connection = Connection::over(Stream::unix(&tree.path("socket")).unwrap());
    Client::upgrade(connection, &upgrade_request("localhost", "/", "")).unwrap_or_else(|response| panic!("{response}"))
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_waits_does_so_for_a_client_that_takes_nothing_only_as_long_as_slow_wait_says() {
    const WAIT: Duration = Duration::from_secs(5);
    let tree = Tree::new();
    let socket = format!("--unixsocket={}", tree.path("socket"));
    let flags = ["--shared", "--slow=wait", "--slow-wait=5", "--pingms=0", &*socket];
    let server = Server::command(&flags, &["perl", "-e", "$| = 1; print 'x' x 200, qq(\\n) while 1"]);
    let pong = Frame::new(PONG, "").masked();
    let (mut idle, mut slow, mut healthy) = (connect(&tree), connect(&tree), connect(&tree));
    let began = Instant::now();
    let mut cut = None;

    // The one takes nothing, another a little now and then: that one is waited for.
    while cut.is_none_or(|cut: Instant| cut.elapsed() < 2 * WAIT) {
        assert!(began.elapsed() < DEADLINE, "the client that takes nothing is still waited for");
        let _ = idle.connection().try_send(&pong);
        if cut.is_none() && server.log().iter().any(|line| line.contains("session ended")) {
            assert!(began.elapsed() >= WAIT, "cut after {:?}", began.elapsed());
            cut = Some(Instant::now());
        }
        assert_eq!(slow.connection().take(50_000).expect("it is waited for").len(), 50_000);
        assert_eq!(healthy.connection().take(50_000).expect("it is there").len(), 50_000);
        within(Duration::from_millis(200), || None::<()>);
    }
    let ended = server.expect_log("session ended").text;
    assert!(ended.contains("end=slow") && ended.contains("code=1013"), "{ended}");
    assert_eq!(server.log().iter().filter(|line| line.contains("session ended")).count(), 1);
}
