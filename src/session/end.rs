//! The reason for which a session ended: its word in the log, and the close for the client.

use crate::{
    client::{Departure, Fault},
    close::Close,
    partner::Verdict,
    status::Status,
};

/// The first reason for which a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The partner will send nothing more.
    Partner(Verdict),
    /// The client will send nothing more.
    Client(Departure),
    /// The client was silent for two ping intervals.
    Silent,
    /// A deadline of the session's terms has come; its word is for the log.
    Deadline(Close, &'static str),
    /// The administrator ends it.
    Admin,
    /// wsd itself ends.
    Shutdown,
}

impl End {
    /// Returns the word for the log, and the close for the client; `status` is that of the process, if it is known by now. The
    /// close is `None` if no client is left to get it.
    ///
    /// The code for a status is 1000 for 0, and otherwise 4000 plus the number that a shell shows in `$?` (4000 to 4999 are
    /// for private use: RFC 6455, section 7.4.2).
    pub(super) fn report(&self, status: Option<Status>) -> (&'static str, Option<Close>) {
        let close = |code, reason| Some(Close::new(code, reason));
        match self {
            Self::Partner(Verdict::Exit(known)) => match known.or(status) {
                None | Some(Status::Exit(0)) => ("exit", close(Close::NORMAL, "")),
                Some(status) => ("exit", Some(Close::new(4000 + status.shell(), status.to_string()))),
            },
            Self::Partner(Verdict::Dismissed(close)) => ("exit", Some(close.clone())),
            Self::Partner(Verdict::Slow) => ("slow", close(Close::TRY_LATER, "too slow")),
            Self::Partner(Verdict::Overload) => ("overload", close(Close::TRY_LATER, "server is out of buffers")),
            Self::Partner(Verdict::Garbled(why)) => ("garbled", close(Close::SERVER_ERROR, why)),
            Self::Client(Departure::Closed(code, _)) => ("closed", Some(Close::echo(*code))),
            Self::Client(Departure::Left) => ("left", None),
            Self::Client(Departure::Fault(Fault::Protocol(rule))) => ("protocol", close(Close::PROTOCOL, rule)),
            Self::Client(Departure::Fault(Fault::NotText)) => ("utf8", close(Close::INVALID, "text is not UTF-8")),
            Self::Client(Departure::Fault(Fault::TooBig)) => ("oversize", close(Close::TOO_BIG, "message too big")),
            Self::Client(Departure::Fault(Fault::Invalid(why))) => ("invalid", close(Close::INVALID, *why)),
            Self::Silent => ("silent", None),
            Self::Deadline(close, word) => (word, Some(close.clone())),
            Self::Admin => ("admin", close(Close::POLICY, "ended by the administrator")),
            Self::Shutdown => ("shutdown", close(Close::GOING_AWAY, "server is stopping")),
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
