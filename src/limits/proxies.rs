//! The limits of the PROXY protocol (`--proxy-protocol`).

use std::time::Duration;

/// Time until the header of the PROXY protocol is complete; then wsd closes the connection. A proxy sends it at once.
pub(crate) const PROXY_TIME_MAX: Duration = Duration::from_secs(5);

/// Bytes of a header of the PROXY protocol, version 2, after its length; wsd closes the connection on a longer one.
///
/// 4 KiB: the addresses have 216 bytes at most, and the other facts of known proxies fill less than 2 KiB.
pub(crate) const PROXY_BYTES_MAX: usize = 4 << 10;
