//! A proxy that lets plain HTTP through, and treats WebSockets as bad networks do.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::time::pace;

/// The fate of a request for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrades {
    /// It passes.
    Pass,
    /// Its connection is closed.
    Close,
    /// It gets no answer.
    Swallow,
    /// It gets an answer of the proxy's own, as of one that does not know the header.
    Answer,
    /// It passes with the 101, and the frames from the server get lost.
    Mute,
}

/// A running proxy. Its threads end with their connections.
pub struct Blocking {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    server: SocketAddr,
    upgrades: Mutex<Upgrades>,
    /// The requests for WebSockets so far.
    wanted: AtomicUsize,
    /// Whether each answer is withheld until its end.
    is_withholding: AtomicBool,
    /// The time after which a connection is cut.
    life: Mutex<Option<Duration>>,
    /// The connections that have been cut for their age.
    aged: AtomicUsize,
    is_over: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Blocking {
    /// Forwards to a server.
    pub fn to(server: SocketAddr, upgrades: Upgrades) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            server,
            upgrades: Mutex::new(upgrades),
            wanted: AtomicUsize::new(0),
            is_withholding: AtomicBool::new(false),
            life: Mutex::default(),
            aged: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), state) = (client, Arc::clone(&shared)) else { continue };
                thread::spawn(move || state.serve(&client));
            }
        });
        Self { address, state }
    }

    /// Treats the following requests for WebSockets in another way.
    pub fn change(&self, upgrades: Upgrades) {
        *self.state.upgrades.lock().unwrap() = upgrades;
    }

    /// Withholds each answer until its end, on connections from now on.
    pub fn withhold(&self) {
        self.state.is_withholding.store(true, Ordering::Relaxed);
    }

    /// Cuts each connection after this time, from now on.
    pub fn cut_each_after(&self, life: Duration) {
        *self.state.life.lock().unwrap() = Some(life);
    }

    /// The number of connections that have been cut for their age.
    pub fn aged(&self) -> usize {
        self.state.aged.load(Ordering::Relaxed)
    }

    /// The number of requests for WebSockets so far.
    pub fn wanted(&self) -> usize {
        self.state.wanted.load(Ordering::Relaxed)
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        for stream in self.state.connections.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        self.cut();
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn serve(self: &Arc<Self>, client: &TcpStream) {
        let Ok(server) = TcpStream::connect(self.server) else { return };
        for stream in [client, &server] {
            stream.set_nodelay(true).unwrap();
            self.connections.lock().unwrap().push(stream.try_clone().unwrap());
        }
        if let Some(life) = *self.life.lock().unwrap() {
            let (state, client, server) = (Arc::clone(self), client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                pace(life);
                let shut = [client, server].map(|stream| stream.shutdown(Shutdown::Both));
                state.aged.fetch_add(usize::from(shut.iter().any(Result::is_ok)), Ordering::Relaxed);
            });
        }
        let mut reader = BufReader::new(client.try_clone().unwrap());
        let Ok(head) = read_head(&mut reader) else { return };
        let is_wanted = head.to_ascii_lowercase().contains("\r\nupgrade: websocket\r\n");
        let upgrades = if is_wanted { *self.upgrades.lock().unwrap() } else { Upgrades::Pass };
        self.wanted.fetch_add(usize::from(is_wanted), Ordering::Relaxed);
        match upgrades {
            Upgrades::Pass | Upgrades::Mute => {}
            Upgrades::Close => return drop(client.shutdown(Shutdown::Both)),
            Upgrades::Swallow => return drop(io::copy(&mut reader, &mut io::sink())),
            Upgrades::Answer => {
                let mut answer = client;
                let _ = answer.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                return drop(client.shutdown(Shutdown::Both));
            }
        }
        let (mut up, down) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let back = server.try_clone().unwrap();
        let is_withholding = self.is_withholding.load(Ordering::Relaxed);
        let answers = thread::spawn(move || {
            if is_withholding { withhold(&back, down) } else { copy_back(&back, down, upgrades == Upgrades::Mute) }
        });
        let _ = up.write_all(head.as_bytes()).and_then(|()| io::copy(&mut reader, &mut up).map(drop));
        let _ = server.shutdown(Shutdown::Both);
        let _ = answers.join();
    }
}

/// Copies answers to the client; `is_mute` lets only the first head through.
fn copy_back(server: &TcpStream, mut client: TcpStream, is_mute: bool) {
    let mut reader = BufReader::new(server);
    if is_mute {
        let first = read_head(&mut reader).unwrap_or_default();
        let _ = client.write_all(first.as_bytes());
        let _ = io::copy(&mut reader, &mut io::sink());
    }
    let _ = io::copy(&mut reader, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}

/// Gives the client each answer once it has ended.
fn withhold(server: &TcpStream, mut client: TcpStream) {
    let mut reader = BufReader::new(server);
    while let Ok(answer) = read_answer(&mut reader) {
        if client.write_all(&answer).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

/// Reads an answer to its end: by its length, or to its last chunk.
fn read_answer(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let head = read_head(reader)?;
    let lower = head.to_ascii_lowercase();
    let field = |name: &str| lower.lines().find_map(|line| line.strip_prefix(name));
    let mut body = Vec::new();
    if field("transfer-encoding: chunked").is_some() {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let length = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            body.extend_from_slice(size.as_bytes());
            reader.by_ref().take(length + 2).read_to_end(&mut body)?;
            if length == 0 {
                break;
            }
        }
    } else if let Some(length) = field("content-length: ").and_then(|length| length.parse().ok()) {
        reader.by_ref().take(length).read_to_end(&mut body)?;
    }
    Ok([head.into_bytes(), body].concat())
}

fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}
