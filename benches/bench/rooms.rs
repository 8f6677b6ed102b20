//! Scenarios about rooms: one worker, many clients.

use std::time::Instant;

use crate::client::{CALM, Connection, FLOOD, Watch};
use crate::measure::{Sample, measured, multiplied};
use crate::result::Result;
use crate::server::{Contender, Job, Server};
use crate::settings::Settings;
use crate::text::{OPCODE_TEXT, Talk, Text, Wire, frame};
use crate::worker;

pub(crate) fn broadcast_to_10(settings: &Settings, contender: Contender) -> Result<Sample> {
    broadcast(settings, contender, 10)
}

pub(crate) fn broadcast_to_100(settings: &Settings, contender: Contender) -> Result<Sample> {
    broadcast(settings, contender, 100)
}

pub(crate) fn broadcast_to_1000(settings: &Settings, contender: Contender) -> Result<Sample> {
    broadcast(settings, contender, 1000)
}

/// Messages of ten lines of JSON, which the server compresses once for all.
pub(crate) fn packed_broadcast_to_1000(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = Talk::new(Wire::Packed, &Text::reports());
    let program = settings.worker(worker::REPORTS);
    broadcast_of(settings, contender, 1000, &talk, Job::PackedShared(&program))
}

/// Deliveries that warm up.
const WARM_UP: u64 = 1_000_000;

/// A worker floods lines, which each of `audience` clients gets; a delivery is one line at one client.
fn broadcast(settings: &Settings, contender: Contender, audience: u64) -> Result<Sample> {
    let talk = Talk::new(Wire::Text, &Text::broadcast());
    let program = settings.worker(worker::BROADCAST);
    broadcast_of(settings, contender, audience, &talk, Job::Shared(&program))
}

fn broadcast_of(settings: &Settings, contender: Contender, audience: u64, talk: &Talk, job: Job) -> Result<Sample> {
    let server = Server::start(contender, job, settings)?;
    let open = |_| Connection::open(&server, talk, settings.check, CALM);
    let mut clients = (0..audience).map(open).collect::<Result<Vec<_>>>()?;
    let mut watch = Watch::new(clients.iter())?;

    // The first lines tell how many fill the time.
    let warm_up = WARM_UP / audience;
    let start = Instant::now();
    let request = |count: u64| frame(OPCODE_TEXT, count.to_string().as_bytes());
    ask(&mut clients, &mut watch, &request(warm_up), warm_up)?;
    let fill = settings.time.as_secs_f64() / start.elapsed().as_secs_f64();
    let count = multiplied(warm_up, fill);
    let sample = measured(settings, &server, || Ok(ask(&mut clients, &mut watch, &request(count), count)? * audience))?;

    for client in &mut clients {
        client.begin_close()?;
        client.expect_end()?;
        expect(client, count)?;
    }
    Ok(sample)
}

/// Has the worker send `count` lines by a request, and waits until all of `clients` have them.
pub(crate) fn ask(clients: &mut [Connection], watch: &mut Watch, request: &[u8], count: u64) -> Result<u64> {
    clients.iter_mut().for_each(Connection::restart);
    clients[0].send(request)?;
    let mut buffer = vec![0; FLOOD];
    while clients.iter().any(|client| client.messages() < count) {
        for number in watch.wait()? {
            clients[number].skim(&mut buffer)?;
        }
    }
    clients.iter().try_for_each(|client| expect(client, count))?;
    Ok(count)
}

/// One client after the other joins the room of `cat` and leaves it, while the first one stays.
pub(crate) fn join_and_leave(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = Talk::new(Wire::Text, &Text::broadcast());
    let server = Server::start(contender, Job::Shared(&["cat"]), settings)?;
    let open = || Connection::open(&server, &talk, settings.check, CALM);
    let mut first = open()?;
    let visit_until = |deadline| -> Result<u64> {
        let mut count = 0;
        while Instant::now() < deadline {
            let mut visitor = open()?;
            visitor.begin_close()?;
            visitor.expect_end()?;
            expect(&visitor, 0)?;
            count += 1;
        }
        Ok(count)
    };

    visit_until(Instant::now() + settings.time / 4)?;
    let sample = measured(settings, &server, || visit_until(Instant::now() + settings.time))?;

    // The room is still that of the first client, and whoever joins it hears what is said there.
    let mut last = open()?;
    first.send(talk.some(0, 1))?;
    for client in [&mut first, &mut last] {
        client.receive_until(1)?;
        expect(client, 1)?;
    }
    Ok(sample)
}

/// Every line has come, and none twice.
pub(crate) fn expect(client: &Connection, messages: u64) -> Result<()> {
    if client.messages() == messages {
        return Ok(());
    }
    Err(format!("{} messages arrived instead of {messages}", client.messages()).into())
}
