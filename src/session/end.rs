//! Why a session ended: the word in the log, and the close code for the client.

use std::borrow::Cow;

use crate::{
    socket::{close::Close, reader::Fault},
    worker::status::Status,
};

/// What ended a session first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The worker closed its output, most often by ending.
    Exit,
    /// The client sent a Close frame with this code, or none.
    Closed(Option<u16>),
    /// The connection ended without a Close frame.
    Left,
    /// Nothing was heard of the client for two ping intervals.
    Silent,
    /// The client broke the protocol, or a limit.
    Fault(Fault),
    /// The client did not keep up with its room.
    Slow,
    /// The client held most of what waited when `--maxbuffer` was nearly used up.
    Overload,
    /// wsd itself ends.
    Shutdown,
}

impl End {
    /// The word for the log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Closed(_) => "closed",
            Self::Left => "left",
            Self::Silent => "silent",
            Self::Fault(Fault::Protocol(_)) => "protocol",
            Self::Fault(Fault::NotText) => "utf8",
            Self::Fault(Fault::TooBig) => "oversize",
            Self::Slow => "slow",
            Self::Overload => "overload",
            Self::Shutdown => "shutdown",
        }
    }

    /// The Close frame for this end, given how the worker ended; `None` where no client is left to read it.
    ///
    /// A worker's status is told as 1000 for 0, and else as 4000 and what a shell shows in `$?` (4000 to 4999 are for
    /// private use: RFC 6455, section 7.4.2).
    pub(crate) fn close(self, status: Option<Status>) -> Option<Close> {
        match self {
            Self::Exit => Some(match status {
                None | Some(Status::Exit(0)) => Close::new(Close::NORMAL, ""),
                Some(status) => Close::new(4000 + status.shell(), Cow::Owned(status.to_string())),
            }),
            Self::Closed(code) => Some(Close::echo(code)),
            Self::Fault(fault) => Some(fault.close()),
            Self::Slow => Some(Close::new(Close::TRY_LATER, "too slow")),
            Self::Overload => Some(Close::new(Close::TRY_LATER, "server is out of buffers")),
            Self::Shutdown => Some(Close::new(Close::GOING_AWAY, "server is stopping")),
            Self::Left | Self::Silent => None,
        }
    }
}
