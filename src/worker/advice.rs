//! Advice that several modules give: for errors of the system, and for words of a shell.

use std::{borrow::Cow, ffi::OsStr, fs, io, os::unix::fs::PermissionsExt, path::Path};

use rustix::{io::Errno, process::geteuid};

/// Returns advice for an error of the system, if it does not depend on what failed.
pub(crate) fn for_error(error: &io::Error) -> Option<Cow<'static, str>> {
    match Errno::from_io_error(error)? {
        Errno::MFILE | Errno::NFILE => Some("raise the limit of open files: ulimit -n".into()),
        Errno::ACCESS => {
            let user = geteuid().as_raw();
            Some(format!("check owner and mode of it and of the folders above it: wsd runs as uid {user}").into())
        }
        _ => None,
    }
}

/// Returns advice for a program that the system does not let wsd execute.
pub(crate) fn for_refused_program(path: &Path) -> String {
    let is_for_somebody = fs::metadata(path).map_or(true, |metadata| metadata.permissions().mode() & 0o111 != 0);
    let denied = for_error(&Errno::ACCESS.into()).filter(|_| is_for_somebody);
    denied.map_or_else(|| format!("make it executable: chmod +x {}", quoted(path.as_os_str())), Cow::into_owned)
}

/// Returns a word as a shell reads it.
pub(crate) fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_needs_it() {
        for (word, want) in [
            ("./a-b.sh", "./a-b.sh"),
            ("/é/b=1", "/é/b=1"),
            ("", "''"),
            ("my script.sh", "'my script.sh'"),
            ("a | b", "'a | b'"),
            ("echo 'x'", r"'echo '\''x'\'''"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(word.as_ref()), want);
        }
    }
}
