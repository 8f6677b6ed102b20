//! Finds the program that COMMAND names, or says what is wrong with the name.

use std::{ffi::OsStr, fs, os::unix::fs::PermissionsExt, path::Path};

use super::error::Error;
use crate::{
    cli::{
        mcp::McpWord,
        site::{SharingWord, SiteFlags},
        types::CommandWords,
        value::Flag,
    },
    worker::{
        advice::{self, quoted},
        program::{Program, locate},
        script_line::{LineFault, line_fault},
    },
};

/// Returns the program of COMMAND.
pub(super) fn command(words: &Flag<CommandWords>, flags: &SiteFlags) -> Result<Program, Error> {
    let (name, args) = words.0.split_first().expect("never empty");
    let path = locate(name).ok_or_else(|| refused(words, name, flags).about(words))?;
    Ok(Program::new(path, args.to_vec()))
}

/// Returns the error of a COMMAND that cannot be started: the cause as far as the system tells it.
fn refused(words: &Flag<CommandWords>, name: &OsStr, flags: &SiteFlags) -> Error {
    let (path, shown) = (Path::new(name), name.display());
    let error = |cause: &str, hint| Error::new(format!("cannot start COMMAND `{shown}`: {cause}"), hint);
    let is_path = name.as_encoded_bytes().contains(&b'/');
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let folder = quoted(name);
            let hint = format!("serve its programs with --dir={folder}, or its files with --staticdir={folder}");
            error("it is a folder", hint)
        }
        Ok(metadata) if is_path && metadata.is_file() => {
            let is_for_nobody = metadata.permissions().mode() & 0o111 == 0;
            let cause = if is_for_nobody { "the file is not executable" } else { "this user may not execute it" };
            error(cause, advice::for_refused_program(path))
        }
        Err(cause) if is_path && let Some(hint) = advice::for_error(&cause) => error(&cause.to_string(), hint.into()),
        found => {
            let in_file = words.at.filter(|_| found.is_err()).and_then(|_| hint_in_file(name));
            let hint = in_file
                .or_else(|| hint_for_client(words))
                .or_else(|| hint_for_variable(words))
                .unwrap_or_else(|| hint_for(name, flags));
            Error::new(format!("cannot find COMMAND `{shown}`"), hint)
        }
    }
}

/// Refuses a script whose first line names no interpreter.
pub(super) fn check_first_line(words: &Flag<CommandWords>, program: &Program) -> Result<(), Error> {
    let Some(fault) = line_fault(&program.path) else { return Ok(()) };
    let file = quoted(program.path.as_os_str());
    let (cause, hint) = match fault {
        LineFault::CarriageReturn => (
            "its first line ends with a carriage return".to_owned(),
            format!("save it with the line ends of Unix: sed -i 's/\\r$//' {file}"),
        ),
        LineFault::ByteOrderMark => {
            ("a byte order mark is before its first line".to_owned(), format!("save {file} as UTF-8 without that mark"))
        }
        LineFault::NoMark => (
            "its first line names no interpreter".to_owned(),
            format!("begin {file} with the line #!/bin/sh, or that of another interpreter"),
        ),
        LineFault::NoInterpreter(missing) => (
            format!("its first line names `{}`, which is not an executable file", missing.display()),
            format!("install that interpreter, or correct the first line of {file}"),
        ),
    };
    Err(Error::new(format!("cannot start COMMAND `{}`: {cause}", words.0[0].display()), hint).about(words))
}

/// Returns advice for a `command` of the file, where that of the command line would mislead.
fn hint_in_file(name: &OsStr) -> Option<String> {
    let text = name.to_str()?;
    if text.starts_with('-') {
        return Some("write a flag as a key of its own: `binary = true`".to_owned());
    }
    if text.contains(['=', '|', ';', '&', '<', '>', '$', '*']) {
        return Some(format!("let a shell run it: `command = [\"sh\", \"-c\", {text:?}]`"));
    }
    let words: Vec<_> = text.split_whitespace().collect();
    (words.len() > 1).then(|| format!("write each word apart: `command = {words:?}`"))
}

/// Returns advice for a COMMAND that is nearly the word `connect`, in front of a URL.
fn hint_for_client(words: &Flag<CommandWords>) -> Option<String> {
    let [name, url, ..] = &*words.0 else { return None };
    let scheme = url.to_str()?.split_once(':')?.0;
    let is_url = ["ws", "wss", "http", "https", "unix"].contains(&scheme);
    let is_near = strsim::osa_distance(name.to_str()?, "connect") <= 2;
    (is_url && is_near && words.at.is_none()).then(|| "did you mean `wsd connect`?".to_owned())
}

/// Returns advice for a variable in front of COMMAND, as a shell takes it.
fn hint_for_variable(words: &Flag<CommandWords>) -> Option<String> {
    let [variable, command @ ..] = &*words.0 else { return None };
    let name = variable.to_str()?.split_once('=')?.0;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_meant = is_name && !name.is_empty() && !command.is_empty() && words.at.is_none();
    let rest: Vec<_> = command.iter().map(|word| quoted(word)).collect();
    is_meant.then(|| format!("set a variable with a flag: --env={} {}", quoted(variable), rest.join(" ")))
}

/// Whether `--mcp` has no value of its own, or one that says as much.
fn has_bare_mcp(flags: &SiteFlags) -> bool {
    flags.mcp.switch().is_some_and(|mcp| mcp.value == McpWord::Both)
}

/// Returns advice for a COMMAND that does not exist.
fn hint_for(name: &OsStr, flags: &SiteFlags) -> String {
    let (path, text) = (Path::new(name), name.to_string_lossy());
    let hint = if text.starts_with(['\u{2013}', '\u{2014}']) {
        "write two hyphens in front of a flag: a text program has made a dash of them"
    } else if text.starts_with('-') {
        "write flags before COMMAND"
    } else if name == "path" && flags.rooms.sharing() == SharingWord::All {
        "did you mean --shared=path?"
    } else if ["session", "shared"].contains(&&*text) && has_bare_mcp(flags) {
        return format!("did you mean --mcp={text}?");
    } else if path.is_file() {
        let here = Path::new(".").join(path);
        let is_executable = locate(here.as_os_str()).is_some();
        let more = if is_executable { String::new() } else { format!("; {}", advice::for_refused_program(&here)) };
        return format!("write a file of this folder as {}{more}", quoted(here.as_os_str()));
    } else if text.contains(['=', '|', ';', '&', '<', '>', '$', '*']) {
        return format!("let a shell run it: sh -c {}", quoted(name));
    } else if text.contains(char::is_whitespace) {
        return format!("write the words without quotes: {text}");
    } else if path.is_relative() && text.contains('/') {
        "write an absolute path, or one relative to the folder in which wsd was started"
    } else {
        "name an executable file by its path, or a program that `command -v` finds"
    };
    hint.to_owned()
}
