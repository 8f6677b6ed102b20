//! Pseudo-terminals. wsd keeps one end, the *master*; the program gets the other, the *slave*.

use std::{
    io,
    os::fd::OwnedFd,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustix::{
    io::{Errno, read, write},
    pty::{OpenptFlags, openpt, unlockpt},
    termios::{InputModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};
use tokio::io::{AsyncWrite, Interest, unix::AsyncFd};

use crate::framing::window::WindowSize;

/// wsd's end of a terminal. It is closed, and the terminal is hung up, when the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Master(Arc<AsyncFd<OwnedFd>>);

/// Opens a terminal that changes no byte: it echoes nothing, and makes no signals and no CR-LF. Its window is 0 x 0.
///
/// Returns wsd's end and the program's. Neither becomes the controlling terminal of any process.
pub(super) fn open_raw() -> io::Result<(OwnedFd, OwnedFd)> {
    let (master, slave) = open()?;
    let mut modes = tcgetattr(&slave)?;
    modes.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &modes)?;
    Ok((master, slave))
}

/// Opens a terminal for a person: it echoes, edits lines of UTF-8, and makes signals of keys.
pub(super) fn open_for_person(size: WindowSize) -> io::Result<(OwnedFd, OwnedFd)> {
    let (master, slave) = open()?;
    let mut modes = tcgetattr(&slave)?;
    modes.input_modes |= InputModes::IUTF8;
    tcsetattr(&slave, OptionalActions::Now, &modes)?;
    resize(&master, size);
    Ok((master, slave))
}

/// Tells a terminal its size. If that has changed, the kernel sends SIGWINCH to the foreground group.
fn resize(master: &OwnedFd, WindowSize { columns, rows }: WindowSize) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // Nothing can fail: the descriptor is a terminal.
    let _ = tcsetwinsize(master, size);
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

impl Master {
    /// Wraps wsd's end of a terminal, registers it with the runtime, and makes it non-blocking.
    #[expect(deprecated, reason = "what an `OwnedFd` names stays open, which is all that the new, unsafe way asks for")]
    pub(super) fn register(master: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&master, true)?;
        Ok(Self(Arc::new(AsyncFd::new(master)?)))
    }

    /// Reads all that is there into `buffer`. Ready with the number of bytes; 0 is the end: the program's end is closed.
    ///
    /// The kernel gives 4 KiB at most at a time, so this reads until nothing is left or the buffer is full.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        let mut count = 0;
        while count < buffer.len() {
            let Poll::Ready(Ok(mut guard)) = self.0.poll_read_ready(cx) else {
                return if count == 0 { Poll::Pending } else { Poll::Ready(count) };
            };
            match read(&*self.0, &mut buffer[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(Errno::INTR) => {}
                // The program has closed its end before, and has opened it again: `clear_ready` does not clear that.
                Err(Errno::AGAIN) if guard.ready().is_read_closed() => break,
                Err(Errno::AGAIN) if count == 0 => guard.clear_ready(),
                // Either nothing is left, or it is the end: EIO, or any error, as of a pipe. The next read tells that again.
                Err(_) => break,
            }
        }
        Poll::Ready(count)
    }

    /// Reads what is there into `buffer`, whether the runtime knows of it or not. Returns the number of bytes.
    pub(super) fn read_now(&self, buffer: &mut [u8]) -> usize {
        let mut count = 0;
        while count < buffer.len() {
            match read(&*self.0, &mut buffer[count..]) {
                Ok(more @ 1..) => count += more,
                Err(Errno::INTR) => {}
                _ => break,
            }
        }
        count
    }

    /// Whether the program's end is closed, so that the bytes that wait are the last.
    pub(super) fn is_ending(&self, cx: &mut Context<'_>) -> bool {
        let ready = pin!(self.0.ready(Interest::READABLE)).poll(cx);
        matches!(ready, Poll::Ready(Ok(guard)) if guard.ready().is_read_closed())
    }

    /// Tells the terminal its size.
    pub(super) fn resize(&self, size: WindowSize) {
        resize(self.0.get_ref(), size);
    }
}

impl AsyncWrite for Master {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            match write(&*self.0, bytes) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(Errno::INTR) => {}
                // As in `poll_read`.
                Err(Errno::AGAIN) if guard.ready().is_write_closed() => {
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                }
                Err(Errno::AGAIN) => guard.clear_ready(),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
