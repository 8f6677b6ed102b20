//! The client's own end: standard input and output, or a program in their place.

use std::{ffi::OsString, process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy, empty, sink, stdin, stdout},
    process::{Child, Command},
    time::timeout,
};

use super::error::ConnectError;
use crate::{limits::CONNECT_PROGRAM_TERM, status::Status};

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
    pub(super) program: Option<Child>,
}

impl Local {
    /// Opens standard input and output, or starts the program.
    ///
    /// The program has the client's environment, standard error and process group, so that Ctrl-C reaches it, too.
    pub(super) fn open(command: &[OsString]) -> Result<Self, ConnectError> {
        let [name, arguments @ ..] = command else {
            return Ok(Self { from: Box::new(stdin()), to: Box::new(stdout()), program: None });
        };
        let mut started = Command::new(name);
        started.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut program = started.spawn().map_err(|cause| {
            ConnectError::new(format!("cannot start `{}`: {cause}", name.display()))
                .hint("check the spelling of COMMAND, and that it is executable")
        })?;
        let (from, to) = (program.stdout.take().expect("it is piped"), program.stdin.take().expect("it is piped"));
        Ok(Self { from: Box::new(from), to: Box::new(to), program: Some(program) })
    }

    /// Returns an end with nothing in it.
    pub(super) fn none() -> Self {
        Self { from: Box::new(empty()), to: Box::new(sink()), program: None }
    }

    /// Ends the program: closes its standard input, drops what it still prints, and waits. A program that does not end gets
    /// SIGTERM, then SIGKILL. Returns its status; `None` without a program.
    pub(super) async fn end(self, patience: Duration) -> Option<Status> {
        let Self { mut from, to, program } = self;
        drop(to);
        let mut program = program?;
        let mut drain = sink();
        // Its end must not wait for a reader.
        let draining = async {
            let _ = copy(&mut from, &mut drain).await;
            std::future::pending::<()>().await;
        };
        let ending = async {
            if let Ok(status) = timeout(patience, program.wait()).await {
                return status;
            }
            if let Some(pid) = program.id().and_then(|pid| i32::try_from(pid).ok()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
            match timeout(CONNECT_PROGRAM_TERM, program.wait()).await {
                Ok(status) => status,
                Err(_) => program.kill().await.and(program.wait().await),
            }
        };
        let status = tokio::select! {
            status = ending => status,
            () = draining => return None,
        };
        Some(status.map_or(Status::UNKNOWN, status_of))
    }
}

/// Returns a status as wsd has it.
pub(super) fn status_of(status: std::process::ExitStatus) -> Status {
    use std::os::unix::process::ExitStatusExt as _;

    let number = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.code(), status.signal()) {
        (Some(code), _) => Status::Exit(number(code)),
        (None, Some(signal)) => Status::Signal(number(signal)),
        (None, None) => Status::UNKNOWN,
    }
}
