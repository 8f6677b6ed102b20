//! Pseudo-terminals. wsd keeps one end, the *master*; the program gets the other, the *slave*.

use std::{
    io,
    os::fd::OwnedFd,
    task::{Context, Poll},
};

use rustix::{
    io::{Errno, read},
    pty::{OpenptFlags, openpt, unlockpt},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};
use tokio::io::unix::AsyncFd;

/// Opens a terminal that changes no byte: it echoes nothing, and makes no signals and no CR-LF. Its window is 0 x 0.
///
/// Returns the master and the slave. Neither becomes the controlling terminal of any process.
pub(super) fn open_raw() -> io::Result<(OwnedFd, OwnedFd)> {
    let (master, slave) = open()?;
    let mut modes = tcgetattr(&slave)?;
    modes.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &modes)?;
    Ok((master, slave))
}

/// Opens the slave without a look at `/dev/pts`, which another name space may have in its place.
#[cfg(target_os = "linux")]
fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    unlockpt(&master)?;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    Ok((master, slave))
}

/// Untested: wsd is tested on Linux.
#[cfg(not(target_os = "linux"))]
fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::{
        fs::{Mode, OFlags, open},
        io::{FdFlags, fcntl_setfd},
        pty::{grantpt, ptsname},
    };

    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    fcntl_setfd(&master, FdFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let slave = open(&*name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    Ok((master, slave))
}

/// Registers a master with the runtime, and makes it non-blocking.
#[expect(deprecated, reason = "what an `OwnedFd` names stays open, which is all that the new, unsafe way asks for")]
pub(super) fn register(master: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&master, true)?;
    AsyncFd::new(master)
}

/// Reads all that is there into `buffer`. Ready with the number of bytes; 0 is the end, after the last slave is closed.
///
/// The kernel gives 4 KiB at most at a time, so this reads until nothing is left or the buffer is full.
pub(super) fn poll_read(master: &AsyncFd<OwnedFd>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
    let mut count = 0;
    while count < buffer.len() {
        let Poll::Ready(Ok(mut guard)) = master.poll_read_ready(cx) else {
            return if count == 0 { Poll::Pending } else { Poll::Ready(count) };
        };
        match read(master, &mut buffer[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if count == 0 => guard.clear_ready(),
            // Either nothing is left, or it is the end: EIO, or any error, as of a pipe. The next read tells that again.
            Err(_) => break,
        }
    }
    Poll::Ready(count)
}
