//! Reads the payload of a Close frame.

use crate::{client::Fault, close::Close};

/// Reads code and reason from a Close frame's payload (RFC 6455, section 5.5.1).
pub(super) fn close_body(payload: &[u8]) -> Result<(Option<u16>, &str), Fault> {
    match payload {
        [] => Ok((None, "")),
        [_] => Err(Fault::Protocol("close code of one byte")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !Close::is_allowed(code) {
                return Err(Fault::Protocol("close code not allowed"));
            }
            Ok((Some(code), str::from_utf8(reason).map_err(|_| Fault::NotText)?))
        }
    }
}
