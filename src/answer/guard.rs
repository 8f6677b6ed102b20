//! Files that are never served, though they may lie in a folder of files: keys, settings, the text of programs.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::fs::OFlags;

use super::beneath::has_hidden_name;
use crate::{event::Event, http::path::Root, limits::GUARDED_FILES_MAX};

/// By whom a file is named that is never served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namer {
    /// A flag that says where settings or secrets are: `--sslkey`.
    Flag(&'static str),
    /// COMMAND: a program, or one of its arguments.
    Command,
}

/// A file that is never served, under whatever name.
///
/// Files are told apart by device and number, not by path. Another file may come to lie at the path at any time; those
/// that were there before are not served either.
#[derive(Debug)]
pub(crate) struct Guard {
    path: PathBuf,
    namer: Namer,
    known: Mutex<Vec<Known>>,
    is_told: AtomicBool,
}

/// A file that is or was at the path of a guard. It is kept open: so no other can get its number.
#[derive(Debug)]
struct Known {
    id: Id,
    _file: fs::File,
}

/// Device and number.
type Id = (u64, u64);

impl Guard {
    /// Guards what is at `path` from now on; if that is no file, nothing.
    pub(crate) fn new(path: PathBuf, namer: Namer) -> Self {
        let guard = Self { path, namer, known: Mutex::default(), is_told: AtomicBool::new(false) };
        guard.look(&mut guard.known.lock().unwrap_or_else(PoisonError::into_inner));
        guard
    }

    /// The path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// By whom it is named.
    pub(crate) fn namer(&self) -> Namer {
        self.namer
    }

    /// Whether it is this file that is not to be served.
    pub(super) fn is(&self, file: &fs::Metadata) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.look(&mut known);
        let file = id(file);
        now == Some(file) || known.iter().any(|known| known.id == file)
    }

    /// The file that is at the path now, which is `known` from then on.
    fn look(&self, known: &mut Vec<Known>) -> Option<Id> {
        let now = fs::metadata(&self.path).ok().filter(fs::Metadata::is_file).map(|file| id(&file))?;
        if !known.iter().any(|known| known.id == now)
            && let Ok(found) = self.hold()
        {
            if known.len() == GUARDED_FILES_MAX {
                known.remove(0);
            }
            known.push(found);
        }
        Some(now)
    }

    fn hold(&self) -> io::Result<Known> {
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        #[cfg(target_os = "linux")]
        {
            // Nothing is read, so it need not be readable.
            flags |= OFlags::PATH;
        }
        let flags = i32::try_from(flags.bits()).expect("flags of open(2)");
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(&self.path)?;
        Ok(Known { id: id(&file.metadata()?), _file: file })
    }

    /// Says once that the file lies in one of the folders that are served, if it does so where all is served.
    pub(super) fn warn_of_place(&self, folders: &[&Root]) {
        let Ok(file) = fs::canonicalize(&self.path) else { return };
        let is_in = |folder: &&&Root| {
            let folder = fs::canonicalize(folder.path()).ok();
            let inner = folder.and_then(|folder| file.strip_prefix(folder).ok().map(Path::to_owned));
            inner.is_some_and(|inner| !has_hidden_name(&inner)) && file.is_file()
        };
        if let Some(folder) = folders.iter().find(is_in)
            && !self.is_told.swap(true, Ordering::Relaxed)
        {
            let (file, folder) = (self.path.display(), folder.path().display());
            let named = match self.namer {
                Namer::Flag(flag) => flag,
                Namer::Command => "COMMAND",
            };
            let hint = "keep it outside of the folder of --staticdir";
            Event::FileNotServed { file: &file, named, folder: &folder, hint }.emit();
        }
    }
}

fn id(file: &fs::Metadata) -> Id {
    (file.dev(), file.ino())
}
