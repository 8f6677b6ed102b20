//! A client cheaper than any server: blocking, few threads, large reads, frames built beforehand.

use std::error::Error;
use std::io::{ErrorKind, Read as _, Write as _};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::net::{RecvFlags, recv};

use crate::count::{Check, Counter, JOINED};
use crate::packed::OFFER;
use crate::result::Result;
use crate::server::{Server, TOKEN};
use crate::settings::PATIENCE;
use crate::text::{OPCODE_CLOSE, OPCODE_TEXT, Talk, Wire, frame};

/// Bytes for one read where a flood is expected: what stays in a core's cache.
pub(crate) const FLOOD: usize = 256 << 10;
/// Bytes for one read where there are many connections, or small messages only.
pub(crate) const CALM: usize = 4 << 10;

/// The key of RFC 6455, section 1.3, and the answer it calls for.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// One client of a server, which counts what it gets.
pub(crate) struct Connection<'t> {
    stream: TcpStream,
    wire: Wire,
    counter: Counter<'t>,
    buffer: Vec<u8>,
    /// Bytes in the buffer of an answer to the upgrade that is not whole; `None` once it was.
    head_bytes: Option<usize>,
    /// A Close frame has been sent.
    has_closed: bool,
    /// Messages that were acknowledged, with [`Wire::Resumable`].
    acknowledged: u64,
}

/// Messages after which a client acknowledges, as `wsd.js` does.
const ACK_MESSAGES: u64 = 256;

impl<'t> Connection<'t> {
    /// Connects and, but for [`Wire::Raw`], upgrades; `talk.text` is what is expected from then on.
    pub(crate) fn open(server: &Server, talk: &'t Talk, check: Check, buffer_bytes: usize) -> Result<Self> {
        let mut connection = Self::begin(server, talk, check, buffer_bytes)?;
        connection.read_upgrade()?;
        if talk.wire == Wire::SocketIo {
            connection.send(&frame(OPCODE_TEXT, JOINED))?;
            while !connection.greeting()?.as_bytes().starts_with(JOINED) {}
        }
        Ok(connection)
    }

    /// Connects and asks for the upgrade, but does not wait for it: [`Connection::read_upgrade`] is owed.
    pub(crate) fn begin(server: &Server, talk: &'t Talk, check: Check, buffer_bytes: usize) -> Result<Self> {
        let offer = match talk.wire {
            Wire::Resumable => "Sec-WebSocket-Protocol: wsd.resume.1\r\n",
            Wire::Packed => OFFER,
            _ => "",
        };
        Self::begin_with(server, talk, check, buffer_bytes, offer)
    }

    /// Connects to return to the session of a token, with `got` messages. Waits for the first message, and returns it, too.
    pub(crate) fn resume(
        server: &Server,
        talk: &'t Talk,
        check: Check,
        token: &str,
        got: u64,
    ) -> Result<(Self, String)> {
        let offer = format!("Sec-WebSocket-Protocol: wsd.resume.1, wsd.resume.1~{token}~{got}\r\n");
        let mut connection = Self::begin_with(server, talk, check, CALM, &offer)?;
        let greeting = connection.greeting()?;
        Ok((connection, greeting))
    }

    fn begin_with(server: &Server, talk: &'t Talk, check: Check, buffer_bytes: usize, offer: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(server.address())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        if talk.wire != Wire::Raw {
            let path = if talk.wire == Wire::SocketIo { "/socket.io/?EIO=4&transport=websocket" } else { "/" };
            stream.write_all(upgrade_request(server, path, offer).as_bytes())?;
        }
        let counter = Counter::new(&talk.text, talk.wire, check);
        let head_bytes = (talk.wire != Wire::Raw).then_some(0);
        let buffer = vec![0; buffer_bytes];
        Ok(Self { stream, wire: talk.wire, counter, buffer, head_bytes, has_closed: false, acknowledged: 0 })
    }

    /// Waits for the answer to the upgrade and checks it; messages right behind it are counted.
    pub(crate) fn read_upgrade(&mut self) -> Result<()> {
        while self.head_bytes.is_some() {
            self.step()?;
        }
        Ok(())
    }

    /// Waits for the next control message: the first of a resumable session, or those of Socket.IO before its events.
    pub(crate) fn greeting(&mut self) -> Result<String> {
        loop {
            if let Some(control) = self.counter.control() {
                return Ok(control);
            }
            if self.step()? {
                return Err(self.early_end());
            }
        }
    }

    /// Reads once, whatever is due, and answers a Close frame; says whether the server has ended the connection.
    pub(crate) fn step(&mut self) -> Result<bool> {
        let before = self.head_bytes.unwrap_or(0);
        let length = match self.stream.read(&mut self.buffer[before..]) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            length => length?,
        };
        if length == 0 {
            return match self.head_bytes {
                Some(_) => Err("the connection ended before the upgrade was answered".into()),
                None => Ok(true),
            };
        }
        let filled = before + length;
        if self.head_bytes.is_none() {
            self.counter.take(&self.buffer[..filled])?;
        } else if let Some(head) = head_bytes(&self.buffer[..filled]) {
            let answer = String::from_utf8_lossy(&self.buffer[..head]);
            if !answer.starts_with("HTTP/1.1 101 ") || !answer.contains(ACCEPT) {
                let line = answer.lines().next().unwrap_or_default();
                return Err(format!("the upgrade was answered with: {line}").into());
            }
            self.head_bytes = None;
            self.counter.take(&self.buffer[head..filled])?;
        } else {
            self.head_bytes = Some(filled);
        }
        self.answer_close();
        Ok(false)
    }

    /// Answers the server's Close frame, if it has sent one.
    fn answer_close(&mut self) {
        if self.counter.is_closed() && !self.has_closed {
            self.has_closed = true;
            // A server may hang up without waiting for the answer.
            let _ = self.stream.write_all(&frame(OPCODE_CLOSE, &1000_u16.to_be_bytes()));
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Reads once and counts; an end of the connection is an error here.
    pub(crate) fn receive(&mut self) -> Result<()> {
        let mut buffer = mem::take(&mut self.buffer);
        let received = self.receive_with(&mut buffer);
        self.buffer = buffer;
        received
    }

    /// Reads into a buffer that many connections share.
    pub(crate) fn receive_with(&mut self, buffer: &mut [u8]) -> Result<()> {
        match self.stream.read(buffer)? {
            0 => return Err(self.early_end()),
            length => self.counter.take(&buffer[..length])?,
        }
        if self.wire == Wire::Resumable && self.counter.total() - self.acknowledged >= ACK_MESSAGES {
            self.acknowledged = self.counter.total();
            self.send(&frame(OPCODE_TEXT, format!("\0{{\"ack\":{}}}", self.acknowledged).as_bytes()))?;
        }
        Ok(())
    }

    /// Reads for a crowd that gets the same messages: unless bytes are compared, the kernel only says how many there
    /// were and throws them away, since copying them would cost more than the server does.
    pub(crate) fn skim(&mut self, buffer: &mut [u8]) -> Result<()> {
        if self.counter.check() == Check::Bytes || self.wire == Wire::Packed {
            return self.receive_with(buffer);
        }
        match recv(&self.stream, buffer, RecvFlags::TRUNC)? {
            (_, 0) => return Err(self.early_end()),
            (_, length) => self.counter.skim(length as u64),
        }
        Ok(())
    }

    fn early_end(&self) -> Box<dyn Error + Send + Sync> {
        format!("the session ended after {} messages", self.counter.messages()).into()
    }

    /// Reads until `messages` have arrived, counted since the start or the last restart.
    pub(crate) fn receive_until(&mut self, messages: u64) -> Result<()> {
        while self.counter.messages() < messages {
            self.receive()?;
        }
        Ok(())
    }

    pub(crate) fn messages(&self) -> u64 {
        self.counter.messages()
    }

    /// Payload bytes of all messages of [`Wire::Packed`], as they came.
    pub(crate) fn packed_bytes(&self) -> u64 {
        self.counter.packed_bytes()
    }

    /// Expects the text from its first message on again, and counts from zero.
    pub(crate) fn restart(&mut self) {
        self.counter.restart();
    }

    /// Sends `bytes` and reads until `messages` have arrived, both at the same time: for messages larger than the
    /// buffers on the way, where a server may answer before it has all. [`Connection::duplex`] comes first.
    pub(crate) fn exchange(&mut self, mut bytes: &[u8], messages: u64) -> Result<()> {
        while !bytes.is_empty() || self.counter.messages() < messages {
            let wanted = if bytes.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLIN | PollFlags::POLLOUT };
            let mut socket = [PollFd::new(self.stream.as_fd(), wanted)];
            if poll(&mut socket, PollTimeout::try_from(PATIENCE)?)? == 0 {
                return Err("nothing moved any more".into());
            }
            let ready = socket[0].revents().unwrap_or(PollFlags::empty());
            if ready.intersects(PollFlags::POLLOUT) {
                match self.stream.write(bytes) {
                    Ok(length) => bytes = &bytes[length..],
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if ready.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
                self.receive()?;
            }
        }
        Ok(())
    }

    /// Makes the connection ready for [`Connection::exchange`], and for nothing else.
    pub(crate) fn duplex(&mut self) -> Result<()> {
        Ok(self.stream.set_nonblocking(true)?)
    }

    /// Waits for the server to end the connection, and answers its Close frame if it sends one.
    pub(crate) fn expect_end(&mut self) -> Result<()> {
        self.answer_close();
        while !self.step()? {}
        Ok(())
    }

    /// Says that the client is done; [`Connection::expect_end`] then waits for the server.
    pub(crate) fn begin_close(&mut self) -> Result<()> {
        self.has_closed = true;
        match self.wire {
            Wire::Raw => Ok(self.stream.shutdown(Shutdown::Write)?),
            Wire::Text | Wire::Resumable | Wire::Packed | Wire::SocketIo | Wire::Binary => {
                self.send(&frame(OPCODE_CLOSE, &1000_u16.to_be_bytes()))
            }
        }
    }
}

/// Waits until there is something to read on any of `clients`, and says on which.
pub(crate) fn wait_for_any(clients: &[Connection]) -> Result<Vec<usize>> {
    let mut sockets: Vec<_> =
        clients.iter().map(|client| PollFd::new(client.stream.as_fd(), PollFlags::POLLIN)).collect();
    poll(&mut sockets, PollTimeout::try_from(PATIENCE)?)?;
    let ready = sockets.iter().enumerate().filter(|(_, socket)| socket.any() == Some(true));
    Ok(ready.map(|(number, _)| number).collect())
}

/// Many clients, of which few have something to read at a time: asking the kernel for all of them each time would cost
/// more than the server does.
pub(crate) struct Watch {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Watch {
    pub(crate) fn new<'t>(clients: impl ExactSizeIterator<Item = &'t Connection<'t>>) -> Result<Self> {
        let watch = Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(clients.len()) };
        for (number, client) in clients.enumerate() {
            watch.add(number, client)?;
        }
        Ok(watch)
    }

    /// Watches one more client, until it is dropped.
    pub(crate) fn add(&self, number: usize, client: &Connection) -> Result<()> {
        Ok(epoll::add(&self.epoll, &client.stream, EventData::new_u64(number as u64), EventFlags::IN)?)
    }

    /// Watches a client no more.
    pub(crate) fn remove(&self, client: &Connection) -> Result<()> {
        Ok(epoll::delete(&self.epoll, &client.stream)?)
    }

    /// Waits until there is something to read, and says at which clients.
    pub(crate) fn wait(&mut self) -> Result<impl Iterator<Item = usize>> {
        self.events.clear();
        let patience = PATIENCE.try_into()?;
        if epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&patience))? == 0 {
            return Err("nothing moved any more".into());
        }
        Ok(self.events.iter().filter_map(|event| usize::try_from(event.data.u64()).ok()))
    }
}

/// The length of an HTTP head, its empty line included; `None` while it is not whole.
pub(crate) fn head_bytes(input: &[u8]) -> Option<usize> {
    input.windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4)
}

fn upgrade_request(server: &Server, path: &str, offer: &str) -> String {
    let token = if server.is_guarded() { format!("Authorization: Bearer {TOKEN}\r\n") } else { String::new() };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{token}{offer}\r\n",
        server.address()
    )
}
