//! Scenarios about messages through sessions that stand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::client::{self, CALM, Connection, FLOOD};
use crate::count::Check;
use crate::framing::Framing;
use crate::measure::{Figure, Sample, Times, as_f64, measured, multiplied};
use crate::result::Result;
use crate::server::{Contender, Job, Server};
use crate::settings::Settings;
use crate::text::{HALF_IN_FLIGHT, OPCODE_TEXT, Talk, Text, Wire, frame};
use crate::worker;

/// A worker floods lines; the client only counts.
pub(crate) fn lines_out(settings: &Settings, contender: Contender) -> Result<Sample> {
    out(settings, contender, &Text::lines(), Job::Lines(&settings.worker(worker::FLOOD)))
}

/// Like [`lines_out`], with a terminal as the worker's standard output.
pub(crate) fn lines_out_unbuffered(settings: &Settings, contender: Contender) -> Result<Sample> {
    out(settings, contender, &Text::lines(), Job::Unbuffered(&settings.worker(worker::FLOOD)))
}

/// Like [`lines_out`], in a framing, with longer messages.
pub(crate) fn framed_out(settings: &Settings, contender: Contender, framing: Framing) -> Result<Sample> {
    let name = worker::framed(worker::FLOOD, framing);
    out(settings, contender, &Text::framed(), Job::Framed(framing, &settings.worker(&name)))
}

/// Like [`lines_out`], with lines of JSON that the server compresses.
pub(crate) fn packed_out(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = Talk::new(Wire::Packed, &Text::progress());
    let server = Server::start(contender, Job::Packed(&settings.worker(worker::PROGRESS)), settings)?;
    let mut client = Connection::open(&server, &talk, settings.check, FLOOD)?;

    let warm_up = 20_000;
    let start = Instant::now();
    ask(&mut client, warm_up)?;
    let fill = settings.time.as_secs_f64() / start.elapsed().as_secs_f64();
    let count = multiplied(warm_up, fill);
    let before = client.packed_bytes();
    let mut sample = measured(settings, &server, || ask(&mut client, count))?;
    let bytes = as_f64(count * talk.text.message_bytes() as u64);
    sample.push((Figure::Shrinking, bytes / as_f64(client.packed_bytes() - before)));
    Ok(sample)
}

/// Like [`lines_out`], with the messages of a text.
fn out(settings: &Settings, contender: Contender, text: &Text, job: Job) -> Result<Sample> {
    let talk = Talk::new(Wire::Text, text);
    let server = Server::start(contender, job, settings)?;
    let mut client = Connection::open(&server, &talk, settings.check, FLOOD)?;

    // The first lines warm up, and tell how many fill the time.
    let warm_up = 20_000;
    let start = Instant::now();
    ask(&mut client, warm_up)?;
    let fill = settings.time.as_secs_f64() / start.elapsed().as_secs_f64();
    let count = multiplied(warm_up, fill);
    measured(settings, &server, || ask(&mut client, count))
}

/// Has the worker send `count` lines, and waits for them.
pub(crate) fn ask(client: &mut Connection, count: u64) -> Result<u64> {
    client.restart();
    client.send(&frame(OPCODE_TEXT, count.to_string().as_bytes()))?;
    client.receive_until(count)?;
    Ok(count)
}

/// A client floods messages; the worker counts their bytes and answers the last one.
pub(crate) fn lines_in(settings: &Settings, contender: Contender) -> Result<Sample> {
    let job = Job::Lines(&settings.worker(sink_name(settings)));
    into(settings, contender, &Talk::new(Wire::Text, &Text::lines()), Framing::Lines, job)
}

/// Like [`lines_in`], in a framing, with longer messages.
pub(crate) fn framed_in(settings: &Settings, contender: Contender, framing: Framing) -> Result<Sample> {
    let name = worker::framed(sink_name(settings), framing);
    let talk = Talk::new(Wire::Text, &Text::framed());
    into(settings, contender, &talk, framing, Job::Framed(framing, &settings.worker(&name)))
}

/// The name of the worker of [`lines_in`].
pub(crate) fn sink_name(settings: &Settings) -> &'static str {
    if settings.check == Check::Bytes { worker::SINK_CHECKED } else { worker::SINK }
}

/// Like [`lines_in`], with the messages of a talk.
fn into(settings: &Settings, contender: Contender, talk: &Talk, framing: Framing, job: Job) -> Result<Sample> {
    let server = Server::start(contender, job, settings)?;
    let mut client = Connection::open(&server, talk, settings.check, CALM)?;

    pour(&mut client, talk, framing, Instant::now() + settings.time / 4)?;
    measured(settings, &server, || pour(&mut client, talk, framing, Instant::now() + settings.time))
}

/// Sends messages until `deadline`, then waits until the worker has all of them.
pub(crate) fn pour(client: &mut Connection, talk: &Talk, framing: Framing, deadline: Instant) -> Result<u64> {
    client.restart();
    let mut count = 0;
    while Instant::now() < deadline {
        client.send(talk.all())?;
        count += talk.messages() as u64;
    }
    let bytes = count * talk.text.encoded(framing).message_bytes() as u64;
    client.send(&frame(OPCODE_TEXT, worker::sink_end(bytes).as_bytes()))?;
    client.receive_until(1)?;
    Ok(count)
}

/// Lines to `cat` and back, between 8 and 16 KiB of them under way at any time.
pub(crate) fn pipelined(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = Talk::new(Wire::Text, &Text::lines());
    let server = Server::start(contender, Job::Lines(&["cat"]), settings)?;
    let mut client = Connection::open(&server, &talk, settings.check, FLOOD)?;

    chase(&mut client, &talk, Instant::now() + settings.time / 4)?;
    measured(settings, &server, || chase(&mut client, &talk, Instant::now() + settings.time))
}

/// Keeps two halves under way: a new one goes out whenever one has come back.
fn chase(client: &mut Connection, talk: &Talk, deadline: Instant) -> Result<u64> {
    client.restart();
    let half = HALF_IN_FLIGHT as u64;
    client.send(talk.some(0, HALF_IN_FLIGHT))?;
    let mut sent = half;
    while Instant::now() < deadline {
        client.send(talk.some(sent, HALF_IN_FLIGHT))?;
        sent += half;
        client.receive_until(sent - half)?;
    }
    client.receive_until(sent)?;
    Ok(sent)
}

/// One line to `cat` and back, then the next.
pub(crate) fn one_at_a_time(settings: &Settings, contender: Contender) -> Result<Sample> {
    let wire = if contender == Contender::Socat { Wire::Raw } else { Wire::Text };
    let talk = Talk::new(wire, &Text::lines());
    let server = Server::start(contender, Job::Lines(&["cat"]), settings)?;
    let mut client = Connection::open(&server, &talk, settings.check, CALM)?;

    ping_pong(&mut client, &talk, Instant::now() + settings.time / 4)?;
    let mut times = Times::new();
    let mut sample = measured(settings, &server, || {
        times = ping_pong(&mut client, &talk, Instant::now() + settings.time)?;
        Ok(times.count())
    })?;
    if contender == Contender::Socat {
        // The bridge is a process of its own, which is not looked at.
        sample.retain(|(figure, _)| *figure != Figure::Cpu);
    }
    if !settings.trace {
        sample.push((Figure::P99, times.p99()?));
    }
    Ok(sample)
}

/// Sends one message at a time until `deadline`.
pub(crate) fn ping_pong(client: &mut Connection, talk: &Talk, deadline: Instant) -> Result<Times> {
    client.restart();
    let mut times = Times::new();
    let mut start = Instant::now();
    while start < deadline {
        client.send(talk.some(times.count(), 1))?;
        client.receive_until(times.count() + 1)?;
        let end = Instant::now();
        times.add(end - start);
        start = end;
    }
    Ok(times)
}

/// Lines of almost 1 MiB, the limit of wsd, to `cat` and back, one at a time: two of them stop websocketd 0.4.1 for ever.
pub(crate) fn large_lines(settings: &Settings, contender: Contender) -> Result<Sample> {
    large(settings, contender, Wire::Text, (1 << 20) - 16)
}

/// Binary messages of 64 KiB to `cat` and back, one at a time.
pub(crate) fn large_binary(settings: &Settings, contender: Contender) -> Result<Sample> {
    large(settings, contender, Wire::Binary, 64 << 10)
}

fn large(settings: &Settings, contender: Contender, wire: Wire, message_bytes: usize) -> Result<Sample> {
    let talk = Talk::new(wire, &Text::of_one(message_bytes));
    let job = if wire == Wire::Binary { Job::Bytes(&["cat"]) } else { Job::Lines(&["cat"]) };
    let server = Server::start(contender, job, settings)?;
    let mut client = Connection::open(&server, &talk, settings.check, FLOOD)?;
    client.duplex()?;

    throw(&mut client, &talk, Instant::now() + settings.time / 4)?;
    let mut sample = measured(settings, &server, || throw(&mut client, &talk, Instant::now() + settings.time))?;
    if let Some(&(_, rate)) = sample.iter().find(|(figure, _)| *figure == Figure::Rate) {
        sample.push((Figure::Throughput, rate * as_f64(message_bytes as u64)));
    }
    Ok(sample)
}

fn throw(client: &mut Connection, talk: &Talk, deadline: Instant) -> Result<u64> {
    client.restart();
    while Instant::now() < deadline {
        client.exchange(talk.all(), client.messages() + 1)?;
    }
    Ok(client.messages())
}

/// Clients at once in [`many`].
pub(crate) const MANY: usize = 200;

/// A line of each of many clients to `cat` and back, all of them under way at the same time.
pub(crate) fn many(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = Talk::new(Wire::Text, &Text::lines());
    let server = Server::start(contender, Job::Lines(&["cat"]), settings)?;
    let mut clients = Vec::new();
    for _ in 0..MANY {
        clients.push(Connection::open(&server, &talk, settings.check, CALM)?);
    }

    circle(&mut clients, &talk, Instant::now() + settings.time / 4)?;
    measured(settings, &server, || circle(&mut clients, &talk, Instant::now() + settings.time))
}

/// Goes round the clients; each sends its next line as soon as it is found to have the last one back.
fn circle(clients: &mut [Connection], talk: &Talk, deadline: Instant) -> Result<u64> {
    let mut turn = 0;
    for client in &mut *clients {
        client.restart();
        client.send(talk.some(turn, 1))?;
    }
    while Instant::now() < deadline {
        turn += 1;
        for client in &mut *clients {
            client.receive_until(turn)?;
            client.send(talk.some(turn, 1))?;
        }
    }
    turn += 1;
    for client in &mut *clients {
        client.receive_until(turn)?;
    }
    Ok(turn * clients.len() as u64)
}

/// Floods beside the quiet session of [`beside_floods`].
const FLOODS: usize = 2;

/// One line at a time, first alone, then beside sessions whose workers flood without end.
///
/// One thread reads all floods: with more, on few cores, the times would tell of the kernel's queue, not of the server's.
pub(crate) fn beside_floods(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = Talk::new(Wire::Text, &Text::lines());
    let program = settings.worker(worker::FLOOD);
    let server = Server::start(contender, Job::Lines(&program), settings)?;
    let mut quiet = Connection::open(&server, &talk, settings.check, CALM)?;

    request_lines(&mut quiet, Instant::now() + settings.time / 4)?;
    let alone = request_lines(&mut quiet, Instant::now() + settings.time)?.p99()?;

    let mut floods = Vec::new();
    for _ in 0..FLOODS {
        let mut flood = Connection::open(&server, &talk, settings.check, FLOOD)?;
        flood.send(&frame(OPCODE_TEXT, b"1000000000000"))?;
        floods.push(flood);
    }
    let stop = AtomicBool::new(false);
    let beside = thread::scope(|scope| {
        let reader = scope.spawn(|| swallow(&mut floods, &stop));
        let beside = request_lines(&mut quiet, Instant::now() + settings.time / 4)
            .and_then(|_| request_lines(&mut quiet, Instant::now() + settings.time));
        stop.store(true, Ordering::Relaxed);
        reader.join().map_err(|_| "the reader of the floods panicked")??;
        beside
    })?;
    let beside = beside.p99()?;
    Ok(vec![(Figure::P99, beside), (Figure::Slowdown, beside / alone)])
}

/// Asks the flooding worker for one line, again and again.
fn request_lines(client: &mut Connection, deadline: Instant) -> Result<Times> {
    let request = frame(OPCODE_TEXT, b"1");
    let mut times = Times::new();
    let mut start = Instant::now();
    while start < deadline {
        client.restart();
        client.send(&request)?;
        client.receive_until(1)?;
        let end = Instant::now();
        times.add(end - start);
        start = end;
    }
    Ok(times)
}

/// Reads whatever comes on any of `clients` until `stop`.
fn swallow(clients: &mut [Connection], stop: &AtomicBool) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        for number in client::wait_for_any(clients)? {
            clients[number].receive()?;
        }
    }
    Ok(())
}
