//! HTTP: a connection, the checks of its requests, and the parts that all answers share.

pub(crate) mod access;
pub(crate) mod auth;
pub(crate) mod cgi_head;
pub(crate) mod connection;
pub(crate) mod cors;
pub(crate) mod forwarded;
pub(crate) mod gate;
pub(crate) mod handshake;
pub(crate) mod headers;
pub(crate) mod listed;
pub(crate) mod origin;
mod pace;
pub(crate) mod page;
mod parts;
pub(crate) mod path;
pub(crate) mod peers;
pub(crate) mod proxies;
pub(crate) mod refusal;
pub(crate) mod sender;
pub(crate) mod source_limits;
pub(crate) mod template;
mod unread;
pub(crate) mod upload;
mod wire;
