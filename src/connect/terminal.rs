//! The terminal that standard input is (`--pty`): raw mode, and its size.

use std::io;

use rustix::{
    stdio::stdin,
    termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr},
};

use super::error::ConnectError;
use crate::framing::window::WindowSize;

/// Raw mode of the terminal; dropping it restores the mode before.
#[derive(Debug)]
pub(super) struct RawMode(Termios);

impl RawMode {
    /// Makes every key one of the server's.
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Fails if the terminal is gone.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

/// Fails unless standard input is a terminal.
pub(super) fn check() -> Result<(), ConnectError> {
    if isatty(stdin()) {
        return Ok(());
    }
    let error = ConnectError::new("cannot use --pty: standard input is no terminal");
    Err(error.hint("run it in a terminal, or leave --pty out"))
}

/// Returns the size of the terminal.
pub(super) fn size() -> WindowSize {
    let size = tcgetwinsize(stdin()).ok();
    size.and_then(|size| WindowSize::new(size.ws_col, size.ws_row)).unwrap_or(WindowSize::DEFAULT)
}
