//! The exit status of a process, as a shell shows it.

use std::fmt;

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The process exited with this status, 0 to 255.
    Exit(u8),
    /// This signal ended the process.
    Signal(u8),
}

impl Status {
    /// An unknown end: the kernel has kept no status, or another party has reaped the process.
    pub(crate) const UNKNOWN: Self = Self::Signal(0);

    /// Returns the status that a shell shows in `$?`: 128 and the signal's number for a signal (POSIX, 2.8.2).
    pub(crate) fn shell(self) -> u16 {
        match self {
            Self::Exit(status) => status.into(),
            Self::Signal(signal) => 128 + u16::from(signal),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(status) => write!(f, "exit {status}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}
