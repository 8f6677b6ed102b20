//! The standard streams of a program: how wsd connects them.

use std::{io, os::fd::OwnedFd};

use super::{
    failure::LaunchError,
    input::Input,
    output::{Output, Stderr},
    terminal,
    variable::Variable,
};

/// How a program's standard streams reach wsd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stdio {
    /// By three pipes.
    #[default]
    Pipes,
    /// Standard output by a pseudo-terminal in raw mode, the others by pipes (`--unbuffer`).
    ///
    /// The C library and most languages send each line to a terminal at once. The terminal controls no process, so that it
    /// sends no signals.
    Unbuffered,
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
    pub(super) fn open(self) -> Result<(Streams, [OwnedFd; 3]), LaunchError> {
        let (child_stdin, stdin) = io::pipe()?;
        let (output, child_stdout) = match self {
            Self::Pipes => {
                let (stdout, child_stdout) = io::pipe()?;
                (Output::new(stdout.into())?, child_stdout.into())
            }
            Self::Unbuffered => {
                let (master, slave) = terminal::open_raw().map_err(LaunchError::Terminal)?;
                (Output::of_terminal(master)?, slave)
            }
        };
        let (stderr, child_stderr) = io::pipe()?;
        let streams = Streams { input: Input::new(stdin.into())?, output, stderr: Stderr::new(stderr.into())? };
        Ok((streams, [child_stdin.into(), child_stdout, child_stderr.into()]))
    }

    /// Adds the variables by which programs know the kind of their terminal, unless the administrator passes them.
    pub(super) fn add_variables(self, environment: &mut Vec<Variable>) {
        let own: &[(&str, &str)] = match self {
            Self::Pipes => &[],
            // No colours and no pager, as through a pipe.
            Self::Unbuffered => &[("TERM", "dumb"), ("NO_COLOR", "1")],
        };
        for (name, value) in own {
            if !environment.iter().any(|known| known.name() == *name) {
                environment.push(Variable::new(name, value));
            }
        }
    }
}
