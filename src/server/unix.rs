//! Unix sockets: never takes a living one over, replaces a dead one, removes its own, one wsd at a time.

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
    time::Instant,
};

use rustix::fs::OFlags;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind as bind_to, listen, socket_with};
use tokio::net::UnixListener;

use super::listener::BindError;
use crate::limits::{LISTEN_QUEUE, SOCKET_LOCK_LOOK, SOCKET_LOCK_MAX};

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
        let lock = Lock::take(&self.path);
        if lock.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
            // A server that starts there finds ours dead and replaces it.
            return;
        }
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The right to make and remove the socket at a path, which one wsd has at a time: a locked file beside it, which is gone
/// when the right is given back.
///
/// Otherwise a second start could find a stale socket, and remove the new one that a first start has put there meanwhile.
struct Lock {
    path: PathBuf,
    _file: fs::File,
}

impl Lock {
    /// Takes the right; `AddrInUse` if another does not give it back.
    fn take(socket: &Path) -> io::Result<Self> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".wsd-lock");
        let path = PathBuf::from(path);
        let about = |cause: io::Error| io::Error::new(cause.kind(), format!("{}: {cause}", path.display()));
        let deadline = Instant::now() + SOCKET_LOCK_MAX;
        loop {
            // Nobody else can open it, and so lock it; nothing that lies there already is followed, waited for or changed.
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags.bits().cast_signed());
            let file = options.open(&path).map_err(about)?;
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
            // The one before may have removed the file after it was opened here.
            if identity(&path).is_ok_and(|identity| identity == (metadata.dev(), metadata.ino())) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Still locked: what is removed is this file and no later one.
        let _ = fs::remove_file(&self.path);
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
            open(&socket)?;
            None
        }
        _ => Some(bind_file(&socket, options)?),
    };
    let listener = std::os::unix::net::UnixListener::from(socket);
    Ok((UnixListener::from_std(listener)?, file))
}

/// Lets clients in.
fn open(socket: &OwnedFd) -> io::Result<()> {
    Ok(listen(socket, LISTEN_QUEUE.try_into().unwrap_or(i32::MAX))?)
}

fn bind_file(socket: &OwnedFd, options: &Options) -> io::Result<File> {
    let path = PathBuf::from(&options.path);
    let address = SocketAddrUnix::new(&*path)?;
    let lock = Lock::take(&path)?;
    make_room(&path, &address)?;
    #[cfg(target_os = "linux")]
    if let Some(mode) = options.mode {
        // The file is made with these, as far as the umask leaves them: at no time with more.
        rustix::fs::fchmod(socket, rustix::fs::Mode::from_raw_mode(mode))?;
    }
    bind_to(socket, &address)?;
    let file = File { identity: identity(&path)?, path };
    let is_open = options.mode.map_or(Ok(()), |mode| set_mode(&file.path, mode)).and_then(|()| open(socket));
    // Only now: whoever looks at a socket that nobody listens on takes it for one that was left behind.
    drop(lock);
    is_open.map(|()| file)
}

/// Gives a socket the permissions that the umask has kept from it; never a file that has taken its place.
#[cfg(target_os = "linux")]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::{fd::AsRawFd, unix::fs::PermissionsExt};

    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.file_type().is_socket() {
        return Err(io::Error::other("something else has taken its place"));
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

/// Removes a socket that a server left behind; refuses to touch anything else.
fn make_room(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::other("there is a file that is no socket; it is left alone"));
    }
    // Without waiting: a server that is too busy to accept is one, too.
    let probe =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match rustix::net::connect(&probe, address) {
        Err(rustix::io::Errno::CONNREFUSED) => fs::remove_file(path),
        // Whatever else it says, somebody is there.
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "it is in use by a running server")),
    }
}

/// The name after the `@`.
fn abstract_name(path: &OsStr) -> Option<&[u8]> {
    path.as_bytes().strip_prefix(b"@").filter(|_| cfg!(target_os = "linux"))
}
