//! The ways in which a program may differ from its recording.

use std::time::Duration;

use crate::message::Kind;

/// The first difference. An index is that of a message in the recording.
#[derive(Debug)]
pub(super) enum Difference {
    /// The program gave another message in place of this one.
    Message { at: usize, kind: Kind, got: Vec<u8> },
    /// The program gave a message more than the recording has.
    Extra { kind: Kind, got: Vec<u8> },
    /// The program gave nothing in place of this message, or did not take it, for this time.
    Silent { at: usize, waited: Duration },
    /// The program ended before this message.
    Ended { at: usize, status: u16 },
    /// The output broke the framing before this message; the reason.
    Garbled { at: Option<usize>, why: &'static str },
    /// The program did not end, for this time.
    Alive { waited: Duration },
    /// The exit status is another one.
    Status { got: u16 },
}
