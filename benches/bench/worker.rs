//! The workers of the benchmark, cheaper than any server: the benchmark's own binary, started again as `worker NAME`.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::framing::Framing;
use crate::result::Result;
use crate::text::Text;

/// The first argument that makes the binary a worker.
pub(crate) const WORKER: &str = "worker";
/// Answers every line, a number, with so many lines.
pub(crate) const FLOOD: &str = "flood";
/// Like [`FLOOD`], with the lines of a broadcast.
pub(crate) const BROADCAST: &str = "broadcast";
/// Like [`FLOOD`], with lines of JSON.
pub(crate) const PROGRESS: &str = "progress";
/// Like [`FLOOD`], with messages of ten such lines.
pub(crate) const REPORTS: &str = "reports";
/// Answers a line, a number, takes so many lines of a broadcast, in whichever order, and answers once more.
pub(crate) const TALLY: &str = "tally";
/// Like [`TALLY`], and looks at every byte.
pub(crate) const TALLY_CHECKED: &str = "tally-checked";
/// A server of MCP with a tool that returns its argument.
pub(crate) const TOOLS: &str = "tools";
/// Swallows messages; answers `end BYTES` (see [`sink_end`]) with one message, if so many bytes came before it.
pub(crate) const SINK: &str = "sink";
/// Like [`SINK`], and compares every byte.
pub(crate) const SINK_CHECKED: &str = "sink-checked";

/// Returns the name of a worker of messages of [`FRAMED_BYTES`](crate::text::FRAMED_BYTES) in a framing.
pub(crate) fn framed(name: &str, framing: Framing) -> String {
    format!("{name}:{}", framing.name())
}

/// The message that ends what a sink gets: how many bytes must have come before it, those of the framing included.
pub(crate) fn sink_end(bytes: u64) -> String {
    format!("end {bytes:020}")
}

/// Runs the worker called `name` until its input ends.
pub(crate) fn run(name: &str) -> ExitCode {
    match work(name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "worker {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work(name: &str) -> Result<()> {
    let (kind, framing, text) = match name.split_once(':') {
        Some((kind, framing)) => (kind, Framing::of(framing)?, Text::framed()),
        None => (name, Framing::Lines, Text::lines()),
    };
    match kind {
        FLOOD => flood(framing, &text),
        BROADCAST => flood(framing, &Text::broadcast()),
        PROGRESS => flood(framing, &Text::progress()),
        REPORTS => flood(framing, &Text::reports()),
        TALLY => tally(&Text::broadcast(), false),
        TALLY_CHECKED => tally(&Text::broadcast(), true),
        TOOLS => tools(),
        SINK => sink(framing, &text),
        SINK_CHECKED => sink_checked(framing, &text),
        _ => Err(format!("no worker is called `{name}`").into()),
    }
}

fn flood(framing: Framing, text: &Text) -> Result<()> {
    let text = text.encoded(framing);
    let (mut input, mut output) = (io::stdin().lock(), pipe(io::stdout())?);
    while let Some(request) = framing.read(&mut input)? {
        let mut bytes = String::from_utf8(request)?.parse::<usize>()? * text.message_bytes();
        while bytes > 0 {
            let length = bytes.min(text.bytes().len());
            output.write_all(&text.bytes()[..length])?;
            bytes -= length;
        }
    }
    Ok(())
}

fn tally(text: &Text, is_checked: bool) -> Result<()> {
    let lines = text.with_newlines();
    let answer = |number: usize| &lines.bytes()[number * lines.message_bytes()..][..lines.message_bytes()];
    let (mut input, mut output) = (BufReader::with_capacity(256 << 10, pipe(io::stdin())?), pipe(io::stdout())?);
    let (mut request, mut line) = (String::new(), vec![0; lines.message_bytes()]);
    while input.read_line(&mut request)? > 0 {
        let count: u64 = request.trim_end().parse()?;
        output.write_all(answer(0))?;
        let mut left = count * line.len() as u64;
        while left > 0 {
            let length = if is_checked {
                input.read_exact(&mut line)?;
                let number: u64 = String::from_utf8_lossy(&line).split('-').next().unwrap_or_default().parse()?;
                if !lines.has(number * line.len() as u64, &line) {
                    return Err(format!("not a line: {}", String::from_utf8_lossy(&line)).into());
                }
                line.len()
            } else {
                let length = input.fill_buf()?.len();
                input.consume(length);
                length
            };
            left = left.checked_sub(length as u64).filter(|_| length > 0).ok_or("not the lines that were expected")?;
        }
        output.write_all(answer(1))?;
        request.clear();
    }
    Ok(())
}

fn tools() -> Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let (id, params) = (&request["id"], &request["params"]);
        if id.is_null() {
            continue;
        }
        let result = match request["method"].as_str().unwrap_or_default() {
            "initialize" => {
                let info = json!({ "name": "bench", "version": "1" });
                let version = &params["protocolVersion"];
                json!({ "protocolVersion": version, "capabilities": { "tools": {} }, "serverInfo": info })
            }
            "tools/list" => {
                let schema = json!({ "type": "object", "properties": { "text": { "type": "string" } } });
                json!({ "tools": [{ "name": "echo", "inputSchema": schema }] })
            }
            "tools/call" => json!({ "content": [{ "type": "text", "text": params["arguments"]["text"] }] }),
            "ping" => json!({}),
            _ => {
                let error = json!({ "code": -32601, "message": "no such method" });
                writeln!(output, "{}", json!({ "jsonrpc": "2.0", "id": id, "error": error }))?;
                continue;
            }
        };
        writeln!(output, "{}", json!({ "jsonrpc": "2.0", "id": id, "result": result }))?;
    }
    Ok(())
}

fn sink(framing: Framing, text: &Text) -> Result<()> {
    let (text, end_bytes) = (text.encoded(framing), framing.encode(sink_end(0).as_bytes()).len());
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
        last.extend(&buffer[length.saturating_sub(end_bytes)..length]);
        last.drain(..last.len().saturating_sub(end_bytes));
        if is_end(framing, end_bytes, &last) {
            answer(framing, &text, &last, total - end_bytes as u64)?;
            total = 0;
        }
    }
}

fn sink_checked(framing: Framing, text: &Text) -> Result<()> {
    let (text, end_bytes) = (text.encoded(framing), framing.encode(sink_end(0).as_bytes()).len());
    let mut input = pipe(io::stdin())?;
    let mut buffer = vec![0; 256 << 10];
    let mut all: Vec<u8> = Vec::new();
    loop {
        let length = input.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        all.extend(&buffer[..length]);
        let (messages, last) = all.split_at(all.len().saturating_sub(end_bytes));
        if is_end(framing, end_bytes, last) {
            if !text.has(0, messages) {
                return Err("a message arrived changed".into());
            }
            answer(framing, &text, last, messages.len() as u64)?;
            all.clear();
        }
    }
}

/// Whether `last`, the newest bytes of the input, is the message that ends it.
fn is_end(framing: Framing, end_bytes: usize, last: &[u8]) -> bool {
    last.len() == end_bytes && last[framing.head_bytes()..].starts_with(b"end ")
}

/// Sends the first message of `text`, if `bytes` is the number that `end` asks for.
fn answer(framing: Framing, text: &Text, end: &[u8], bytes: u64) -> Result<()> {
    if end != framing.encode(sink_end(bytes).as_bytes()) {
        return Err(format!("{bytes} bytes arrived, not what was sent: {}", String::from_utf8_lossy(end)).into());
    }
    Ok(pipe(io::stdout())?.write_all(&text.bytes()[..text.message_bytes()])?)
}

/// A standard stream without the buffer of the standard library.
fn pipe(stream: impl AsFd) -> Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}
