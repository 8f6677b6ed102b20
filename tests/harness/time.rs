//! Time in tests. Lower bounds are laws. Upper bounds are weather: each is what wsd promises and [`SLACK`], and all of them
//! grow with `WSD_TEST_SLACK`, for machines that are slow or do much else.

use std::env;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The time that a busy machine may add to a promised time. Any wrong way would take longer.
pub const SLACK: Duration = Duration::from_secs(3);

/// How long a test waits for anything before it fails.
///
/// The longest thing any test waits for is the 10 s that a request head may take. The rest is for a machine that does ten
/// other things at once.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// `WSD_TEST_SLACK`: how many times as long as here everything may take elsewhere. 1 by default.
static FACTOR: LazyLock<f64> = LazyLock::new(|| {
    let Some(text) = env::var_os("WSD_TEST_SLACK") else { return 1.0 };
    let factor = text.to_str().and_then(|text| text.parse().ok()).filter(|factor| (0.1..1000.0).contains(factor));
    factor.unwrap_or_else(|| panic!("WSD_TEST_SLACK is a factor such as 3, not {}", text.display()))
});

/// Returns `time` as it is on this machine: times `WSD_TEST_SLACK`.
pub fn scaled(time: Duration) -> Duration {
    time.mul_f64(*FACTOR)
}

/// Returns [`DEADLINE`] as it is on this machine.
pub fn deadline() -> Duration {
    scaled(DEADLINE)
}

/// Returns the latest moment, counted from the start, of something promised after `promise`.
pub fn at_latest(promise: Duration) -> Duration {
    promise + scaled(SLACK)
}

/// Fails the test if more than `promise` and the slack have passed since `start`.
#[track_caller]
pub fn assert_in_time(start: Instant, promise: Duration) {
    let (elapsed, limit) = (start.elapsed(), at_latest(promise));
    assert!(elapsed < limit, "it took {elapsed:?}, and may take {promise:?}, on a busy machine {limit:?}");
}

/// Looks until there is something to see, and fails the test when the deadline passes first.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, look).unwrap_or_else(|| panic!("not within {:?}: {what}", deadline()))
}

/// Sleeps: the only place of the tests that does.
///
/// It sets the pace of something that goes on by the clock, such as clients that try again or a proxy that cuts old connections.
/// A test that needs a fact waits for it with [`eventually`].
pub fn pace(time: Duration) {
    thread::sleep(time);
}

/// Looks until there is something to see, or until `time`, [`scaled`], has passed.
pub fn within<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + scaled(time);
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if Instant::now() > deadline {
            return None;
        }
        pace(Duration::from_millis(2));
    }
}

/// Sets a flag when it is dropped, also by a failure: threads of a scope that look at the flag must end before the failure shows.
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
