//! A program whose output breaks its framing, with a process of its own and in a room.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::subscriber::DefaultGuard;

use super::{
    super::run,
    ends::{ScriptedClient, ScriptedLine},
};
use crate::{
    admission::Admission,
    budget::Budget,
    framing::Framing,
    peer::Connection,
    room::{
        options::{RoomOptions, Slow},
        registry::{Rooms, Sharing},
    },
    shutdown::Shutdown,
    worker::{
        Worker,
        process::{Process, ProcessOptions},
        program::Program,
        spawn::{LaunchError, spawn},
    },
};

/// The log of this thread.
#[derive(Clone, Default)]
struct ThreadLog(Arc<Mutex<Vec<u8>>>);

impl io::Write for ThreadLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics with it").write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ThreadLog {
    /// Collects the log until the guard is dropped.
    fn collect() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Returns the word for the end in the only `session ended`.
    fn end(&self) -> String {
        let text = String::from_utf8(self.0.lock().expect("no test panics with it").clone()).expect("text");
        let ended: Vec<_> = text.lines().filter(|line| line.contains("session ended")).collect();
        let [line] = ended[..] else { panic!("{text}") };
        let (_, after) = line.split_once(" end=").expect("the key");
        after.split(' ').next().unwrap_or_default().trim_matches('"').to_owned()
    }
}

/// Starts a program that prints `script`, and then sleeps.
fn worker(script: &str) -> Worker {
    let args = ["-c".to_owned(), format!("{script}; exec sleep 1000")].map(Into::into).into();
    spawn(&Program::new("/bin/sh".into(), args), Vec::new()).expect("a shell")
}

#[tokio::test]
async fn output_that_breaks_its_framing_ends_the_session_of_its_process_as_garbled() {
    let (log, _guard) = ThreadLog::collect();
    let permit = Admission::new(None).admit().expect("a slot");
    let (framing, patience) = (Framing::Picky, Duration::ZERO);
    let options = ProcessOptions { framing, patience, budget: Budget::new(None) };
    let process = Process::new(Connection::none(), worker("printf 'ab!c'"), permit, &options);
    let client = ScriptedClient::default();

    run(&Connection::none(), "/".to_owned(), client.clone(), process, &Shutdown::default()).await;

    assert_eq!(client.taken().join("+"), "a+b+close 1011 a byte that is not allowed");
    assert_eq!(log.end(), "garbled");
}

#[tokio::test]
async fn output_that_breaks_its_framing_ends_the_sessions_of_its_room_as_garbled() {
    let (log, _guard) = ThreadLog::collect();
    let shutdown = Shutdown::default();
    let options = RoomOptions {
        framing: Framing::Picky,
        slow: Slow::Close,
        history: 0,
        linger: Some(Duration::ZERO),
        is_for_one: false,
        patience: Duration::ZERO,
        slow_wait: Duration::ZERO,
        budget: Budget::new(None),
    };
    let rooms = Rooms::new(Sharing::All, options);
    let connection = Connection::none();
    let launch = async {
        let permit = Admission::new(None).admit().expect("a slot");
        Ok::<_, LaunchError>((worker("read line; printf 'ab!c'"), permit))
    };
    let join = rooms.join(b"/", "1".to_owned(), [].into_iter(), &connection, &shutdown, launch);
    let member = join.await.expect("a seat");
    let client = ScriptedClient::default();
    client.say(ScriptedLine::Message("go"));

    run(&connection, "/".to_owned(), client.clone(), member, &shutdown).await;

    assert_eq!(client.taken().join("+"), "a+b+close 1011 a byte that is not allowed");
    assert_eq!(log.end(), "garbled");
}
