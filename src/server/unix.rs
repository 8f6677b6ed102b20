//! Unix sockets: wsd replaces a stale file but none in use, removes its own, and locks the path while it does so.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
        },
    },
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::fs::OFlags;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind as bind_to, listen, socket_with};
use tokio::net::UnixListener;

use crate::limits::LISTEN_QUEUE;

/// The time that wsd waits for another wsd to make or remove its Unix socket at the same path: a millisecond is enough.
const SOCKET_LOCK_MAX: Duration = Duration::from_secs(1);

/// The time between two attempts to lock such a socket.
const SOCKET_LOCK_LOOK: Duration = Duration::from_millis(5);

/// `--unixsocket` and `--socketmode`.
#[derive(Clone, Debug)]
pub(crate) struct UnixOptions {
    /// A path. On Linux `@name` is an abstract socket, which has no file (unix(7)).
    pub(crate) path: OsString,
    /// The permissions of the file; `None` leaves them to the umask.
    pub(crate) mode: Option<u32>,
}

/// The file of a Unix socket that wsd made. Dropping this removes the file, unless another file has replaced it.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let lock = Lock::take(&self.path);
        if lock.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
            // A starting server holds the lock: it finds this socket stale and replaces it.
            return;
        }
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A locked file beside the socket: only the wsd that holds it makes or removes the socket. Dropping this removes the file.
///
/// Without it a second start could find a stale socket, and then remove the new socket of a first start.
struct Lock {
    path: PathBuf,
    _file: fs::File,
}

impl Lock {
    /// Takes the lock; fails with `AddrInUse` if another process holds it for longer than [`SOCKET_LOCK_MAX`].
    fn take(socket: &Path) -> io::Result<Self> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".wsd-lock");
        let path = PathBuf::from(path);
        let about = |cause: io::Error| io::Error::new(cause.kind(), format!("{}: {cause}", path.display()));
        let deadline = Instant::now() + SOCKET_LOCK_MAX;
        loop {
            // Mode 0600 keeps other users from locking it. A link is not followed, a FIFO not waited for, a file not changed.
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags.bits().cast_signed());
            // Without the file, it is the folder that does not allow it.
            let about_either = |cause| if fs::symlink_metadata(&path).is_ok() { about(cause) } else { cause };
            let file = options.open(&path).map_err(about_either)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                    sleep(SOCKET_LOCK_LOOK);
                    continue;
                }
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, "it is in use by a server that is starting"));
                }
                Err(fs::TryLockError::Error(cause)) => return Err(about(cause)),
            }
            let metadata = file.metadata().map_err(about)?;
            // The last holder may have removed the file after this process opened it.
            if identity(&path).is_ok_and(|identity| identity == (metadata.dev(), metadata.ino())) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The lock is still held, so the path names this file and no later one.
        let _ = fs::remove_file(&self.path);
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Listens on a Unix socket. No client can connect before its permissions are set.
pub(super) fn bind(options: &UnixOptions) -> io::Result<(UnixListener, Option<SocketFile>)> {
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    let file = match abstract_name(&options.path) {
        #[cfg(target_os = "linux")]
        Some(name) => {
            bind_to(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
            start_listening(&socket)?;
            None
        }
        _ => Some(bind_file(&socket, options)?),
    };
    let listener = std::os::unix::net::UnixListener::from(socket);
    Ok((UnixListener::from_std(listener)?, file))
}

/// Lets clients connect.
fn start_listening(socket: &OwnedFd) -> io::Result<()> {
    Ok(listen(socket, LISTEN_QUEUE.try_into().unwrap_or(i32::MAX))?)
}

fn bind_file(socket: &OwnedFd, options: &UnixOptions) -> io::Result<SocketFile> {
    let path = PathBuf::from(&options.path);
    let address = SocketAddrUnix::new(&*path)?;
    let lock = Lock::take(&path)?;
    remove_stale(&path, &address)?;
    #[cfg(target_os = "linux")]
    if let Some(mode) = options.mode {
        // The kernel makes the file with this mode less the umask: at no time with wider permissions.
        rustix::fs::fchmod(socket, rustix::fs::Mode::from_raw_mode(mode))?;
    }
    bind_to(socket, &address)?;
    let file = SocketFile { identity: identity(&path)?, path };
    let is_open = options.mode.map_or(Ok(()), |mode| set_mode(&file.path, mode)).and_then(|()| start_listening(socket));
    // Not earlier: another wsd would take a socket that does not listen yet for a stale one.
    drop(lock);
    is_open.map(|()| file)
}

/// Adds the permissions that the umask removed. Changes the socket only, never a file that replaced it.
#[cfg(target_os = "linux")]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::{fd::AsRawFd, unix::fs::PermissionsExt};

    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.file_type().is_socket() {
        return Err(io::Error::other("another file has replaced the socket"));
    }
    if metadata.mode() & 0o7777 == mode {
        return Ok(());
    }
    fs::set_permissions(format!("/proc/self/fd/{}", file.as_raw_fd()), fs::Permissions::from_mode(mode))
}

#[cfg(not(target_os = "linux"))]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// Removes a stale socket; fails if anything else is at the path.
fn remove_stale(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        let cause = "the file there is not a socket, and wsd does not remove it";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, cause));
    }
    // The probe does not block: a server too busy to accept counts as running.
    let probe =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match rustix::net::connect(&probe, address) {
        Err(rustix::io::Errno::CONNREFUSED) => fs::remove_file(path),
        // Any other result means that a server is there.
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "it is in use by a running server")),
    }
}

/// Returns the name after the `@`; `None` for a path.
fn abstract_name(path: &OsStr) -> Option<&[u8]> {
    path.as_bytes().strip_prefix(b"@").filter(|_| cfg!(target_os = "linux"))
}
