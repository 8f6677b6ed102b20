//! `--mcp`: a server on standard input and output, behind Streamable HTTP in both of its forms.

mod auth;
pub(crate) mod client;
mod gate;
mod headers;
mod legacy;
mod limits;
mod metrics;
mod modern;
mod programs;
mod returns;
mod revival;
mod routing;
mod seen;
mod settings;
mod spare;
mod subscriptions;
#[cfg(target_os = "linux")]
mod visits;
