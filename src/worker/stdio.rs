//! The standard streams of a program: how wsd connects them.

use std::{io, os::fd::OwnedFd};

use super::{
    input::Input,
    output::{Output, Stderr},
};

/// How a program's standard streams reach wsd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stdio {
    /// By three pipes.
    #[default]
    Pipes,
}

/// wsd's ends of a program's standard streams.
#[derive(Debug)]
pub(super) struct Streams {
    /// To its standard input.
    pub(super) input: Input,
    /// From its standard output.
    pub(super) output: Output,
    /// From its standard error.
    pub(super) stderr: Stderr,
}

impl Stdio {
    /// Opens the streams. Returns wsd's ends, and the program's: standard input, output and error.
    pub(super) fn open(self) -> io::Result<(Streams, [OwnedFd; 3])> {
        match self {
            Self::Pipes => {
                let (child_stdin, stdin) = io::pipe()?;
                let (stdout, child_stdout) = io::pipe()?;
                let (stderr, child_stderr) = io::pipe()?;
                let streams = Streams {
                    input: Input::new(stdin.into())?,
                    output: Output::new(stdout.into())?,
                    stderr: Stderr::new(stderr.into())?,
                };
                Ok((streams, [child_stdin.into(), child_stdout.into(), child_stderr.into()]))
            }
        }
    }
}
