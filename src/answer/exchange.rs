//! A worker behind one HTTP answer: the body of the request becomes its standard input, its standard output becomes the body of
//! the answer, and its standard error goes to the log.

use std::{
    error::Error,
    future::{pending, poll_fn},
    io,
    path::Path,
    sync::{Arc, atomic::Ordering},
    task::{Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{
    BodyExt,
    channel::{Channel, Sender},
};
use hyper::{
    HeaderMap,
    body::{Frame, Incoming},
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tokio::{sync::oneshot, time::timeout};

use super::{ask::Ask, carried::Carried, ration::Ration, scripts::Script};
use crate::{
    admission::Permit,
    budget::{Owner, Share},
    buffers,
    http::{cgi_head::text, gate::Visitor, page::Body, refusal::Refusal},
    message::Kind,
    peer::Connection,
    record::track::Track,
    worker::{
        Worker,
        environ::{CgiFacts, unique_id},
        input::Input,
        output::{Output, Stderr},
    },
};

/// Starts the program of a request with a body, within the fork limit. `script_file` is `SCRIPT_FILENAME`.
pub(super) async fn start(
    ask: &Ask,
    visitor: &Visitor,
    script: &Script,
    script_file: Option<&Path>,
) -> Result<(Worker, Permit), Refusal> {
    let launcher = &ask.site.launcher;
    let permit = launcher.admit(&launcher.pass(visitor)?).await?;
    let content = CgiFacts {
        length: text(&ask.request.headers, &CONTENT_LENGTH),
        kind: text(&ask.request.headers, &CONTENT_TYPE),
        script_file,
    };
    let environment = ask.environment(visitor, script, &unique_id(), content, None).await;
    launcher.start(visitor.connection.peer, &script.program, environment, permit).await
}

/// Sends the body of an answer. Dropping it before [`AnswerBody::end`] aborts the body: no client takes a part for the whole.
pub(super) struct AnswerBody(Option<Sender<Bytes, io::Error>>);

/// Resolves when hyper drops the body of an answer: it is complete, or the client has left.
pub(super) struct BodyReader(oneshot::Sender<()>);

/// Returns the body of an answer, and both of its ends here.
pub(super) fn answer_body() -> (AnswerBody, BodyReader, Body) {
    let (sender, body) = Channel::new(1);
    let (reader, reads) = oneshot::channel::<()>();
    let body = body.map_frame(move |frame| {
        let _ = &reads;
        frame
    });
    (AnswerBody(Some(sender)), BodyReader(reader), body.boxed_unsync())
}

impl AnswerBody {
    /// Sends `data` once the client reads it; returns false if the client has left.
    pub(super) async fn send(&mut self, data: Bytes) -> bool {
        match &mut self.0 {
            Some(sender) => sender.send_data(data).await.is_ok(),
            None => false,
        }
    }

    /// Completes the body.
    pub(super) fn end(mut self) {
        self.0 = None;
    }

    /// Completes the body, and adds trailers if the client takes them.
    pub(super) async fn end_with(mut self, trailers: HeaderMap) {
        if let Some(mut sender) = self.0.take() {
            let _ = sender.send_trailers(trailers).await;
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            sender.abort(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

impl BodyReader {
    /// Resolves when nobody reads the body any more.
    pub(super) async fn closed(&mut self) {
        self.0.closed().await;
    }
}

/// Reads a part of the output, through the thread's buffer; empty at the end. Cancel safe.
pub(super) async fn read(output: &mut Output) -> Vec<u8> {
    poll_fn(|cx| {
        buffers::with_read(|buffer| {
            let count = ready!(output.poll_read(cx, buffer));
            Poll::Ready(buffer[..count].to_vec())
        })
    })
    .await
}

/// The body of a request, on its way to a program.
#[derive(Debug)]
pub(super) struct Feed<B = Incoming> {
    body: Option<B>,
    /// Counts the exchange itself, and the part of the body that waits for the program; `None` without a body.
    share: Option<Share>,
    own_bytes: usize,
    stall_max: Duration,
    ration: Ration,
    /// The recording of the program, if there is one.
    track: Option<Arc<Track>>,
}

/// Why no more of a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The client has left.
    Left,
    /// It is invalid.
    Broken,
    /// The client sent nothing for too long.
    Stalled,
}

impl<B: hyper::body::Body<Data = Bytes, Error: Error> + Unpin> Feed<B> {
    /// Wraps a body. An exchange counts as `own_bytes` against `owner`. The client may send nothing for `stall_max`, unless it
    /// gets something meanwhile.
    pub(super) fn new(body: Option<B>, owner: Option<&Owner>, own_bytes: usize, stall_max: Duration) -> Self {
        let mut share = owner.map(Owner::share);
        if let Some(share) = &mut share {
            share.set(own_bytes, 0);
        }
        Self { body, share, own_bytes, stall_max, ration: Ration::default(), track: None }
    }

    /// Writes the body no faster than `ration` permits.
    pub(super) fn rationed(self, ration: Ration) -> Self {
        Self { ration, ..self }
    }

    /// Notes the body, and its end, in the recording of the program.
    pub(super) fn recorded(self, track: Option<Arc<Track>>) -> Self {
        Self { track, ..self }
    }

    /// Writes the body to the program, and the program's standard error to the log. Returns if the body breaks off; the input
    /// then stays open, so that the program does not take a part for the whole.
    pub(super) async fn run(
        self,
        input: &mut Input,
        stderr: &mut Stderr,
        connection: &Connection,
        carried: &Carried,
    ) -> Cut {
        let feed = async {
            let cut = self.write(input, carried).await;
            if cut.is_none() {
                carried.is_whole.store(true, Ordering::Relaxed);
                input.close();
                pending::<()>().await;
            }
            cut.unwrap_or(Cut::Broken)
        };
        let log = async {
            poll_fn(|cx| buffers::with_read(|buffer| stderr.poll_log(cx, buffer, connection))).await;
            pending().await
        };
        tokio::select! {
            cut = feed => cut,
            never = log => never,
        }
    }

    /// Returns the next part of the body; `None` at its end.
    async fn next(&mut self, carried: &Carried) -> Option<Result<Bytes, Cut>> {
        let body = self.body.as_mut()?;
        loop {
            let before = carried.output.load(Ordering::Relaxed);
            let Ok(frame) = timeout(self.stall_max, body.frame()).await else {
                if carried.output.load(Ordering::Relaxed) == before {
                    return Some(Err(Cut::Stalled));
                }
                continue;
            };
            match frame?.map(Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                // Trailers.
                Ok(Err(_)) => {}
                Err(error) => return Some(Err(if is_invalid(&error) { Cut::Broken } else { Cut::Left })),
            }
        }
    }

    /// Writes the body to the program. Returns `None` after a whole body.
    async fn write(mut self, input: &mut Input, carried: &Carried) -> Option<Cut> {
        while let Some(data) = self.next(carried).await {
            let mut data = match data {
                Ok(data) => data,
                Err(cut) => return Some(cut),
            };
            let (share, own) = (&mut self.share, self.own_bytes);
            let mut count = |held| {
                if let Some(share) = share {
                    share.set(own + held, 0);
                }
            };
            while !data.is_empty() {
                count(data.len());
                let part = self.ration.next(&mut data, carried).await;
                carried.input.fetch_add(part.len() as u64, Ordering::Relaxed);
                if let Some(track) = &self.track {
                    track.input(None, Kind::Binary, &part);
                }
                let left = data.len();
                input.write(part, |held| count(left + held)).await;
            }
        }
        if let Some(track) = &self.track {
            track.input_end();
        }
        None
    }
}

/// Whether the bytes of a body break the rules of chunks (RFC 9112, section 7.1). If not, they have broken off.
fn is_invalid(error: &impl Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use http_body_util::StreamBody;
    use tokio::time::{Instant, sleep};

    use super::*;

    type Parts = Pin<Box<dyn futures_util::Stream<Item = io::Result<Frame<Bytes>>>>>;

    fn silent() -> Feed<StreamBody<Parts>> {
        let body = StreamBody::new(Box::pin(futures_util::stream::pending()) as Parts);
        Feed::new(Some(body), None, 0, Duration::from_mins(1))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_and_gets_nothing_is_given_up() {
        let start = Instant::now();

        let next = silent().next(&Carried::default()).await;

        assert!(matches!(next, Some(Err(Cut::Stalled))), "{next:?}");
        assert!(start.elapsed() < Duration::from_secs(61), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_gets_something_may_send_nothing() {
        let (start, carried) = (Instant::now(), Carried::default());
        let output = async {
            for _ in 0..10 {
                sleep(Duration::from_secs(50)).await;
                carried.output.fetch_add(1, Ordering::Relaxed);
            }
            pending::<()>().await;
        };
        let mut feed = silent();

        let next = tokio::select! { next = feed.next(&carried) => next, () = output => None };

        assert!(matches!(next, Some(Err(Cut::Stalled))), "{next:?}");
        assert!(start.elapsed() > Duration::from_secs(500), "{:?}", start.elapsed());
    }
}
