//! The workers of the benchmark, cheaper than any server: the benchmark's own binary, started again as `worker NAME`.

use std::fs::File;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::fd::AsFd;
use std::process::ExitCode;

use crate::result::Result;
use crate::text::Text;

/// The first argument that makes the binary a worker.
pub(crate) const WORKER: &str = "worker";
/// Answers every line, a number, with so many lines.
pub(crate) const FLOOD: &str = "flood";
/// Like [`FLOOD`], with the lines of a broadcast.
pub(crate) const BROADCAST: &str = "broadcast";
/// Swallows lines; answers `end BYTES` (see [`sink_end`]) with one line, if so many bytes came before it.
pub(crate) const SINK: &str = "sink";
/// Like [`SINK`], and compares every byte.
pub(crate) const SINK_CHECKED: &str = "sink-checked";

/// The line that ends what a sink gets: how many bytes must have come before it, newlines included.
pub(crate) fn sink_end(bytes: u64) -> String {
    format!("end {bytes:020}")
}

/// Length of [`sink_end`] with its newline.
const SINK_END_BYTES: usize = 25;

/// Runs the worker called `name` until its input ends.
pub(crate) fn run(name: &str) -> ExitCode {
    let done = match name {
        FLOOD => flood(&Text::lines()),
        BROADCAST => flood(&Text::broadcast()),
        SINK => sink(),
        SINK_CHECKED => sink_checked(),
        _ => Err(format!("no worker is called `{name}`").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "worker {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn flood(lines: &Text) -> Result<()> {
    let text = lines.with_newlines();
    let mut output = pipe(io::stdout())?;
    for line in io::stdin().lock().lines() {
        let mut bytes = line?.parse::<usize>()? * text.message_bytes();
        while bytes > 0 {
            let length = bytes.min(text.bytes().len());
            output.write_all(&text.bytes()[..length])?;
            bytes -= length;
        }
    }
    Ok(())
}

fn sink() -> Result<()> {
    let text = Text::lines().with_newlines();
    let mut input = pipe(io::stdin())?;
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    let mut last: Vec<u8> = Vec::new();
    loop {
        let length = input.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        total += length as u64;
        last.extend(&buffer[length.saturating_sub(SINK_END_BYTES)..length]);
        last.drain(..last.len().saturating_sub(SINK_END_BYTES));
        if is_end(&last) {
            answer(&text, &last, total - SINK_END_BYTES as u64)?;
            total = 0;
        }
    }
}

fn sink_checked() -> Result<()> {
    let text = Text::lines().with_newlines();
    let mut input = pipe(io::stdin())?;
    let mut buffer = vec![0; 256 << 10];
    let mut all: Vec<u8> = Vec::new();
    loop {
        let length = input.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        all.extend(&buffer[..length]);
        let (lines, last) = all.split_at(all.len().saturating_sub(SINK_END_BYTES));
        if is_end(last) {
            if !text.has(0, lines) {
                return Err("a line arrived changed".into());
            }
            answer(&text, last, lines.len() as u64)?;
            all.clear();
        }
    }
}

/// Whether `last`, the newest bytes of the input, is the line that ends it.
fn is_end(last: &[u8]) -> bool {
    last.len() == SINK_END_BYTES && last.starts_with(b"end ") && last.ends_with(b"\n")
}

/// Sends the first line of `text`, if `bytes` is the number that `end` asks for.
fn answer(text: &Text, end: &[u8], bytes: u64) -> Result<()> {
    if end.trim_ascii_end() != sink_end(bytes).as_bytes() {
        return Err(format!("{bytes} bytes arrived, not what was sent: {}", String::from_utf8_lossy(end)).into());
    }
    Ok(pipe(io::stdout())?.write_all(&text.bytes()[..text.message_bytes()])?)
}

/// A standard stream without the buffer of the standard library.
fn pipe(stream: impl AsFd) -> Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}
