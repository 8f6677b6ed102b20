//! A proxy that cuts connections, in the ways in which networks do.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In good order, both ways.
    Fin,
    /// With a reset, both ways.
    Reset,
    /// It forwards nothing more, and tells nobody.
    Silence,
    /// It forwards nothing more in this direction, and goes on in the other.
    OneWay,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Fin, Self::Reset, Self::Silence, Self::OneWay];
}

/// Where and how to cut a connection: after so many bytes to the client or to the server.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Bytes to the client that pass.
    pub down: usize,
    /// Bytes to the server that pass.
    pub up: usize,
    /// How it cuts.
    pub way: Way,
}

/// A running proxy. Its threads end with their connections.
pub struct Cutting {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    is_refusing: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    lines: Arc<Mutex<Vec<Weak<Line>>>>,
}

/// One connection, to both sides.
struct Line {
    client: TcpStream,
    server: TcpStream,
    cut: Cut,
    end: Option<Instant>,
    is_cut: AtomicBool,
    is_silent: AtomicBool,
    made: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Cutting {
    /// Forwards to a server. `next` gives the cut of each connection.
    pub fn to(server: SocketAddr, next: impl FnMut() -> Cut + Send + 'static) -> Self {
        Self::start(server, None, next)
    }

    /// Forwards to a server, and ends each connection in good order after this time.
    pub fn after(server: SocketAddr, age_max: Duration) -> Self {
        Self::start(server, Some(age_max), || Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin })
    }

    fn start(server: SocketAddr, age_max: Option<Duration>, mut next: impl FnMut() -> Cut + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let is_refusing = Arc::new(AtomicBool::new(false));
        let refuses = Arc::clone(&is_refusing);
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&lines);
        thread::spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                if refuses.load(Ordering::Relaxed) {
                    continue;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else { continue };
                for stream in [&client, &server] {
                    stream.set_nodelay(true).unwrap();
                    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                }
                let (stop, made) = (Arc::clone(&stopped), Arc::clone(&counter));
                let (is_cut, is_silent) = (AtomicBool::new(false), AtomicBool::new(false));
                let line = Arc::new(Line {
                    client,
                    server,
                    cut: next(),
                    end: age_max.map(|age| Instant::now() + age),
                    is_cut,
                    is_silent,
                    made,
                    stop,
                });
                let down = Arc::clone(&line);
                let mut noted = noted.lock().unwrap();
                noted.retain(|line: &Weak<Line>| line.strong_count() > 0);
                noted.push(Arc::downgrade(&line));
                drop(noted);
                thread::spawn(move || down.forward(&down.server, &down.client, down.cut.down, true));
                thread::spawn(move || line.forward(&line.client, &line.server, line.cut.up, false));
            }
        });
        Self { address, stop, is_refusing, made, lines }
    }

    /// The number of connections that have come to their cuts.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// Drops new connections at once, or no longer.
    pub fn refuse(&self, shall: bool) {
        self.is_refusing.store(shall, Ordering::Relaxed);
    }

    /// Ends all connections that are there, in good order.
    pub fn cut(&self) {
        for line in self.there() {
            line.is_cut.store(true, Ordering::Relaxed);
            line.shut();
        }
    }

    fn there(&self) -> Vec<Arc<Line>> {
        self.lines.lock().unwrap().iter().filter_map(Weak::upgrade).collect()
    }

    /// Pulls the cable: all connections that are there fall silent, and nobody is told. New ones are as ever.
    pub fn pull(&self) {
        for line in self.there() {
            line.is_silent.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Cutting {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}

impl Line {
    fn forward(&self, mut from: &TcpStream, mut to: &TcpStream, mut left: usize, is_down: bool) {
        let mut buffer = [0; 1 << 14];
        let mut is_deaf = false;
        while !self.stop.load(Ordering::Relaxed) && !self.is_cut.load(Ordering::Relaxed) {
            if self.end.is_some_and(|end| end <= Instant::now()) {
                self.made.fetch_add(usize::from(is_down), Ordering::Relaxed);
                break;
            }
            let count = match from.read(&mut buffer) {
                // The client must not be told. The other thread ends with it.
                Ok(0) if is_down && self.is_silent.load(Ordering::Relaxed) => return,
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            if is_deaf || self.is_silent.load(Ordering::Relaxed) {
                continue;
            }
            let passed = count.min(left);
            left -= passed;
            if to.write_all(&buffer[..passed]).is_err() {
                break;
            }
            if left == 0 {
                self.made.fetch_add(1, Ordering::Relaxed);
                match self.cut.way {
                    Way::Fin => break,
                    Way::Reset => return self.reset(),
                    Way::Silence => self.is_silent.store(true, Ordering::Relaxed),
                    Way::OneWay => is_deaf = true,
                }
            }
        }
        if !self.is_cut.swap(true, Ordering::Relaxed) {
            self.shut();
        }
    }

    fn shut(&self) {
        for stream in [&self.client, &self.server] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// The other thread ends, too, and drops the sockets, which resets both connections.
    fn reset(&self) {
        for stream in [&self.client, &self.server] {
            rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
        }
        self.is_cut.store(true, Ordering::Relaxed);
    }
}
