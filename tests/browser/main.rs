//! Drives the real `wsd` with pages in a real browser: a file a subject, a test a law. Each is skipped without Chromium.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use wsd_harness as harness;

mod auth;
mod away;
mod client;
mod cluster;
mod compression;
mod console;
mod dead_link;
mod demos;
mod fallback;
mod index;
mod looks;
mod lsp;
mod page;
mod picture;
mod polls;
mod resume;
mod servers;
mod status;
mod subprotocol;
mod terminal;
