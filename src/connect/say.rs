//! Tells the user something on standard error.

use std::io::{Write as _, stderr};

use rustix::{
    stdio,
    termios::{OutputModes, tcgetattr},
};

/// Writes a message as wsd's, and ignores errors: nobody may be reading.
pub(super) fn say(message: &str) {
    let message = format!("wsd: {message}\n");
    let is_raw = tcgetattr(stdio::stderr()).is_ok_and(|modes| !modes.output_modes.contains(OutputModes::OPOST));
    // On a terminal in raw mode (`--pty`) a line feed does not return the carriage, and the cursor may be anywhere.
    let message = if is_raw { format!("\r\n{}", message.replace('\n', "\r\n")) } else { message };
    let _ = stderr().write_all(message.as_bytes());
}
