//! The client's own end: standard input and output, or a program in their place.

use std::{
    ffi::OsString,
    io,
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, copy, empty, sink, stdin, stdout},
    process::{ChildStdin, ChildStdout},
};

use super::error::ConnectError;
use crate::{limits::CONNECT_PROGRAM_TERM, status::Status, worker::command::CommandProcess};

/// The bytes for the server.
pub(super) type FromHere = Box<dyn AsyncRead + Send + Unpin>;
/// The bytes of the server.
pub(super) type ToHere = Box<dyn AsyncWrite + Send + Unpin>;

/// The streams of the client's end, and the program if it has one.
pub(super) struct Local {
    /// Standard input, or the program's standard output.
    pub(super) from: FromHere,
    /// Standard output, or the program's standard input.
    pub(super) to: ToHere,
    /// The program.
    pub(super) program: Option<CommandProcess>,
}

impl Local {
    /// Opens standard input and output, or starts the program.
    ///
    /// The program has the client's environment, standard error and process group, so that Ctrl-C reaches it, too.
    pub(super) fn open(command: &[OsString]) -> Result<Self, ConnectError> {
        let [name, arguments @ ..] = command else {
            return Ok(Self { from: Box::new(stdin()), to: Box::new(stdout()), program: None });
        };
        let mut command = Command::new(name);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self::start(command).map_err(|cause| {
            ConnectError::new(format!("cannot start `{}`: {cause}", name.display()))
                .hint("check the spelling of COMMAND, and that it is executable")
        })
    }

    fn start(command: Command) -> io::Result<Self> {
        let (program, mut streams) = CommandProcess::start(command)?;
        let from = ChildStdout::from_std(streams.stdout.take().expect("it is piped"))?;
        let to = ChildStdin::from_std(streams.stdin.take().expect("it is piped"))?;
        Ok(Self { from: Box::new(from), to: Box::new(to), program: Some(program) })
    }

    /// Returns an end with nothing in it.
    pub(super) fn none() -> Self {
        Self { from: Box::new(empty()), to: Box::new(sink()), program: None }
    }

    /// Ends the program: closes its standard input, drops what it still prints, and waits. A program that does not end gets
    /// SIGTERM, then SIGKILL, and so do all processes that it has started. Returns its status; `None` without a program.
    pub(super) async fn end(self, patience: Duration) -> Option<Status> {
        let Self { mut from, to, program } = self;
        let mut program = program?;
        program.remember();
        drop(to);
        let mut drain = sink();
        // Its end must not wait for a reader.
        let draining = async {
            let _ = copy(&mut from, &mut drain).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            status = program.end(patience, CONNECT_PROGRAM_TERM) => Some(status),
            () = draining => None,
        }
    }
}
