//! The first line of a script, which names its interpreter.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    os::unix::ffi::OsStrExt,
    path::Path,
};

use super::program::{is_executable, locate};

/// The bytes of a first line that the kernel reads.
const LINE_BYTES_MAX: u64 = 256;

/// Why a script cannot start: a fault of its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LineFault {
    /// It ends with a carriage return, which the kernel takes for a part of the interpreter's name.
    CarriageReturn,
    /// A byte order mark is before it, so that the kernel does not see it.
    ByteOrderMark,
    /// It is a line of a text, without the `#!` that names an interpreter; or the file is empty.
    NoMark,
    /// There is no such executable file.
    NoInterpreter(OsString),
}

/// Returns the fault of the script at `path`; `None` for a script without one, and for any other file.
///
/// `env` looks its argument up in `PATH`; options of `env` are not looked at.
pub(crate) fn line_fault(path: &Path) -> Option<LineFault> {
    let mut front = Vec::new();
    File::open(path).ok()?.take(LINE_BYTES_MAX).read_to_end(&mut front).ok()?;
    if front.starts_with("\u{feff}#!".as_bytes()) {
        return Some(LineFault::ByteOrderMark);
    }
    let Some(rest) = front.strip_prefix(b"#!") else { return is_text(&front).then_some(LineFault::NoMark) };
    let line = rest.split(|byte| *byte == b'\n').next()?;
    let mut words =
        line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).map(OsStr::from_bytes);
    let (interpreter, argument, is_last) = (words.next()?, words.next(), words.next().is_none());
    let missing = if !is_executable(Path::new(interpreter)) {
        interpreter
    } else if Path::new(interpreter).file_name() == Some(OsStr::new("env")) && is_last {
        argument.filter(|name| !is_option(name) && locate(name).is_none())?
    } else {
        return None;
    };
    if line.ends_with(b"\r") && missing.as_bytes().ends_with(b"\r") {
        return Some(LineFault::CarriageReturn);
    }
    Some(LineFault::NoInterpreter(missing.to_owned()))
}

/// Whether the front of a file is text, which may end within a character. Formats of programs have a zero byte.
fn is_text(front: &[u8]) -> bool {
    let is_utf8 = str::from_utf8(front).map_or_else(|error| error.error_len().is_none(), |_| true);
    is_utf8 && !front.contains(&0)
}

/// Whether an argument of `env` is not the name of a program.
fn is_option(argument: &OsStr) -> bool {
    argument.as_bytes().starts_with(b"-") || argument.as_bytes().contains(&b'=')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_first_line_that_names_no_interpreter_is_told_apart() {
        let missing = |name: &str| Some(LineFault::NoInterpreter(name.into()));
        let table = [
            ("#!/bin/sh\necho\r\n", None),
            ("#! \t/bin/sh -e\n", None),
            ("#!/bin/sh", None),
            ("#!/bin/sh\r\n", Some(LineFault::CarriageReturn)),
            // The kernel hands the rest over as one argument.
            ("#!/bin/sh -e\r\n", None),
            ("#!/no/such/interpreter -x\n", missing("/no/such/interpreter")),
            ("#!/tmp\n", missing("/tmp")),
            ("#!/usr/bin/env sh\n", None),
            ("#!/usr/bin/env no-such-program\n", missing("no-such-program")),
            ("#!/usr/bin/env sh\r\n", Some(LineFault::CarriageReturn)),
            ("#!/usr/bin/env -S no-such-program\n", None),
            ("#!/usr/bin/env A=b\n", None),
            ("\u{feff}#!/bin/sh\n", Some(LineFault::ByteOrderMark)),
            ("\u{feff}echo\n", Some(LineFault::NoMark)),
            ("#!\n", None),
            ("echo\r\n", Some(LineFault::NoMark)),
            ("", Some(LineFault::NoMark)),
            ("\x7fELF\x02\x01\x01\0", None),
        ];
        let tree = tempfile::tempdir().expect("a folder");
        let path = tree.path().join("script");
        for (text, want) in table {
            fs::write(&path, text).expect("a file");
            assert_eq!(line_fault(&path), want, "{text:?}");
        }
        assert_eq!(line_fault(&tree.path().join("none")), None);
    }
}
