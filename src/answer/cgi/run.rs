//! One run of a CGI script: writes the request's body to it, sends its answer, and leaves no process behind.

use std::{
    future::{pending, poll_fn},
    path::PathBuf,
    pin::pin,
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::{
    Method, StatusCode,
    body::Incoming,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tokio::sync::oneshot;

use super::{
    super::{
        ask::{Answered, Ask, HttpAnswer},
        scripts::Script,
    },
    answer::text,
    talk::{Failure, Talked, outlast, talk},
};
use crate::{
    admission::Permit,
    budget::{Owner, Share},
    buffers,
    event::Event,
    http::{gate::Visitor, page, refusal::Refusal},
    limits::CGI_BYTES,
    peer::Connection,
    worker::{
        Worker,
        environ::{CgiFacts, unique_id},
        input::Input,
        output::Stderr,
        stop::stop,
    },
};

/// Answers with the script that was found for a request, and runs it.
pub(in crate::answer) async fn answer(ask: &mut Ask, visitor: &Visitor) -> Answered {
    let Some(script) = ask.script.take() else { return Ok(None) };
    let body = ask.body.take();
    let (worker, permit) = start(ask, visitor, &script).await?;
    Ok(Some(talk_with(ask, &visitor.connection, script.program.path, worker, permit, body).await))
}

async fn start(ask: &Ask, visitor: &Visitor, script: &Script) -> Result<(Worker, Permit), Refusal> {
    let launcher = &ask.site.launcher;
    let permit = launcher.admit().await?;
    let content = CgiFacts {
        length: text(&ask.request.headers, &CONTENT_LENGTH),
        kind: text(&ask.request.headers, &CONTENT_TYPE),
        script_file: Some(&script.program.path),
    };
    let environment = ask.environment(visitor, script, &unique_id(), content, None).await;
    launcher.start(visitor.connection.peer, &script.program, environment, permit).await
}

/// Lets the script answer, in a task of its own that ends the script even if the client leaves.
async fn talk_with(
    ask: &Ask,
    connection: &Connection,
    file: PathBuf,
    worker: Worker,
    permit: Permit,
    body: Option<Incoming>,
) -> HttpAnswer {
    let Worker { mut child, mut input, mut output, mut stderr, silence: _ } = worker;
    let is_head = ask.request.method == Method::HEAD;
    let time_max = ask.site.cgi.as_ref().map_or(Duration::MAX, |cgi| cgi.time_max);
    let patience = ask.site.launcher.process.patience;
    // Counts the run itself, and the part of the body that waits for the script; `None` without a body.
    let mut share = ask.request.extensions.get::<Owner>().map(Owner::share);
    if let Some(share) = &mut share {
        share.set(CGI_BYTES, 0);
    }
    let (tell, told) = oneshot::channel();
    let (connection, shutdown) = (connection.clone(), ask.shutdown.clone());
    let run = async move {
        let mut tell = Some(tell);
        let talked = {
            // Ends if the body of the request breaks off.
            let mut feed = pin!(feed_and_log(body, share, &mut input, &mut stderr, &connection));
            let talked = tokio::select! {
                () = &mut feed => Err(Failure::Request),
                talked = talk(&mut output, &child, is_head, time_max, &mut tell) => talked,
            };
            if matches!(talked, Ok(Talked::Complete)) {
                tokio::select! {
                    () = feed => {}
                    () = outlast(&mut output, &child, time_max) => {}
                }
            }
            talked
        };
        // wsd closes the input after a whole body only: a truncated one must not look complete to the script.
        let status = stop(&mut child, patience, &connection, None).await;
        drop(child);
        stderr.log_to_the_end(&connection).await;
        // Frees the fork slot: a local redirect may start another script.
        drop(permit);
        let outcome = match talked {
            Ok(Talked::Complete | Talked::Left) => return,
            Ok(Talked::Redirect(target)) => Ok(HttpAnswer::LocalRedirect(target)),
            Err(failure) => {
                let (code, cause) = failure.status_and_cause(status);
                let (conn, status, limit) = (connection.id, status.shell(), status.limit());
                Event::ScriptFailed { conn, program: &file.display(), cause, status, limit }.emit();
                Err(code)
            }
        };
        if let Some(tell) = tell {
            let _ = tell.send(outcome);
        }
    };
    ask.shutdown.spawn(async move {
        tokio::select! {
            // Dropping `run` kills the script.
            () = shutdown.begun() => {}
            () = run => {}
        }
    });
    match told.await.unwrap_or(Err(StatusCode::BAD_GATEWAY)) {
        Ok(answer) => answer,
        Err(code @ StatusCode::BAD_REQUEST) => HttpAnswer::Page(page::page(code, "The body of the request is broken.")),
        Err(code) => HttpAnswer::Page(page::page(code, "The script gave no answer. The server's log tells why.")),
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
        if let Some(body) = &mut body {
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return };
                if let Ok(data) = frame.into_data() {
                    input.write(data, |held| share.iter_mut().for_each(|share| share.set(CGI_BYTES + held, 0))).await;
                }
            }
        }
        input.close();
        pending::<()>().await;
    };
    let log = async {
        poll_fn(|cx| buffers::with_read(|buffer| stderr.poll_log(cx, buffer, connection))).await;
        pending::<()>().await;
    };
    tokio::select! {
        () = feed => {}
        () = log => {}
    }
}
