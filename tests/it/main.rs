//! Drives the real `wsd` over real sockets, with real programs behind it: a file a subject, a test a law.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]
#![expect(clippy::print_stderr, reason = "a failure tells all that is known, and a skipped test says so")]

mod harness;

mod backpressure;
mod binary;
mod churn;
mod client;
mod config;
mod demos;
mod descriptors;
mod descriptors_limit;
mod directory;
mod ending;
mod environment;
mod events;
mod examples;
mod files;
mod flags;
mod heads;
mod history;
mod ladder;
mod laggards;
mod launch;
mod layers;
mod limits;
mod log;
mod origin;
mod page;
mod pings;
mod protocol;
mod readme;
mod reload;
mod rooms;
mod routes;
mod shutdown;
mod text;
mod upgrade;
mod workers;
