//! The end of the client's session: the Close frame for the server, the exit status, and the reason on standard error.

use std::{borrow::Cow, io};

use tokio_tungstenite::tungstenite::{
    Error,
    error::{CapacityError, ProtocolError},
};

use crate::{close::Close, limits::PING_INTERVAL, status::Status};

/// The first reason for which the session ended.
#[derive(Debug)]
pub(super) enum Finish {
    /// The server sent a Close frame.
    Closed(Option<u16>, String),
    /// The connection ended without one.
    Lost(String),
    /// The server does not have the session any more (`--resume`).
    Gone(String),
    /// The server broke the protocol or a limit; it gets this code.
    Fault(u16, String),
    /// The server was silent for two ping intervals.
    Silent,
    /// Standard input ended, or the person at the terminal left.
    Done,
    /// The program ended.
    Program(Status),
    /// The program's output, or standard input, breaks the framing.
    Garbled(&'static str),
    /// Standard output cannot be written.
    Unwritten(io::Error),
    /// Standard input cannot be read.
    Unread(io::Error),
    /// A signal asks the client to end.
    Signal(u8),
}

/// The close code of a status: 4000 and the number that a shell shows.
const STATUS_CODE: u16 = 4000;

/// The exit status after a signal, without its number.
const AFTER_SIGNAL: u8 = 128;

impl Finish {
    /// Returns the end that a failed read tells of.
    pub(super) fn of_error(error: Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                Self::Fault(Close::TOO_BIG, format!("a message of {size} bytes is over the limit of {max_size}"))
            }
            Error::Utf8(_) => Self::Fault(Close::INVALID, "text is not UTF-8".to_owned()),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Lost(String::new()),
            Error::Protocol(rule) => Self::Fault(Close::PROTOCOL, rule.to_string()),
            Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => {
                Self::Fault(Close::INVALID, cause.to_string())
            }
            other => Self::Lost(other.to_string()),
        }
    }

    /// Returns the end of a server that has closed with a code that no peer may send.
    pub(super) fn of_invalid_code(code: u16) -> Self {
        Self::Fault(Close::PROTOCOL, format!("it closed with code {code}"))
    }

    /// Returns why the server has lost the session, if it has: it does not know it any more, or it stops.
    pub(super) fn gone(&self) -> Option<String> {
        match self {
            Self::Gone(cause) => Some(cause.clone()),
            Self::Closed(Some(Close::GOING_AWAY | Close::RESTART), _) => self.report(None, None).1,
            _ => None,
        }
    }

    /// Returns the Close frame for the server; `None` if the server has sent one, or is gone.
    pub(super) fn close(&self) -> Option<Close> {
        match self {
            Self::Closed(..) | Self::Lost(_) | Self::Gone(_) | Self::Silent => None,
            Self::Fault(code, reason) => Some(Close::new(*code, short(reason))),
            Self::Done | Self::Program(Status::Exit(0)) => Some(Close::new(Close::NORMAL, "")),
            Self::Program(status) => Some(Close::new(STATUS_CODE + status.shell(), status.to_string())),
            Self::Garbled(why) => Some(Close::new(Close::SERVER_ERROR, *why)),
            Self::Unwritten(_) | Self::Unread(_) | Self::Signal(_) => Some(Close::new(Close::GOING_AWAY, "")),
        }
    }

    /// Returns the exit status, and the reason for one that needs one. `answer` is how the server ended after a close of the
    /// client; `None` if it did not in time. `own` is the status of the program, which has ended.
    pub(super) fn report(&self, answer: Option<&Self>, own: Option<Status>) -> (u8, Option<String>) {
        let failed = |reason: String| (1, Some(reason));
        match self {
            Self::Closed(Some(Close::NORMAL), _) => (own.map_or(0, number), None),
            Self::Closed(code, reason) => of_code(*code, reason),
            Self::Lost(cause) if cause.is_empty() => failed(format!("the connection ended without a close\n{RETURN}")),
            Self::Lost(cause) => failed(format!("the connection ended without a close: {cause}\n{RETURN}")),
            Self::Gone(cause) => failed(format!("{cause}\nhint: add --retry to begin another session")),
            Self::Silent => failed(format!("the server has been silent for {} s", 2 * PING_INTERVAL.as_secs())),
            Self::Fault(_, cause) => failed(format!("the server broke the protocol: {cause}")),
            Self::Garbled(why) => failed(format!("cannot send standard input: {why}\nhint: choose another --framing")),
            Self::Unwritten(cause) if cause.kind() == io::ErrorKind::BrokenPipe => {
                // As for any program whose reader has gone, such as `head`.
                (AFTER_SIGNAL + SIGPIPE, None)
            }
            Self::Unwritten(cause) => failed(format!("cannot write standard output: {cause}")),
            Self::Unread(cause) => failed(format!("cannot read standard input: {cause}")),
            Self::Signal(signal) => (AFTER_SIGNAL + signal, None),
            Self::Program(Status::Exit(0)) | Self::Done => of_answer(answer),
            Self::Program(status) => (number(*status), of_answer(answer).1),
        }
    }
}

/// The advice for a lost connection.
const RETURN: &str = "hint: --resume returns to the session, if the server keeps it with wsd --resume=60";

/// The number of SIGPIPE (POSIX, `kill`).
const SIGPIPE: u8 = 13;

/// Returns the exit status after the client's own close, and the reason for a failure: its last messages may be lost.
fn of_answer(answer: Option<&Finish>) -> (u8, Option<String>) {
    match answer {
        Some(Finish::Closed(None | Some(Close::NORMAL), _)) => (0, None),
        Some(Finish::Gone(cause)) => (1, Some(cause.clone())),
        Some(answer) => answer.report(None, None),
        None => (1, Some("the server did not answer the close: the last messages may be lost".to_owned())),
    }
}

/// Returns the exit status for a close code, and the reason for a status that is no program's.
fn of_code(code: Option<u16>, reason: &str) -> (u8, Option<String>) {
    if let Some(status) = code.and_then(|code| u8::try_from(code.checked_sub(STATUS_CODE)?).ok()) {
        return (status, None);
    }
    let hint = match code {
        Some(Close::TOO_BIG) => "\nhint: raise --maxframesize of the server, or send --framing=chunks",
        _ => "",
    };
    let code = code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
    // A server must not control the terminal.
    let reason: String = reason.chars().filter(|character| !character.is_control()).collect();
    let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
    (1, Some(format!("the server closed with {code}{reason}{hint}")))
}

/// Returns the status as a shell shows it.
pub(super) fn number(status: Status) -> u8 {
    u8::try_from(status.shell()).unwrap_or(u8::MAX)
}

/// Cuts a reason to the length that a Close frame may have.
fn short(reason: &str) -> Cow<'static, str> {
    Cow::Owned(reason.chars().take(30).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_is_that_of_the_close_code() {
        let closed = |code| Finish::Closed(code, "why".to_owned());
        let table = [
            (closed(Some(1000)), None, 0, false),
            (closed(Some(1000)), Some(Status::Exit(5)), 5, false),
            (closed(Some(4000)), Some(Status::Exit(5)), 0, false),
            (closed(Some(4003)), None, 3, false),
            (closed(Some(4255)), None, 255, false),
            (closed(Some(4256)), None, 1, true),
            (closed(Some(1011)), None, 1, true),
            (closed(None), None, 1, true),
            (Finish::Lost(String::new()), Some(Status::Exit(0)), 1, true),
            (Finish::Program(Status::Signal(15)), None, 143, true),
            (Finish::Signal(2), Some(Status::Exit(0)), 130, false),
        ];
        for (finish, own, want, has_reason) in table {
            let (status, reason) = finish.report(None, own);
            assert_eq!((status, reason.is_some()), (want, has_reason), "{finish:?}");
        }
    }

    #[test]
    fn the_reason_of_a_server_does_not_control_the_terminal() {
        let (_, reason) = Finish::Closed(Some(1011), "\x1B]0;owned\x07why\n\u{9B}31m".to_owned()).report(None, None);
        assert_eq!(reason.as_deref(), Some("the server closed with code 1011: ]0;ownedwhy31m"));
    }

    #[test]
    fn an_unanswered_close_is_a_failure_and_an_echo_is_none() {
        let closed = |code| Finish::Closed(code, String::new());
        let table = [
            (None, 1, true),
            (Some(closed(Some(1000))), 0, false),
            (Some(closed(None)), 0, false),
            (Some(closed(Some(4007))), 7, false),
            (Some(closed(Some(1011))), 1, true),
            (Some(Finish::Lost(String::new())), 1, true),
            (Some(Finish::Gone(String::new())), 1, true),
        ];
        for (answer, want, has_reason) in table {
            let told = |finish: Finish| {
                let (status, reason) = finish.report(answer.as_ref(), None);
                (status, reason.is_some())
            };
            assert_eq!(told(Finish::Done), (want, has_reason), "{answer:?}");
            assert_eq!(told(Finish::Program(Status::Exit(0))), (want, has_reason), "{answer:?}");
            // A status of its own says more.
            assert_eq!(told(Finish::Program(Status::Exit(5))), (5, has_reason), "{answer:?}");
        }
    }
}
