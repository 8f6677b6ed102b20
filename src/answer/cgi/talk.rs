//! What a script says: read from its standard output, told to the client as soon as it can be.

use std::{
    future::poll_fn,
    io,
    task::{Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{
    BodyExt,
    channel::{Channel, Sender},
};
use hyper::{HeaderMap, Response, StatusCode, Uri, header::CONTENT_LENGTH};
use tokio::{sync::oneshot, time::timeout};

use super::answer::{Answer, Head, parse, text};
use crate::{
    buffers,
    limits::{CGI_HEAD_BYTES_MAX, UNTIL_SIGINT},
    status::Status,
    worker::{child::Child, output::Output, stop::ended},
};

/// Why a script's answer is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It said nothing.
    Silent,
    /// It said something else.
    Rubbish(&'static str),
    /// It did not answer in time.
    Late,
    /// It ended before all had come that its Content-Length tells of.
    Short,
    /// It was killed within an answer that tells no length.
    Killed,
    /// It is not to blame: the request's body broke off, or made no sense.
    Request,
}

impl Failure {
    /// The status of the answer, and the cause for the log.
    pub(super) fn told(self, status: Status) -> (StatusCode, &'static str) {
        match self {
            Self::Silent if status != Status::Exit(0) => (StatusCode::INTERNAL_SERVER_ERROR, "the script failed"),
            Self::Silent => (StatusCode::BAD_GATEWAY, "the script said nothing"),
            Self::Rubbish(why) => (StatusCode::BAD_GATEWAY, why),
            Self::Late => (StatusCode::GATEWAY_TIMEOUT, "the script was silent for too long: see --cgi-timeout"),
            Self::Short => (StatusCode::BAD_GATEWAY, "the script's answer is shorter than its Content-Length"),
            Self::Killed => (StatusCode::BAD_GATEWAY, "the script was killed within its answer"),
            Self::Request => (StatusCode::BAD_REQUEST, "the request's body is broken"),
        }
    }
}

/// The script's answer, or the status that tells why there is none.
pub(super) type Outcome = Result<Answer, StatusCode>;

/// What a script had to say.
pub(super) enum Told {
    /// All has been told, or nobody is left to tell it to.
    All,
    /// To be told once the script has ended.
    Redirect(Uri),
}

/// The body of an answer, to be filled. Dropped before its end it is broken off, so that nobody takes a part for the whole.
struct AnswerBody(Option<Sender<Bytes, io::Error>>);

impl AnswerBody {
    /// Hands `data` on once the client takes it; whether it still does.
    async fn send(&mut self, data: Bytes) -> bool {
        match &mut self.0 {
            Some(sender) => sender.send_data(data).await.is_ok(),
            None => false,
        }
    }

    /// Tells the client that this was all.
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            sender.abort(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Reads the answer of `script`; a document goes to `tell` as soon as its head is whole.
pub(super) async fn talk(
    output: &mut Output,
    script: &Child,
    is_head: bool,
    time_max: Duration,
    tell: &mut Option<oneshot::Sender<Outcome>>,
) -> Result<Told, Failure> {
    let Some(waiting) = tell.as_mut() else { return Ok(Told::All) };
    let head = tokio::select! {
        head = timeout(time_max, read_head(output)) => head,
        // The client has left.
        () = waiting.closed() => return Ok(Told::All),
    };
    let (status, headers, rest) = match head.unwrap_or(Err(Failure::Late))? {
        (Head::LocalRedirect(target), _) => return Ok(Told::Redirect(target)),
        (Head::Document(status, headers), rest) => (status, headers, rest),
    };
    let promised = if is_head { Some(0) } else { promised_bytes(status, &headers) };
    let (sender, body) = Channel::new(1);
    // Dropped with the body: when it is whole, or the client has left.
    let (mut reader, reads) = oneshot::channel::<()>();
    let body = body.map_frame(move |frame| {
        let _ = &reads;
        frame
    });
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if tell.take().is_none_or(|tell| tell.send(Ok(Answer::Document(response))).is_err()) {
        return Ok(Told::All);
    }
    tokio::select! {
        copied = copy(output, script, rest, AnswerBody(Some(sender)), promised, time_max) => copied.map(|()| Told::All),
        () = reader.closed() => Ok(Told::All),
    }
}

/// What the head says of the length of the body.
fn promised_bytes(status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Some(0),
        _ => text(headers, &CONTENT_LENGTH).parse().ok(),
    }
}

/// Reads until the head is whole; returns what came after it, too.
async fn read_head(output: &mut Output) -> Result<(Head, Bytes), Failure> {
    let mut head = Vec::new();
    loop {
        let more = read(output).await;
        if more.is_empty() {
            return Err(if head.is_empty() {
                Failure::Silent
            } else {
                Failure::Rubbish("the answer ends within its head")
            });
        }
        head.extend_from_slice(&more);
        match parse(&head) {
            Ok(Some((parsed, length))) if length <= CGI_HEAD_BYTES_MAX => {
                return Ok((parsed, Bytes::from(head).slice(length..)));
            }
            Ok(None) if head.len() <= CGI_HEAD_BYTES_MAX => {}
            Ok(_) => return Err(Failure::Rubbish("the head of the answer is too long")),
            Err(why) => return Err(Failure::Rubbish(why)),
        }
    }
}

/// Reads some of the output, through the thread's buffer; nothing is the end.
async fn read(output: &mut Output) -> Vec<u8> {
    poll_fn(|cx| {
        buffers::with_read(|buffer| {
            let count = ready!(output.poll_read(cx, buffer));
            Poll::Ready(buffer[..count].to_vec())
        })
    })
    .await
}

/// Hands the body on, as fast as the client takes it, until it ends or the client has left. The script may be silent for
/// `time_max`; the time that the client takes is not its own. A body that is not whole is broken off.
async fn copy(
    output: &mut Output,
    script: &Child,
    rest: Bytes,
    mut body: AnswerBody,
    promised: Option<u64>,
    time_max: Duration,
) -> Result<(), Failure> {
    let mut data = rest;
    let mut missing = promised.unwrap_or_default();
    loop {
        missing = missing.saturating_sub(data.len() as u64);
        if !data.is_empty() && !body.send(data).await {
            return Ok(());
        }
        match timeout(time_max, read(output)).await {
            Ok(more) if !more.is_empty() => data = more.into(),
            Ok(_) if missing > 0 => return Err(Failure::Short),
            Ok(_) if promised.is_none() && is_killed(script).await => return Err(Failure::Killed),
            Ok(_) => {
                body.end();
                return Ok(());
            }
            Err(_) => return Err(Failure::Late),
        }
    }
}

/// Whether a script whose output is over was killed. One that goes on without its output is not waited for.
async fn is_killed(script: &Child) -> bool {
    // The kernel closes what a process has open a moment before it tells how the process ended.
    matches!(ended(script, UNTIL_SIGINT).await, Some(Status::Signal(1..)))
}
