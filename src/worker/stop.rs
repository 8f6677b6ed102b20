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
use tracing::error;

use super::{child::Child, status::Status};
use crate::{
    limits::{UNTIL_SIGINT, UNTIL_SIGKILL, UNTIL_SIGTERM, UNTIL_STUCK},
    peer::Connection,
};

/// Waits for the worker to end, its input being closed, and helps it along: see the table above.
///
/// At the end whatever is left of its group is killed, and it is reaped. `patience` (`--closems`) is added to each wait.
pub(crate) async fn stop(child: Child, patience: Duration, connection: &Connection) -> Status {
    let ladder = [(UNTIL_SIGINT, Signal::INT), (UNTIL_SIGTERM, Signal::TERM), (UNTIL_SIGKILL, Signal::KILL)];
    for (wait, signal) in ladder {
        if has_ended(&child, wait + patience).await {
            return child.reap();
        }
        child.signal(signal);
    }
    if !has_ended(&child, UNTIL_STUCK).await {
        error!(conn = connection.id, pid = child.pid(), "worker outlives SIGKILL");
        while !has_ended(&child, UNTIL_STUCK).await {}
    }
    child.reap()
}

/// Whether the worker ends within `wait`.
async fn has_ended(child: &Child, wait: Duration) -> bool {
    match timeout(wait, child.ended()).await {
        Ok(Ok(())) => true,
        Ok(Err(_)) => {
            // No descriptor is left to wait with.
            if !child.has_ended() {
                tokio::time::sleep(wait).await;
            }
            child.has_ended()
        }
        Err(_) => false,
    }
}
