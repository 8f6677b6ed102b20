//! Limits of the bus between the rooms of several machines (`--bus`).

use std::time::Duration;

/// Time that the lease of a room lasts in Redis. Another node takes over the room that long after the last renewal.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// Time between two renewals of a lease, and between two looks at a room of another node.
pub(crate) const LEASE_RENEWAL: Duration = Duration::from_secs(3);

/// Time since the last renewal after which a room gives out nothing until Redis has answered: three seconds before the lease
/// can be taken.
pub(crate) const LEASE_DOUBT: Duration = Duration::from_secs(7);

/// Time that Redis may be away until wsd closes the clients of other nodes' rooms with 1013.
pub(crate) const BUS_PATIENCE: Duration = Duration::from_secs(10);

/// Time for a connection to Redis.
pub(crate) const BUS_CONNECT: Duration = Duration::from_secs(2);

/// Time for an answer of Redis; then wsd connects again.
pub(crate) const BUS_ANSWER: Duration = Duration::from_secs(2);

/// Time between two tries to reach Redis.
pub(crate) const BUS_RETRY: Duration = Duration::from_millis(250);

/// Time that a client waits for its room to open in the cluster; then wsd answers with 503.
pub(crate) const BUS_JOIN: Duration = Duration::from_secs(5);

/// Bytes that wait for Redis in each direction of a room. The program and the clients wait then; while Redis is away, a
/// room drops its oldest output for other nodes.
pub(crate) const BUS_BYTES_MAX: usize = 8 << 20;

/// Bytes of the messages of one record in Redis, more only for a longer message.
pub(crate) const RECORD_BYTES: usize = 64 << 10;

/// Records that the output of a room keeps in Redis, or as many as `--history` if that is more.
pub(crate) const OUT_RECORDS: usize = 1000;

/// Records that the input of a room keeps in Redis.
pub(crate) const IN_RECORDS: usize = 10_000;
