//! Why a program could not be started: what the log and the client are told.

use std::{fmt, io, path::Path};

use rustix::io::Errno;

use super::{
    advice,
    confinement::Confinement,
    script_line::{LineFault, line_fault},
};

/// Why a program could not be started.
#[derive(Debug)]
pub(crate) enum LaunchError {
    /// The system refused the process or its pipes.
    Process(io::Error),
    /// The system refused a pseudo-terminal.
    Terminal(io::Error),
}

impl From<io::Error> for LaunchError {
    fn from(cause: io::Error) -> Self {
        Self::Process(cause)
    }
}

impl LaunchError {
    /// Whether the system lacks processes, memory, descriptors or pseudo-terminals, so that it may work later.
    pub(crate) fn is_shortage(&self) -> bool {
        let shortages = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
        matches!(self, Self::Terminal(_)) || shortages.into_iter().any(|errno| self.is(errno))
    }

    fn is(&self, errno: Errno) -> bool {
        let (Self::Process(cause) | Self::Terminal(cause)) = self;
        cause.raw_os_error() == Some(errno.raw_os_error())
    }

    /// Returns advice for the user about the program at `path`, if there is any.
    pub(crate) fn hint(&self, path: &Path, confinement: Option<&Confinement>) -> Option<String> {
        if self.is(Errno::MFILE) || self.is(Errno::NFILE) {
            return Some("raise the limit of open files: ulimit -n".to_owned());
        }
        match self {
            // `devpts` has no free number; POSIX calls that EAGAIN.
            Self::Terminal(_) if self.is(Errno::NOSPC) || self.is(Errno::AGAIN) => {
                Some("raise the limit of pseudo-terminals: sysctl kernel.pty.max".to_owned())
            }
            Self::Terminal(_) => Some("check that /dev/ptmx and /dev/pts are there".to_owned()),
            Self::Process(cause) => confinement
                .and_then(|confinement| self.hint_for_confined(path, confinement))
                .or_else(|| self.hint_for_process(cause, path)),
        }
    }

    /// Returns advice for a program whose user or whose limits may be the cause.
    fn hint_for_confined(&self, path: &Path, confinement: &Confinement) -> Option<String> {
        if self.is(Errno::AGAIN) && confinement.limits.processes.is_some() {
            return Some("raise `processes` of --limit: it counts all processes of the user".to_owned());
        }
        let account = confinement
            .account
            .as_ref()
            .filter(|_| self.is(Errno::ACCESS) && matches!(line_fault(path), None | Some(LineFault::NoMark)))?;
        let (file, user) = (path.display(), &account.name);
        Some(format!("check owner and mode of {file} and of the folders above it: it runs as the user {user}"))
    }

    fn hint_for_process(&self, cause: &io::Error, path: &Path) -> Option<String> {
        let (file, is_refused) = (path.display(), self.is(Errno::ACCESS));
        if is_refused || cause.kind() == io::ErrorKind::NotFound {
            return Some(match line_fault(path) {
                Some(LineFault::CarriageReturn) => {
                    format!(
                        "remove the carriage return at the end of the first line of {file}; an editor for Windows wrote it"
                    )
                }
                Some(LineFault::NoInterpreter(name)) => {
                    format!("install {}, which the first line of {file} names, or correct that line", name.display())
                }
                _ if is_refused => advice::for_refused_program(path),
                _ => format!("check that {file} exists, and the interpreter that its first line names"),
            });
        }
        self.is(Errno::NOEXEC).then(|| match line_fault(path) {
            Some(LineFault::ByteOrderMark) => format!("save {file} without a byte order mark: begin it with #!"),
            _ => format!("begin {file} with a line such as #!/bin/sh"),
        })
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(cause) => cause.fmt(f),
            Self::Terminal(cause) => write!(f, "cannot open a pseudo-terminal: {cause}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_cannot_be_had_is_a_shortage_whatever_the_reason() {
        let table = [
            (Errno::AGAIN, "kernel.pty.max"),
            (Errno::NOSPC, "kernel.pty.max"),
            (Errno::MFILE, "ulimit"),
            (Errno::NOENT, "/dev/ptmx"),
            (Errno::ACCESS, "/dev/ptmx"),
            (Errno::IO, "/dev/ptmx"),
        ];
        for (errno, hint) in table {
            let error = LaunchError::Terminal(errno.into());

            assert!(error.is_shortage(), "{error}");
            assert!(error.hint(Path::new("/bin/cat"), None).is_some_and(|given| given.contains(hint)), "{error}");
            assert!(error.to_string().starts_with("cannot open a pseudo-terminal: "), "{error}");
        }
    }
}
