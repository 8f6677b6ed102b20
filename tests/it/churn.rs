//! Clients come and go at random, and every stream is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use std::{env, panic};

use crate::harness::crowd::Crowd;
use crate::harness::server::{Server, program};
use crate::harness::websocket::{CLOSE, Frame, TEXT};

/// How long they come and go; on a slow machine until there were this many messages.
const MESSAGES_MIN: u32 = 100;
const TIME: Duration = Duration::from_secs(3);

/// At most so many at a time, besides the one that stays.
const CLIENTS_MAX: usize = 40;

/// Numbers that look random and are the same for the same seed (Marsaglia, "Xorshift RNGs").
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// The messages that the clients have received.
#[derive(Default)]
struct Streams {
    /// The number of the last line, by client.
    last: BTreeMap<usize, u64>,
    /// Every line by its number.
    lines: BTreeMap<u64, String>,
    /// The messages among them: who said it, and the how manieth it was.
    said: BTreeSet<(usize, u32)>,
}

impl Streams {
    /// Checks the next line of a client: it follows the last one, and is what everybody else gets under that number.
    fn hear(&mut self, client: usize, frame: &Frame) {
        assert!((frame.fin, frame.opcode) == (true, TEXT), "client {client} got {frame:?}");
        let line = str::from_utf8(&frame.payload).unwrap();
        let (number, said) = line.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        if let Some(last) = self.last.insert(client, number) {
            assert_eq!(number, last + 1, "client {client} after {last}");
        }
        if let Some(known) = self.lines.get(&number) {
            assert_eq!(known, said, "client {client}, line {number}");
            return;
        }
        self.lines.insert(number, said.to_owned());
        if said != "tick" {
            let (who, what) = (said.split(' ').next().unwrap(), said.split(' ').nth(1).unwrap());
            let message = (who.parse().unwrap(), what.parse().unwrap());
            assert!(
                self.said.range(message..=(message.0, u32::MAX)).next().is_none(),
                "twice, or out of order: {message:?}"
            );
            self.said.insert(message);
        }
    }
}

/// The numbers that every run begins with; any but 0 will do.
const SEEDS: [u64; 2] = [1, 0x9E37_79B9_7F4A_7C15];

#[test]
fn clients_that_come_and_go_at_random_each_see_a_gapless_part_of_one_stream() {
    // `WSD_TEST_SEED` adds one: to look further, or again where a run has failed.
    let more = env::var("WSD_TEST_SEED").ok().map(|seed| seed.parse().expect("WSD_TEST_SEED is a number"));
    for seed in SEEDS.into_iter().chain(more) {
        let outcome = panic::catch_unwind(|| churn(seed));
        assert!(outcome.is_ok(), "it failed with WSD_TEST_SEED={seed}");
    }
}

fn churn(seed: u64) {
    assert_ne!(seed, 0, "0 gives nothing but 0");
    let mut random = Random(seed);
    let server = Server::command(&["--shared", "--history=20", "--pingms=0"], &["perl", &program("ticker.pl")]);
    let (mut crowd, mut streams) = (Crowd::default(), Streams::default());
    // This one stays, so that it is one stream.
    let witness = crowd.add(server.connect("/"));
    // What everyone has said, by number, except those who vanished: theirs may be lost.
    let (mut said, mut number) = (Vec::new(), 0);
    // Those who have said goodbye.
    let mut leaving = BTreeSet::new();

    let end = Instant::now() + TIME;
    while Instant::now() < end || number < MESSAGES_MIN {
        let others = crowd.numbers().into_iter().filter(|client| *client != witness && !leaving.contains(client));
        let others: Vec<_> = others.collect();
        let one = others.get(random.below(others.len().max(1))).copied();
        match (random.below(10), one) {
            (0..=2, _) if others.len() < CLIENTS_MAX => {
                crowd.add(server.connect("/"));
            }
            (3..=6, Some(one)) => {
                number += 1;
                said.push((one, number));
                let message = format!("{one} {number} {}", "x".repeat(random.below(3000)));
                crowd.send(one, &Frame::new(TEXT, message).masked());
            }
            (7, Some(one)) => {
                leaving.insert(one);
                crowd.send(one, &Frame::close(1000, "").masked());
            }
            (way @ 8..=9, Some(one)) => {
                said.retain(|(client, _)| *client != one);
                if way == 8 {
                    crowd.remove(one);
                } else {
                    crowd.reset(one);
                }
            }
            _ => {}
        }
        crowd.hear(Duration::from_millis(1), &mut |client, frame| match frame {
            Some(frame) if frame.opcode == CLOSE => assert!(leaving.contains(&client), "client {client}: {frame:?}"),
            Some(frame) => streams.hear(client, &frame),
            None => assert!(leaving.contains(&client), "client {client} was ended"),
        });
    }

    crowd.hear_until("all that was said is heard", |client, frame| {
        if let Some(frame) = frame.filter(|frame| frame.opcode == TEXT) {
            streams.hear(client, &frame);
        }
        said.iter().all(|message| streams.said.contains(message))
    });
    assert!(crowd.numbers().contains(&witness));
    let numbers: Vec<_> = streams.lines.keys().copied().collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "somebody saw each line, from the first on");
    assert_eq!(server.log().iter().filter(|line| line.contains("room started")).count(), 1);
}
