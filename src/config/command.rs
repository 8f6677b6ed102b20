//! Finds the program that COMMAND names, or says what is wrong with the name.

use std::{ffi::OsStr, path::Path};

use super::error::Error;
use crate::{
    cli::{site::SharingWord, types::CommandWords, value::Flag},
    worker::{
        program::{Program, locate},
        script_line::{LineFault, line_fault},
    },
};

/// Returns the program of COMMAND.
pub(super) fn command(words: &Flag<CommandWords>, sharing: SharingWord) -> Result<Program, Error> {
    let (name, args) = words.0.split_first().expect("never empty");
    let path = locate(name).ok_or_else(|| {
        let shown = name.display();
        if Path::new(name).is_file() && name.as_encoded_bytes().contains(&b'/') {
            let message = format!("cannot start COMMAND `{shown}`: the file is not executable");
            return Error::new(message, format!("make it executable: chmod +x {shown}")).about(words);
        }
        let hint = words.at.and_then(|_| hint_in_file(name)).unwrap_or_else(|| hint_for(name, sharing));
        Error::new(format!("cannot find COMMAND `{shown}`"), hint).about(words)
    })?;
    Ok(Program::new(path, args.to_vec()))
}

/// Refuses a script whose first line names no interpreter.
pub(super) fn check_first_line(words: &Flag<CommandWords>, program: &Program) -> Result<(), Error> {
    let Some(fault) = line_fault(&program.path) else { return Ok(()) };
    let file = program.path.display();
    let (cause, hint) = match fault {
        LineFault::CarriageReturn => (
            "its first line ends with a carriage return".to_owned(),
            format!("save it with the line ends of Unix: sed -i 's/\\r$//' {file}"),
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

/// Returns advice for a COMMAND that does not exist.
fn hint_for(name: &OsStr, sharing: SharingWord) -> String {
    let (path, text) = (Path::new(name), name.to_string_lossy());
    let hint = if text.starts_with(['\u{2013}', '\u{2014}']) {
        "write two hyphens in front of a flag: a text program has made a dash of them"
    } else if text.starts_with('-') {
        "write flags before COMMAND"
    } else if name == "path" && sharing == SharingWord::All {
        "did you mean --shared=path?"
    } else if path.is_dir() {
        "add --dir= to serve the programs in this folder, or --staticdir= to serve its files"
    } else if path.is_file() {
        return format!("write a file of this folder as ./{text}; it must be executable: chmod +x {text}");
    } else if text.contains(['=', '|', ';', '&', '<', '>', '$', '*']) {
        return format!("let a shell run it: sh -c '{text}'");
    } else if text.contains(char::is_whitespace) {
        return format!("write the words without quotes: {text}");
    } else if path.is_relative() && text.contains('/') {
        "write an absolute path, or one relative to the folder in which wsd was started"
    } else {
        "name an executable file by its path, or a program that `command -v` finds"
    };
    hint.to_owned()
}
