//! Stops a worker in steps, from a closed standard input to SIGKILL.
//!
//! | wait | plus | then the group gets |
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

/// Waits for the worker to end after its input is closed, and signals it as in the table above. Returns its status.
///
/// At the end it kills the rest of the worker's group. It does not reap the worker. `patience` (`--closems`) is added to
/// each wait.
pub(crate) async fn stop(child: &mut Child, patience: Duration, connection: &Connection) -> Status {
    let status = end(child, patience, connection).await;
    child.sweep();
    status
}

async fn end(child: &Child, patience: Duration, connection: &Connection) -> Status {
    let steps = [(UNTIL_SIGINT, Signal::INT), (UNTIL_SIGTERM, Signal::TERM), (UNTIL_SIGKILL, Signal::KILL)];
    for (wait, signal) in steps {
        if let Some(status) = ended(child, wait + patience).await {
            return status;
        }
        child.signal(signal);
    }
    let mut is_logged = false;
    loop {
        if let Some(status) = ended(child, UNTIL_STUCK).await {
            return status;
        }
        if !std::mem::replace(&mut is_logged, true) {
            Event::WorkerOutlives { conn: connection.id, pid: child.pid() }.emit();
        }
    }
}

/// Waits up to `wait` for the worker to end. Returns its status if it has ended.
pub(crate) async fn ended(child: &Child, wait: Duration) -> Option<Status> {
    match timeout(wait, child.ended()).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(_)) => {
            // wsd has no descriptor left to wait with.
            if child.status().is_none() {
                tokio::time::sleep(wait).await;
            }
            child.status()
        }
        Err(_) => None,
    }
}
