//! Stops a worker in steps, from a closed standard input to SIGKILL.
//!
//! | wait | plus | then the group gets |
//! |---|---|---|
//! | 0 | | end of file on standard input |
//! | 100 ms | `--closems` | SIGINT |
//! | 250 ms | `--closems` | SIGTERM |
//! | 500 ms | `--closems` | SIGKILL |
//!
//! A program with a terminal has no end of file; in place of SIGINT wsd hangs up the terminal, and the kernel sends SIGHUP.
//!
//! The processes that it has started outside of its group get the signals, too.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rustix::{io::Errno, process::Signal};

use super::{child::Child, descendants::Descendants};
use crate::{
    event::Event,
    limits::{UNTIL_SIGINT, UNTIL_SIGKILL, UNTIL_SIGTERM, UNTIL_STUCK},
    peer::Connection,
    status::Status,
};

/// Waits for the worker to end after its input is closed, and signals it as in the table above. Returns its status, which
/// is not known of a worker that wsd may not kill.
///
/// At the end it kills the rest of the worker's group, and all others that the worker has started. It does not reap the
/// worker. `patience` (`--closems`) is added to each wait. It sets `hang_up`, if there is one, when the
/// caller must close the worker's terminal.
pub(crate) async fn stop(
    child: &mut Child,
    patience: Duration,
    connection: &Connection,
    hang_up: Option<&AtomicBool>,
) -> Status {
    let mut descendants = child.take_descendants();
    let status = end(child, &mut descendants, patience, connection, hang_up).await;
    let status = status.map(|status| {
        descendants.set_ended();
        child.sweep(status)
    });
    if let (Some(refused), Some(_)) = (descendants.end().await, status) {
        outlives(connection, refused.as_raw_nonzero().get(), Some(Errno::PERM));
    }
    status.unwrap_or(Status::UNKNOWN)
}

/// Signals the worker until it has ended. Returns `None` if wsd may not kill it.
async fn end(
    child: &Child,
    descendants: &mut Descendants,
    patience: Duration,
    connection: &Connection,
    hang_up: Option<&AtomicBool>,
) -> Option<Status> {
    let leader = child.leader();
    for (wait, signal) in [(UNTIL_SIGINT, Signal::INT), (UNTIL_SIGTERM, Signal::TERM)] {
        if let Some(status) = leader.ended_within(wait + patience).await {
            return Some(status);
        }
        // A second SIGHUP, or a SIGINT within the work that SIGHUP asks for, would hurt an editor that saves.
        if signal == Signal::INT
            && let Some(hang_up) = hang_up
        {
            hang_up.store(true, Ordering::Relaxed);
            child.count_signal("HUP");
            continue;
        }
        child.signal(signal);
        child.count_signal(if signal == Signal::INT { "INT" } else { "TERM" });
        descendants.signal(signal);
    }
    if let Some(status) = leader.ended_within(UNTIL_SIGKILL + patience).await {
        return Some(status);
    }
    let killed = child.kill();
    child.count_signal("KILL");
    descendants.kill();
    let mut is_logged = false;
    loop {
        if let Some(status) = leader.ended_within(UNTIL_STUCK).await {
            return Some(status);
        }
        if !std::mem::replace(&mut is_logged, true) {
            outlives(connection, child.pid(), killed.err());
        }
        if killed == Err(Errno::PERM) {
            return None;
        }
    }
}

fn outlives(connection: &Connection, pid: i32, cause: Option<Errno>) {
    let cause = cause.map(std::io::Error::from);
    let hint = cause.as_ref().map(|_| "the program runs as another user: end it by hand, or run wsd as that user");
    Event::WorkerOutlives { conn: connection.id, pid, cause: cause.as_ref().map(|cause| cause as _), hint }.emit();
}
