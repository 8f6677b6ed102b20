//! Scenarios about sessions that outlive their connections, each beside the same without `--resume`.

use std::time::Instant;

use crate::client::{CALM, Connection};
use crate::flows;
use crate::framing::Framing;
use crate::measure::{Figure, Sample, Times, median};
use crate::result::Result;
use crate::server::{Contender, Job, Server};
use crate::settings::Settings;
use crate::text::{Talk, Text, Wire};
use crate::worker;

/// A worker floods lines; the client counts and acknowledges them.
pub(crate) fn lines_out(settings: &Settings, contender: Contender) -> Result<Sample> {
    let program = settings.worker(worker::FLOOD);
    beside_plain(&program, |wire, job| flows::out(settings, contender, wire, &Text::lines(), job))
}

/// A client floods messages, which wsd counts and acknowledges.
pub(crate) fn lines_in(settings: &Settings, contender: Contender) -> Result<Sample> {
    let program = settings.worker(flows::sink_name(settings));
    beside_plain(&program, |wire, job| {
        flows::into(settings, contender, &Talk::new(wire, &Text::lines()), Framing::Lines, job)
    })
}

/// One line to `cat` and back, then the next.
pub(crate) fn one_at_a_time(settings: &Settings, contender: Contender) -> Result<Sample> {
    beside_plain(&["cat"], |wire, job| flows::in_turns(settings, contender, wire, job))
}

/// Pairs of runs in [`beside_plain`], of which the median counts: what else the machine does hits one of a pair.
const PAIRS: u32 = 5;

/// Runs the same without `--resume` and with it.
fn beside_plain(program: &[&str], run: impl Fn(Wire, Job) -> Result<Sample>) -> Result<Sample> {
    let (mut rates, mut slowdowns) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let plain = rate(&run(Wire::Text, Job::Lines(program))?)?;
        let resumable = rate(&run(Wire::Resumable, Job::Resumable(program))?)?;
        rates.push(resumable);
        slowdowns.push(plain / resumable);
    }
    let of = |values: &[f64]| median(values).ok_or("nothing was run");
    Ok(vec![(Figure::Rate, of(&rates)?), (Figure::Slowdown, of(&slowdowns)?)])
}

fn rate(sample: &Sample) -> Result<f64> {
    let rate = sample.iter().find(|(figure, _)| *figure == Figure::Rate);
    rate.map(|&(_, rate)| rate).ok_or_else(|| "no rate was measured".into())
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
