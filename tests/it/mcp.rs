//! `--mcp`: a server on standard input and output, behind Streamable HTTP in both of its forms.

mod auth;
mod client;
mod gate;
mod headers;
mod legacy;
mod limits;
mod modern;
mod programs;
mod returns;
mod revival;
mod routing;
mod seen;
mod settings;
mod subscriptions;
