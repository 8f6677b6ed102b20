//! The limits of sources: a source is an address of IPv4, or a /64 of IPv6.

use std::time::Duration;

/// Requests of a source that have no complete answer yet, by default (`--requests-per-client`); wsd answers the next one with
/// 429.
///
/// 2048: a quarter of all connections that are not sessions, so that one source leaves most of them to others. A proxy that wsd
/// does not trust is one source.
pub(crate) const REQUESTS_PER_CLIENT: usize = 2048;

/// Sources that wsd remembers for `--rate`; beyond, it forgets the one that may open as many sessions as ever the soonest.
/// Sources that use something at present are beside these: the limits of programs and connections bound them.
///
/// 65,536: with 100 bytes for each the table has some 6 MiB.
pub(crate) const SOURCES_MAX: usize = 65_536;

/// The time between two looks for sources to forget.
pub(crate) const SOURCES_LOOK: Duration = Duration::from_mins(1);

/// The time whose bytes and messages a client may send at once (`--rate-in`).
pub(crate) const RATE_IN_BURST: Duration = Duration::from_secs(1);

/// Bytes of a file of `--allow` or `--deny`; wsd refuses a larger one.
///
/// 16 MiB hold a million networks.
pub(crate) const LIST_BYTES_MAX: usize = 16 << 20;
