//! The gateway for MCP (`--mcp`): a server on standard input and output, for clients of Streamable HTTP.
//!
//! The protocol has two eras, and wsd translates neither into the other. *Legacy* clients (up to 2025-11-25) have a
//! [`session`]: a process of its own, to which a client may return. *Modern* clients (from 2026-07-28 on) have none: one
//! [`shared`] process answers all of them. In both, the program sees ids and progress tokens of wsd's own ([`calls`]), and every
//! other byte is the client's ([`message`]). One task runs a process ([`host`]); each HTTP answer reads a [`stream`].
//! The process of the next session may wait already ([`spare`]).
//!
//! Lock order: the seat of the spare, the table of sessions, a session's or the shared state, the input of a [`wire`]. A thread may take each lock while
//! it holds earlier ones, and never while it holds a later one.

mod calls;
mod ending;
pub(crate) mod fault;
pub(crate) mod gateway;
pub(crate) mod headers;
mod host;
pub(crate) mod load;
mod lock;
pub(crate) mod message;
pub(crate) mod meter;
mod part;
pub(crate) mod session;
pub(crate) mod shared;
pub(crate) mod spare;
pub(crate) mod stream;
mod table;
mod telling;
pub(crate) mod terms;
pub(crate) mod tool_headers;
mod wire;
