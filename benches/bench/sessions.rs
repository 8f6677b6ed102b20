//! Scenarios about sessions: how fast they come and go, and what they cost while nothing flows.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::client::{CALM, Connection, Watch};
use crate::herald;
use crate::measure::{Figure, Sample, as_f64, measured, median};
use crate::result::Result;
use crate::server::{Contender, Job, Server, free_port};
use crate::settings::{PATIENCE, Settings};
use crate::text::{LINE_BYTES, Talk, Text, Wire};

/// Sessions under way at once in [`fifty_at_a_time`].
const FIFTY: usize = 50;

/// Connect, get the one line of a worker that exits, wait for the end of the connection; then the next.
pub(crate) fn one_at_a_time(settings: &Settings, contender: Contender) -> Result<Sample> {
    visits(settings, contender, 1, false)
}

/// As [`one_at_a_time`], for clients that show a token (`--auth=bearer`).
pub(crate) fn with_token(settings: &Settings, contender: Contender) -> Result<Sample> {
    visits(settings, contender, 1, true)
}

/// Opens sessions from fifty clients, none of which waits for another.
pub(crate) fn fifty_at_a_time(settings: &Settings, contender: Contender) -> Result<Sample> {
    visits(settings, contender, FIFTY, false)
}

fn visits(settings: &Settings, contender: Contender, at_once: usize, is_guarded: bool) -> Result<Sample> {
    let talk = one_line(contender);
    let program = herald(settings)?;
    let program = [&*program];
    let job = if is_guarded { Job::Guarded(&program) } else { Job::Lines(&program) };
    let server = Server::start(contender, job, settings)?;
    let run = |time| visit_until(settings, &server, &talk, at_once, Instant::now() + time);

    run(settings.time / 4)?;
    let mut sample = measured(settings, &server, || run(settings.time))?;
    if contender == Contender::Socat {
        // Each bridge is a process of its own, which is not looked at.
        sample.retain(|(figure, _)| *figure != Figure::Cpu);
    }
    Ok(sample)
}

/// Keeps `at_once` visits under way until `deadline`, ends them all, and says how many there were.
fn visit_until(settings: &Settings, server: &Server, talk: &Talk, at_once: usize, deadline: Instant) -> Result<u64> {
    let begin = || Connection::begin(server, talk, settings.check, CALM);
    let mut visits = (0..at_once).map(|_| begin()).collect::<Result<Vec<_>>>()?;
    let mut watch = Watch::new(visits.iter())?;
    let mut count = 0;
    let mut left = at_once;
    while left > 0 {
        let ready: Vec<usize> = watch.wait()?.collect();
        for number in ready {
            let visit = &mut visits[number];
            if !visit.step()? {
                continue;
            }
            if visit.messages() != 1 {
                return Err(format!("{} messages arrived instead of one", visit.messages()).into());
            }
            count += 1;
            if Instant::now() < deadline {
                *visit = begin()?;
                watch.add(number, visit)?;
            } else {
                left -= 1;
                watch.remove(visit)?;
            }
        }
    }
    Ok(count)
}

/// Returns the message that a client of `contender` gets from [`herald`].
fn one_line(contender: Contender) -> Talk {
    let wire = if contender == Contender::Socat { Wire::Raw } else { Wire::Text };
    Talk::new(wire, &Text::of_one(LINE_BYTES))
}

/// The path of the worker that prints [`one_line`].
fn herald(settings: &Settings) -> Result<String> {
    herald::install(settings.scratch(), Text::of_one(LINE_BYTES).with_newlines().bytes())
}

/// From starting the server to the first line at a client.
pub(crate) fn start(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = one_line(contender);
    let herald = herald(settings)?;
    let mut times = Vec::new();
    let deadline = Instant::now() + settings.time;
    while times.is_empty() || Instant::now() < deadline {
        let port = free_port()?;
        let start = Instant::now();
        let server = Server::spawn(contender, Job::Lines(&[&herald]), settings, port)?;
        let mut client = loop {
            match Connection::begin(&server, &talk, settings.check, CALM) {
                Ok(client) => break client,
                Err(error) if start.elapsed() > PATIENCE => return Err(error),
                // No sleep: how long the system takes to wake the client is not what is measured.
                Err(_) => thread::yield_now(),
            }
        };
        client.read_upgrade()?;
        client.receive_until(1)?;
        times.push(start.elapsed().as_secs_f64());
        client.expect_end()?;
    }
    Ok(vec![(Figure::Start, median(&times).ok_or("no start was timed")?)])
}

/// Time for a server to give back what it holds only for a moment.
const SETTLE: Duration = Duration::from_millis(500);

/// Descriptors that a server may have opened for itself in the meantime.
const DESCRIPTORS_SLACK: usize = 8;

/// Memory with no session, and with many that have each echoed a line and then are silent; then all end at once.
pub(crate) fn idle(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = Talk::new(Wire::Text, &Text::lines());
    let server = Server::start(contender, Job::Lines(&["cat"]), settings)?;
    let alone = server.memory_bytes()?;
    let descriptors = server.descriptors()?;

    let mut clients = Vec::new();
    for _ in 0..settings.idle_sessions {
        let mut client = Connection::open(&server, &talk, settings.check, CALM)?;
        echo(&mut client, &talk, 0)?;
        clients.push(client);
    }
    thread::sleep(SETTLE);
    let full = server.memory_bytes()?;

    let start = Instant::now();
    for client in &mut clients {
        client.begin_close()?;
    }
    for client in &mut clients {
        client.expect_end()?;
    }
    while server.descriptors()? > descriptors + DESCRIPTORS_SLACK {
        if start.elapsed() > PATIENCE {
            return Err("the server keeps descriptors of sessions that ended".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    let per_session = as_f64(full.saturating_sub(alone)) / as_f64(clients.len() as u64);
    Ok(vec![
        (Figure::MemoryPerSession, per_session),
        (Figure::MemoryAlone, as_f64(alone)),
        (Figure::Teardown, start.elapsed().as_secs_f64()),
    ])
}

/// Descriptors left to a server for itself in [`crowd`], and to the benchmark.
const DESCRIPTORS_SPARE: usize = 100;

/// As many idle sessions as wanted, or as the limit of open files permits; each answers again once all are open.
pub(crate) fn crowd(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = Talk::new(Wire::Text, &Text::lines());
    let server = Server::start(contender, Job::Lines(&["cat"]), settings)?;
    let (memory, descriptors) = (server.memory_bytes()?, server.descriptors()?);
    let open = || -> Result<Connection> {
        let mut client = Connection::open(&server, &talk, settings.check, CALM)?;
        echo(&mut client, &talk, 0)?;
        Ok(client)
    };

    let mut clients = vec![open()?];
    let needed = server.descriptors()?.saturating_sub(descriptors).max(1);
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let permitted = usize::try_from(limit)?.saturating_sub(DESCRIPTORS_SPARE) / needed;
    let wanted = settings.crowd_sessions.min(permitted);
    while clients.len() < wanted {
        let Ok(client) = open() else { break };
        clients.push(client);
    }
    thread::sleep(SETTLE);
    let full = server.memory_bytes();
    clients.retain_mut(|client| echo(client, &talk, 1).is_ok());

    let count = as_f64(clients.len() as u64);
    let mut sample = vec![(Figure::Sessions, count), (Figure::SessionsLost, as_f64(wanted as u64) - count)];
    if let (Ok(full), false) = (full, clients.is_empty()) {
        sample.push((Figure::MemoryPerSession, as_f64(full.saturating_sub(memory)) / count));
    }
    Ok(sample)
}

/// Sends the line numbered `turn`, and waits until it is back.
fn echo(client: &mut Connection, talk: &Talk, turn: u64) -> Result<()> {
    client.send(talk.some(turn, 1))?;
    client.receive_until(turn + 1)
}

/// Raises the limit of open files as far as it goes, for this process and the servers it starts.
pub(crate) fn raise_descriptor_limit() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let enough = 60_000;
    // More than the hard limit is for the privileged only.
    if hard >= enough || setrlimit(Resource::RLIMIT_NOFILE, enough, enough).is_err() {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(())
}
