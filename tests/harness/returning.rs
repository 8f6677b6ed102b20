//! A client of `wsd.resume.1`: keeps what it has sent until that is acknowledged, and returns to its session.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::time::deadline;
use crate::websocket::{BINARY, CLOSE, CONTINUATION, Close, Frame, PING, PONG, TEXT, upgrade_request};

/// Messages after which the client acknowledges.
const ACKED_EVERY: u64 = 16;

/// A client that can return.
pub struct Returning {
    address: SocketAddr,
    path: String,
    /// The offer, such as `wsd.resume.1+chat`, and more header lines.
    offer: String,
    headers: String,
    stream: Option<TcpStream>,
    inbox: Vec<u8>,
    message: Option<Frame>,
    /// The token of its session.
    pub token: String,
    /// The number of messages that it has.
    pub got: u64,
    /// The number of messages that it has given to send.
    pub given: u64,
    kept: VecDeque<Frame>,
    /// The first message of each connection.
    pub greetings: Vec<Value>,
    /// The messages that no longer existed.
    pub gaps: Vec<u64>,
    /// The values of pongs.
    pub pongs: Vec<Value>,
    /// Whether it acknowledges at all.
    pub acknowledges: bool,
    /// The answers to its handshakes: each head, and the text of the first message.
    pub answers: Vec<String>,
    /// How long it waits for an answer to a handshake.
    pub patience: Duration,
}

/// The next thing that came.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// A message of the application.
    Message(Frame),
    /// A Close frame.
    Closed(Close),
    /// The end of the connection.
    Lost,
    /// Nothing in the given time.
    Silence,
}

impl Returning {
    /// A client of this path, with more header lines; it is not connected.
    pub fn new(address: SocketAddr, path: &str, offer: &str, headers: &str) -> Self {
        Self {
            address,
            path: path.to_owned(),
            offer: offer.to_owned(),
            headers: headers.to_owned(),
            stream: None,
            inbox: Vec::new(),
            message: None,
            token: String::new(),
            got: 0,
            given: 0,
            kept: VecDeque::new(),
            greetings: Vec::new(),
            gaps: Vec::new(),
            pongs: Vec::new(),
            acknowledges: true,
            answers: Vec::new(),
            patience: Duration::from_secs(2),
        }
    }

    /// A client that is connected.
    pub fn open(address: SocketAddr) -> Self {
        let mut client = Self::new(address, "/", "wsd.resume.1", "");
        client.connect().unwrap();
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

    /// The number of messages that are not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.kept.len()
    }

    /// Connects, takes the greeting, and sends what wsd does not have. The old connection stays where it is.
    pub fn connect(&mut self) -> io::Result<Option<TcpStream>> {
        self.connect_with(self.got)
    }

    /// Connects as if it had `got` messages.
    pub fn connect_with(&mut self, got: u64) -> io::Result<Option<TcpStream>> {
        let old = self.stream.take();
        (self.inbox, self.message) = (Vec::new(), None);
        let mut stream = TcpStream::connect_timeout(&self.address, deadline())?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(deadline()))?;
        let returns =
            if self.token.is_empty() { String::new() } else { format!(", wsd.resume.1~{}~{got}", self.token) };
        let offers = format!("Sec-WebSocket-Protocol: {}{returns}\r\n{}", self.offer, self.headers);
        stream.write_all(upgrade_request(&self.address.to_string(), &self.path, &offers).as_bytes())?;
        let mut head = Vec::new();
        stream.set_read_timeout(Some(self.patience))?;
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.to_ascii_lowercase().contains(&format!("sec-websocket-protocol: {}\r\n", self.offer)), "{head}");
        self.stream = Some(stream);
        let greeting = match self.frame(self.patience) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => {
                self.stream = None;
                return Err(error);
            }
        };
        self.answers.push(format!("{head}{}", String::from_utf8_lossy(&greeting.payload)));
        let greeting: Value = serde_json::from_slice(greeting.payload.strip_prefix(b"\0").unwrap()).unwrap();
        greeting["session"].as_str().unwrap().clone_into(&mut self.token);
        if greeting["resumed"] == false {
            self.got = 0;
            self.given = self.kept.len() as u64;
        }
        self.acknowledged(greeting["got"].as_u64().unwrap());
        self.greetings.push(greeting);
        let unsent: Vec<u8> = self.kept.iter().flat_map(Frame::masked).collect();
        self.write(&unsent);
        Ok(old)
    }

    fn acknowledged(&mut self, count: u64) {
        let left = usize::try_from(self.given.checked_sub(count).expect("no more than given")).unwrap();
        assert!(left <= self.kept.len(), "{count} is lower than before");
        self.kept.drain(..self.kept.len() - left);
    }

    /// Drops the connection.
    pub fn drop_connection(&mut self) {
        self.stream = None;
    }

    /// Takes the connection away from the client, which does not know of it.
    pub fn take_connection(&mut self) -> TcpStream {
        self.stream.take().unwrap()
    }

    /// Sends a message, or keeps it until it returns.
    pub fn send(&mut self, opcode: u8, payload: &[u8]) {
        let escape = if opcode == TEXT && payload.first() == Some(&0) { &b"\0"[..] } else { b"" };
        let frame = Frame::new(opcode, [escape, payload].concat());
        self.given += 1;
        let bytes = frame.masked();
        self.kept.push_back(frame);
        self.write(&bytes);
    }

    /// Sends text.
    pub fn text(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes());
    }

    /// Sends a control message: JSON.
    pub fn control(&mut self, json: &str) {
        self.write(&Frame::new(TEXT, format!("\0{json}")).masked());
    }

    /// Sends a Close frame; 1005 stands for none.
    pub fn close(&mut self, code: u16) {
        let frame = if code == 1005 { Frame::new(CLOSE, "") } else { Frame::close(code, "") };
        self.write(&frame.masked());
    }

    /// Acknowledges all messages so far.
    pub fn acknowledge(&mut self) {
        self.control(&format!("{{\"ack\":{}}}", self.got));
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.stream.as_mut().is_some_and(|stream| stream.write_all(bytes).is_err()) {
            self.stream = None;
        }
    }

    /// Takes the next message, which must be text and come.
    pub fn line(&mut self) -> String {
        match self.next(deadline()) {
            Next::Message(frame) if frame.opcode == TEXT => String::from_utf8(frame.payload).unwrap(),
            other => panic!("instead of text came {other:?}"),
        }
    }

    /// Takes the Close frame, which must be next, and answers it.
    pub fn expect_close(&mut self) -> Close {
        match self.next(deadline()) {
            Next::Closed(close) => {
                self.close(close.code.unwrap_or(1000));
                close
            }
            other => panic!("instead of a Close came {other:?}"),
        }
    }

    /// Takes what comes next, within `time`. Handles control messages.
    pub fn next(&mut self, time: Duration) -> Next {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = match self.frame(left.max(Duration::from_millis(1))) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Next::Silence,
                Err(_) => {
                    self.stream = None;
                    return Next::Lost;
                }
            };
            match (message.opcode, &*message.payload) {
                (CLOSE, payload) => return Next::Closed(Close::of(payload)),
                (PING, payload) => self.write(&Frame::new(PONG, payload).masked()),
                (PONG, _) => {}
                (TEXT, [0, rest @ ..]) if rest.first() != Some(&0) => self.take_control(rest),
                (opcode, payload) => {
                    self.got += 1;
                    let payload = if opcode == TEXT { payload.strip_prefix(b"\0").unwrap_or(payload) } else { payload };
                    let frame = Frame::new(opcode, payload);
                    if self.acknowledges && self.got.is_multiple_of(ACKED_EVERY) {
                        self.acknowledge();
                    }
                    return Next::Message(frame);
                }
            }
        }
    }

    fn take_control(&mut self, json: &[u8]) {
        let control: Value = serde_json::from_slice(json).unwrap();
        if let Some(count) = control["ack"].as_u64() {
            self.acknowledged(count);
        } else if let Some(count) = control["gap"].as_u64() {
            self.gaps.push(count);
            self.got += count;
        } else if let Some(value) = control.get("pong") {
            self.pongs.push(value.clone());
        }
    }

    /// Reads the next whole message or control frame; `None` if there is none within `time`.
    fn frame(&mut self, time: Duration) -> io::Result<Option<Frame>> {
        loop {
            if let Some((frame, length)) = Frame::first_of(&self.inbox) {
                self.inbox.drain(..length);
                match (frame.opcode, &mut self.message) {
                    (CONTINUATION, Some(message)) => {
                        message.payload.extend(frame.payload);
                        message.fin = frame.fin;
                    }
                    (TEXT | BINARY, _) => self.message = Some(frame),
                    _ => return Ok(Some(frame)),
                }
                if self.message.as_ref().is_some_and(|message| message.fin) {
                    return Ok(self.message.take());
                }
                continue;
            }
            let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
            stream.set_read_timeout(Some(time))?;
            let mut buffer = [0; 1 << 13];
            match stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.inbox.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
