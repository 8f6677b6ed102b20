//! A worker: the process behind a session or a room, with its input and its output.

pub(crate) mod child;
pub(crate) mod descriptors;
pub(crate) mod environ;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod outputs;
mod pipe;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod spawn;
pub(crate) mod stdio;
pub(crate) mod stop;
pub(crate) mod variable;

use child::Child;
use input::Input;
use output::{Output, Stderr};

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
}
