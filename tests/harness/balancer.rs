//! A balancer of TCP connections in front of some servers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A running balancer. Its threads end with the process.
pub struct Balancer {
    /// Where it listens.
    pub address: SocketAddr,
}

impl Balancer {
    /// Hands each connection to the first of `servers` that takes it.
    pub fn to(servers: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Some(server) = servers.iter().find_map(|server| TcpStream::connect(server).ok()) else { continue };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                for (from, to) in [(from, to), (server, client)] {
                    thread::spawn(move || pass(from, &to));
                }
            }
        });
        Self { address }
    }
}

fn pass(mut from: TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
}
