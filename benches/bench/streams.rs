//! Scenarios about event streams and POST (`--http`).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{CALM, FLOOD};
use crate::measure::{Figure, Sample, Times, as_f64, measured, multiplied};
use crate::result::Result;
use crate::server::{Contender, Job, Server};
use crate::settings::{PATIENCE, Settings};
use crate::text::Text;
use crate::worker;

/// The end of an event; no message of the benchmark has an empty line.
const EVENT_END: &[u8] = b"\n\n";

/// The time for a server to give back what it holds only for a moment.
const SETTLE: Duration = Duration::from_millis(500);

/// A client of an event stream: counts events by their ends.
struct Listener {
    stream: TcpStream,
    buffer: Vec<u8>,
    events: u64,
    /// Whether the last byte was a line feed, which the next may make the end of an event.
    is_in_end: bool,
    token: String,
}

impl Listener {
    /// Opens a session, and waits for its first event.
    fn open(server: &Server, buffer_bytes: usize) -> Result<Self> {
        let mut stream = connect(server)?;
        let host = server.address();
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n").as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(EVENT_END) {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head)?;
        let token = head.lines().find_map(|line| line.strip_prefix("Wsd-Session: "));
        let token = token.ok_or_else(|| format!("no session: {head}"))?.to_owned();
        let buffer = vec![0; buffer_bytes];
        Ok(Self { stream, buffer, events: 0, is_in_end: false, token })
    }

    /// Waits until so many events have come in all.
    fn receive_until(&mut self, count: u64) -> Result<()> {
        while self.events < count {
            let length = self.stream.read(&mut self.buffer)?;
            if length == 0 {
                return Err(format!("the stream ended after {} events", self.events).into());
            }
            for &byte in &self.buffer[..length] {
                // The size of a chunk may stand between the two, but begins after whole events only.
                self.events += u64::from(self.is_in_end && byte == b'\n');
                self.is_in_end = byte == b'\n' && !self.is_in_end;
            }
        }
        Ok(())
    }
}

/// A connection that POSTs to the session of a listener.
struct Sender {
    stream: TcpStream,
    head: String,
    answer: Vec<u8>,
}

impl Sender {
    fn of(server: &Server, listener: &Listener) -> Result<Self> {
        let head = format!("POST / HTTP/1.1\r\nHost: {}\r\nWsd-Session: {}\r\n", server.address(), listener.token);
        Ok(Self { stream: connect(server)?, head, answer: Vec::new() })
    }

    /// Sends a body, and waits for the answer.
    fn post(&mut self, body: &[u8]) -> Result<()> {
        let head = format!("{}Content-Length: {}\r\n\r\n", self.head, body.len());
        self.stream.write_all(&[head.as_bytes(), body].concat())?;
        self.answer.clear();
        while !self.answer.ends_with(b"\r\n\r\n") {
            let mut buffer = [0; 1 << 10];
            let length = self.stream.read(&mut buffer)?;
            self.answer.extend_from_slice(&buffer[..length]);
            if length == 0 || !self.answer.starts_with(b"HTTP/1.1 204") {
                return Err(format!("no 204: {}", String::from_utf8_lossy(&self.answer)).into());
            }
        }
        Ok(())
    }
}

fn connect(server: &Server) -> Result<TcpStream> {
    let stream = TcpStream::connect(server.address())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A worker floods lines; the client counts their events.
pub(crate) fn lines_out(settings: &Settings, contender: Contender) -> Result<Sample> {
    let server = Server::start(contender, Job::Http(&settings.worker(worker::FLOOD)), settings)?;
    let mut listener = Listener::open(&server, FLOOD)?;
    let mut sender = Sender::of(&server, &listener)?;
    let mut ask = |count: u64| -> Result<u64> {
        let end = listener.events + count;
        sender.post(count.to_string().as_bytes())?;
        listener.receive_until(end)?;
        Ok(count)
    };

    // The first lines warm up, and tell how many fill the time.
    let warm_up = 20_000;
    let start = Instant::now();
    ask(warm_up)?;
    let count = multiplied(warm_up, settings.time.as_secs_f64() / start.elapsed().as_secs_f64());
    measured(settings, &server, || ask(count))
}

/// One line by POST to `cat` and back as an event, then the next.
pub(crate) fn echo(settings: &Settings, contender: Contender) -> Result<Sample> {
    let server = Server::start(contender, Job::Http(&["cat"]), settings)?;
    let mut listener = Listener::open(&server, CALM)?;
    let mut sender = Sender::of(&server, &listener)?;
    let text = Text::lines();
    let line = text.messages().next().ok_or("no line")?;
    let mut run = |time: Duration| -> Result<Times> {
        let mut times = Times::new();
        let deadline = Instant::now() + time;
        while times.count() == 0 || Instant::now() < deadline {
            let start = Instant::now();
            sender.post(line)?;
            listener.receive_until(listener.events + 1)?;
            times.add(start.elapsed());
        }
        Ok(times)
    };

    run(settings.time / 4)?;
    let mut times = Times::new();
    let mut sample = measured(settings, &server, || {
        times = run(settings.time)?;
        Ok(times.count())
    })?;
    if !settings.trace {
        sample.push((Figure::P99, times.p99()?));
    }
    Ok(sample)
}

/// Memory that an idle stream costs.
pub(crate) fn idle(settings: &Settings, contender: Contender) -> Result<Sample> {
    let server = Server::start(contender, Job::Http(&["cat"]), settings)?;
    let alone = server.memory_bytes()?;
    let listeners = (0..settings.idle_sessions).map(|_| Listener::open(&server, 0)).collect::<Result<Vec<_>>>()?;
    thread::sleep(SETTLE);
    let full = server.memory_bytes()?;
    let each = as_f64(full.saturating_sub(alone)) / as_f64(listeners.len() as u64);
    Ok(vec![(Figure::MemoryPerSession, each)])
}
