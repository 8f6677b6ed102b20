//! Unix sockets: never takes a living one over, replaces a dead one, removes its own.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, MetadataExt},
        },
    },
    path::{Path, PathBuf},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind as bind_to, listen, socket_with};
use tokio::net::UnixListener;

use super::listen::BindError;
use crate::limits::LISTEN_QUEUE;

/// `--unixsocket` and `--socketmode`.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// A path; on Linux a name after `@` is one without a file (unix(7), "abstract").
    pub(crate) path: OsString,
    /// The permissions of the file; `None` is what the umask leaves.
    pub(crate) mode: Option<u32>,
}

/// The file of a Unix socket of ours: removed when dropped, unless it is another's by then.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for File {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Listens on a Unix socket. Nobody can connect before its permissions are as they should be.
pub(super) fn bind(options: &Options) -> Result<(UnixListener, Option<File>), BindError> {
    try_bind(options).map_err(|cause| BindError { place: options.path.to_string_lossy().into_owned(), cause })
}

fn try_bind(options: &Options) -> io::Result<(UnixListener, Option<File>)> {
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    let file = match abstract_name(&options.path) {
        #[cfg(target_os = "linux")]
        Some(name) => {
            bind_to(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
            None
        }
        _ => Some(bind_file(&socket, options)?),
    };
    listen(&socket, LISTEN_QUEUE.try_into().unwrap_or(i32::MAX))?;
    let listener = std::os::unix::net::UnixListener::from(socket);
    Ok((UnixListener::from_std(listener)?, file))
}

fn bind_file(socket: &OwnedFd, options: &Options) -> io::Result<File> {
    let path = PathBuf::from(&options.path);
    make_room(&path)?;
    bind_to(socket, &SocketAddrUnix::new(&*path)?)?;
    let file = File { identity: identity(&path)?, path };
    if let Some(mode) = options.mode {
        fs::set_permissions(&file.path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    }
    Ok(file)
}

/// Removes a socket that a server left behind; refuses to touch anything else.
fn make_room(path: &Path) -> io::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::other("there is a file that is no socket; it is left alone"));
    }
    // Without waiting: a server that is too busy to accept is one, too.
    let probe =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match rustix::net::connect(&probe, &SocketAddrUnix::new(path)?) {
        Err(rustix::io::Errno::CONNREFUSED) => fs::remove_file(path),
        // Whatever else it says, somebody is there.
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "it is in use by a running server")),
    }
}

/// The name after the `@`.
fn abstract_name(path: &OsStr) -> Option<&[u8]> {
    path.as_bytes().strip_prefix(b"@").filter(|_| cfg!(target_os = "linux"))
}

/// The path, or `@` and the name, that a socket is bound to.
pub(super) fn name(listener: &UnixListener) -> String {
    let Ok(address) = listener.local_addr() else { return String::new() };
    if let Some(path) = address.as_pathname() {
        return path.display().to_string();
    }
    #[cfg(target_os = "linux")]
    if let Some(name) =
        std::os::linux::net::SocketAddrExt::as_abstract_name(&std::os::unix::net::SocketAddr::from(address))
    {
        return format!("@{}", String::from_utf8_lossy(name));
    }
    String::new()
}
