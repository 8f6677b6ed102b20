//! wsd turns any program that reads standard input and writes standard output into a WebSocket service.
//!
//! # The way of a message
//!
//! ```text
//! client ─TCP/TLS→ server → http::connection → answer::service: http::gate, then the list of answers
//!                                                                   │ answer::websocket, answer::streams
//!                       (answer::partner starts the program or joins a room, then 101)
//!                        session::run(client, partner)              ▼
//!   client: socket (a WebSocket)            partner: worker::process (its own) · room::member (a seat in a room)
//!   client ──message→ session::carry ──message→ partner ──framing→ stdin
//!   client ←message── session::carry ←message── partner ←framing── stdout
//!                     session::end::End → close, log; worker::stop ends the process group
//! ```
//!
//! A client that may return (`--resume`, `--http`) is a `resume::client` around a link, or around none while it is away: a
//! socket, or an event stream (`events`), whose client sends by POST (`resume::mailbox`).
//!
//! A room of several machines (`--bus`) has its worker on one of them: `room::keeper` owns it there and shows it elsewhere, by
//! streams and channels of Redis (`bus`).
//!
//! A client of MCP (`--mcp`) has no session in this sense: `answer::mcp` hands its messages to `mcp`, see there.
//!
//! Between the two nothing is queued: see `backlog`. Only rooms and clients that may return have queues, and all that waits is bounded: see `budget`.
//!
//! # The layers
//!
//! A file imports only from layers below its own (`tests/it/layers.rs` sees to that):
//!
//! | layer | modules |
//! |---|---|
//! | 17 | `fuzzing`, only for tests and fuzz targets |
//! | 16 | `daemon` |
//! | 15 | `connect`: the client, `wsd connect`; `replay`: `wsd replay` |
//! | 14 | `reload` |
//! | 13 | `config` |
//! | 12 | `server` |
//! | 11 | `answer` |
//! | 10 | `http` |
//! | 9 | `session` |
//! | 8 | `room`, `resume`, `mcp` |
//! | 7 | `worker`, `socket`, `events` |
//! | 6 | `partner`: one end of a session |
//! | 5 | `client`: the other end; `record`: what a program gets and gives; `bus`: the rooms of other machines |
//! | 4 | `framing`, `admission`, `cli`, `backlog`, `stall`, `turn` |
//! | 3 | `message`, `buffers` |
//! | 2 | `budget`, `sources`, `deflate` |
//! | 1 | `event`, `shutdown`, and below them `metrics` |
//! | 0 | `close`, `limits`, `peer`, `rate`, `status`, `log`, `sys`, `trace` |
//!
//! `socket` has two halves: the streams of connections (`socket::stream`: TCP, a Unix socket, TLS), which `server` opens and
//! `http` reads, and the WebSocket on such a stream.
//!
//! # Where to add
//!
//! A capability is a file of its own, and a few lines in the files of this table:
//!
//! | to add | start in | and then |
//! |---|---|---|
//! | a flag | `cli::site` (a route may set it) or `cli::server` | use it in `config::site` or `config` |
//! | a framing | a file in `framing` | `Framing`, `Encoder` and `Decoder` in `framing`, the word in `cli::site`, its use in `config::framing` |
//! | a kind of answer | a file in `answer` | a line of the list in `answer::service` |
//! | a page of wsd's own | `answer::builtin` | its switch in `OwnPages`, which `config::site` fills |
//! | another transport for clients | a module beside `socket`: an implementation of `client::Client`, or a variant of `resume::link` | a kind of answer that takes its partner from `answer::partner`; `aim` in `answer::service` |
//! | another partner than a process or a seat | a module that implements `partner::Partner` | the choice in `answer::partner` |
//! | a log event | `event` | a row in `docs/log.md` |
//! | a format of the log | `log::layout` | its word in `cli::server`, its use in `config::logging` |
//! | the status page | `metrics::snapshot` | `answer::status` decides who sees it |
//! | metrics | `metrics::counts`, or `metrics::present` for the sessions and rooms that there are now | `event::counting` if an event counts it; a row in `docs/metrics.md` |
//! | authentication | a file in `http::auth` for each kind | a line of `Check` in `http::auth`, its word in `config::auth`; `http::gate` asks them all, and fills the `Visitor` |
//! | delivery in rooms | `room`: `Room::publish`, which all messages to clients pass | `room::hub`, `room::options` |
//! | a fact that a trusted proxy tells | `http::forwarded` reads it | `http::proxies` decides whether it counts; the `Connection` of each request has it |
//! | limits by source | `sources`, the table of all sources | `http::source_limits` asks it for the gate, with the `peer` of the client's connection |
//! | limits of a session | `session::terms` | `SessionLimits`, which `config::limits` fills |
//! | a bus between rooms of several machines | `bus::scripts`, `bus::place` | `room::far`, which is both sides of a room, `room::keeper`, which runs it |
//! | how a program's streams are connected | `worker::stdio`, `worker::streams` | `config::terminal` chooses it |
//! | a bound for programs | `cli::confine` | `config::confine` checks it, `worker::confinement` makes it, `sys::image` applies it in the child |
//! | what a recording has | `record::format` | its use in `replay`, which reads it |
//! | a rule of MCP for messages of clients | `answer::mcp::post`, in the order of the checks | `mcp::headers` for the headers of modern requests |
//! | a way for messages of MCP servers | `mcp::session::answers` (legacy), `mcp::shared::answers` (modern) | a row of `docs/mcp.md` |
//! | metrics of MCP | `metrics::mcp`, by which `mcp::meter` counts each request | no client may add a name; rows in `docs/metrics.md` and `docs/status.md` |
//! | `mcpServers` of other clients | `config::mcp_servers`: each entry as the text of a route | `docs/configuration.md` |
//! | the lines to paste into clients of MCP | `answer::servers` lists the servers | the table of clients in `docs/mcp.md` |
//! | a limit | `limits` | count bytes with a `Share` of `budget` |
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
mod bus;
mod cli;
mod client;
mod close;
mod config;
mod connect;
mod daemon;
mod deflate;
mod event;
mod events;
mod framing;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod limits;
mod log;
mod mcp;
mod message;
mod metrics;
mod partner;
mod peer;
mod rate;
mod record;
mod reload;
mod replay;
mod resume;
mod room;
mod server;
mod session;
mod shutdown;
mod socket;
mod sources;
mod stall;
mod status;
mod sys;
mod trace;
mod turn;
mod worker;

pub use daemon::run;
