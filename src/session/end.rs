//! Why a session ended: the word in the log, and the close for the client.

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
    /// The partner will say nothing more.
    Partner(Verdict),
    /// The client will say nothing more.
    Client(Departure),
    /// Nothing was heard of the client for two ping intervals.
    Silent,
    /// The client held most of what waited when `--maxbuffer` was nearly used up.
    Overload,
    /// wsd itself ends.
    Shutdown,
}

impl End {
    /// Returns the word for the log.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Partner(Verdict::Exit(_) | Verdict::Dismissed(_)) => "exit",
            Self::Partner(Verdict::Slow) => "slow",
            Self::Partner(Verdict::Garbled(_)) => "garbled",
            Self::Client(Departure::Closed(..)) => "closed",
            Self::Client(Departure::Left) => "left",
            Self::Client(Departure::Fault(Fault::Protocol(_))) => "protocol",
            Self::Client(Departure::Fault(Fault::NotText)) => "utf8",
            Self::Client(Departure::Fault(Fault::TooBig)) => "oversize",
            Self::Silent => "silent",
            Self::Overload => "overload",
            Self::Shutdown => "shutdown",
        }
    }

    /// Returns the close for this end, given how the process ended if that is known by now; `None` where no client is left
    /// to be told.
    ///
    /// A status is told as 1000 for 0, and else as 4000 and what a shell shows in `$?` (4000 to 4999 are for private use:
    /// RFC 6455, section 7.4.2).
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
            Self::Overload => Some(Close::new(Close::TRY_LATER, "server is out of buffers")),
            Self::Shutdown => Some(Close::new(Close::GOING_AWAY, "server is stopping")),
            Self::Client(Departure::Left) | Self::Silent => None,
        }
    }

    /// Returns the reason that the client gave.
    pub(super) fn reason(&self) -> &str {
        if let Self::Client(Departure::Closed(_, reason)) = self { reason } else { "" }
    }

    /// Returns the status of the process, if the partner told it with its end.
    pub(super) fn status(&self) -> Option<Status> {
        if let Self::Partner(Verdict::Exit(status)) = self { *status } else { None }
    }

    /// Whether what waits for the client is no use to it any more.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self, Self::Partner(Verdict::Slow) | Self::Overload)
    }
}
