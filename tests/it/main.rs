//! Drives the real `wsd` over real sockets, with real programs behind it: a file a subject, a test a law.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]
#![expect(clippy::print_stderr, reason = "a failure tells all that is known, and a skipped test says so")]

mod harness;

mod addresses;
mod backpressure;
mod binary;
mod cgi;
mod cgi_ends;
mod cgi_paths;
mod churn;
mod client;
mod config;
mod console;
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
mod headers;
mod heads;
mod history;
mod ladder;
mod laggards;
mod launch;
mod layers;
mod limits;
mod log;
mod lookup;
mod names;
mod origin;
mod origins;
mod page;
mod passstderr;
mod paths;
mod pings;
mod protocol;
mod readme;
mod redirect;
mod reload;
mod rooms;
mod routes;
mod shutdown;
mod subprotocol;
mod switches;
mod systemd;
mod text;
mod tls;
mod unixsocket;
mod upgrade;
mod workers;
