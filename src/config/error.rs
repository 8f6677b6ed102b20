//! An error in the settings, and its place in the file.

use std::fmt;

use crate::cli::value::Flag;

/// An error in the settings: a message, a hint, and the values that it is about.
#[derive(Debug)]
pub(crate) struct Error {
    /// The error, as *cannot* + verb + thing and the cause.
    pub(crate) message: String,
    /// Advice for the administrator: a verb, and what to do.
    pub(crate) hint: String,
    /// The offsets in the file at which the values start.
    pub(super) about: Vec<usize>,
}

impl Error {
    /// Returns an error without a place in the file.
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), about: Vec::new() }
    }

    /// Returns the error of two flags that exclude each other.
    pub(super) fn contradiction(one: &str, other: &str) -> Self {
        Self::new(format!("cannot combine {one} and {other}"), "remove one of them")
    }

    /// Adds a flag that the error is about. The error names the line of the first one.
    pub(super) fn about<'a, T: 'a>(self, flag: impl Into<Option<&'a Flag<T>>>) -> Self {
        self.at(flag.into().and_then(|flag| flag.at))
    }

    /// Adds an offset in the file that the error is about.
    pub(super) fn at(mut self, at: impl Into<Option<usize>>) -> Self {
        self.about.extend(at.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message, self.hint)
    }
}
