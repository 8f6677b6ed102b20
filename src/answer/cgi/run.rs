//! One run of a CGI script: writes the request's body to it, sends its answer, and leaves no process behind.

use std::{
    future::poll_fn,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Method, StatusCode,
    body::Incoming,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tokio::sync::oneshot;

use super::{
    super::{ask::Ask, launch::Launch, scripts::Script},
    answer::{HttpAnswer, text},
    folder::CgiScript,
    talk::{Delivery, Failure, Outcome, talk},
};
use crate::{
    admission::Permit,
    budget::{Owner, Share},
    buffers,
    event::Event,
    http::{gate::AdmittedClient, page, refusal::Refusal},
    limits::CGI_BYTES,
    peer::Connection,
    worker::{
        Worker,
        environ::{Content, unique_id},
        input::Input,
        output::Stderr,
        program::Program,
        stop::stop,
    },
};

/// Runs the script found for a request, and returns its answer.
pub(super) async fn run(ask: &mut Ask, client: &AdmittedClient, found: &CgiScript<'_>) -> HttpAnswer {
    let body = ask.body.take();
    match start(ask, client, found).await {
        Ok((worker, permit)) => talk_with(ask, found.file.clone(), worker, permit, body).await,
        Err(refusal) => {
            refusal.log(ask.connection.peer);
            HttpAnswer::Page(page::refused(&refusal))
        }
    }
}

async fn start(ask: &Ask, client: &AdmittedClient, found: &CgiScript<'_>) -> Result<(Worker, Permit), Refusal> {
    let launcher = &ask.site.launcher;
    let permit = launcher.admit().await?;
    // A script starts in its own folder (RFC 3875, section 7.2).
    let folder = found.file.parent().map(Path::to_owned);
    let program = Program::linkless(found.file.clone(), found.file_name.clone(), folder);
    let script = Script { program, name: found.name, path_info: found.info };
    let content = Content {
        length: text(&ask.request.headers, &CONTENT_LENGTH),
        kind: text(&ask.request.headers, &CONTENT_TYPE),
        script_file: Some(&found.file),
    };
    let launch = Launch {
        connection: &client.connection,
        request: &ask.request,
        script: &script,
        path: &ask.path,
        id: &unique_id(),
        content,
        subprotocol: None,
    };
    let environment = launcher.environment(launch).await;
    launcher.start(client.connection.peer, &script.program, environment, permit).await
}

/// Lets the script answer, in a task of its own that ends the script even if the client leaves.
async fn talk_with(ask: &Ask, file: PathBuf, worker: Worker, permit: Permit, body: Option<Incoming>) -> HttpAnswer {
    let (tell, told) = oneshot::channel();
    let options = &ask.site.launcher.process;
    let run = Run {
        is_head: ask.request.method == Method::HEAD,
        worker,
        body,
        share: ask.request.extensions.get::<Owner>().map(|owner| {
            let mut share = owner.share();
            share.set(CGI_BYTES, 0);
            share
        }),
        permit,
        file,
        time_max: ask.site.cgi.as_ref().map_or(Duration::MAX, |cgi| cgi.time_max),
        patience: options.patience,
    };
    let (connection, shutdown) = (ask.connection.clone(), ask.shutdown.clone());
    ask.shutdown.spawn(async move {
        tokio::select! {
            // Dropping `run` kills the script.
            () = shutdown.begun() => {}
            () = run.run(tell, &connection) => {}
        }
    });
    match told.await.unwrap_or(Err(StatusCode::BAD_GATEWAY)) {
        Ok(answer) => answer,
        Err(code @ StatusCode::BAD_REQUEST) => HttpAnswer::Page(page::page(code, "The body of the request is broken.")),
        Err(code) => HttpAnswer::Page(page::page(code, "The script gave no answer. The server's log tells why.")),
    }
}

/// A running script.
struct Run {
    worker: Worker,
    body: Option<Incoming>,
    /// Counts the run itself, and the part of the body that waits for the script; `None` without a body.
    share: Option<Share>,
    is_head: bool,
    permit: Permit,
    file: PathBuf,
    time_max: Duration,
    patience: Duration,
}

impl Run {
    /// Runs the script to its end; sends its answer to `tell` as soon as the head is complete.
    async fn run(self, tell: oneshot::Sender<Outcome>, connection: &Connection) {
        let Self { worker, body, share, is_head, permit, file, time_max, patience } = self;
        let Worker { mut child, mut input, mut output, mut stderr } = worker;
        let body_broken = feed_and_log(body, share, &mut input, &mut stderr, connection);
        let mut tell = Some(tell);
        let talked = tokio::select! {
            // The body of the request broke off.
            () = body_broken => Err(Failure::Request),
            talked = talk(&mut output, &child, is_head, time_max, &mut tell) => talked,
        };
        // wsd closes the input after a whole body only: a truncated one must not look complete to the script.
        let status = stop(&mut child, patience, connection).await;
        drop(child);
        stderr.log_to_the_end(connection).await;
        // Frees the fork slot: a local redirect may start another script.
        drop(permit);
        let outcome = match talked {
            Ok(Delivery::All) => return,
            Ok(Delivery::Redirect(target)) => Ok(HttpAnswer::LocalRedirect(target)),
            Err(failure) => {
                let (code, cause) = failure.status_and_cause(status);
                let (conn, status) = (connection.id, status.shell());
                Event::ScriptFailed { conn, program: &file.display(), cause, status }.emit();
                Err(code)
            }
        };
        if let Some(tell) = tell {
            let _ = tell.send(outcome);
        }
    }
}

/// Writes the request's body to the script, and the script's standard error to the log. Returns if the body breaks off;
/// the input then stays open, so that the script does not take a part for the whole.
async fn feed_and_log(
    mut body: Option<Incoming>,
    mut share: Option<Share>,
    input: &mut Input,
    stderr: &mut Stderr,
    connection: &Connection,
) {
    let feed = async {
        while let Some(Some(frame)) = next_frame(&mut body).await {
            let Ok(frame) = frame else { return };
            if let Ok(data) = frame.into_data() {
                input.write(data, |held| share.iter_mut().for_each(|share| share.set(CGI_BYTES + held, 0))).await;
            }
        }
        input.close();
        std::future::pending::<()>().await;
    };
    let log = poll_fn(|cx| buffers::with_read(|buffer| stderr.poll_log(cx, buffer, connection)));
    let log = async {
        log.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = feed => {}
        () = log => {}
    }
}

async fn next_frame(body: &mut Option<Incoming>) -> Option<Option<Result<hyper::body::Frame<Bytes>, hyper::Error>>> {
    match body {
        Some(body) => Some(body.frame().await),
        None => None,
    }
}
