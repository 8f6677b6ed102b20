//! The reason for which a session ended: its word in the log, and the close for the client.

use std::borrow::Cow;

use crate::{
    client::{Departure, Fault},
    close::Close,
    partner::Verdict,
    status::Status,
};

/// The first reason for which a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The partner will send nothing more.
    Partner(Verdict),
    /// The client will send nothing more.
    Client(Departure),
    /// The client was silent for two ping intervals.
    Silent,
    /// wsd itself ends.
    Shutdown,
}

impl End {
    /// Returns the word for the log.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Partner(Verdict::Exit(_) | Verdict::Dismissed(_)) => "exit",
            Self::Partner(Verdict::Slow) => "slow",
            Self::Partner(Verdict::Overload) => "overload",
            Self::Partner(Verdict::Garbled(_)) => "garbled",
            Self::Client(Departure::Closed(..)) => "closed",
            Self::Client(Departure::Left) => "left",
            Self::Client(Departure::Fault(Fault::Protocol(_))) => "protocol",
            Self::Client(Departure::Fault(Fault::NotText)) => "utf8",
            Self::Client(Departure::Fault(Fault::TooBig)) => "oversize",
            Self::Silent => "silent",
            Self::Shutdown => "shutdown",
        }
    }

    /// Returns the close for this end; `status` is that of the process, if it is known by now. `None` if no client is left
    /// to get it.
    ///
    /// The code for a status is 1000 for 0, and otherwise 4000 plus the number that a shell shows in `$?` (4000 to 4999 are
    /// for private use: RFC 6455, section 7.4.2).
    pub(crate) fn close(&self, status: Option<Status>) -> Option<Close> {
        match self {
            Self::Partner(Verdict::Exit(known)) => Some(match known.or(status) {
                None | Some(Status::Exit(0)) => Close::new(Close::NORMAL, ""),
                Some(status) => Close::new(4000 + status.shell(), Cow::Owned(status.to_string())),
            }),
            Self::Partner(Verdict::Dismissed(close)) => Some(close.clone()),
            Self::Partner(Verdict::Slow) => Some(Close::new(Close::TRY_LATER, "too slow")),
            Self::Partner(Verdict::Garbled(why)) => Some(Close::new(Close::SERVER_ERROR, *why)),
            Self::Client(Departure::Closed(code, _)) => Some(Close::echo(*code)),
            Self::Client(Departure::Fault(fault)) => Some(fault.close()),
            Self::Partner(Verdict::Overload) => Some(Close::new(Close::TRY_LATER, "server is out of buffers")),
            Self::Shutdown => Some(Close::new(Close::GOING_AWAY, "server is stopping")),
            Self::Client(Departure::Left) | Self::Silent => None,
        }
    }

    /// Returns the reason in the client's close; empty if there is none.
    pub(super) fn reason(&self) -> &str {
        if let Self::Client(Departure::Closed(_, reason)) = self { reason } else { "" }
    }

    /// Returns the status of the process, if the partner's end had one.
    pub(super) fn status(&self) -> Option<Status> {
        if let Self::Partner(Verdict::Exit(status)) = self { *status } else { None }
    }

    /// Whether to drop the messages that wait for the client.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self, Self::Partner(Verdict::Slow | Verdict::Overload))
    }
}
