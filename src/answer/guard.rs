//! Files that wsd never serves, though they may lie in a served folder: keys, settings, the source of programs.

use std::{
    fs, io,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::fs::OFlags;

use super::beneath::has_hidden_name;
use crate::{event::Event, http::path::Root};

/// Earlier files at the path of a secret file, which wsd does not serve either; beyond, wsd forgets the oldest.
///
/// 8: more than a year of a private key that is renewed every two months. Each takes a descriptor.
const GUARDED_FILES_MAX: usize = 8;

/// The argument that names a guarded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namer {
    /// A flag for settings or secrets, such as `--sslkey`.
    Flag(&'static str),
    /// COMMAND: a program, or one of its arguments.
    Command,
}

/// A file that wsd never serves, under any name.
///
/// A guard compares files by device and inode, not by path. Another file may replace the one at the path at any time; wsd
/// does not serve the earlier ones either.
#[derive(Debug)]
pub(crate) struct Guard {
    /// The path of the file.
    pub(crate) path: PathBuf,
    /// The argument that names the file.
    pub(crate) namer: Namer,
    known: Mutex<Vec<Known>>,
    has_warned: AtomicBool,
}

/// A file that is or was at the path of a guard. It stays open, so that no other file gets its inode number.
#[derive(Debug)]
struct Known {
    id: Id,
    _file: fs::File,
}

/// Device and inode.
type Id = (u64, u64);

impl Guard {
    /// Guards the file at `path` from now on; anything else than a file is ignored.
    pub(crate) fn new(path: PathBuf, namer: Namer) -> Self {
        let guard = Self { path, namer, known: Mutex::default(), has_warned: AtomicBool::new(false) };
        guard.refresh(&mut guard.known.lock().unwrap_or_else(PoisonError::into_inner));
        guard
    }

    /// Whether `file` is or was at the path, so that wsd must not serve it.
    pub(super) fn matches(&self, file: &fs::Metadata) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.refresh(&mut known);
        let file = id(file);
        now == Some(file) || known.iter().any(|known| known.id == file)
    }

    /// Whether `path` names a copy of a file of `--auth`, as editors and scripts make them beside it: `tokens~`, `tokens.new`.
    pub(super) fn has_copy(&self, path: &Path) -> bool {
        let folder = |path: &Path| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()
        };
        let (Some(own), Some(name)) = (self.path.file_name(), path.file_name()) else { return false };
        matches!(self.namer, Namer::Flag("--auth" | "--auth-key"))
            && name.as_bytes().starts_with(own.as_bytes())
            && folder(path).is_some_and(|place| Some(place) == folder(&self.path))
    }

    /// Returns the file that is at the path now, and adds it to `known`.
    fn refresh(&self, known: &mut Vec<Known>) -> Option<Id> {
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
            // wsd reads nothing of it, so it need not be readable.
            flags |= OFlags::PATH;
        }
        let flags = i32::try_from(flags.bits()).expect("flags of open(2)");
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(&self.path)?;
        Ok(Known { id: id(&file.metadata()?), _file: file })
    }

    /// Logs once that the file lies in one of the served `folders`, unless a name on its path there is hidden.
    pub(super) fn warn_of_place(&self, folders: &[&Root]) {
        let Ok(file) = fs::canonicalize(&self.path) else { return };
        let is_in = |folder: &&&Root| {
            let folder = fs::canonicalize(folder.path()).ok();
            let inner = folder.and_then(|folder| file.strip_prefix(folder).ok().map(Path::to_owned));
            inner.is_some_and(|inner| !has_hidden_name(&inner)) && file.is_file()
        };
        if let Some(folder) = folders.iter().find(is_in)
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            let (file, folder) = (self.path.display(), folder.path().display());
            let named = match self.namer {
                Namer::Flag(flag) => flag,
                Namer::Command => "COMMAND",
            };
            let hint = "move it out of the folder of --staticdir";
            Event::FileNotServed { file: &file, named, folder: &folder, hint }.emit();
        }
    }
}

fn id(file: &fs::Metadata) -> Id {
    (file.dev(), file.ino())
}
