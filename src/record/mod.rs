//! Recordings (`--record`): what a program gets and gives, one file for each session or room.
//!
//! The event loop only appends lines to a [`track`]; a thread of its own writes them ([`writer`]). A recording that its file cannot
//! take is cut, and the session goes on.
//!
//! Lock order: a track's lines, then the writer's queue.

mod file;
pub(crate) mod format;
mod lines;
pub(crate) mod options;
pub(crate) mod tape;
pub(crate) mod track;
pub(crate) mod writer;
