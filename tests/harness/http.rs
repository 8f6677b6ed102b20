//! A raw HTTP/1.1 client: the test writes the bytes, and sees what comes back.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::stream::Stream;
use crate::time::deadline;

/// One connection and what was read from it but not yet taken.
pub struct Connection {
    stream: Stream,
    inbox: Vec<u8>,
    taken: usize,
}

/// A response of a server.
pub struct Response {
    /// The code of the first line.
    pub status: u16,
    /// The first line and the header lines, as they came.
    pub head: String,
    /// The body, its chunks put together.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects. No read takes longer than the deadline.
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    /// Connects, if the address answers.
    pub fn try_open(address: SocketAddr) -> io::Result<Self> {
        Stream::tcp(address).map(Self::over)
    }

    /// A connection over what is connected already.
    pub fn over(stream: Stream) -> Self {
        Self { stream, inbox: Vec::new(), taken: 0 }
    }

    /// Where this end is, as the server sees it.
    pub fn local_address(&self) -> SocketAddr {
        self.stream.local_address()
    }

    /// Sends all bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends all bytes, if the other side still takes them.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends as many of the bytes as the other side takes until it takes none for `patience`; gives their number.
    pub fn send_until_blocked(&mut self, bytes: &[u8], patience: Duration) -> usize {
        self.stream.set_write_timeout(Some(patience)).unwrap();
        let mut sent = 0;
        while sent < bytes.len() {
            match uninterrupted(|| self.stream.write(&bytes[sent..])) {
                Ok(count) => sent += count,
                Err(error) if is_timeout(&error) => break,
                Err(error) => panic!("cannot send: {error}"),
            }
        }
        self.stream.set_write_timeout(Some(deadline())).unwrap();
        sent
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub fn finish(&mut self) {
        self.stream.finish();
    }

    /// Ends the connection the rude way: with a reset.
    pub fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }

    /// The socket, and what was read from it but not yet taken.
    pub fn into_parts(mut self) -> (TcpStream, Vec<u8>) {
        (self.stream.into(), self.inbox.split_off(self.taken))
    }

    /// Takes the next `count` bytes; `None` when the connection ends first.
    pub fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.inbox.len() - self.taken < count {
            if self.more() == 0 {
                return None;
            }
        }
        let bytes = self.inbox[self.taken..self.taken + count].to_vec();
        self.taken += count;
        Some(bytes)
    }

    /// Takes the next response, which must come. A response to HEAD has no body whatever its length says.
    pub fn response(&mut self, method: &str) -> Response {
        self.try_response(method).expect("a response, but the connection ended")
    }

    /// Takes the next response; `None` when the connection ends before one.
    pub fn try_response(&mut self, method: &str) -> Option<Response> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.take(1)?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {head}"));
        let mut response = Response { status, head, body: Vec::new() };
        response.body = if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            Vec::new()
        } else if let Some(length) = response.header("content-length") {
            self.take(length.parse().unwrap())?
        } else if response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            self.chunks()?
        } else {
            self.rest()
        };
        Some(response)
    }

    /// Takes everything up to the end of the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() > 0 {}
        let bytes = self.inbox[self.taken..].to_vec();
        self.taken = self.inbox.len();
        bytes
    }

    /// Whether nothing at all comes for `time`: no byte, and no end.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        if self.taken < self.inbox.len() {
            return false;
        }
        self.stream.set_read_timeout(Some(time)).unwrap();
        let is_silent = matches!(uninterrupted(|| self.stream.peek(&mut [0])), Err(error) if is_timeout(&error));
        self.stream.set_read_timeout(Some(deadline())).unwrap();
        is_silent
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.extend(self.take(1)?);
            }
            let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            body.extend(self.take(length)?);
            self.take(2)?;
            if length == 0 {
                return Some(body);
            }
        }
    }

    /// Reads what is there, and waits while nothing is. 0 is the end, a reset included.
    fn more(&mut self) -> usize {
        self.inbox.drain(..self.taken);
        self.taken = 0;
        let mut buffer = vec![0; 1 << 16];
        match uninterrupted(|| self.stream.read(&mut buffer)) {
            Ok(count) => {
                self.inbox.extend_from_slice(&buffer[..count]);
                count
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => 0,
            Err(error) if is_timeout(&error) => panic!("nothing came within {:?}, not even the end", deadline()),
            Err(error) => panic!("cannot receive: {error}"),
        }
    }
}

impl Response {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.head, self.text())
    }
}

/// Reads or writes once, and again when the machine was stopped and went on meanwhile.
fn uninterrupted(mut attempt: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
