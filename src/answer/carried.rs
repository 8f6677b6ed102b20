//! The progress of an exchange between a client and a program over HTTP.

use std::sync::atomic::{AtomicBool, AtomicU64};

/// The progress of an exchange.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Whether the whole body of the request has come.
    pub(super) is_whole: AtomicBool,
    /// Bytes from the client to the program.
    pub(super) input: AtomicU64,
    /// Bytes from the program to the client.
    pub(super) output: AtomicU64,
    /// Whether the client has used up its rate (`--rate-in`), so that wsd makes it wait.
    pub(super) is_rationed: AtomicBool,
}
