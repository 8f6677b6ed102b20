//! The standard streams of a program: how wsd connects them.

use std::{io, os::fd::OwnedFd};

use super::{
    failure::LaunchError,
    input::Input,
    output::{Output, Stderr},
    terminal,
    variable::Variable,
};
use crate::framing::window::WindowSize;

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
    /// By a terminal of this size, which controls the program (`--pty`).
    Terminal(WindowSize),
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
        let (output, child_stdout) = match self {
            Self::Pipes => {
                let (stdout, child_stdout) = io::pipe()?;
                (Output::new(stdout.into())?, child_stdout.into())
            }
            Self::Unbuffered => {
                let (master, slave) = terminal::open_raw().map_err(LaunchError::Terminal)?;
                (Output::of_terminal(master), slave)
            }
            Self::Terminal(size) => return open_terminal(size).map_err(LaunchError::Terminal),
        };
        let (child_stdin, stdin) = io::pipe()?;
        let (stderr, child_stderr) = io::pipe()?;
        let streams = Streams { input: Input::new(stdin.into())?, output, stderr: Stderr::new(stderr.into())? };
        Ok((streams, [child_stdin.into(), child_stdout, child_stderr.into()]))
    }

    /// Whether the program leads a session whose terminal is its standard input.
    pub(super) fn is_controlling(self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// Adds the variables by which programs know the kind of their terminal, unless the administrator passes them.
    pub(super) fn add_variables(self, environment: &mut Vec<Variable>) {
        let own: &[(&str, &str)] = match self {
            Self::Pipes => &[],
            // No colours and no pager, as through a pipe.
            Self::Unbuffered => &[("TERM", "dumb"), ("NO_COLOR", "1")],
            Self::Terminal(_) => &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
        };
        for (name, value) in own {
            if !environment.iter().any(|known| known.name() == *name) {
                environment.push(Variable::new(name, value));
            }
        }
    }
}

/// Opens one terminal for all three streams.
fn open_terminal(size: WindowSize) -> io::Result<(Streams, [OwnedFd; 3])> {
    let (master, slave) = terminal::open_for_person(size)?;
    let standard = [slave.try_clone()?, slave.try_clone()?, slave];
    let streams = Streams {
        input: Input::of_terminal(master.clone()),
        output: Output::of_terminal(master),
        stderr: Stderr::none(),
    };
    Ok((streams, standard))
}
