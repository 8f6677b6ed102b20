//! The folder of `--staticdir`: wsd opens nothing outside of it, and only the request for a file waits for its disk.
//!
//! wsd opens and reads a file at once if the kernel has it cached: 33,000 files of 1 KiB a second. Otherwise a thread does so,
//! which may wait. With a thread for each file, wsd would serve 14,700 a second with `--threads=1`, and 12,100 with two.

use std::{
    fs, io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncSeek, ReadBuf},
    task::{JoinHandle, spawn_blocking},
};
use tower_http::services::fs::{Backend, File as BackendFile};

use super::super::{
    beneath::{self, FileUse},
    sources::Sources,
};
use crate::{http::path::Root, limits::FILE_READ_BYTES};

/// A served folder; no path leads out of it.
#[derive(Debug)]
pub(in crate::answer) struct Folder {
    root: Root,
    /// The files that count as not found.
    sources: Arc<Sources>,
}

/// An open file or folder.
type OpenFile = (Arc<fs::File>, fs::Metadata);

impl Folder {
    /// Serves the files in `root`, except `sources`.
    pub(in crate::answer) fn new(root: Root, sources: Arc<Sources>) -> Self {
        Self { root, sources }
    }

    /// Opens `path`, which is relative. Fails with `NotFound` if wsd must not serve it.
    async fn open(self: Arc<Self>, path: PathBuf) -> io::Result<OpenFile> {
        if self.sources.has_no_folder()
            && let Some(opened) = beneath::open_cached(&self.root, &path)
        {
            return opened.and_then(|file| self.check(file, &self.root.path().join(&path)));
        }
        spawn_blocking(move || {
            let opened = beneath::open(&self.root, &path, FileUse::Read)?;
            if self.sources.folder_of(&opened.path).is_some() {
                return Err(io::ErrorKind::NotFound.into());
            }
            self.check(opened.file, &opened.path)
        })
        .await?
    }

    /// Refuses a guarded file at `path`, and all but files and folders: a FIFO would block, a device might do anything.
    fn check(&self, file: fs::File, path: &Path) -> io::Result<OpenFile> {
        let metadata = file.metadata()?;
        let is_fit = metadata.is_file() || metadata.is_dir();
        if is_fit && !self.sources.is_guarded(&metadata, path) {
            Ok((Arc::new(file), metadata))
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

/// The library's access to the folder, for one request.
///
/// The library asks for a path's metadata before it opens the path: `last` keeps the opened file for the second call.
#[derive(Clone, Debug)]
pub(super) struct Access {
    folder: Arc<Folder>,
    last: Arc<Mutex<Option<(PathBuf, OpenFile)>>>,
}

impl Access {
    /// Returns the access of one request, which has looked up nothing yet.
    pub(super) fn new(folder: &Arc<Folder>) -> Self {
        Self { folder: Arc::clone(folder), last: Arc::default() }
    }

    async fn find(self, path: PathBuf) -> io::Result<OpenFile> {
        if let Some((last, opened)) = &*self.last.lock().unwrap_or_else(PoisonError::into_inner)
            && *last == path
        {
            return Ok(opened.clone());
        }
        let opened = self.folder.open(path.clone()).await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((path, opened.clone()));
        Ok(opened)
    }
}

impl Backend for Access {
    type File = ServedFile;
    type Metadata = fs::Metadata;
    type OpenFuture = Pin<Box<dyn Future<Output = io::Result<ServedFile>> + Send>>;
    type MetadataFuture = Pin<Box<dyn Future<Output = io::Result<fs::Metadata>> + Send>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let found = self.clone().find(path);
        Box::pin(async move {
            let (opened, metadata) = found.await?;
            Ok(ServedFile { opened, metadata, position: 0, read: None })
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let found = self.clone().find(path);
        Box::pin(async move { found.await.map(|(_, metadata)| metadata) })
    }
}

/// An open file of the folder. Its length is that at the time of opening.
#[derive(Debug)]
pub(super) struct ServedFile {
    opened: Arc<fs::File>,
    metadata: fs::Metadata,
    position: u64,
    /// The read of the next bytes from a disk.
    read: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl BackendFile for ServedFile {
    type Metadata = fs::Metadata;
    type MetadataFuture<'a> = std::future::Ready<io::Result<fs::Metadata>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        std::future::ready(Ok(self.metadata.clone()))
    }
}

impl AsyncRead for ServedFile {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read.is_none() {
            let left = usize::try_from(self.metadata.len().saturating_sub(self.position)).unwrap_or(usize::MAX);
            let count = left.min(buffer.remaining()).min(FILE_READ_BYTES);
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
            if let Some(count) = read_cached(&self.opened, buffer.initialize_unfilled_to(count), self.position) {
                buffer.advance(count);
                self.position += count as u64;
                return Poll::Ready(Ok(()));
            }
            let (file, position) = (Arc::clone(&self.opened), self.position);
            self.read = Some(spawn_blocking(move || {
                let mut bytes = vec![0; count];
                let count = file.read_at(&mut bytes, position)?;
                bytes.truncate(count);
                Ok(bytes)
            }));
        }
        let Some(read) = &mut self.read else { return Poll::Ready(Ok(())) };
        let bytes = ready!(Pin::new(read).poll(cx));
        self.read = None;
        let bytes = bytes??;
        buffer.put_slice(&bytes);
        self.position += bytes.len() as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for ServedFile {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        let io::SeekFrom::Start(position) = position else { return Err(io::ErrorKind::Unsupported.into()) };
        self.position = position;
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

/// Reads cached bytes at `position`; `None` if that needs a disk, or the kernel cannot tell.
#[cfg(target_os = "linux")]
fn read_cached(file: &fs::File, buffer: &mut [u8], position: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};

    preadv2(file, &mut [io::IoSliceMut::new(buffer)], position, ReadWriteFlags::NOWAIT).ok()
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &fs::File, _: &mut [u8], _: u64) -> Option<usize> {
    None
}
