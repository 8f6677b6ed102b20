//! One HTTP connection: serves requests one after the other, until it closes or becomes a WebSocket.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::{
    Request, Response,
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use super::{pace::Timed, page::Body};
use crate::{
    budget::{Budget, Kind, Owner, Share},
    limits::{HEAD_BYTES_MAX, HTTP_BUFFER_BYTES_MAX, SHUTDOWN_ANSWER},
    shutdown::Shutdown,
    socket::stream::Stream,
};

/// Serves `stream` until it closes or a session takes it over; `respond` answers each request.
///
/// A request with a body has the [`Owner`] of the connection's bytes among its extensions.
pub(crate) async fn serve<F: Future<Output = Response<Body>>>(
    stream: Stream,
    budget: &Budget,
    shutdown: &Shutdown,
    respond: impl Fn(Request<Incoming>) -> F,
) {
    let answers = TaskTracker::new();
    let owner = Owner::new(budget, Kind::Client);
    let timed = Timed::new(stream, answers.clone(), owner.clone());
    let service = service_fn(|mut request: Request<Incoming>| {
        if !request.body().is_end_stream() {
            request.extensions_mut().insert(owner.clone());
        }
        let answer = answers.token();
        let response = respond(request);
        let share = owner.share();
        async move {
            let answered = |body| CountedBody { body, fault: None, share, _answer: answer };
            Ok::<_, Infallible>(response.await.map(answered))
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(HTTP_BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(timed), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // Errors here are the client's: it broke HTTP, was too slow or left. hyper has sent an error response where it could.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(SHUTDOWN_ANSWER, connection).await;
        }
    }
}

/// The body of an answer. While it exists, the client may be silent.
struct CountedBody {
    body: Body,
    /// The error of `body`, which hyper gets at the next poll: in this one it writes the data before it.
    fault: Option<io::Error>,
    /// Counts the data that waits for the client.
    share: Share,
    _answer: TaskTrackerToken,
}

/// Bytes from which on a part of an answer counts against the budget while it waits.
const COUNTED_BYTES_MIN: usize = 1 << 10;

impl hyper::body::Body for CountedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, io::Error>>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Err(fault))) => {
                self.fault = Some(fault);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame.map_data(|data| self.count(data))))),
            end => end,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.fault.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

impl CountedBody {
    /// Counts a part of the answer until hyper has written it. Counts as much twice for the source of the next parts: the
    /// file's own buffer and the one that it is read into, or the way from a script.
    fn count(&mut self, data: Bytes) -> Bytes {
        if data.len() < COUNTED_BYTES_MIN {
            return data;
        }
        let size = data.len();
        self.share.set(2 * size, size);
        self.share.owner().budget().count(data, size)
    }
}

/// Returns the stream of an upgraded connection, and the bytes of frames that the client sent together with its request.
pub(crate) fn into_stream(upgraded: Upgraded) -> (Stream, Vec<u8>) {
    let parts = upgraded.downcast::<TokioIo<Timed>>().expect("every connection is served through Timed");
    // A copy, mostly an empty one: the buffer itself would hold hyper's 8 KiB for the whole session.
    (parts.io.into_inner().into_inner(), parts.read_buf.to_vec())
}
