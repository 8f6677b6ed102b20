//! The place that the lines of the log go to: a standard stream, or a file that wsd opens again on request.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, OFlags, access, fcntl_getfl, fcntl_setfl, fstat},
    io::Errno,
};
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

use super::layout::{Layout, Value};

/// The permissions of a new file: the group reads it, as in `/var/log`. The umask applies.
const MODE: u32 = 0o640;

/// The place that lines of the log go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogTarget {
    /// Standard error.
    Error,
    /// Standard output, as in websocketd.
    Output,
    /// This file, behind what it has (`--logfile`).
    File(PathBuf),
}

/// An open target. Only lines as a whole go there, unless the target itself takes a part.
#[derive(Debug)]
pub(super) struct LogSink {
    target: LogTarget,
    outlet: OpenTarget,
    layout: Layout,
    level: LevelFilter,
    /// The lines that the target did not take. A full disk may have room again.
    unwritten: u64,
    /// Whether the last line that it took has no end.
    is_within_line: bool,
}

#[derive(Debug)]
enum OpenTarget {
    Error,
    Output,
    File(File),
}

impl LogTarget {
    /// Whether its lines go to the journal of systemd: `JOURNAL_STREAM` names the device and inode of standard error then
    /// (`systemd.exec(5)`).
    pub(super) fn is_journal(&self) -> bool {
        let is_same = |stream: &OsStr| {
            let stat = fstat(io::stderr()).ok()?;
            Some(stream.to_str()? == format!("{}:{}", stat.st_dev, stat.st_ino))
        };
        *self == Self::Error && env::var_os("JOURNAL_STREAM").and_then(|stream| is_same(&stream)) == Some(true)
    }

    /// Checks whether wsd could open it now. Makes no file.
    pub(super) fn check(&self) -> Result<(), LogFileError> {
        let Self::File(path) = self else { return Ok(()) };
        let checked = match fs::metadata(path) {
            Ok(_) => open(path, &mut OpenOptions::new()).map(drop),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                access(folder(path), Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
            }
            Err(error) => Err(error),
        };
        checked.map_err(|cause| LogFileError { path: path.clone(), cause })
    }

    fn open(&self) -> Result<OpenTarget, LogFileError> {
        Ok(match self {
            Self::Error => OpenTarget::Error,
            Self::Output => OpenTarget::Output,
            Self::File(path) => {
                let opened = open(path, OpenOptions::new().create(true).mode(MODE));
                OpenTarget::File(opened.map_err(|cause| LogFileError { path: path.clone(), cause })?)
            }
        })
    }
}

/// Opens a file for lines at its end. Does not wait for the reader of a pipe: without one it fails.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).expect("flags of open(2)");
    let file = options.append(true).custom_flags(flags).open(path)?;
    // Writes wait from now on.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl LogSink {
    /// Opens `target`, for lines of this layout. `level` decides about the line of [`LogSink::open_again`].
    pub(super) fn open(target: LogTarget, layout: Layout, level: LevelFilter) -> Result<Self, LogFileError> {
        Ok(Self { outlet: target.open()?, target, layout, level, unwritten: 0, is_within_line: false })
    }

    /// Whether the target is a file.
    pub(super) fn has_file(&self) -> bool {
        matches!(self.outlet, OpenTarget::File(_))
    }

    /// Opens a file again, at its path. After an error the old one stays. Returns a line about the result.
    pub(super) fn open_again(&mut self) -> Option<String> {
        let own = |level, name, texts: &[(&'static str, &str)]| {
            let fields: Vec<_> = texts.iter().map(|(key, text)| (*key, Value::Text(text))).collect();
            (self.level >= level).then(|| self.layout.own(level, name, &fields))
        };
        let LogTarget::File(path) = &self.target else { return None };
        let file = &*path.to_string_lossy();
        match self.target.open() {
            Ok(outlet) => {
                let told = own(Level::INFO, "log file opened", &[("file", file)]);
                (self.outlet, self.is_within_line) = (outlet, false);
                told
            }
            Err(error) => {
                let (cause, hint) = (&*error.cause.to_string(), &*error.hint());
                let texts = [("file", file), ("cause", cause), ("hint", hint)];
                own(Level::ERROR, "log file not opened, the old one stays", &texts)
            }
        }
    }

    /// Writes lines. Counts those that the target does not take: nobody may be reading, or a disk is full.
    pub(super) fn write(&mut self, lines: &[u8]) {
        if self.unwritten > 0 {
            let fields = [("lines", Value::Number(&self.unwritten))];
            let told = self.layout.own(Level::ERROR, "lines lost", &fields);
            if self.put(told.as_bytes()) > 0 {
                self.unwritten += count(lines);
                return;
            }
            self.unwritten = 0;
        }
        self.unwritten += self.put(lines);
    }

    /// Writes lines; returns the number of those that the target does not have as a whole.
    fn put(&mut self, lines: &[u8]) -> u64 {
        if self.is_within_line && self.outlet.write(b"\n") == Ok(1) {
            self.is_within_line = false;
        }
        let mut written = 0;
        while written < lines.len() && !self.is_within_line {
            match self.outlet.write(&lines[written..]) {
                Ok(count @ 1..) => written += count,
                Err(io::ErrorKind::Interrupted) => {}
                _ => break,
            }
        }
        let whole = lines[..written].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < written && written < lines.len() && !self.outlet.take_back(written - whole) {
            self.is_within_line = true;
        }
        count(&lines[whole..])
    }
}

/// Returns the number of lines; the last one may have no end.
fn count(lines: &[u8]) -> u64 {
    lines.split_inclusive(|byte| *byte == b'\n').count() as u64
}

impl OpenTarget {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, io::ErrorKind> {
        let written = match self {
            Self::Error => io::stderr().write(bytes),
            Self::Output => io::stdout().lock().write(bytes).and_then(|count| io::stdout().flush().map(|()| count)),
            Self::File(file) => file.write(bytes),
        };
        written.map_err(|error| error.kind())
    }

    /// Removes the last bytes again, which were written just now. Returns whether it could.
    fn take_back(&mut self, bytes: usize) -> bool {
        let Self::File(file) = self else { return false };
        // With `O_APPEND` the position is the end of the last write; others may have written behind it.
        let end = file.stream_position().ok().filter(|end| file.metadata().is_ok_and(|file| file.len() == *end));
        end.and_then(|end| end.checked_sub(bytes as u64)).is_some_and(|end| file.set_len(end).is_ok())
    }
}

/// The file of the log cannot be opened.
#[derive(Debug)]
pub(crate) struct LogFileError {
    /// Its path.
    pub(crate) path: PathBuf,
    /// The error of the system.
    pub(crate) cause: io::Error,
}

impl LogFileError {
    /// Returns advice.
    pub(crate) fn hint(&self) -> String {
        let (path, folder) = (self.path.display(), folder(&self.path).display());
        match Errno::from_io_error(&self.cause) {
            Some(Errno::NOENT | Errno::NOTDIR) => {
                format!("make the folder {folder}, or name another file with --logfile")
            }
            Some(Errno::ACCESS | Errno::PERM) => {
                let user = rustix::process::geteuid().as_raw();
                format!("let uid {user} write to {path} and to its folder, or name another file with --logfile")
            }
            Some(Errno::ROFS) => {
                format!("make {folder} writable, in a unit of systemd with LogsDirectory= or ReadWritePaths=")
            }
            Some(Errno::ISDIR) => {
                format!("name a file in this folder: --logfile={}", self.path.join("wsd.log").display())
            }
            Some(Errno::NXIO) => format!("start the reader of the pipe {path} first"),
            _ => "name another file with --logfile".to_owned(),
        }
    }
}
