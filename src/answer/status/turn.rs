//! Snapshots of the status, one at a time.

use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::metrics::snapshot;

/// Makes a snapshot, after all others: one reads a file of `/proc` for each process. Many at a time would take every thread for
/// blocking work, and each holds the facts of all sessions. A client that leaves frees the turn only once its snapshot is made.
pub(super) async fn make_snapshot() -> String {
    static TURN: Semaphore = Semaphore::const_new(1);
    let turn = TURN.acquire().await;
    let made = spawn_blocking(move || {
        let _turn = turn;
        snapshot::json()
    });
    made.await.unwrap_or_default()
}
