//! HTTP: one connection, who may ask, and what all answers have in common.

pub(crate) mod connection;
mod fetch;
pub(crate) mod gate;
pub(crate) mod handshake;
pub(crate) mod headers;
pub(crate) mod origin;
mod pace;
pub(crate) mod page;
pub(crate) mod path;
pub(crate) mod refusal;
