//! A file of secrets, which wsd reads again when it changes.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use crate::{event::Event, limits::auth::AUTH_FILE_BYTES_MAX, turn::run_blocking, worker::advice};

/// The time between two looks whether a file has changed.
const LOOK: Duration = Duration::from_secs(1);

/// The reason that a file of secrets cannot be used.
#[derive(Debug)]
pub(crate) struct FileFault {
    /// The cause, with the line if it is about one: `line 3: …`. It has no secret.
    pub(crate) cause: String,
    /// Advice for the administrator.
    pub(crate) hint: String,
}

impl FileFault {
    /// Returns a fault of the whole file.
    pub(super) fn new(cause: impl Into<String>, hint: &str) -> Self {
        Self { cause: cause.into(), hint: hint.to_owned() }
    }

    /// Returns a fault of a line, whose number is `line`.
    pub(super) fn at(line: usize, cause: &str, hint: &str) -> Self {
        Self::new(format!("line {line}: {cause}"), hint)
    }
}

/// Turns the text of a file into its content.
pub(super) type Parse<T> = fn(&str) -> Result<T, FileFault>;

/// A file, and its content when wsd last read it.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    /// Its path.
    pub(super) path: PathBuf,
    parse: Parse<T>,
    state: Mutex<WatchedState<T>>,
}

#[derive(Debug)]
struct WatchedState<T> {
    content: Arc<T>,
    seen: Option<FileStamp>,
    /// The version that wsd could not read, once it has logged that.
    unread: Option<FileStamp>,
    looked: Instant,
}

/// Identifies a version of a file: modification time, length in bytes, inode.
type FileStamp = (SystemTime, u64, u64);

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads a file.
    pub(super) fn open(path: &Path, parse: Parse<T>) -> Result<Arc<Self>, FileFault> {
        let seen = stamp(path);
        let content = Arc::new(parse(&read(path)?)?);
        let state = Mutex::new(WatchedState { content, seen, unread: None, looked: Instant::now() });
        Ok(Arc::new(Self { path: path.to_owned(), parse, state }))
    }

    /// Returns the content. Looks at the file first if the last look was [`LOOK`] ago.
    pub(super) async fn current(self: &Arc<Self>) -> Arc<T> {
        let is_due = {
            let mut state = self.state();
            let is_due = state.looked.elapsed() >= LOOK;
            if is_due {
                state.looked = Instant::now();
            }
            is_due
        };
        if is_due {
            let file = Arc::clone(self);
            if let Some(look) = run_blocking(move || file.look()) {
                let _ = look.await;
            }
        }
        Arc::clone(&self.state().content)
    }

    /// Reads the file again if it has changed. If it is invalid, wsd logs that once and keeps the old content: a file that is being
    /// written must not lock all clients out.
    fn look(&self) {
        let now = stamp(&self.path);
        if self.state().seen != now {
            self.load(now);
        }
    }

    /// Reads the file again.
    pub(super) fn reload(&self) {
        self.state().unread = None;
        self.load(stamp(&self.path));
    }

    /// Reads the version `now` of the file.
    fn load(&self, now: Option<FileStamp>) {
        let text = read(&self.path);
        // The next look tries again: without a free descriptor, for one, a password that is revoked must not stay valid.
        let is_unread = text.is_err();
        let loaded = text.and_then(|text| (self.parse)(&text));
        let mut state = self.state();
        state.seen = now.filter(|_| !is_unread);
        let is_told = is_unread && now.is_some() && state.unread == now;
        state.unread = now.filter(|_| is_unread);
        let file = &self.path.display();
        match loaded {
            Ok(content) => {
                state.content = Arc::new(content);
                Event::AuthFileLoaded { file }.emit();
            }
            Err(_) if is_told => {}
            Err(FileFault { cause, hint }) => Event::AuthFileNotLoaded { file, cause: &cause, hint: &hint }.emit(),
        }
    }

    /// Returns the content when wsd last read the file.
    pub(super) fn last(&self) -> Arc<T> {
        Arc::clone(&self.state().content)
    }

    fn state(&self) -> MutexGuard<'_, WatchedState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(path: &Path) -> Option<FileStamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

/// Reads a file of secrets as text.
fn read(path: &Path) -> Result<String, FileFault> {
    let read = || {
        if !fs::metadata(path)?.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        let mut text = String::new();
        fs::File::open(path)?.take(AUTH_FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|cause| FileFault {
        hint: advice::for_error(&cause).unwrap_or("name a readable text file".into()).into_owned(),
        cause: cause.to_string(),
    })?;
    if text.len() > AUTH_FILE_BYTES_MAX {
        return Err(FileFault::new("it has more than 4 MiB", "name a file of users, tokens or keys"));
    }
    Ok(text)
}

/// Lists the lines of a file with their numbers, without blank ones and comments.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}
