//! The ladder: how a worker is brought to its end, from a closed standard input to SIGKILL.
//!
//! | after | plus | the group gets |
//! |---|---|---|
//! | 0 | | end of file on standard input |
//! | 100 ms | `--closems` | SIGINT |
//! | 250 ms | `--closems` | SIGTERM |
//! | 500 ms | `--closems` | SIGKILL |

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::timeout;

use super::child::Child;
use crate::{
    event::Event,
    limits::{UNTIL_SIGINT, UNTIL_SIGKILL, UNTIL_SIGTERM, UNTIL_STUCK},
    peer::Connection,
    status::Status,
};

/// Waits for the worker to end, its input being closed, and helps it along: see the table above.
///
/// At the end whatever is left of its group is killed; it is left to be reaped. `patience` (`--closems`) is added to each
/// wait.
pub(crate) async fn stop(child: &mut Child, patience: Duration, connection: &Connection) -> Status {
    let status = end(child, patience, connection).await;
    child.sweep();
    status
}

async fn end(child: &Child, patience: Duration, connection: &Connection) -> Status {
    let ladder = [(UNTIL_SIGINT, Signal::INT), (UNTIL_SIGTERM, Signal::TERM), (UNTIL_SIGKILL, Signal::KILL)];
    for (wait, signal) in ladder {
        if let Some(status) = ended(child, wait + patience).await {
            return status;
        }
        child.signal(signal);
    }
    let mut is_told = false;
    loop {
        if let Some(status) = ended(child, UNTIL_STUCK).await {
            return status;
        }
        if !std::mem::replace(&mut is_told, true) {
            Event::WorkerOutlives { conn: connection.id, pid: child.pid() }.emit();
        }
    }
}

/// How the worker ended, if it does within `wait`.
pub(crate) async fn ended(child: &Child, wait: Duration) -> Option<Status> {
    match timeout(wait, child.ended()).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(_)) => {
            // No descriptor is left to wait with.
            if child.status().is_none() {
                tokio::time::sleep(wait).await;
            }
            child.status()
        }
        Err(_) => None,
    }
}
