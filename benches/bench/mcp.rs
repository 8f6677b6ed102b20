//! Scenarios about gateways of MCP: a server on standard input and output, behind Streamable HTTP with sessions.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::gateways;
use crate::measure::{Figure, Sample, Times, as_f64, measured, median};
use crate::result::Result;
use crate::server::{Contender, Job, Server};
use crate::settings::{PATIENCE, Settings};
use crate::worker;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
/// The argument of the tool, which comes back.
const WORDS: &str =
    "a hundred bytes are about the length of the arguments that most tools of most servers are called with";
/// Sessions that are open at once for the figure of memory.
const SESSIONS: usize = 10;
/// Clients that call at once.
const CLIENTS: usize = 8;
/// The time between two clients that come one after the other.
const MOMENT: Duration = Duration::from_millis(50);
/// The time for a server to give back what it holds only for a moment.
const SETTLE: Duration = Duration::from_millis(500);

/// A client in its session, with a connection that it keeps.
struct Client {
    stream: BufReader<TcpStream>,
    head: String,
    calls: u64,
}

/// An answer to a POST.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Client {
    /// Connects, and begins a session.
    fn begin(server: &Server) -> Result<Self> {
        let stream = TcpStream::connect(server.address())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n",
            server.address()
        );
        let mut client = Self { stream: BufReader::new(stream), head, calls: 0 };
        let answer = client.post(INITIALIZE)?;
        let session = answer.header("mcp-session-id").ok_or_else(|| format!("no session: {}", answer.head))?;
        client.head.extend(["Mcp-Session-Id: ", &session, "\r\nMCP-Protocol-Version: 2025-06-18\r\n"]);
        client.post(INITIALIZED)?;
        Ok(client)
    }

    /// Calls the tool, and waits for the result.
    fn call(&mut self) -> Result<()> {
        self.calls += 1;
        let id = self.calls;
        let params = format!("{{\"name\":\"echo\",\"arguments\":{{\"text\":\"{WORDS}\"}}}}");
        let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{params}}}");
        let answer = self.post(&body)?;
        let body = String::from_utf8(answer.body)?;
        let is_whole = body.contains(WORDS) && body.contains(&format!("\"id\":{id}"));
        if is_whole { Ok(()) } else { Err(format!("not the result of call {id}: {}{body}", answer.head).into()) }
    }

    fn post(&mut self, body: &str) -> Result<Answer> {
        let request = format!("{}Content-Length: {}\r\n\r\n{body}", self.head, body.len());
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut answer = Answer { head: String::new(), body: Vec::new() };
        while !answer.head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut answer.head)? == 0 {
                return Err(format!("no answer: {}", answer.head).into());
            }
        }
        if !answer.head.starts_with("HTTP/1.1 20") {
            return Err(format!("refused: {}", answer.head).into());
        }
        if answer.header("transfer-encoding").is_some() {
            while self.take_chunk(&mut answer.body)? {}
        } else if let Some(length) = answer.header("content-length") {
            answer.body.resize(length.parse()?, 0);
            self.stream.read_exact(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// Takes a chunk; the last one is empty.
    fn take_chunk(&mut self, body: &mut Vec<u8>) -> Result<bool> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let (length, begin) = (usize::from_str_radix(line.trim(), 16)?, body.len());
        body.resize(begin + length + 2, 0);
        self.stream.read_exact(&mut body[begin..])?;
        body.truncate(begin + length);
        Ok(length > 0)
    }
}

impl Answer {
    /// Returns the value of a header.
    fn header(&self, name: &str) -> Option<String> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    }
}

/// Calls a tool, one call after the other.
pub(crate) fn calls(settings: &Settings, contender: Contender) -> Result<Sample> {
    calls_of(settings, contender, 1)
}

/// Calls a tool from eight clients at once, each of which waits for its result before it calls again.
pub(crate) fn calls_of_eight(settings: &Settings, contender: Contender) -> Result<Sample> {
    calls_of(settings, contender, CLIENTS)
}

fn calls_of(settings: &Settings, contender: Contender, clients: usize) -> Result<Sample> {
    let server = Server::start(contender, Job::Mcp(&settings.worker(worker::TOOLS)), settings)?;
    let mut clients = (0..clients).map(|_| Client::begin(&server)).collect::<Result<Vec<_>>>()?;
    call_for(&mut clients, settings.time / 4)?;
    let mut times = Times::new();
    let mut sample = measured(settings, &server, || {
        times = call_for(&mut clients, settings.time)?;
        Ok(times.count())
    })?;
    if !settings.trace {
        sample.push((Figure::P50, times.percentile(50)?));
        sample.push((Figure::P99, times.percentile(99)?));
    }
    Ok(sample)
}

/// Lets all clients call for a time.
fn call_for(clients: &mut [Client], time: Duration) -> Result<Times> {
    let deadline = Instant::now() + time;
    let call = |client: &mut Client| -> Result<Times> {
        let mut times = Times::new();
        while times.count() == 0 || Instant::now() < deadline {
            let start = Instant::now();
            client.call()?;
            times.add(start.elapsed());
        }
        Ok(times)
    };
    thread::scope(|scope| {
        let callers: Vec<_> = clients.iter_mut().map(|client| scope.spawn(move || call(client))).collect();
        let mut all = Times::new();
        for caller in callers {
            all.append(caller.join().map_err(|_| "a client has panicked")??);
        }
        Ok(all)
    })
}

/// Clients that come, call once, and leave without a word.
pub(crate) fn sessions(settings: &Settings, contender: Contender) -> Result<Sample> {
    let server = Server::start(contender, Job::Mcp(&settings.worker(worker::TOOLS)), settings)?;
    let mut times = Vec::new();
    let mut visit = || -> Result<Client> {
        let start = Instant::now();
        let mut client = Client::begin(&server)?;
        times.push(start.elapsed().as_secs_f64());
        client.call()?;
        Ok(client)
    };

    let clients = (0..SESSIONS).map(|_| visit()).collect::<Result<Vec<_>>>()?;
    thread::sleep(SETTLE);
    let memory = server.tree_memory_bytes()?;
    drop(clients);
    for _ in SESSIONS..settings.mcp_visits {
        visit()?;
    }
    thread::sleep(gateways::IDLE + 4 * SETTLE);
    Ok(vec![
        (Figure::Connect, median(&times).ok_or("nobody has connected")?),
        (Figure::MemoryOfTree, as_f64(memory)),
        (Figure::ProcessesLeft, as_f64(server.tree()?.len() as u64 - 1)),
    ])
}

/// Clients that come a moment apart, and begin a session each.
pub(crate) fn visits(settings: &Settings, contender: Contender) -> Result<Sample> {
    let server = Server::start(contender, Job::McpSpare(&settings.worker(worker::TOOLS)), settings)?;
    let mut times = Vec::new();
    for _ in 0..settings.mcp_visits {
        thread::sleep(MOMENT);
        let start = Instant::now();
        Client::begin(&server)?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(vec![(Figure::Connect, median(&times).ok_or("nobody has connected")?)])
}
