//! The bus between the rooms of several machines, on Redis or Valkey: leases, ordered streams, and quick news of them. It
//! knows no rooms.
//!
//! The streams are the truth; a channel carries the same records at once. A reader that misses one finds it in the stream.

mod connection;
pub(crate) mod error;
mod eviction;
pub(crate) mod handle;
pub(crate) mod loss;
pub(crate) mod news;
mod opener;
pub(crate) mod place;
pub(crate) mod records;
mod replicas;
mod scripts;
mod sentinels;
pub(crate) mod target;
