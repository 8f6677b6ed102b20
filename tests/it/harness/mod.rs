//! What the tests start from: a running `wsd`, a raw HTTP connection, a raw WebSocket client, files, and eyes on processes.

pub(crate) mod browser;
pub(crate) mod certificates;
pub(crate) mod crowd;
pub(crate) mod http;
pub(crate) mod lines;
pub(crate) mod places;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod stream;
pub(crate) mod tree;
pub(crate) mod turning;
pub(crate) mod websocket;

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for anything before it fails.
///
/// The longest thing any test waits for is the 10 s that a request head may take. The rest is for a machine that does ten
/// other things at once.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Looks until there is something to see, and fails the test when the deadline passes first.
pub(crate) fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, look).unwrap_or_else(|| panic!("not within {DEADLINE:?}: {what}"))
}

/// Looks until there is something to see, or until `time` has passed.
pub(crate) fn within<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if Instant::now() > deadline {
            return None;
        }
        // The pace of looking, not a wait for something to have happened.
        thread::sleep(Duration::from_millis(2));
    }
}
