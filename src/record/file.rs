//! The files of recordings, which only the user of wsd may read.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

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
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "remove old recordings, or lower --record-bytes",
        ErrorKind::FileTooLarge => "lower --record-bytes below the limit of files",
        ErrorKind::PermissionDenied => "let wsd write to the folder of --record",
        _ => "look at the folder of --record",
    }
}
