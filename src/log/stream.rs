//! The standard streams as places of the log.

use std::io::{self, Write as _};

/// Where lines of the log go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard error.
    Error,
    /// Standard output, as websocketd has it.
    Output,
}

impl Stream {
    /// Writes whole lines. Nothing goes wrong if nobody listens there any more.
    pub(super) fn write(self, lines: &[u8]) {
        let _ = match self {
            Self::Error => io::stderr().lock().write_all(lines),
            Self::Output => io::stdout().lock().write_all(lines).and_then(|()| io::stdout().flush()),
        };
    }
}
