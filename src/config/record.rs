//! Checks where wsd records sessions, and refuses a folder that clients could read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::error::Error;
use crate::{
    answer::site::Site,
    cli::{site::SiteFlags, value::is_on},
    http::path::Root,
    limits::record::{RECORD_BYTES_MAX, RECORD_BYTES_MIN},
    record::options::RecordOptions,
};

/// Returns the settings of the recordings of a site; `None` without `--record`.
pub(super) fn record(flags: &SiteFlags, message_bytes_max: usize) -> Result<Option<RecordOptions>, Error> {
    let given = &flags.record;
    let Some(folder) = given.folder() else { return Ok(None) };
    if is_on(&flags.programs.pty) {
        let message = "cannot combine --record and --pty: a terminal has no messages to record";
        let hint = "write --record=false (in the file `record = false`) for the route with the terminal";
        return Err(Error::new(message, hint).about(&given.record).about(&flags.programs.pty));
    }
    let bytes_max = given.record_bytes.as_deref().map_or(RECORD_BYTES_MAX, |bytes| bytes.0);
    if (1..RECORD_BYTES_MIN).contains(&bytes_max) {
        let message = format!("cannot use --record-bytes={bytes_max}: a recording has at least 4k");
        return Err(Error::new(message, "write --record-bytes=4k or more, or 0").about(&given.record_bytes));
    }
    let folder = PathBuf::from(folder);
    check(&folder).map_err(|cause| {
        let hint = "name a folder that wsd may write to; wsd makes one that is missing, but not the folders above it";
        Error::new(format!("cannot record to the folder `{}`: {cause}", folder.display()), hint).about(&given.record)
    })?;
    Ok(Some(RecordOptions { folder, bytes_max: (bytes_max > 0).then_some(bytes_max as u64), message_bytes_max }))
}

/// Whether wsd can make files in a folder, or the folder itself.
fn check(folder: &Path) -> io::Result<()> {
    let is_writable = |folder: &Path| access(folder, Access::WRITE_OK | Access::EXEC_OK);
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
        Ok(_) => Ok(is_writable(folder)?),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok(is_writable(above)?)
        }
        Err(cause) => Err(cause),
    }
}

/// Refuses to record to a folder that a site serves as files.
pub(super) fn check_secrecy<'a>(sites: impl Iterator<Item = &'a Site> + Clone) -> Result<(), Error> {
    let served: Vec<_> = sites.clone().filter_map(|site| site.files.as_ref()).filter_map(real).collect();
    for record in sites.filter_map(|site| site.launcher.record.as_ref()) {
        let folder = real_or_above(&record.folder);
        if let Some(files) = served.iter().find(|files| folder.starts_with(files)) {
            let (folder, files) = (record.folder.display(), files.display());
            let message = format!("cannot record to `{folder}`: it is inside `{files}` of --staticdir");
            return Err(Error::new(message, "record to a folder that no client can read"));
        }
    }
    Ok(())
}

fn real(root: &Root) -> Option<PathBuf> {
    fs::canonicalize(root.path()).ok()
}

/// Returns the path of a folder without links, also if it is not there yet.
fn real_or_above(folder: &Path) -> PathBuf {
    let above = || {
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(fs::canonicalize(above).ok()?.join(folder.file_name()?))
    };
    fs::canonicalize(folder).ok().or_else(above).unwrap_or_else(|| folder.to_owned())
}
