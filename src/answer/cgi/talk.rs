//! Reads a script's answer from its standard output, and sends it to the client as it comes.

use std::{
    future::{pending, poll_fn},
    time::Duration,
};

use bytes::Bytes;
use hyper::{HeaderMap, Response, StatusCode, Uri, header::CONTENT_LENGTH};
use tokio::{sync::oneshot, time::timeout};

use super::super::{
    ask::HttpAnswer,
    exchange::{AnswerBody, answer_body, read},
};
use crate::{
    buffers,
    http::cgi_head::{Head, parse, text},
    limits::{CGI_HEAD_BYTES_MAX, UNTIL_SIGINT},
    status::Status,
    worker::{child::Child, output::Output},
};

/// The reason that a script's answer is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It wrote nothing.
    Silent,
    /// It wrote something else than an answer; this says what is wrong.
    Malformed(&'static str),
    /// It did not answer in time.
    Late,
    /// It wrote less than its Content-Length.
    Short,
    /// It was killed within an answer without a Content-Length.
    Killed,
    /// The client's fault: the request's body broke off or was invalid.
    Request,
}

impl Failure {
    /// Returns the status of the answer, and the cause for the log.
    pub(super) fn status_and_cause(self, status: Status) -> (StatusCode, &'static str) {
        match self {
            Self::Silent if status != Status::Exit(0) => (StatusCode::INTERNAL_SERVER_ERROR, "the script failed"),
            Self::Silent => (StatusCode::BAD_GATEWAY, "the script said nothing"),
            Self::Malformed(why) => (StatusCode::BAD_GATEWAY, why),
            Self::Late => (StatusCode::GATEWAY_TIMEOUT, "the script was silent for too long: see --cgi-timeout"),
            Self::Short => (StatusCode::BAD_GATEWAY, "the script's answer is shorter than its Content-Length"),
            Self::Killed => (StatusCode::BAD_GATEWAY, "the script was killed within its answer"),
            Self::Request => (StatusCode::BAD_REQUEST, "the request's body is broken"),
        }
    }
}

/// The state of an exchange when [`talk`] ends.
#[derive(Debug)]
pub(super) enum Talked {
    /// The whole answer is on its way to the client.
    Complete,
    /// The client has left, or it asked for the head of the answer only.
    Left,
    /// wsd follows this local redirect once the script has ended.
    Redirect(Uri),
}

/// The script's answer, or the status of wsd's error page.
pub(super) type Outcome = Result<HttpAnswer, StatusCode>;

/// Reads the answer of `script`; sends a document to `tell` as soon as its head is complete.
pub(super) async fn talk(
    output: &mut Output,
    script: &Child,
    is_head: bool,
    time_max: Duration,
    tell: &mut Option<oneshot::Sender<Outcome>>,
) -> Result<Talked, Failure> {
    let Some(waiting) = tell.as_mut() else { return Ok(Talked::Left) };
    let head = tokio::select! {
        head = timeout(time_max, read_head(output)) => head,
        // The client has left.
        () = waiting.closed() => return Ok(Talked::Left),
    };
    let (status, headers, rest) = match head.unwrap_or(Err(Failure::Late))? {
        (Head::LocalRedirect(target), _) => return Ok(Talked::Redirect(target)),
        (Head::Document(status, headers), rest) => (status, headers, rest),
    };
    let promised = promised_bytes(status, &headers);
    let (sender, mut reader, body) = answer_body();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if tell.take().is_none_or(|tell| tell.send(Ok(HttpAnswer::Document(response))).is_err()) {
        return Ok(Talked::Left);
    }
    if is_head {
        return Ok(Talked::Left);
    }
    tokio::select! {
        // In order: after the last byte of a Content-Length, hyper drops the body.
        biased;
        talked = copy(output, script, rest, sender, promised, time_max) => talked,
        () = reader.closed() => Ok(Talked::Left),
    }
}

/// Returns the length of the body in bytes, if the head announces it.
fn promised_bytes(status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Some(0),
        _ => text(headers, &CONTENT_LENGTH).parse().ok(),
    }
}

/// Reads until the head is complete; returns the bytes after it, too.
async fn read_head(output: &mut Output) -> Result<(Head, Bytes), Failure> {
    let mut head = Vec::new();
    loop {
        let more = read(output).await;
        if more.is_empty() {
            return Err(if head.is_empty() {
                Failure::Silent
            } else {
                Failure::Malformed("the answer ends within its head")
            });
        }
        head.extend_from_slice(&more);
        match parse(&head) {
            Ok(Some((parsed, length))) if length <= CGI_HEAD_BYTES_MAX => {
                return Ok((parsed, Bytes::from(head).slice(length..)));
            }
            Ok(None) if head.len() <= CGI_HEAD_BYTES_MAX => {}
            Ok(_) => return Err(Failure::Malformed("the head of the answer is too long")),
            Err(why) => return Err(Failure::Malformed(why)),
        }
    }
}

/// Sends the body as fast as the client reads it, until it ends or the client has left. The script may be silent for
/// `time_max`; the client's time does not count. Aborts an incomplete body.
async fn copy(
    output: &mut Output,
    script: &Child,
    rest: Bytes,
    mut body: AnswerBody,
    promised: Option<u64>,
    time_max: Duration,
) -> Result<Talked, Failure> {
    let mut data = rest;
    let mut missing = promised.unwrap_or_default();
    loop {
        missing = missing.saturating_sub(data.len() as u64);
        if !data.is_empty() && !body.send(data).await {
            return Ok(Talked::Left);
        }
        if promised.is_some() && missing == 0 {
            body.end();
            return Ok(Talked::Complete);
        }
        match timeout(time_max, read(output)).await {
            Ok(more) if !more.is_empty() => data = more.into(),
            Ok(_) if missing > 0 => return Err(Failure::Short),
            Ok(_) if promised.is_none() && is_killed(script).await => return Err(Failure::Killed),
            Ok(_) => {
                body.end();
                return Ok(Talked::Complete);
            }
            Err(_) => return Err(Failure::Late),
        }
    }
}

/// Waits until a script that has sent its whole answer has ended: it may have something left to do. Drops its further output.
pub(super) async fn outlast(output: &mut Output, script: &Child, time_max: Duration) {
    let discard = async {
        poll_fn(|cx| buffers::with_read(|buffer| output.poll_discard(cx, buffer))).await;
        pending::<()>().await;
    };
    tokio::select! {
        _ = script.leader().ended_within(time_max) => {}
        () = discard => {}
    }
}

/// Whether a script that closed its output was killed. Waits for its end only a little: it may run on without output.
async fn is_killed(script: &Child) -> bool {
    // The kernel closes the files of a process a moment before it reports how the process ended.
    matches!(script.leader().ended_within(UNTIL_SIGINT).await, Some(Status::Signal(1..)))
}
