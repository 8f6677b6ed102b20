//! The files of `--staticdir`: nothing outside of it, nothing hidden, no program's source.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE, X_CONTENT_TYPE_OPTIONS,
    },
};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::{ServeDir, fs::Backend, fs::File as BackendFile};
use tower_service::Service;

use super::{
    Body,
    page::{not_found, page},
    path::Root,
};

/// A folder of files to serve.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    root: Arc<Confined>,
}

impl Files {
    /// The files in `root`, except those in `programs`: their text is nobody's business.
    pub(crate) fn new(root: Root, programs: Vec<Root>) -> Self {
        Self { root: Arc::new(Confined { root, programs }) }
    }

    /// Answers with a file: GET and HEAD, ranges, validators, precompressed siblings.
    pub(super) async fn respond(&self, request: Request<()>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = page(StatusCode::METHOD_NOT_ALLOWED, "Files are read with GET or HEAD.");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        // Redirected to its other spelling, such a path would be the name of another server.
        let is_other_server = request.uri().path().starts_with("//");
        let response = if is_other_server { None } else { Some(self.serve_part(request).await) };
        match response {
            Some(response) if response.status() != StatusCode::NOT_FOUND => with_file_headers(response),
            _ => not_found("There is no such file. This is wsd, a server of files and of WebSockets."),
        }
    }

    /// Mends what the library makes of ranges.
    async fn serve_part(&self, request: Request<()>) -> Response<Body> {
        let mut request = self.check_if_range(request).await;
        if request.headers().get(RANGE).is_some_and(|range| !range.as_bytes().starts_with(b"bytes=")) {
            // An unknown unit is to be ignored (RFC 9110, section 14.2).
            request.headers_mut().remove(RANGE);
        }
        let whole = request.clone();
        let response = self.serve(request).await;
        let is_suffix = |range: &HeaderValue| {
            range.as_bytes().strip_prefix(b"bytes=-").is_some_and(|length| length.iter().any(|digit| *digit != b'0'))
        };
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && whole.headers().get(RANGE).is_some_and(is_suffix) {
            // A suffix longer than the file is the whole file (RFC 9110, section 14.1.2).
            request = whole;
            request.headers_mut().insert(RANGE, HeaderValue::from_static("bytes=0-"));
            return self.serve(request).await;
        }
        response
    }

    async fn serve(&self, request: Request<()>) -> Response<Body> {
        let mut service = ServeDir::with_backend("", Guarded(Arc::clone(&self.root)))
            .precompressed_br()
            .precompressed_gzip()
            .ignore_multi_range_requests(true)
            .with_buf_chunk_size(crate::limits::READ_BYTES);
        match service.call(request.map(|()| http_body_util::Empty::<bytes::Bytes>::new())).await {
            Ok(response) => response.map(BodyExt::boxed_unsync),
            Err(never) => match never {},
        }
    }

    /// Takes `Range` away if `If-Range` says that the client has another version (RFC 9110, section 13.1.5), which the
    /// library does not look at.
    async fn check_if_range(&self, mut request: Request<()>) -> Request<()> {
        if let Some(validator) = request.headers_mut().remove(IF_RANGE)
            && request.headers().contains_key(RANGE)
        {
            let mut head = Request::new(());
            *head.method_mut() = Method::HEAD;
            head.uri_mut().clone_from(request.uri());
            let now = self.serve(head).await;
            let is_current = [ETAG, LAST_MODIFIED].iter().any(|name| now.headers().get(name) == Some(&validator));
            if !is_current || validator.as_bytes().starts_with(b"W/") {
                request.headers_mut().remove(RANGE);
            }
        }
        request
    }
}

fn with_file_headers(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    if let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) {
        // RFC 9239: the other names of JavaScript are obsolete.
        let kind = if kind == "application/javascript" { "text/javascript" } else { kind };
        if kind.starts_with("text/")
            && let Ok(kind) = HeaderValue::try_from(format!("{kind}; charset=utf-8"))
        {
            headers.insert(CONTENT_TYPE, kind);
        }
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A page under work must not be an old one; the validators make asking cheap.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}

/// A folder out of which no path leads.
#[derive(Debug)]
struct Confined {
    root: Root,
    programs: Vec<Root>,
}

impl Confined {
    /// Opens `path`, which is relative. Whatever must not be served is as if it were not there.
    fn open(&self, path: &Path) -> io::Result<fs::File> {
        let is_hidden = |name: &OsStr| name.as_bytes().starts_with(b".");
        let mut names = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        if names.next().is_some_and(|first| is_hidden(first) && first != ".well-known") || names.any(is_hidden) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = self.open_beneath(path)?;
        let metadata = file.metadata()?;
        // A FIFO would be waited for, a device might do anything.
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let full = self.root.path().join(path);
        if self.programs.iter().any(|programs| programs.contains(&full)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(file)
    }

    /// Opens a file whose whole path, links followed, stays in the folder: the kernel sees to it.
    #[cfg(target_os = "linux")]
    fn open_beneath(&self, path: &Path) -> io::Result<fs::File> {
        use rustix::{
            fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2},
            io::Errno,
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let root = openat(CWD, self.root.path(), OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty())?;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match openat2(root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS) {
            Ok(file) => Ok(file.into()),
            Err(Errno::XDEV | Errno::LOOP) => Err(io::ErrorKind::NotFound.into()),
            Err(Errno::NOSYS | Errno::PERM) => self.open_checked(path),
            Err(errno) => Err(errno.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open_beneath(&self, path: &Path) -> io::Result<fs::File> {
        self.open_checked(path)
    }

    /// The same where the kernel has no such call, or a sandbox forbids it: checked before, not while it is opened.
    fn open_checked(&self, path: &Path) -> io::Result<fs::File> {
        let full = fs::canonicalize(self.root.path().join(path))?;
        let kind = fs::metadata(&full)?;
        if !self.root.contains(&full) || !(kind.is_file() || kind.is_dir()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        fs::File::open(full)
    }
}

/// The way by which the library reads the folder.
#[derive(Clone, Debug)]
struct Guarded(Arc<Confined>);

impl Backend for Guarded {
    type File = File;
    type Metadata = fs::Metadata;
    type OpenFuture = Pin<Box<dyn Future<Output = io::Result<File>> + Send>>;
    type MetadataFuture = Pin<Box<dyn Future<Output = io::Result<fs::Metadata>> + Send>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let confined = Arc::clone(&self.0);
        Box::pin(async move {
            let file = tokio::task::spawn_blocking(move || confined.open(&path)).await??;
            Ok(File(tokio::fs::File::from_std(file)))
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let confined = Arc::clone(&self.0);
        Box::pin(async move { tokio::task::spawn_blocking(move || confined.open(&path)?.metadata()).await? })
    }
}

/// An open file of the folder.
#[derive(Debug)]
struct File(tokio::fs::File);

impl BackendFile for File {
    type Metadata = fs::Metadata;
    type MetadataFuture<'a> = Pin<Box<dyn Future<Output = io::Result<fs::Metadata>> + Send + 'a>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        Box::pin(self.0.metadata())
    }
}

impl AsyncRead for File {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncSeek for File {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.0).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.0).poll_complete(cx)
    }
}
