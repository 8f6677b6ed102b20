//! Scenarios about sessions that outlive their connections, each beside the same without `--resume`.

use std::time::{Duration, Instant};

use crate::client::{CALM, Connection, FLOOD};
use crate::flows;
use crate::framing::Framing;
use crate::measure::{Figure, Sample, Times, as_f64, median, multiplied};
use crate::result::Result;
use crate::server::{Contender, Job, Server};
use crate::settings::Settings;
use crate::text::{Talk, Text, Wire};
use crate::worker;

/// A worker floods lines; the client counts and acknowledges them.
pub(crate) fn lines_out(settings: &Settings, contender: Contender) -> Result<Sample> {
    let program = settings.worker(worker::FLOOD);
    beside_plain(settings, contender, (&program, FLOOD), |client, _, stretch| {
        let least = 20_000;
        let wanted = stretch.rate * stretch.time.as_secs_f64();
        flows::ask(client, multiplied(least, wanted / as_f64(least)))
    })
}

/// A client floods messages, which wsd counts and acknowledges.
pub(crate) fn lines_in(settings: &Settings, contender: Contender) -> Result<Sample> {
    let program = settings.worker(flows::sink_name(settings));
    beside_plain(settings, contender, (&program, CALM), |client, talk, stretch| {
        flows::pour(client, talk, Framing::Lines, Instant::now() + stretch.time)
    })
}

/// One line to `cat` and back, then the next.
pub(crate) fn one_at_a_time(settings: &Settings, contender: Contender) -> Result<Sample> {
    beside_plain(settings, contender, (&["cat"], CALM), |client, talk, stretch| {
        Ok(flows::ping_pong(client, talk, Instant::now() + stretch.time)?.count())
    })
}

/// Times at which [`beside_plain`] starts its servers anew: where the kernel puts them stays as long as they do.
const STARTS: u32 = 5;

/// Pairs of stretches with the same servers. The median of all pairs counts.
const PAIRS: u32 = 10;

/// A part of a run.
struct Stretch {
    /// The time to fill.
    time: Duration,
    /// Messages in a second in the stretch before; 0 in the first one.
    rate: f64,
}

/// Runs the same without `--resume` and with it. Two servers take turns of a tenth of a run, and each is first as often: whatever
/// else the machine does hits both alike.
fn beside_plain(
    settings: &Settings,
    contender: Contender,
    (program, buffer_bytes): (&[&str], usize),
    work: impl Fn(&mut Connection, &Talk, &Stretch) -> Result<u64>,
) -> Result<Sample> {
    let talks = [Wire::Text, Wire::Resumable].map(|wire| Talk::new(wire, &Text::lines()));
    let (mut resumables, mut slowdowns) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let start = |job| Server::start(contender, job, settings);
        let servers = [start(Job::Lines(program))?, start(Job::Resumable(program))?];
        let open = |side: usize| Connection::open(&servers[side], &talks[side], settings.check, buffer_bytes);
        let mut clients = [open(0)?, open(1)?];
        let mut rates = [0.0; 2];
        // The first pairs warm up.
        for pair in 0..PAIRS + 2 {
            for side in if pair % 2 == 0 { [0, 1] } else { [1, 0] } {
                let (start, stretch) = (Instant::now(), Stretch { time: settings.time / 10, rate: rates[side] });
                let count = work(&mut clients[side], &talks[side], &stretch)?;
                rates[side] = as_f64(count) / start.elapsed().as_secs_f64();
            }
            if pair >= 2 {
                resumables.push(rates[1]);
                slowdowns.push(rates[0] / rates[1]);
            }
        }
    }
    let of = |values: &[f64]| median(values).ok_or("nothing was run");
    Ok(vec![(Figure::Rate, of(&resumables)?), (Figure::Slowdown, of(&slowdowns)?)])
}

/// A client loses its connection and returns, again and again: from connecting to the first message of the session.
pub(crate) fn returns(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = Talk::new(Wire::Resumable, &Text::lines());
    let server = Server::start(contender, Job::Resumable(&["cat"]), settings)?;
    let mut client = Connection::open(&server, &talk, settings.check, CALM)?;
    let greeting = client.greeting()?;
    let token = greeting.split('"').nth(3).unwrap_or_default().to_owned();
    // The session has a message that is not acknowledged, and comes again.
    client.send(talk.some(0, 1))?;
    client.receive_until(1)?;

    let mut times = Times::new();
    let deadline = Instant::now() + settings.time;
    while times.count() == 0 || Instant::now() < deadline {
        drop(client);
        let start = Instant::now();
        let (returned, greeting) = Connection::resume(&server, &talk, settings.check, &token, 0)?;
        times.add(start.elapsed());
        if !greeting.contains("\"resumed\":true") {
            return Err(format!("the session was not found: {greeting}").into());
        }
        client = returned;
        client.receive_until(1)?;
    }
    Ok(vec![(Figure::Resume, times.p99()?)])
}
