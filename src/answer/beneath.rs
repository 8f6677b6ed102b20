//! Opens files in a folder. No link leads out of it or to a hidden file, even if somebody changes links meanwhile.
//!
//! wsd first resolves the links, then checks the resolved path, and then opens it without following a link. So the checks
//! hold for the file that is open.

use std::{
    ffi::OsStr,
    fs, io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
};

use crate::http::path::Root;

/// Attempts to resolve a link that somebody changes meanwhile; then wsd treats its target as missing.
const LINK_TRIES_MAX: usize = 16;

/// The use of an opened file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileUse {
    /// To read it. The open does not wait for the other end of a FIFO.
    Read,
    /// To read its metadata and run it.
    Run,
}

impl FileUse {
    fn flags(self) -> OFlags {
        let read = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match self {
            // A program need not be readable.
            #[cfg(target_os = "linux")]
            Self::Run => OFlags::PATH | OFlags::CLOEXEC,
            _ => read,
        }
    }
}

/// An open file or folder, and its path.
#[derive(Debug)]
pub(super) struct Opened {
    /// The file.
    pub(super) file: fs::File,
    /// The path: absolute, without links.
    pub(super) path: PathBuf,
}

/// Opens `path`, which is relative and has no `..`. Fails with `NotFound` if it, or the target of a link in it, lies outside
/// of `root` or is hidden. May wait for a disk.
pub(super) fn open(root: &Root, path: &Path, file_use: FileUse) -> io::Result<Opened> {
    let not_found = || io::Error::from(io::ErrorKind::NotFound);
    if has_hidden_name(path) {
        return Err(not_found());
    }
    // A path that loops, is too long or names a socket or a missing device counts as not found.
    let as_not_found = |error: io::Error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP) => not_found(),
        _ => error,
    };
    for _ in 0..LINK_TRIES_MAX {
        let real_root = fs::canonicalize(root.path())?;
        let folder = openat(CWD, &real_root, folder_flags(), Mode::empty())?;
        match open_linkless(&folder, path, file_use.flags()) {
            Ok(file) => return Ok(Opened { file, path: join(&real_root, path) }),
            // A part of the path is a link or a file.
            Err(Errno::LOOP | Errno::NOTDIR) => {}
            Err(errno) => return Err(as_not_found(errno.into())),
        }
        let real = fs::canonicalize(real_root.join(path)).map_err(as_not_found)?;
        let inner = real.strip_prefix(&real_root).map_err(|_| not_found())?;
        if leads_to_hidden_name(inner) {
            return Err(not_found());
        }
        match open_linkless(&folder, inner, file_use.flags()) {
            Ok(file) => return Ok(Opened { file, path: join(&real_root, inner) }),
            // Somebody has replaced a part of the path meanwhile: try again.
            Err(Errno::LOOP | Errno::NOTDIR | Errno::NOENT) => {}
            Err(errno) => return Err(as_not_found(errno.into())),
        }
    }
    Err(not_found())
}

/// Opens `path` to read it, without the disk. `None` if a part is a link or not cached: [`open`] must be tried.
///
/// It spares a request the switch to a thread and back, which more than doubles the rate of small files: see
/// [`files::folder`](super::files::folder).
#[cfg(target_os = "linux")]
pub(super) fn open_cached(root: &Root, path: &Path) -> Option<io::Result<fs::File>> {
    use rustix::fs::{ResolveFlags, openat2};

    if has_hidden_name(path) {
        return Some(Err(io::ErrorKind::NotFound.into()));
    }
    let folder = openat2(CWD, root.path(), folder_flags(), Mode::empty(), ResolveFlags::CACHED).ok()?;
    match openat2(&folder, or_dot(path), FileUse::Read.flags(), Mode::empty(), LINKLESS | ResolveFlags::CACHED) {
        Ok(file) => Some(Ok(file.into())),
        Err(Errno::NOENT | Errno::NAMETOOLONG) => Some(Err(io::ErrorKind::NotFound.into())),
        // A link, not cached, no such call, or a rare error: `open` finds out.
        Err(_) => None,
    }
}

/// Returns `None`: only Linux opens a file without waiting for a disk.
#[cfg(not(target_os = "linux"))]
pub(super) fn open_cached(_: &Root, _: &Path) -> Option<io::Result<fs::File>> {
    None
}

#[cfg(target_os = "linux")]
const LINKLESS: rustix::fs::ResolveFlags =
    rustix::fs::ResolveFlags::BENEATH.union(rustix::fs::ResolveFlags::NO_SYMLINKS);

/// Opens `path` from `folder`; fails with [`Errno::LOOP`] or [`Errno::NOTDIR`] if a part is a link.
#[cfg(target_os = "linux")]
fn open_linkless(folder: &OwnedFd, path: &Path, flags: OFlags) -> Result<fs::File, Errno> {
    match rustix::fs::openat2(folder, or_dot(path), flags, Mode::empty(), LINKLESS) {
        // The kernel has no such call, or a sandbox forbids it.
        Err(Errno::NOSYS | Errno::PERM) => walk(folder, path, flags),
        opened => opened.map(fs::File::from),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_linkless(folder: &OwnedFd, path: &Path, flags: OFlags) -> Result<fs::File, Errno> {
    walk(folder, path, flags)
}

/// Opens `path` from `folder` name by name, where the kernel has no `openat2`.
fn walk(folder: &OwnedFd, path: &Path, flags: OFlags) -> Result<fs::File, Errno> {
    let mut here = openat(folder, ".", folder_flags(), Mode::empty())?;
    let mut names = path.components().filter(|part| *part != Component::CurDir).peekable();
    while let Some(name) = names.next() {
        let Component::Normal(name) = name else { return Err(Errno::NOENT) };
        let flags = if names.peek().is_some() { folder_flags() } else { flags };
        here = openat(&here, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    let file = fs::File::from(here);
    // With `O_PATH` Linux opens a link itself.
    let is_link = file.metadata().is_ok_and(|metadata| metadata.is_symlink());
    if is_link { Err(Errno::LOOP) } else { Ok(file) }
}

fn folder_flags() -> OFlags {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    let flags = flags | OFlags::PATH;
    flags
}

fn or_dot(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Joins `folder` and `path`, without a slash at the end.
fn join(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path).components().collect()
}

/// Whether a name in `path` begins with a dot; a first name `.well-known` does not count.
pub(super) fn has_hidden_name(path: &Path) -> bool {
    is_any_hidden(path, |name| name.starts_with(b"."))
}

/// Whether the target of a link has a hidden name. Names that begin with two dots do not count: Kubernetes mounts settings
/// as links into such a folder.
fn leads_to_hidden_name(path: &Path) -> bool {
    is_any_hidden(path, |name| name.starts_with(b".") && !name.starts_with(b".."))
}

fn is_any_hidden(path: &Path, is_hidden: impl Fn(&[u8]) -> bool) -> bool {
    let is_hidden = |name: &OsStr| is_hidden(name.as_bytes());
    let mut names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    names.next().is_some_and(|first| is_hidden(first) && first != ".well-known") || names.any(is_hidden)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_is_followed_with_any_call_of_the_kernel() {
        let tree = tempfile::tempdir().expect("a folder");
        let at = |name: &str| tree.path().join(name);
        fs::create_dir_all(at("sub/deep")).expect("folders");
        fs::write(at("sub/deep/file"), "text").expect("a file");
        symlink("sub/deep/file", at("link")).expect("a link");
        symlink("deep", at("sub/way")).expect("a link");
        let folder = openat(CWD, tree.path(), folder_flags(), Mode::empty()).expect("it opens");
        let table = [
            ("", true),
            ("sub", true),
            ("sub/", true),
            ("./sub/deep/file", true),
            ("sub/deep/file/more", false),
            ("nothing", false),
            ("link", false),
            ("sub/way", false),
            ("sub/way/file", false),
        ];
        for (path, want) in table {
            for file_use in [FileUse::Read, FileUse::Run] {
                let flags = file_use.flags();
                let opened = [open_linkless(&folder, Path::new(path), flags), walk(&folder, Path::new(path), flags)];
                assert_eq!(opened.map(|opened| opened.is_ok()), [want; 2], "{path} {file_use:?}");
            }
        }
    }
}
