//! The limits of compressed messages (`--compress`).

use std::time::Duration;

/// Bytes of the shortest message that wsd compresses by default (`--compress`). A shorter one gains too little.
pub(crate) const COMPRESS_BYTES_MIN: usize = 64;

/// Bytes of the shortest message of a room that wsd compresses, once for all its clients; see [`COMPRESS_BYTES_MIN`].
///
/// 1 KiB: without the messages before it, a line of 110 bytes shrinks by a tenth, and 1 KiB to a quarter.
pub(crate) const COMPRESS_SHARED_BYTES_MIN: usize = 1 << 10;

/// Bytes of the compressors that sessions hold at a time by default (`--compress-memory`). Beyond, messages go plain.
///
/// 64 MiB: about 400 sessions that send at a time.
pub(crate) const COMPRESS_MEMORY: usize = 64 << 20;

/// The silence after which a session gives its compressor back.
pub(crate) const COMPRESSOR_SILENCE: Duration = Duration::from_secs(2);
