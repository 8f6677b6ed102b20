//! An error in the settings, and where it stands.

use std::fmt;

use crate::cli::value::Flag;

/// An error in the settings, with a hint, and with the values that it is about.
#[derive(Debug)]
pub(crate) struct Error {
    pub(super) message: String,
    pub(super) hint: String,
    /// Bytes of the file at which the values start.
    pub(super) about: Vec<usize>,
}

impl Error {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), about: Vec::new() }
    }

    pub(super) fn contradiction(one: &str, other: &str) -> Self {
        Self::new(format!("{one} and {other} contradict each other"), "give one of them")
    }

    /// Adds a flag that the error is about; the first one counts.
    pub(super) fn about<'a, T: 'a>(self, flag: impl Into<Option<&'a Flag<T>>>) -> Self {
        self.at(flag.into().and_then(|flag| flag.at))
    }

    /// Adds a byte of the file that the error is about.
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
