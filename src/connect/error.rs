//! The reason for which no session came to be.

use std::fmt;

/// A reason, and advice.
#[derive(Clone, Debug)]
pub(super) struct ConnectError {
    message: String,
    hint: Option<String>,
    /// Whether another attempt may succeed (`--retry`).
    pub(super) is_passing: bool,
}

impl ConnectError {
    /// Returns an error that stays until somebody does something.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, is_passing: false }
    }

    /// Returns an error that may pass.
    pub(super) fn passing(message: impl Into<String>) -> Self {
        Self { is_passing: true, ..Self::new(message) }
    }

    /// Returns the error as one that may pass.
    pub(super) fn that_may_pass(self) -> Self {
        Self { is_passing: true, ..self }
    }

    /// Adds advice.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Returns the message without the advice.
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            None => f.write_str(&self.message),
            Some(hint) => write!(f, "{}\nhint: {hint}", self.message),
        }
    }
}
