//! A proxy that cuts connections, in the ways in which networks do.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::time::within;

/// Longer than any test.
const HELD_MAX: Duration = Duration::from_hours(1);

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In good order, both ways.
    Fin,
    /// With a reset, both ways.
    Reset,
    /// It forwards nothing more, and tells nobody.
    Silence,
    /// It forwards nothing more to the client, and goes on the other way.
    DeafClient,
    /// It forwards nothing more to the server, and goes on the other way.
    DeafServer,
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
}

/// One connection, to both sides.
struct Line {
    client: TcpStream,
    server: TcpStream,
    cut: Cut,
    is_cut: AtomicBool,
    is_silent: AtomicBool,
    stop: Arc<AtomicBool>,
}

impl Cutting {
    /// Forwards to a server. `next` gives the cut of each connection.
    pub fn to(server: SocketAddr, mut next: impl FnMut() -> Cut + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else { continue };
                for stream in [&client, &server] {
                    stream.set_nodelay(true).unwrap();
                    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                }
                let stop = Arc::clone(&stopped);
                let (is_cut, is_silent) = (AtomicBool::new(false), AtomicBool::new(false));
                let line = Arc::new(Line { client, server, cut: next(), is_cut, is_silent, stop });
                let down = Arc::clone(&line);
                thread::spawn(move || down.forward(&down.server, &down.client, down.cut.down, true));
                thread::spawn(move || line.forward(&line.client, &line.server, line.cut.up, false));
            }
        });
        Self { address, stop }
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
        while !self.stop.load(Ordering::Relaxed) && !self.is_cut.load(Ordering::Relaxed) {
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            if self.is_silent.load(Ordering::Relaxed) {
                return;
            }
            let passed = count.min(left);
            left -= passed;
            if to.write_all(&buffer[..passed]).is_err() {
                break;
            }
            if left == 0 {
                return self.cut(is_down);
            }
        }
        self.is_cut.store(true, Ordering::Relaxed);
        for stream in [&self.client, &self.server] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn cut(&self, is_down: bool) {
        match self.cut.way {
            Way::Fin => {
                self.is_cut.store(true, Ordering::Relaxed);
                for stream in [&self.client, &self.server] {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
            Way::Reset => {
                for stream in [&self.client, &self.server] {
                    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
                }
                // The other thread ends, too, and drops the sockets.
                self.is_cut.store(true, Ordering::Relaxed);
            }
            Way::DeafClient if is_down => self.hold(),
            Way::DeafServer if !is_down => self.hold(),
            Way::Silence | Way::DeafClient | Way::DeafServer => {
                self.is_silent.store(true, Ordering::Relaxed);
                self.hold();
                self.is_cut.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Keeps the sockets open until the proxy ends or the client has gone.
    fn hold(&self) {
        let is_over = || {
            self.stop.load(Ordering::Relaxed)
                || self.is_cut.load(Ordering::Relaxed)
                || matches!(self.client.peek(&mut [0]), Ok(0))
        };
        within(HELD_MAX, || is_over().then_some(()));
    }
}
