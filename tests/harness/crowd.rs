//! Many clients at a time, driven by one thread: no socket blocks, and one wait is for all of them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::time::deadline;
use crate::websocket::{Client, Frame};

/// Clients by number. Numbers are given in the order of joining, and never again.
#[derive(Default)]
pub struct Crowd {
    members: Vec<Option<Member>>,
}

struct Member {
    stream: TcpStream,
    /// The front of a frame whose end has not come.
    inbox: Vec<u8>,
}

impl Crowd {
    /// Takes a client in, and gives its number.
    pub fn add(&mut self, client: Client) -> usize {
        let (stream, inbox) = client.into_connection().into_parts();
        stream.set_nonblocking(true).unwrap();
        self.members.push(Some(Member { stream, inbox }));
        self.members.len() - 1
    }

    /// Sends a frame, or several.
    pub fn send(&mut self, number: usize, mut frames: &[u8]) {
        let mut stream = &self.members[number].as_ref().expect("a member").stream;
        while !frames.is_empty() {
            match stream.write(frames) {
                Ok(count) => frames = &frames[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(&mut [PollFd::new(stream, PollFlags::OUT)], deadline());
                }
                Err(error) => panic!("cannot send: {error}"),
            }
        }
    }

    /// Lets a client go: its connection ends with FIN or, if it has not read all, with a reset.
    pub fn remove(&mut self, number: usize) {
        self.members[number].take().expect("a member");
    }

    /// Lets a client go with a reset.
    pub fn reset(&mut self, number: usize) {
        let member = self.members[number].take().expect("a member");
        rustix::net::sockopt::set_socket_linger(&member.stream, Some(Duration::ZERO)).unwrap();
    }

    /// The numbers of those who are here.
    pub fn numbers(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|number| self.members[*number].is_some()).collect()
    }

    /// Waits up to `patience` for something to come, and hands over each frame with the number of its client, at its end
    /// `None`; a client that has ended is no longer here.
    pub fn hear(&mut self, patience: Duration, on: &mut impl FnMut(usize, Option<Frame>)) {
        let here = self.numbers();
        let streams = here.iter().map(|number| &self.members[*number].as_ref().unwrap().stream);
        let mut polled: Vec<_> = streams.map(|stream| PollFd::new(stream, PollFlags::IN)).collect();
        wait(&mut polled, patience);
        let ready: Vec<_> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
        let mut buffer = vec![0; 1 << 16];
        for number in here.into_iter().zip(ready).filter_map(|(number, is_ready)| is_ready.then_some(number)) {
            let member = self.members[number].as_mut().unwrap();
            match member.stream.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    member.inbox.extend_from_slice(&buffer[..count]);
                    let mut taken = 0;
                    while let Some((frame, length)) = Frame::first_of(&member.inbox[taken..]) {
                        taken += length;
                        on(number, Some(frame));
                    }
                    member.inbox.drain(..taken);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => {
                    self.members[number] = None;
                    on(number, None);
                }
            }
        }
    }

    /// Hears until `is_enough` says so; fails the test at the deadline.
    pub fn hear_until(&mut self, what: &str, mut is_enough: impl FnMut(usize, Option<Frame>) -> bool) {
        let end = Instant::now() + deadline();
        let mut is_over = false;
        while !is_over {
            assert!(Instant::now() < end, "not within {:?}: {what}", deadline());
            self.hear(deadline(), &mut |number, frame| is_over |= is_enough(number, frame));
        }
    }
}

/// Lets this process, and the servers that it starts from now on, open this many descriptors at least.
pub fn raise_descriptor_limit(wanted: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    assert!(maximum.is_none_or(|maximum| maximum >= wanted), "no more than {maximum:?} descriptors are allowed");
    let current = current.map(|current| current.max(wanted));
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

fn wait(polled: &mut [PollFd<'_>], patience: Duration) {
    let patience = Timespec { tv_sec: patience.as_secs().cast_signed(), tv_nsec: patience.subsec_nanos().into() };
    match poll(polled, Some(&patience)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => panic!("cannot wait: {error}"),
    }
}
