//! The files of recordings, which only the user of wsd may read.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use rustix::{fs::OFlags, io::Errno};

use crate::limits::record::RECORD_NAME_BYTES_MAX;

/// Returns the name of a file: names sort by the time of the beginning, which has microseconds.
pub(super) fn name(began: &str, conn: u64, route: &str) -> String {
    let time: String = began.chars().filter(|character| !matches!(character, '-' | ':')).collect();
    let safe = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    let route = route.trim_matches('/').chars().map(|character| if safe(character) { character } else { '_' });
    let route: String = route.take(RECORD_NAME_BYTES_MAX).collect();
    let separator = if route.is_empty() { "" } else { "-" };
    format!("{time}-c{conn}{separator}{route}.jsonl")
}

/// Makes a file, and its folder if it is not there; for nobody else to read.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => {}
        opened => return opened,
    }
    if let Some(folder) = path.parent() {
        match DirBuilder::new().mode(0o700).create(folder) {
            // Another wsd may have made it.
            Err(cause) if cause.kind() != ErrorKind::AlreadyExists => return Err(cause),
            _ => {}
        }
    }
    options.open(path)
}

/// Opens a file again to append lines: a recording holds no descriptor while its session is idle.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).expect("a flag of open(2)");
    OpenOptions::new().append(true).custom_flags(no_follow).open(path)
}

/// Returns advice for a file that cannot be written.
pub(super) fn hint(cause: &io::Error) -> &'static str {
    if let Some(Errno::MFILE | Errno::NFILE) = Errno::from_io_error(cause) {
        return "raise the limit of open files: ulimit -n";
    }
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "remove old recordings, or lower --record-bytes",
        ErrorKind::FileTooLarge => "lower --record-bytes below the limit of files",
        ErrorKind::PermissionDenied => "let wsd write to the folder of --record",
        _ => "look at the folder of --record",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_has_safe_characters_only() {
        let table = [
            ("/", "20261127T200000.000001Z-c7.jsonl"),
            ("/chat", "20261127T200000.000001Z-c7-chat.jsonl"),
            ("/a/../b c\n", "20261127T200000.000001Z-c7-a_.._b_c_.jsonl"),
            ("/\u{e9}", "20261127T200000.000001Z-c7-_.jsonl"),
        ];
        for (route, want) in table {
            assert_eq!(name("2026-11-27T20:00:00.000001Z", 7, route), want);
        }
        assert!(name("2026-11-27T20:00:00.000001Z", 7, &"x".repeat(5000)).len() < 120);
    }
}
