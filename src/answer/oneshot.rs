//! Answers a POST with a program of its own: the body is its standard input, the answer is its standard output.

mod telling;

use std::{convert::Infallible, future::poll_fn, pin::pin, sync::atomic::Ordering, task::Poll};

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{CONNECTION, HeaderValue, UPGRADE},
};
use tokio::{sync::oneshot, time::timeout};
use tracing::Span;

use super::{
    ask::{Answered, Ask, HttpAnswer},
    carried::Carried,
    exchange::{AnswerBody, Cut, Feed, answer_body, read, start},
    overdue::{self, overdue},
    post,
    ration::Ration,
    reply::{EXIT, ReplyHead, closing, ended},
    transfer::Purpose,
};
use crate::{
    admission::Permit,
    buffers,
    framing::Framing,
    http::{
        gate::Visitor,
        page::{self, Body},
        refusal::Refusal,
    },
    limits::{POST_BYTES, POST_HEAD_WAIT, POST_STALL_MAX},
    peer::Connection,
    record::tape::Tape,
    session::terms::{Deadline, Terms},
    status::Status,
    worker::{Worker, child::Leader, output::Output, outputs::Source, stop::stop},
};

/// Answers a POST without a session. One to a room is a message to it.
pub(super) async fn answer(ask: &mut Ask, visitor: &Visitor) -> Answered {
    if ask.transfer.as_ref().is_none_or(|transfer| transfer.purpose != Purpose::OneShot) {
        return Ok(None);
    }
    let found = ask.site.scripts.as_ref().and_then(|scripts| scripts.find(&ask.path, ask.base.bytes));
    let Some(script) = found else { return Ok(None) };
    if ask.site.rooms.is_some() {
        return post::answer(ask, visitor).await;
    }
    if script.program.stdio.is_controlling() {
        return Err(needs_terminal());
    }
    let (mut worker, permit) = start(ask, visitor, &script, None).await?;
    let connection = visitor.connection.renumbered();
    // The body and the answer are bytes, whatever the framing of the program's sessions is.
    if let Some(recorded) = ask.site.launcher.recorded(&script.program, &script.name, Framing::Chunks) {
        worker.record(Tape::begin(&recorded, connection.id, Span::current()));
    }
    let terms = visitor.terms(&ask.site.session);
    Ok(Some(HttpAnswer::Page(run(ask, visitor, connection, (worker, permit), terms).await)))
}

/// Returns the refusal of a program with a terminal (`--pty`).
fn needs_terminal() -> Refusal {
    let text = "This program has a terminal: connect with a WebSocket.";
    Refusal::new(StatusCode::UPGRADE_REQUIRED, "pty", text)
        .with_hint("serve the program at a path of its own, without --pty")
        .with_header(UPGRADE, HeaderValue::from_static("websocket"))
        .with_header(CONNECTION, HeaderValue::from_static("Upgrade"))
}

/// Why an exchange is over.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PostEnd {
    /// The program has closed its output and has ended.
    Exit,
    /// The client has left.
    Left,
    /// The body of the request is invalid.
    Broken,
    /// The client has sent nothing of the body for too long.
    Stalled,
    /// Its time is over.
    Overdue(Deadline),
    /// The administrator ends it.
    Admin,
    /// wsd itself ends.
    Shutdown,
}

impl PostEnd {
    /// Returns the word for the log: that of a session where there is one.
    fn word(&self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Left => "left",
            Self::Broken => "protocol",
            Self::Stalled => "silent",
            Self::Overdue(deadline) => deadline.word,
            Self::Admin => "admin",
            Self::Shutdown => "shutdown",
        }
    }
}

/// An answer, on its way to the client.
enum Reply {
    /// The client waits for the head.
    Head(oneshot::Sender<Response<Body>>),
    /// It has the head, and waits for the rest.
    Body(AnswerBody),
}

/// Runs the program in a task of its own, which ends it even if the client leaves. Returns the answer once its status is known.
async fn run(
    ask: &mut Ask,
    visitor: &Visitor,
    connection: Connection,
    (worker, permit): (Worker, Permit),
    mut terms: Option<Box<Terms>>,
) -> Response<Body> {
    let Worker { mut child, mut input, mut output, mut stderr, silence: _, mut tape } = worker;
    let head = ReplyHead::new(ask);
    let ration = Ration::new(&mut terms, ask.site.framings.default().delimiter());
    let feed = Feed::new(ask.body.take(), ask.request.extensions.get(), POST_BYTES, POST_STALL_MAX).rationed(ration);
    let feed = feed.recorded(tape.as_ref().map(|tape| tape.track()));
    let patience = ask.site.launcher.process.patience;
    let shutdown = ask.shutdown.clone();
    let session = telling::started(ask, visitor, &connection, child.pid());
    let (tell, told) = oneshot::channel();
    ask.spawn(async move {
        let carried = Carried::default();
        let mut reply = Some(Reply::Head(tell));
        let end = tokio::select! {
            // In order: a program may end in the moment in which the body breaks off.
            biased;
            end = talk((&mut output, &mut tape), child.leader(), &head, &mut reply, &carried) => end,
            cut = feed.run(&mut input, &mut stderr, &connection, &carried) => match cut {
                Cut::Left => PostEnd::Left,
                Cut::Broken => PostEnd::Broken,
                Cut::Stalled => PostEnd::Stalled,
            },
            deadline = overdue(&mut terms, &carried) => PostEnd::Overdue(deadline),
            () = session.dismissed() => PostEnd::Admin,
            () = shutdown.begun() => PostEnd::Shutdown,
        };
        // wsd closes the input after a whole body only: a part must not look complete to the program.
        child.remember();
        // Reads the output meanwhile, so that the program does not block in a write.
        let drain = poll_fn(|cx| {
            buffers::with_read(|buffer| {
                let _ = stderr.poll_log(cx, buffer, &connection);
                let _ = output.poll_discard(cx, buffer);
            });
            Poll::<Infallible>::Pending
        });
        let status = tokio::select! {
            biased;
            status = stop(&mut child, patience, &connection, None) => status,
            never = drain => match never {},
        };
        let usage = child.usage();
        drop((child, input));
        stderr.log_to_the_end(&connection).await;
        if let Some(tape) = &mut tape {
            if end == PostEnd::Exit {
                tape.over();
            }
            tape.end(status);
        }
        // The client may come again as soon as it has the whole answer: then the fork slot is free.
        drop(permit);
        telling::ended(&session, end.word(), status, &carried, usage);
        if let Some(reply) = reply {
            finish(reply, end, status, &carried).await;
        }
    });
    told.await.unwrap_or_else(|_| page::page(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping."))
}

/// Sends the output as the answer, as it comes, until the program has ended or the client has left.
async fn talk(
    (output, tape): (&mut Output, &mut Option<Box<Tape>>),
    leader: Leader,
    head: &ReplyHead,
    reply: &mut Option<Reply>,
    carried: &Carried,
) -> PostEnd {
    let Some(Reply::Head(tell)) = reply else { return PostEnd::Left };
    let first = tokio::select! {
        first = timeout(POST_HEAD_WAIT, next(output, tape, leader)) => first,
        () = tell.closed() => return PostEnd::Left,
    };
    if first == Ok(None) {
        return PostEnd::Exit;
    }
    let (body, mut reader, stream) = answer_body();
    let Some(Reply::Head(tell)) = reply.replace(Reply::Body(body)) else { return PostEnd::Left };
    let Some(Reply::Body(body)) = reply else { return PostEnd::Left };
    if tell.send(closing(head.response(stream), carried)).is_err() {
        return PostEnd::Left;
    }
    let copy = async {
        let mut data = first.ok().flatten();
        loop {
            if let Some(data) = data {
                carried.output.fetch_add(data.len() as u64, Ordering::Relaxed);
                if !body.send(data.into()).await {
                    return PostEnd::Left;
                }
            }
            data = next(output, tape, leader).await;
            if data.is_none() {
                return PostEnd::Exit;
            }
        }
    };
    let copy = pin!(copy);
    tokio::select! {
        biased;
        end = copy => end,
        () = reader.closed() => PostEnd::Left,
    }
}

/// Reads a part of the output; `None` once the program has closed it and has ended. Cancel safe.
async fn next(output: &mut Output, tape: &mut Option<Box<Tape>>, leader: Leader) -> Option<Vec<u8>> {
    let data = read(output).await;
    if data.is_empty() {
        leader.gone().await;
        return None;
    }
    Source::Output.record(tape, &data);
    Some(data)
}

/// Completes the answer of a program that has ended so.
async fn finish(reply: Reply, end: PostEnd, status: Status, carried: &Carried) {
    match (reply, end) {
        (Reply::Head(tell), end) => {
            let response = match end {
                PostEnd::Exit => ended(status),
                PostEnd::Overdue(deadline) => page::refused(overdue::refusal(&deadline, carried)),
                PostEnd::Broken => page::page(StatusCode::BAD_REQUEST, "The body of the request is broken."),
                PostEnd::Stalled => {
                    page::page(StatusCode::REQUEST_TIMEOUT, "The body of the request did not come in time.")
                }
                PostEnd::Admin => {
                    page::page(StatusCode::SERVICE_UNAVAILABLE, "The administrator has ended the program.")
                }
                PostEnd::Left | PostEnd::Shutdown => {
                    page::page(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.")
                }
            };
            let _ = tell.send(closing(response, carried));
        }
        (Reply::Body(body), PostEnd::Exit) if matches!(status, Status::Exit(_)) => {
            body.end_with(HeaderMap::from_iter([(EXIT, status.shell().into())])).await;
        }
        // The client sees that the body breaks off.
        (Reply::Body(_), _) => {}
    }
}
