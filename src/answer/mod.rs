//! The answers to HTTP requests: a module for each kind of answer.

mod ask;
mod base;
mod beneath;
pub(crate) mod builtin;
pub(crate) mod cgi;
mod console;
mod exchange;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod guard;
mod input;
pub(crate) mod launch;
pub(crate) mod lookup;
pub(crate) mod mcp;
mod methods;
mod oneshot;
mod partner;
pub(crate) mod paths;
mod post;
pub(crate) mod redirect;
pub(crate) mod routes;
pub(crate) mod scripts;
pub(crate) mod service;
pub(crate) mod site;
pub(crate) mod sources;
mod streams;
mod subprotocol;
mod texts;
mod ticket;
mod transfer;
mod websocket;
mod welcome;
mod window;
