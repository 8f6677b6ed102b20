//! The standard streams that the log can go to.

use std::io::{self, Write as _};

/// The stream that lines of the log go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogStream {
    /// Standard error.
    Error,
    /// Standard output, as in websocketd.
    Output,
}

impl LogStream {
    /// Writes whole lines. Ignores errors: nobody may be reading.
    pub(super) fn write(self, lines: &[u8]) {
        let _ = match self {
            Self::Error => io::stderr().lock().write_all(lines),
            Self::Output => io::stdout().lock().write_all(lines).and_then(|()| io::stdout().flush()),
        };
    }
}
