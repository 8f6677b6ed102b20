//! The exit status of a process, as a shell shows it.

use std::fmt;

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The process exited with this status, 0 to 255.
    Exit(u8),
    /// This signal ended the process.
    Signal(u8),
    /// A limit of the program ended it; a shell shows this status.
    Limit(ProgramLimit, u8),
}

/// A limit of a program (`--limit`, `--cgroup`), as far as the kernel tells that a program has reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgramLimit {
    /// The time of the processor.
    Cpu,
    /// The bytes of a file.
    FileSize,
    /// The memory of a control group.
    Memory,
    /// The processes of a control group.
    Processes,
}

impl ProgramLimit {
    /// Returns its word in the flags and in the log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::FileSize => "filesize",
            Self::Memory => "memory",
            Self::Processes => "processes",
        }
    }
}

impl Status {
    /// An unknown end: the kernel has kept no status, or another party has reaped the process.
    pub(crate) const UNKNOWN: Self = Self::Signal(0);

    /// Returns the status that a shell shows in `$?`: 128 and the signal's number for a signal (POSIX, 2.8.2).
    pub(crate) fn shell(self) -> u16 {
        match self {
            Self::Signal(signal) => 128 + u16::from(signal),
            Self::Exit(status) | Self::Limit(_, status) => status.into(),
        }
    }

    /// Returns the word of the limit that ended the program, if one did.
    pub(crate) fn limit(self) -> Option<&'static str> {
        if let Self::Limit(limit, _) = self { Some(limit.word()) } else { None }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(status) => write!(f, "exit {status}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Limit(limit, _) => write!(f, "{} limit", limit.word()),
        }
    }
}
