//! The result of every function here that can fail, for any reason.

use std::error::Error;

/// A value, or the error to report.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
