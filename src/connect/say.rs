//! Tells the user something on standard error.

use std::io::{Write as _, stderr};

/// Writes a message as wsd's, and ignores errors: nobody may be reading.
pub(super) fn say(message: &str) {
    let _ = stderr().write_all(format!("wsd: {message}\n").as_bytes());
}
