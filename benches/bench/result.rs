//! What everything here returns that can fail, for whatever reason.

use std::error::Error;

/// A value, or the error to report.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
