//! The headers of a request that the user asks for: credentials of the URL, `--origin`, `--header`.

use data_encoding::BASE64;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{destination::Destination, error::ConnectError};
use crate::cli::connect::ConnectFlags;

/// The headers that a request sets itself.
pub(super) struct Taken {
    /// Whether it sets this header.
    pub(super) holds: fn(&HeaderName) -> bool,
    /// The agent that sets them, for errors.
    pub(super) by: &'static str,
    /// Advice for somebody who sets one.
    pub(super) hint: &'static str,
}

/// Returns an error for a value that no header may have.
pub(super) fn unfit(flag: &str) -> ConnectError {
    ConnectError::new(format!("invalid value for {flag}: it has characters that no header may have"))
}

/// Adds the user's headers to those of a request.
pub(super) fn add(
    headers: &mut HeaderMap,
    server: &Destination,
    flags: &ConnectFlags,
    taken: &Taken,
) -> Result<(), ConnectError> {
    let mut set = |flag: &str, name: HeaderName, value: &str| match HeaderValue::from_str(value) {
        // A server may have another name than the URL.
        Ok(value) if name == header::HOST => {
            headers.insert(name, value);
            Ok(())
        }
        Ok(value) => {
            headers.append(name, value);
            Ok(())
        }
        Err(_) => Err(unfit(flag)),
    };
    if let Some(credentials) = &server.credentials {
        set("the URL", header::AUTHORIZATION, &format!("Basic {}", BASE64.encode(credentials.as_bytes())))?;
    }
    if let Some(origin) = &flags.origin {
        set("--origin", header::ORIGIN, origin)?;
    }
    for line in &flags.header {
        let invalid = || {
            ConnectError::new(format!("invalid value `{}` for --header", line.value))
                .hint("write it as --header='Name: value'")
        };
        let (name, value) = line.split_once(':').ok_or_else(invalid)?;
        let name: HeaderName = name.trim().parse().map_err(|_| invalid())?;
        if (taken.holds)(&name) {
            let text = format!("cannot set {name} with --header: {} sets it", taken.by);
            return Err(ConnectError::new(text).hint(taken.hint));
        }
        set("--header", name, value.trim())?;
    }
    Ok(())
}
