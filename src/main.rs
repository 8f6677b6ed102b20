//! The `wsd` command: hands its arguments to [`wsd::run`] and returns the exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    wsd::run(std::env::args_os())
}
