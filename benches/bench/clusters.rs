//! Scenarios about rooms whose clients are on three nodes, with a Redis between them.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use wsd_harness::redis::Redis;

use crate::client::{CALM, Connection, Watch};
use crate::count::Check;
use crate::measure::{Figure, Sample, Times, multiplied, timed};
use crate::result::Result;
use crate::rooms;
use crate::server::{Contender, Job, Server, cpu_of};
use crate::settings::Settings;
use crate::text::{HALF_IN_FLIGHT, OPCODE_TEXT, Talk, Text, Wire, event, frame};
use crate::worker;

/// Servers that share a room.
const NODES: usize = 3;

/// The clients of a broadcast.
const AUDIENCE: usize = 1000;

/// Whether there is a Redis.
pub(crate) fn can_run() -> bool {
    Command::new("redis-server").arg("--version").output().is_ok()
}

/// A Redis, and nodes on it. The nodes stop first.
struct Cluster {
    nodes: Vec<Server>,
    redis: Redis,
}

impl Cluster {
    /// Starts nodes, whose room has one worker in all.
    fn start(settings: &Settings, contender: Contender, worker: &str) -> Result<Self> {
        let redis = Redis::start(&[]).ok_or("redis-server is not installed")?;
        let _ = fs::remove_file(contender.log(settings.scratch()));
        let program = settings.worker(worker);
        let start = |_| Server::start(contender, Job::Node(redis.port(), &program), settings);
        let nodes = (0..NODES).map(start).collect::<Result<_>>()?;
        Ok(Self { nodes, redis })
    }

    /// Opens clients on all nodes in turn. The worker is on the node of the first one.
    fn open<'t>(&self, settings: &Settings, talk: &'t Talk, count: usize) -> Result<Vec<Connection<'t>>> {
        let open = |number| Connection::open(&self.nodes[number % NODES], talk, settings.check, CALM);
        (0..count).map(open).collect()
    }

    /// Measures `work`, which says how many messages it moved.
    fn measured(&self, work: impl FnOnce() -> Result<u64>) -> Result<Sample> {
        let of_nodes = || self.nodes.iter().map(Server::cpu).sum::<Result<Duration>>();
        let of_redis = || cpu_of(Pid::from_raw(self.redis.pid()));
        timed(&[(Figure::Cpu, &of_nodes), (Figure::CpuOfRedis, &of_redis)], work)
    }
}

/// The lines of a broadcast, as a server speaks to its clients.
fn lines(contender: Contender) -> Talk {
    let wire = if contender == Contender::SocketIo { Wire::SocketIo } else { Wire::Text };
    Talk::new(wire, &Text::broadcast())
}

/// The request to send, or to expect, so many lines.
fn request(talk: &Talk, name: &str, count: u64) -> Vec<u8> {
    let number = count.to_string();
    let text = if talk.wire == Wire::SocketIo { event(name, &number) } else { number };
    frame(OPCODE_TEXT, text.as_bytes())
}

/// Finds out how many messages fill the time, while warming up with ever more of them: few take as long as the way itself.
fn filling(settings: &Settings, mut work: impl FnMut(u64) -> Result<u64>) -> Result<u64> {
    // Node compiles what it has run often.
    let mut count = 100;
    loop {
        let start = Instant::now();
        work(count)?;
        let elapsed = start.elapsed();
        if elapsed > settings.time / 2 {
            return Ok(multiplied(count, settings.time.div_duration_f64(elapsed)));
        }
        count *= 4;
    }
}

/// A worker floods lines, which each of 1,000 clients gets; a delivery is one line at one client. Then one line at a time.
pub(crate) fn broadcast(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = lines(contender);
    let cluster = Cluster::start(settings, contender, worker::BROADCAST)?;
    let mut clients = cluster.open(settings, &talk, AUDIENCE)?;
    let mut watch = Watch::new(clients.iter())?;
    let mut flood = |count| rooms::ask(&mut clients, &mut watch, &request(&talk, "flood", count), count);

    let count = filling(settings, &mut flood)?;
    let mut sample = cluster.measured(|| Ok(flood(count)? * AUDIENCE as u64))?;
    let mut times = in_turns(&mut clients, &mut watch, &talk, settings.time)?;
    sample.extend([(Figure::P50, times.percentile(50)?), (Figure::P99, times.percentile(99)?)]);
    end(clients)?;
    Ok(sample)
}

/// A worker sends one line at a time to a client on each node. The processor time is that of a line.
pub(crate) fn hop(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = lines(contender);
    let cluster = Cluster::start(settings, contender, worker::BROADCAST)?;
    let mut clients = cluster.open(settings, &talk, NODES)?;
    let mut watch = Watch::new(clients.iter())?;

    in_turns(&mut clients, &mut watch, &talk, settings.time / 4)?;
    let mut times = Times::new();
    let mut sample = cluster.measured(|| {
        times = in_turns(&mut clients, &mut watch, &talk, settings.time)?;
        Ok(times.count() / (NODES as u64 - 1))
    })?;
    sample.extend([(Figure::P50, times.percentile(50)?), (Figure::P99, times.percentile(99)?)]);
    end(clients)?;
    Ok(sample)
}

/// Has the worker send a line when all clients have the last one. Returns the times from the request of a client on the
/// worker's node to each client on another.
fn in_turns(clients: &mut [Connection], watch: &mut Watch, talk: &Talk, time: Duration) -> Result<Times> {
    let (mut times, mut buffer) = (Times::new(), vec![0; CALM]);
    let (request, deadline) = (request(talk, "flood", 1), Instant::now() + time);
    while times.count() == 0 || Instant::now() < deadline {
        clients.iter_mut().for_each(Connection::restart);
        let start = Instant::now();
        clients[0].send(&request)?;
        let mut left = clients.len();
        while left > 0 {
            for number in watch.wait()? {
                clients[number].skim(&mut buffer)?;
                if clients[number].messages() == 0 {
                    continue;
                }
                if number % NODES != 0 {
                    times.add(start.elapsed());
                }
                left -= 1;
            }
        }
        clients.iter().try_for_each(|client| rooms::expect(client, 1))?;
    }
    Ok(times)
}

/// A client on each node floods lines; the worker counts them.
pub(crate) fn input(settings: &Settings, contender: Contender) -> Result<Sample> {
    let talk = lines(contender);
    let worker = if settings.check == Check::Bytes { worker::TALLY_CHECKED } else { worker::TALLY };
    let cluster = Cluster::start(settings, contender, worker)?;
    let mut clients = cluster.open(settings, &talk, NODES)?;
    let mut pour = |count| pour(&mut clients, &talk, count);

    let count = filling(settings, &mut pour)?;
    let sample = cluster.measured(|| pour(count))?;
    end(clients)?;
    Ok(sample)
}

/// Sends `count` lines from each client at once, and waits until the worker has all of them. Returns how many that were.
fn pour(clients: &mut [Connection], talk: &Talk, count: u64) -> Result<u64> {
    let all = count * clients.len() as u64;
    clients.iter_mut().for_each(Connection::restart);
    clients[0].send(&request(talk, "expect", all))?;
    clients.iter_mut().try_for_each(|client| client.receive_until(1))?;
    thread::scope(|scope| {
        let flood = |client: &mut Connection| {
            (0..count).step_by(HALF_IN_FLIGHT).try_for_each(|sent| {
                let some = usize::try_from(count - sent)?.min(HALF_IN_FLIGHT);
                client.send(talk.some(sent, some))
            })
        };
        let floods: Vec<_> = clients.iter_mut().map(|client| scope.spawn(move || flood(client))).collect();
        floods.into_iter().try_for_each(|flood| flood.join().map_err(|_| "a client has panicked")?)
    })?;
    clients.iter_mut().try_for_each(|client| client.receive_until(2))?;
    Ok(all)
}

/// Ends the sessions of all clients.
fn end(mut clients: Vec<Connection>) -> Result<()> {
    clients.iter_mut().try_for_each(|client| {
        client.begin_close()?;
        client.expect_end()
    })
}
