//! Opens the standard streams of a program.

use std::{io, os::fd::OwnedFd};

use super::{
    failure::LaunchError,
    input::Input,
    output::{Output, Stderr},
    stdio::Stdio,
    terminal,
};
use crate::framing::window::WindowSize;

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

/// Opens the streams. Returns wsd's ends, and the program's: standard input, output and error.
pub(super) fn open(how: Stdio) -> Result<(Streams, [OwnedFd; 3]), LaunchError> {
    let (output, child_stdout) = match how {
        Stdio::Pipes => {
            let (stdout, child_stdout) = io::pipe()?;
            (Output::new(stdout.into())?, child_stdout.into())
        }
        Stdio::Unbuffered => {
            let (master, slave) = terminal::open_raw().map_err(LaunchError::Terminal)?;
            (Output::of_terminal(master), slave)
        }
        Stdio::Terminal(size) => return open_terminal(size).map_err(LaunchError::Terminal),
    };
    let (child_stdin, stdin) = io::pipe()?;
    let (stderr, child_stderr) = io::pipe()?;
    let streams = Streams { input: Input::new(stdin.into())?, output, stderr: Stderr::new(stderr.into())? };
    Ok((streams, [child_stdin.into(), child_stdout, child_stderr.into()]))
}

/// Opens one terminal for all three streams.
fn open_terminal(size: WindowSize) -> io::Result<(Streams, [OwnedFd; 3])> {
    let (master, slave) = terminal::open_for_person(size)?;
    let standard = [slave.try_clone()?, slave.try_clone()?, slave.try_clone()?];
    let streams = Streams {
        input: Input::of_terminal(master.clone()),
        output: Output::of_controlling_terminal(master, slave),
        stderr: Stderr::none(),
    };
    Ok((streams, standard))
}
