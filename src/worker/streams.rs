//! Opens the standard streams of a program.

use std::{io, os::fd::OwnedFd};

use super::{
    failure::LaunchError,
    input::Input,
    output::{Output, Stderr},
    stdio::Stdio,
    terminal::{self, Master},
};
use crate::framing::window::WindowSize;

/// wsd's ends of a program's standard streams, which the event loop watches.
#[derive(Debug)]
pub(super) struct Streams {
    /// To its standard input.
    pub(super) input: Input,
    /// From its standard output.
    pub(super) output: Output,
    /// From its standard error.
    pub(super) stderr: Stderr,
}

/// wsd's ends, before the event loop watches them.
///
/// The event loop must begin that on the thread that reads them: on another thread, each stream that is ready would wake it.
#[derive(Debug)]
pub(super) enum Ends {
    /// To standard input, and from standard output and standard error.
    Pipes([OwnedFd; 3]),
    /// Likewise; standard output is a terminal.
    Unbuffered([OwnedFd; 3]),
    /// wsd's end of the terminal for all three, and a copy of the program's end.
    Terminal(OwnedFd, OwnedFd),
}

impl Ends {
    /// Has the event loop watch them. Needs a tokio runtime.
    pub(super) fn watch(self) -> Result<Streams, LaunchError> {
        let (input, output, stderr) = match self {
            Self::Pipes([input, output, stderr]) => (input, Output::new(output)?, stderr),
            Self::Unbuffered([input, master, stderr]) => {
                let master = Master::register(master).map_err(LaunchError::Terminal)?;
                (input, Output::of_terminal(master), stderr)
            }
            Self::Terminal(master, slave) => {
                let master = Master::register(master).map_err(LaunchError::Terminal)?;
                return Ok(Streams {
                    input: Input::of_terminal(master.clone()),
                    output: Output::of_controlling_terminal(master, slave),
                    stderr: Stderr::none(),
                });
            }
        };
        Ok(Streams { input: Input::new(input)?, output, stderr: Stderr::new(stderr)? })
    }
}

/// Opens the streams. Returns wsd's ends, and the program's: standard input, output and error.
pub(super) fn open(how: Stdio) -> Result<(Ends, [OwnedFd; 3]), LaunchError> {
    let (output, child_stdout) = match how {
        Stdio::Pipes => {
            let (stdout, child_stdout) = io::pipe()?;
            (stdout.into(), child_stdout.into())
        }
        Stdio::Unbuffered => terminal::open_raw().map_err(LaunchError::Terminal)?,
        Stdio::Terminal(size) => return open_terminal(size).map_err(LaunchError::Terminal),
    };
    let (child_stdin, stdin) = io::pipe()?;
    let (stderr, child_stderr) = io::pipe()?;
    let ends = [stdin.into(), output, stderr.into()];
    let ends = if how == Stdio::Pipes { Ends::Pipes(ends) } else { Ends::Unbuffered(ends) };
    Ok((ends, [child_stdin.into(), child_stdout, child_stderr.into()]))
}

/// Opens one terminal for all three streams.
fn open_terminal(size: WindowSize) -> io::Result<(Ends, [OwnedFd; 3])> {
    let (master, slave) = terminal::open_for_person(size)?;
    let standard = [slave.try_clone()?, slave.try_clone()?, slave.try_clone()?];
    Ok((Ends::Terminal(master, slave), standard))
}
