//! A client of `--http`: takes the events of a session, sends messages by POST, and returns as an `EventSource` does.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::Value;

use crate::time::deadline;
use crate::websocket::Close;

/// Messages after which a client that acknowledges does so by POST.
const ACKED_EVERY: u64 = 64;

/// The time that an answer's head and its first event may take: longer only if the connection is dead.
const HEAD_TIME: Duration = Duration::from_secs(2);

/// A client of an event stream.
pub struct EventSource {
    address: SocketAddr,
    /// Where its POSTs go: to the same address at first.
    pub posts: SocketAddr,
    path: String,
    headers: String,
    stream: Option<TcpStream>,
    /// Bytes of the answer, as they came.
    chunks: Vec<u8>,
    /// Bytes that are still to come of a chunk, with its end.
    chunk_left: usize,
    /// Bytes of its body that are no whole event yet.
    body: Vec<u8>,
    /// Bytes of the body that hold no end of an event.
    searched: usize,
    /// Whether it acknowledges messages, as `wsd.js` does. A browser's `EventSource` does not.
    pub acknowledges: bool,
    /// Messages after which it acknowledges by POST. Each return acknowledges, too.
    pub acknowledged_every: u64,
    /// The time that an answer to a GET may take to begin.
    pub patience: Duration,
    /// The head of the last answer.
    pub head: String,
    /// The token of its session.
    pub token: String,
    /// The id of the last event.
    pub last_id: Option<String>,
    /// The number of messages that it has.
    pub got: u64,
    /// The data of the first event of each answer.
    pub opens: Vec<Value>,
    /// The messages that no longer existed.
    pub gaps: Vec<u64>,
    /// The number of comments.
    pub comments: usize,
    /// Messages that wsd may not have, and the number of those that it has.
    kept: Vec<String>,
    acked: u64,
}

/// The next thing that came.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// The last event.
    Closed(Close),
    /// The end of the answer.
    Lost,
    /// Nothing in the given time.
    Silence,
}

/// An event as it came: a name, the lines of data, and whether it has the field `kind: text`.
struct Event {
    name: String,
    data: Vec<u8>,
    is_text: bool,
}

/// The answer to a POST: its status, and its `Wsd-Ack`.
pub type Posted = (u16, Option<u64>);

impl EventSource {
    /// A client that is not connected.
    pub fn new(address: SocketAddr, path: &str, headers: &str) -> Self {
        Self {
            address,
            posts: address,
            path: path.to_owned(),
            headers: headers.to_owned(),
            stream: None,
            chunks: Vec::new(),
            chunk_left: 0,
            body: Vec::new(),
            searched: 0,
            acknowledges: false,
            acknowledged_every: ACKED_EVERY,
            patience: HEAD_TIME,
            head: String::new(),
            token: String::new(),
            last_id: None,
            got: 0,
            opens: Vec::new(),
            gaps: Vec::new(),
            comments: 0,
            kept: Vec::new(),
            acked: 0,
        }
    }

    /// A client that is connected, and acknowledges nothing.
    pub fn open(address: SocketAddr) -> Self {
        let mut client = Self::new(address, "/", "");
        assert_eq!(client.connect().unwrap(), 200, "{}", client.head);
        client
    }

    /// A client that is connected, and acknowledges messages.
    pub fn acknowledging(address: SocketAddr) -> Self {
        let mut client = Self::new(address, "/", "");
        client.acknowledges = true;
        assert_eq!(client.connect().unwrap(), 200, "{}", client.head);
        client
    }

    /// Goes to this path from now on.
    pub fn set_path(&mut self, path: &str) {
        path.clone_into(&mut self.path);
    }

    /// Sends these header lines from now on.
    pub fn set_headers(&mut self, headers: &str) {
        headers.clone_into(&mut self.headers);
    }

    /// Connects, and returns to its session if it has one. Gives the status; takes the first event after a 200. The old
    /// connection ends.
    pub fn connect(&mut self) -> io::Result<u16> {
        self.stream = None;
        self.connect_beside()
    }

    /// Connects as [`EventSource::connect`] does. The caller may have taken the old connection.
    fn connect_beside(&mut self) -> io::Result<u16> {
        (self.chunks, self.chunk_left) = (Vec::new(), 0);
        (self.body, self.searched) = (Vec::new(), 0);
        let session = match &self.last_id {
            _ if self.acknowledges && !self.token.is_empty() => {
                format!("Wsd-Session: {}\r\nWsd-Got: {}\r\n", self.token, self.got)
            }
            _ if self.acknowledges => "Wsd-Got: 0\r\n".to_owned(),
            Some(id) => format!("Last-Event-ID: {id}\r\n"),
            None => String::new(),
        };
        let mut stream = TcpStream::connect_timeout(&self.address, deadline())?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(deadline()))?;
        let (path, host, headers) = (&self.path, self.address, &self.headers);
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n{session}{headers}\r\n");
        stream.write_all(request.as_bytes())?;
        stream.set_read_timeout(Some(self.patience))?;
        self.head = read_head(&mut stream)?;
        let status = status(&self.head);
        if status != 200 {
            return Ok(status);
        }
        assert!(self.head.to_ascii_lowercase().contains("transfer-encoding: chunked\r\n"), "{}", self.head);
        self.stream = Some(stream);
        let Some(open) = self.event(self.patience)? else { return Err(io::ErrorKind::TimedOut.into()) };
        assert_eq!(open.name, "open");
        let open: Value = serde_json::from_slice(&open.data).unwrap();
        open["session"].as_str().unwrap().clone_into(&mut self.token);
        self.opens.push(open);
        Ok(status)
    }

    /// The data of the last first event.
    pub fn greeting(&self) -> &Value {
        self.opens.last().expect("an event `open`")
    }

    /// Connects once more, and gives the old connection as a client of its own.
    pub fn take_over(&mut self) -> Self {
        let mut old = Self::new(self.address, &self.path, &self.headers);
        (old.stream, old.token) = (self.stream.take(), self.token.clone());
        (old.chunks, old.body) = (std::mem::take(&mut self.chunks), std::mem::take(&mut self.body));
        old.chunk_left = self.chunk_left;
        (old.last_id, old.got) = (self.last_id.clone(), self.got);
        assert_eq!(self.connect_beside().unwrap(), 200, "{}", self.head);
        old
    }

    /// Drops the connection.
    pub fn drop_connection(&mut self) {
        self.stream = None;
    }

    /// Whether it is connected.
    pub fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// Takes what comes next, within `time`.
    pub fn next(&mut self, time: Duration) -> Next {
        loop {
            let event = match self.event(time) {
                Ok(Some(event)) => event,
                Ok(None) => return Next::Silence,
                Err(_) => {
                    self.stream = None;
                    return Next::Lost;
                }
            };
            match &*event.name {
                "gap" => self.gaps.push(String::from_utf8(event.data).unwrap().parse().unwrap()),
                "close" => {
                    let data: Value = serde_json::from_slice(&event.data).unwrap();
                    let code = u16::try_from(data["code"].as_u64().unwrap()).unwrap();
                    return Next::Closed(Close::new(code, data["reason"].as_str().unwrap()));
                }
                name => {
                    if self.acknowledges && self.got.is_multiple_of(self.acknowledged_every) {
                        self.acknowledge();
                    }
                    return match name {
                        "" => Next::Text(String::from_utf8(event.data).unwrap()),
                        "base64" if event.is_text => {
                            Next::Text(String::from_utf8(BASE64.decode(&event.data).unwrap()).unwrap())
                        }
                        "base64" => Next::Binary(BASE64.decode(&event.data).unwrap()),
                        other => panic!("an event `{other}`"),
                    };
                }
            }
        }
    }

    /// Takes the next message, which must be text and come.
    pub fn line(&mut self) -> String {
        match self.next(deadline()) {
            Next::Text(text) => text,
            other => panic!("instead of text came {other:?}"),
        }
    }

    /// Takes the last event, which must be next.
    pub fn expect_close(&mut self) -> Close {
        match self.next(deadline()) {
            Next::Closed(close) => close,
            other => panic!("instead of the end came {other:?}"),
        }
    }

    /// Sends a request with the token of the session and more header lines, and gives its answer. `None` if none came in time.
    pub fn try_request(&self, method: &str, headers: &str, body: &[u8], time: Duration) -> Option<String> {
        let mut stream = TcpStream::connect_timeout(&self.posts, deadline()).ok()?;
        stream.set_nodelay(true).ok()?;
        let (path, host, token, more) = (&self.path, self.address, &self.token, &self.headers);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nWsd-Session: {token}\r\nContent-Length: {}\r\n{more}{headers}\r\n",
            body.len()
        );
        stream.write_all(&[request.as_bytes(), body].concat()).ok()?;
        stream.set_read_timeout(Some(time)).ok()?;
        read_head(&mut stream).ok()
    }

    /// Sends a POST, which must be answered.
    pub fn post(&self, headers: &str, body: impl AsRef<[u8]>) -> Posted {
        let head = self.try_request("POST", headers, body.as_ref(), deadline()).expect("an answer");
        (status(&head), ack(&head))
    }

    /// Sends a DELETE, and gives its status.
    pub fn leave(&self) -> u16 {
        status(&self.try_request("DELETE", "", b"", deadline()).expect("an answer"))
    }

    /// Acknowledges all messages so far. The request may be lost.
    pub fn acknowledge(&self) {
        self.try_request("POST", &format!("Wsd-Got: {}\r\n", self.got), b"", Duration::from_millis(250));
    }

    /// The number of messages that it has given to send.
    pub fn given(&self) -> u64 {
        self.acked + self.kept.len() as u64
    }

    /// Whether there are lines that wsd may not have.
    pub fn has_kept(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Keeps a line until wsd has it; [`EventSource::send_kept`] sends it.
    pub fn keep(&mut self, line: &str) {
        self.kept.push(format!("{line}\n"));
    }

    /// Sends the lines that wsd may not have. The answer may be lost: then some may be sent again.
    pub fn send_kept(&mut self, time: Duration) {
        if self.kept.is_empty() {
            return;
        }
        let headers = format!("Wsd-Seq: {}\r\nContent-Type: text/plain\r\n", self.acked + 1);
        let head = self.try_request("POST", &headers, self.kept.concat().as_bytes(), time);
        match head.map(|head| (status(&head), ack(&head))) {
            Some((204, Some(acked))) => {
                let count = usize::try_from(acked.checked_sub(self.acked).expect("no fewer than before")).unwrap();
                self.kept.drain(..count);
                self.acked = acked;
            }
            Some((429, _)) | None => {}
            Some(other) => panic!("{other:?} after {}", self.acked),
        }
    }

    /// Reads the next whole event; `None` if there is none within `time`.
    fn event(&mut self, time: Duration) -> io::Result<Option<Event>> {
        loop {
            let from = self.searched.saturating_sub(1);
            let found = self.body[from..].windows(2).position(|two| two == b"\n\n");
            self.searched = self.body.len();
            if let Some(end) = found.map(|end| from + end) {
                self.searched = 0;
                let text: Vec<u8> = self.body.drain(..end + 2).collect();
                match self.parse(&text[..=end]) {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            if self.take_chunk()? {
                continue;
            }
            let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
            stream.set_read_timeout(Some(time))?;
            let mut buffer = [0; 1 << 14];
            match stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.chunks.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves what has come of a chunk to the body, as a browser does. Fails after the last one.
    fn take_chunk(&mut self) -> io::Result<bool> {
        if self.chunk_left == 0 {
            let Some(line) = self.chunks.windows(2).position(|two| two == b"\r\n") else { return Ok(false) };
            let length = usize::from_str_radix(std::str::from_utf8(&self.chunks[..line]).unwrap(), 16).unwrap();
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.chunks.drain(..line + 2);
            self.chunk_left = length + 2;
        }
        let taken = self.chunks.len().min(self.chunk_left);
        self.chunk_left -= taken;
        // The end of a chunk is no part of it.
        let end = 2_usize.saturating_sub(self.chunk_left).min(taken);
        self.body.extend_from_slice(&self.chunks[..taken - end]);
        self.chunks.drain(..taken);
        Ok(taken > 0)
    }

    /// Reads an event by the rules of browsers; `None` if it is a comment.
    fn parse(&mut self, text: &[u8]) -> Option<Event> {
        let mut event = Event { name: String::new(), data: Vec::new(), is_text: false };
        let mut has_data = false;
        for line in text.split(|byte| *byte == b'\n') {
            assert!(!line.contains(&b'\r'), "a browser ends a line there");
            let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let value = line.get(at + 1..).unwrap_or_default();
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &line[..at] {
                b"data" => {
                    event.data.extend_from_slice(value);
                    event.data.push(b'\n');
                    has_data = true;
                }
                b"event" => event.name = String::from_utf8(value.to_vec()).unwrap(),
                b"kind" => event.is_text = value == b"text",
                b"id" => self.take_id(std::str::from_utf8(value).unwrap()),
                b"retry" => assert_eq!(value, b"1000"),
                b"" if line.first() == Some(&b':') => self.comments += 1,
                b"" => {}
                other => panic!("a field `{}`", other.escape_ascii()),
            }
        }
        event.data.pop();
        has_data.then_some(event)
    }

    fn take_id(&mut self, id: &str) {
        if let Some(number) = id.rsplit('.').next().and_then(|number| number.parse().ok()) {
            self.got = number;
        }
        self.last_id = Some(id.to_owned());
    }
}

fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head).unwrap())
}

/// The status in the head of an answer.
pub fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

fn ack(head: &str) -> Option<u64> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("wsd-ack:"))?;
    line.split_once(':')?.1.trim().parse().ok()
}
