//! wsd turns any program that reads standard input and writes standard output into a WebSocket service.
//!
//! # The way of a message
//!
//! ```text
//! client ─TCP/TLS→ server::listen → server::accept → http::connection → http::gate → answer::websocket
//!                                                  (the program is started first, then 101)  │
//!                        session::run(client, partner)                                       ▼
//!   client: socket (a WebSocket)            partner: worker::process (its own) · room::member (a seat in a room)
//!   client ──message→ session::carry ──message→ partner ──framing→ stdin
//!   client ←message── session::carry ←message── partner ←framing── stdout
//!                     session::end::End → close, log; worker::stop ends the process group
//! ```
//!
//! Between the two nothing is queued: see `backlog`. Only rooms have queues, and all that waits is bounded: see `budget`.
//!
//! # The layers
//!
//! A file imports only from layers below its own (`tests/it/layers.rs` sees to that):
//!
//! | layer | modules |
//! |---|---|
//! | 16 | `fuzzing`, only for tests and fuzz targets |
//! | 15 | `daemon` |
//! | 14 | `reload` |
//! | 13 | `config` |
//! | 12 | `server` |
//! | 11 | `answer` |
//! | 10 | `http` |
//! | 9 | `session` |
//! | 8 | `room` |
//! | 7 | `worker`, `socket` |
//! | 6 | `partner`: one end of a session |
//! | 5 | `client`: the other end |
//! | 4 | `framing`, `admission`, `cli`, `backlog`, `stall`, `turn` |
//! | 3 | `message`, `buffers` |
//! | 2 | `budget` |
//! | 1 | `event`, `shutdown` |
//! | 0 | `close`, `limits`, `peer`, `status`, `log`, `sys` |
//!
//! # The vocabulary
//!
//! A *connection* is TCP's, a *request* is HTTP's. A *session* joins a *client*, whatever carries a visitor's messages, and a
//! *partner*, whatever answers them. A *worker* is the process behind a session or a room, a *program* is what it runs. A
//! *message* travels in *frames* to the client, and in *lines* to the worker. The *end* is why a session ended, and a
//! *limit* is in `limits`.

mod admission;
mod answer;
mod backlog;
mod budget;
mod buffers;
mod cli;
mod client;
mod close;
mod config;
mod daemon;
mod event;
mod framing;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod limits;
mod log;
mod message;
mod partner;
mod peer;
mod reload;
mod room;
mod server;
mod session;
mod shutdown;
mod socket;
mod stall;
mod status;
mod sys;
mod turn;
mod worker;

pub use daemon::run;
