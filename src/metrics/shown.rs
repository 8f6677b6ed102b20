//! How the status shows users, times and traffic; the log shows times like this, too.

use std::time::Duration;

use serde::Serialize;

use super::live::Traffic;

/// Characters of a user that the status shows.
const USER_CHARS_MAX: usize = 128;

/// Messages and bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct ShownTraffic {
    messages: u64,
    bytes: u64,
}

impl From<Traffic> for ShownTraffic {
    fn from(Traffic { messages, bytes }: Traffic) -> Self {
        Self { messages, bytes }
    }
}

/// Returns a user as the status shows it; `None` without a proof.
pub(super) fn shown_user(user: &str) -> Option<String> {
    (!user.is_empty()).then(|| user.chars().take(USER_CHARS_MAX).collect())
}

/// Returns a time as the log and the status show it: seconds, rounded to one decimal.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}
