//! `wsd connect`, for tests.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;

use rustix::process::Pid;

use crate::lines::Lines;
use crate::server::{Outcome, wsd};
use crate::{DEADLINE, within};

/// A running `wsd connect`.
pub struct Caller {
    /// The process.
    pub child: Child,
    /// Its standard input.
    pub input: Option<ChildStdin>,
    /// Its standard output.
    pub output: Option<ChildStdout>,
    /// The lines of its standard error.
    pub errors: Arc<Lines>,
}

impl Caller {
    /// Starts it with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::spawn(wsd(&[&["connect"], arguments].concat()))
    }

    /// Starts a command without the proxy of the environment, unless it sets one.
    pub fn spawn(mut command: Command) -> Self {
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            if command.get_envs().all(|(known, _)| known != name) {
                command.env_remove(name).env_remove(name.to_uppercase());
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let errors = Lines::of(child.stderr.take().unwrap());
        Self { input: child.stdin.take(), output: child.stdout.take(), child, errors }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Writes to its standard input.
    pub fn types(&mut self, text: &str) {
        self.input.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Reads its standard output up to the end of this text.
    pub fn sees(&mut self, text: &str) {
        let mut seen = vec![0; text.len()];
        self.output.as_mut().unwrap().read_exact(&mut seen).unwrap();
        assert_eq!(String::from_utf8_lossy(&seen), text);
    }

    /// Writes `input` and ends it, then waits for the end. Returns all output, too.
    pub fn finish(mut self, input: &[u8]) -> Outcome {
        let (mut pipe, input) = (self.input.take(), input.to_vec());
        let writer = thread::spawn(move || {
            // Fails if the client has ended: then it has told why.
            let _ = pipe.as_mut().map(|pipe| pipe.write_all(&input));
        });
        let output = Lines::of(self.output.take().unwrap());
        let status = within(DEADLINE, || self.child.try_wait().unwrap());
        if status.is_none() {
            self.child.kill().unwrap();
            panic!("it did not end\nstdout:\n{}stderr:\n{}", output.text(), self.errors.text());
        }
        writer.join().unwrap();
        Outcome {
            status: status.and_then(|status| status.code()),
            stdout: output.wait_for_end(),
            stderr: self.errors.wait_for_end(),
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
