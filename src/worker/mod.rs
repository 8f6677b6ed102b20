//! A worker: the process behind a session or a room, with its input and its output.

pub(crate) mod account;
pub(crate) mod advice;
pub(crate) mod cgroup;
pub(crate) mod child;
pub(crate) mod command;
pub(crate) mod confinement;
mod descendants;
pub(crate) mod descriptors;
pub(crate) mod environ;
pub(crate) mod failure;
#[cfg(target_os = "linux")]
pub(crate) mod guard;
pub(crate) mod input;
pub(crate) mod names;
mod orphans;
pub(crate) mod output;
pub(crate) mod outputs;
mod pause;
mod pipe;
pub(crate) mod process;
mod procfs;
pub(crate) mod program;
pub(crate) mod reaper;
mod records;
pub(crate) mod script_line;
pub(crate) mod silence;
pub(crate) mod spawn;
mod starter;
pub(crate) mod stdio;
pub(crate) mod stop;
mod streams;
mod tally;
mod terminal;
mod unique_id;
pub(crate) mod variable;

use child::Child;
use input::Input;
use output::{Output, Stderr};
use silence::Silence;

use crate::record::tape::Tape;

/// A running program and wsd's ends of its standard streams.
#[derive(Debug)]
pub(crate) struct Worker {
    /// The process, leader of its process group.
    pub(crate) child: Child,
    /// Its standard input.
    pub(crate) input: Input,
    /// Its standard output.
    pub(crate) output: Output,
    /// Its standard error.
    pub(crate) stderr: Stderr,
    /// The watch for its first output, if it may hold that back.
    pub(crate) silence: Option<Silence>,
    /// Its recording, if there is one.
    pub(crate) tape: Option<Box<Tape>>,
}

impl Worker {
    /// Records the worker, which has just started.
    pub(crate) fn record(&mut self, tape: Tape) {
        self.stderr.record(tape.track());
        self.tape = Some(Box::new(tape));
    }
}
