//! The tests' tools: a running `wsd`, a raw HTTP connection, a raw WebSocket client, files, and facts of processes.
//!
//! A library, since both test binaries (`it` and `browser`) use it, and each only a part.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends at its first surprise")]
#![expect(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::missing_errors_doc,
    clippy::new_without_default,
    reason = "they are about libraries for others to use"
)]

pub mod balancer;
pub mod blocking;
pub mod browser;
pub mod caller;
pub mod certificates;
pub mod clock;
pub mod crowd;
pub mod cutting;
pub mod eventsource;
pub mod http;
pub mod lines;
pub mod nodes;
pub mod pages;
pub mod places;
pub mod process;
pub mod puppet;
pub mod redis;
pub mod returning;
pub mod scrape;
pub mod server;
pub mod skip;
pub mod stream;
pub mod time;
pub mod tree;
pub mod turning;
pub mod websocket;

pub use time::{DEADLINE, SLACK, SetOnDrop, assert_in_time, at_latest, eventually, pace, within};
