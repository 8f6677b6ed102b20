//! One run of a CGI script: writes the request's body to it, sends its answer, and leaves no process behind.

use std::{path::PathBuf, pin::pin, time::Duration};

use hyper::{Method, StatusCode, body::Incoming};
use tokio::sync::oneshot;

use super::{
    super::{
        ask::{Answered, Ask, HttpAnswer},
        carried::Carried,
        exchange::{Feed, start},
    },
    talk::{Failure, Talked, outlast, talk},
};
use crate::{
    admission::Permit,
    event::Event,
    http::{gate::Visitor, page},
    limits::CGI_BYTES,
    peer::Connection,
    worker::{Worker, stop::stop},
};

/// Answers with the script that was found for a request, and runs it.
pub(in crate::answer) async fn answer(ask: &mut Ask, visitor: &Visitor) -> Answered {
    let Some(script) = ask.script.take() else { return Ok(None) };
    let body = ask.body.take();
    let (worker, permit) = start(ask, visitor, &script, Some(&script.program.path)).await?;
    Ok(Some(talk_with(ask, &visitor.connection, script.program.path, worker, permit, body).await))
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
    let Worker { mut child, mut input, mut output, mut stderr, silence: _, tape: _ } = worker;
    let is_head = ask.request.method == Method::HEAD;
    let time_max = ask.site.cgi.as_ref().map_or(Duration::MAX, |cgi| cgi.time_max);
    let patience = ask.site.launcher.process.patience;
    // A client may be as slow as the script: `time_max` ends both.
    let feed = Feed::new(body, ask.request.extensions.get(), CGI_BYTES, Duration::MAX);
    let (tell, told) = oneshot::channel();
    let (connection, shutdown) = (connection.clone(), ask.shutdown.clone());
    let run = async move {
        let mut tell = Some(tell);
        let talked = {
            // Ends if the body of the request breaks off.
            let carried = Carried::default();
            let mut feed = pin!(feed.run(&mut input, &mut stderr, &connection, &carried));
            let talked = tokio::select! {
                _ = &mut feed => Err(Failure::Request),
                talked = talk(&mut output, &child, is_head, time_max, &mut tell) => talked,
            };
            if matches!(talked, Ok(Talked::Complete)) {
                tokio::select! {
                    _ = feed => {}
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
    ask.spawn(async move {
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
