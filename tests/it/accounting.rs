//! The cost of a session: its end tells the traffic, and what its program has used and waited for, as the kernel tells.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use crate::harness::eventually;
use crate::harness::scrape::{METRICS, Watch};
use crate::harness::server::{Server, field};
use crate::harness::skip::has;
use crate::harness::websocket::{Frame, TEXT};

/// Returns the value of a key that is a whole number.
fn count(line: &str, key: &str) -> u64 {
    let value = field(line, key).unwrap_or_else(|| panic!("no {key}: {line}"));
    value.parse().unwrap_or_else(|_| panic!("{key} is no whole number: {line}"))
}

/// Returns the value of a key that is a number.
fn number(line: &str, key: &str) -> f64 {
    let value = field(line, key).unwrap_or_else(|| panic!("no {key}: {line}"));
    value.parse().unwrap_or_else(|_| panic!("{key} is no number: {line}"))
}

#[test]
fn the_end_tells_messages_and_bytes_both_ways() {
    let server = Server::command(&[], &["sh", "-c", "read a; printf 'twelve bytes\\n'; printf 'four\\n'; read a"]);
    let mut client = server.connect("/");
    client.text("seven b");
    assert_eq!([client.line(), client.line()], ["twelve bytes", "four"]);

    client.close(1000);

    let end = server.expect_end_of(&mut client);
    assert_eq!(["in", "out", "in_bytes", "out_bytes"].map(|key| count(&end, key)), [1, 2, 7, 16], "{end}");
}

#[test]
fn the_end_tells_the_processor_time_and_the_memory_of_the_program() {
    if !has("python3") {
        return;
    }
    // 0.2 s of the processor and 128 MiB of memory.
    let script = "import time, sys\nheld = bytearray(128 << 20)\nfor at in range(0, len(held), 4096): held[at] = 1\n\
                  while time.process_time() < 0.2: pass\nprint('done', flush=True)\nsys.exit(7)";
    let server = Server::command(&[METRICS], &["python3", "-c", script]);
    let mut client = server.connect("/");
    assert_eq!(client.line(), "done");

    let end = server.expect_end_of(&mut client);

    assert_eq!(count(&end, "status"), 7, "{end}");
    assert!((0.2..5.0).contains(&number(&end, "cpu")), "{end}");
    let (least, most) = (128 << 20, 512 << 20);
    assert!((least..most).contains(&count(&end, "memory")), "{end}");
    let scrape = Watch::of(&server).scrape();
    let cpu = scrape.decimal(r#"wsd_program_cpu_seconds_total{route="/*"}"#);
    assert!((cpu - number(&end, "cpu")).abs() < 0.01, "{cpu}: {end}");
    assert_eq!(scrape.value(r#"wsd_program_max_resident_bytes{route="/*"}"#), count(&end, "memory"));
}

#[test]
fn the_end_tells_how_long_it_has_waited_for_the_client_and_for_the_program() {
    let script = "head -c 60000000 /dev/zero | tr '\\0' x | fold -w 60000; exec sleep 60";
    let server = Server::shell(&[METRICS], script, &[]);
    let watch = Watch::of(&server);
    let mut client = server.connect("/");
    // More than the pipe and wsd take: the program reads nothing, and nobody reads its output.
    let flood = Frame::new(TEXT, "x".repeat(60_000)).masked().repeat(400);
    client.connection().send_until_blocked(&flood, Duration::from_millis(700));
    let (mut carried, mut since) = (0, Instant::now());
    eventually("its output has waited", || {
        let now = watch.scrape().sum("wsd_message_bytes_total", "out");
        if now != carried {
            (carried, since) = (now, Instant::now());
        }
        (now > 0 && since.elapsed() >= Duration::from_millis(700)).then_some(())
    });
    client.reset();

    let end = eventually("it has ended", || server.log().into_iter().find(|line| line.contains("session ended")));

    assert!(number(&end, "client_wait") >= 0.3, "{end}");
    assert!(number(&end, "program_wait") >= 0.3, "{end}");
}

#[test]
fn the_end_of_a_post_tells_what_its_program_has_used() {
    let server = Server::command(&["--http"], &["cat"]);

    assert_eq!(server.post("/", "", "body").text(), "body");

    let end = server.expect_log("post ended").text;
    assert_eq!(["in", "out"].map(|key| count(&end, key)), [4, 4], "{end}");
    assert!(number(&end, "cpu") >= 0.0 && count(&end, "memory") > 0, "{end}");
}
