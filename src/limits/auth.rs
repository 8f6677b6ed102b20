//! The limits of `--auth`.

use std::time::Duration;

/// Failed attempts of a source in a minute; wsd answers the next one with 429.
pub(crate) const AUTH_FAILURES_A_MINUTE_MAX: usize = 5;
/// Failed attempts of a source in an hour; wsd answers the next one with 429.
pub(crate) const AUTH_FAILURES_AN_HOUR_MAX: usize = 20;

/// Sources whose failures wsd knows; beyond, it forgets the one whose last failure is the oldest.
///
/// 10,000: about 4 MiB, if each has [`AUTH_FAILURES_AN_HOUR_MAX`].
pub(crate) const AUTH_SOURCES_MAX: usize = 10_000;

/// Requests of a source whose passwords wait to be checked; wsd answers the next one with 429.
///
/// 16: more than a browser opens connections. They are checked one after the other.
pub(crate) const AUTH_LANE_MAX: usize = 16;

/// Passwords that are checked at a time. Each takes a processor for up to a fifth of a second.
pub(crate) const AUTH_HASHES_MAX: usize = 2;
/// Passwords of all sources that wait for that; wsd answers the next one with 503.
pub(crate) const AUTH_HASHES_WAIT_MAX: usize = 64;
/// The passwords of these that come from one /48 of IPv6, which has 65,536 sources; wsd answers the next one with 429.
pub(crate) const AUTH_HASHES_OF_NETWORK_MAX: usize = 16;

/// Bytes of a password; a longer one is wrong. The figure of crypt(3).
pub(crate) const PASSWORD_BYTES_MAX: usize = 512;

/// Time for which wsd remembers that a password was right.
pub(crate) const AUTH_KNOWN_TIME: Duration = Duration::from_mins(5);
/// Passwords that wsd remembers so.
pub(crate) const AUTH_KNOWN_MAX: usize = 10_000;

/// Bytes of a file of users, tokens or keys.
pub(crate) const AUTH_FILE_BYTES_MAX: usize = 4 << 20;

/// Bytes of a secret that signs tokens, or cookies (`--auth-key`). As many as the digest of HMAC with SHA-256.
pub(crate) const AUTH_SECRET_BYTES_MIN: usize = 32;

/// The difference that the clocks of wsd and of an identity provider may have.
pub(crate) const JWT_LEEWAY: Duration = Duration::from_mins(1);

/// The life of the cookie that a page gets.
pub(crate) const AUTH_COOKIE_TIME: Duration = Duration::from_hours(12);

/// The life of a ticket.
pub(crate) const TICKET_TIME: Duration = Duration::from_secs(30);
/// Tickets at a time; beyond, wsd forgets the oldest.
pub(crate) const TICKETS_MAX: usize = 10_000;
/// Tickets of a user, or of a source whose name is not known; beyond, wsd forgets the oldest of these.
///
/// 1,000: 33 a second, so that a page's server may ask for those of its users.
pub(crate) const TICKETS_OF_USER_MAX: usize = 1_000;

/// Requests that an authentication server or a script is asked about at a time; wsd answers the next one with 503.
pub(crate) const AUTH_ASKS_MAX: usize = 64;
/// The questions of these that are about requests of one source; wsd answers the next one with 429.
///
/// 16: more than a browser opens connections.
pub(crate) const AUTH_ASKS_OF_SOURCE_MAX: usize = 16;
/// Time for the answer of an authentication server; beyond, wsd answers with 503.
pub(crate) const AUTH_SERVER_TIME_MAX: Duration = Duration::from_secs(5);
/// Time for the answer of a script of `--auth=command:`; beyond, wsd answers with 503.
pub(crate) const AUTH_SCRIPT_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of the head of such an answer; beyond, wsd answers with 503.
pub(crate) const AUTH_HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes of the body of such an answer; beyond, wsd answers with 503.
pub(crate) const AUTH_BODY_BYTES_MAX: usize = 64 << 10;
