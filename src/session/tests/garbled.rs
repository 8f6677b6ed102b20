//! A program whose output breaks its framing, or a client whose messages do, with a process of its own and in a room.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::subscriber::DefaultGuard;

use super::{
    super::run,
    ends::{ScriptedClient, ScriptedLine},
    facts,
};
use crate::{
    admission::Admission,
    budget::Budget,
    framing::Framing,
    metrics::route::NamedRoute,
    peer::Connection,
    room::{
        member::Member,
        options::{RoomOptions, Slow},
        registry::{Rooms, Sharing},
    },
    shutdown::Shutdown,
    worker::{
        Worker,
        failure::LaunchError,
        process::{Process, ProcessOptions},
        program::Program,
        spawn::spawn,
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
        let ended = self.lines("session ended");
        let [line] = &ended[..] else { panic!("{ended:?}") };
        let (_, after) = line.split_once(" end=").expect("the key");
        after.split(' ').next().unwrap_or_default().trim_matches('"').to_owned()
    }

    /// Returns the lines of an event.
    fn lines(&self, event: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().expect("no test panics with it").clone()).expect("text");
        text.lines().filter(|line| line.contains(event)).map(str::to_owned).collect()
    }
}

/// Starts a program that prints `script`, and then sleeps.
fn worker(script: &str) -> Worker {
    let args = ["-c".to_owned(), format!("{script}; exec sleep 1000")].map(Into::into).into();
    spawn(&Program::new("/bin/sh".into(), args), &None, Vec::new()).expect("a shell")
}

/// Returns a process that runs `script`, with a framing that can be broken.
fn process(script: &str) -> Process {
    let permit = Admission::new(None).admit().expect("a slot");
    let options = ProcessOptions {
        message_bytes_max: usize::MAX,
        patience: Duration::ZERO,
        is_readonly: false,
        budget: Budget::new(None),
        route: NamedRoute::named("/"),
    };
    Process::new(Connection::none(), worker(script), permit, Framing::Picky, &options)
}

/// Returns a seat in a room whose worker runs `script`, with a framing that can be broken.
async fn member(script: &str, shutdown: &Shutdown) -> Member {
    let options = RoomOptions {
        framing: Framing::Picky,
        message_bytes_max: usize::MAX,
        slow: Slow::Close,
        history: 0,
        linger: Some(Duration::ZERO),
        is_for_one: false,
        patience: Duration::ZERO,
        slow_wait: Duration::ZERO,
        budget: Budget::new(None),
        route: NamedRoute::named("/"),
    };
    let rooms = Rooms::new(Sharing::All, options, None);
    let launch = async {
        let permit = Admission::new(None).admit().expect("a slot");
        Ok::<_, LaunchError>((worker(script), permit))
    };
    let connection = Connection::none();
    rooms.join(b"/", "1".to_owned(), [].into_iter(), &connection, shutdown, launch).await.expect("a seat")
}

#[tokio::test]
async fn output_that_breaks_its_framing_ends_the_session_of_its_process_as_garbled() {
    let (log, _guard) = ThreadLog::collect();
    let client = ScriptedClient::default();

    let process = process("printf 'ab!c'");
    run(facts(), "/".to_owned(), client.clone(), process, None, &Shutdown::default()).await;

    assert_eq!(client.taken().join("+"), "a+b+close 1011 a byte that is not allowed");
    assert_eq!(log.end(), "garbled");
}

#[tokio::test]
async fn output_that_breaks_its_framing_ends_the_sessions_of_its_room_as_garbled() {
    let (log, _guard) = ThreadLog::collect();
    let shutdown = Shutdown::default();
    let member = member("read line; printf 'ab!c'", &shutdown).await;
    let client = ScriptedClient::default();
    client.say(ScriptedLine::Message("go\n"));

    run(facts(), "/".to_owned(), client.clone(), member, None, &shutdown).await;

    assert_eq!(client.taken().join("+"), "a+b+close 1011 a byte that is not allowed");
    assert_eq!(log.end(), "garbled");
}

#[tokio::test]
async fn a_message_that_its_framing_cannot_take_ends_the_session_with_1007_after_the_earlier_messages() {
    let shutdown = Shutdown::default();
    for is_shared in [false, true] {
        let (log, _guard) = ThreadLog::collect();
        let file = tempfile::NamedTempFile::new().expect("a file");
        let script = format!("cat >{}", file.path().display());
        let client = ScriptedClient::default();
        for text in ["a", "b", "!", "c"] {
            client.say(ScriptedLine::Message(text));
        }

        if is_shared {
            let member = member(&script, &shutdown).await;
            run(facts(), "/".to_owned(), client.clone(), member, None, &shutdown).await;
        } else {
            run(facts(), "/".to_owned(), client.clone(), process(&script), None, &shutdown).await;
        }

        let closes: Vec<_> = client.taken().into_iter().filter(|text| text.starts_with("close")).collect();
        assert!(closes.iter().all(|close| close == "close 1007 a message that is not allowed"), "{closes:?}");
        assert!(!closes.is_empty() && log.end() == "invalid", "{closes:?}");
        if !is_shared {
            assert_eq!(std::fs::read_to_string(file.path()).expect("text"), "ab");
        }
    }
}

#[tokio::test]
async fn the_first_message_that_its_framing_drops_is_logged() {
    let (log, _guard) = ThreadLog::collect();
    let client = ScriptedClient::default();
    for text in ["?", "?", "!"] {
        client.say(ScriptedLine::Message(text));
    }

    let process = process("cat");
    run(facts(), "/".to_owned(), client.clone(), process, None, &Shutdown::default()).await;

    let lines = log.lines("message ignored");
    assert!(lines.len() == 1 && lines[0].contains("why=\"a question\""), "{lines:?}");
}

#[tokio::test]
async fn output_that_is_no_message_is_logged_and_not_sent() {
    let shutdown = Shutdown::default();
    for is_shared in [false, true] {
        let (log, _guard) = ThreadLog::collect();
        let client = ScriptedClient::default();
        client.say(ScriptedLine::Message("go\n"));
        let script = "read line; printf 'a?b!'";

        if is_shared {
            let member = member(script, &shutdown).await;
            run(facts(), "/".to_owned(), client.clone(), member, None, &shutdown).await;
        } else {
            run(facts(), "/".to_owned(), client.clone(), process(script), None, &shutdown).await;
        }

        assert_eq!(client.taken().join("+"), "a+b+close 1011 a byte that is not allowed");
        let lines = log.lines("worker junk");
        assert!(lines.len() == 1 && lines[0].contains("line=\"?\""), "{lines:?}");
    }
}
