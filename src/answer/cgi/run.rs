//! One run of a CGI script: the request's body goes in, the answer comes out, and no process is left.

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
    answer::{Answer, text},
    folder::Found,
    talk::{Failure, Outcome, Told, talk},
};
use crate::{
    admission::Permit,
    buffers,
    event::Event,
    http::{gate::Visitor, page, refusal::Refusal},
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

/// Runs the script that was found for a request.
pub(super) async fn run(ask: &mut Ask, visitor: &Visitor, found: &Found<'_>) -> Answer {
    let body = ask.body.take();
    match start(ask, visitor, found).await {
        Ok((worker, permit)) => talk_with(ask, found, worker, permit, body).await,
        Err(refusal) => {
            refusal.log(ask.connection.peer);
            Answer::Page(page::refused(&refusal))
        }
    }
}

async fn start(ask: &Ask, visitor: &Visitor, found: &Found<'_>) -> Result<(Worker, Permit), Refusal> {
    let launcher = &ask.site.launcher;
    let permit = launcher.admit()?;
    // It is started in its own folder (RFC 3875, section 7.2).
    let folder = found.file.parent().map(Path::to_owned);
    let program = Program::linkless(found.file.clone(), found.file_name.clone(), folder);
    let script = Script { program, name: found.name, path_info: found.info };
    let content = Content {
        length: text(&ask.request.headers, &CONTENT_LENGTH),
        kind: text(&ask.request.headers, &CONTENT_TYPE),
        script_file: Some(&found.file),
    };
    let launch = Launch {
        connection: &visitor.connection,
        request: &ask.request,
        script: &script,
        path: &ask.path,
        id: &unique_id(),
        content,
        subprotocol: None,
    };
    let environment = launcher.environment(launch).await;
    launcher.start(visitor.connection.peer, &script.program, environment, permit).await
}

/// Has the script answer, in a task of its own: it is brought to its end though the client may leave.
async fn talk_with(ask: &Ask, found: &Found<'_>, worker: Worker, permit: Permit, body: Option<Incoming>) -> Answer {
    let (tell, told) = oneshot::channel();
    let options = &ask.site.launcher.process;
    let run = Run {
        is_head: ask.request.method == Method::HEAD,
        worker,
        body,
        permit,
        file: found.file.clone(),
        time_max: ask.site.cgi.as_ref().map_or(Duration::MAX, |cgi| cgi.time_max),
        patience: options.patience,
    };
    let (connection, shutdown) = (ask.connection.clone(), ask.shutdown.clone());
    ask.shutdown.spawn(async move {
        tokio::select! {
            // The script is killed as it is dropped.
            () = shutdown.begun() => {}
            () = run.run(tell, &connection) => {}
        }
    });
    match told.await.unwrap_or(Err(StatusCode::BAD_GATEWAY)) {
        Ok(answer) => answer,
        Err(status @ StatusCode::BAD_REQUEST) => Answer::Page(page::page(status, "The body of the request is broken.")),
        Err(status) => Answer::Page(page::page(status, "The script gave no answer. The server's log tells why.")),
    }
}

/// A script under way.
struct Run {
    worker: Worker,
    body: Option<Incoming>,
    is_head: bool,
    permit: Permit,
    file: PathBuf,
    time_max: Duration,
    patience: Duration,
}

impl Run {
    /// Brings the script to its end; what it answers goes to `tell` as soon as its head is whole.
    async fn run(self, tell: oneshot::Sender<Outcome>, connection: &Connection) {
        let Self { worker, body, is_head, permit, file, time_max, patience } = self;
        let Worker { mut child, mut input, mut output, mut stderr } = worker;
        let beside = feed_and_log(body, &mut input, &mut stderr, connection);
        let mut tell = Some(tell);
        let talked = tokio::select! {
            // The rest of the request will not come.
            () = beside => Err(Failure::Request),
            talked = talk(&mut output, &child, is_head, time_max, &mut tell) => talked,
        };
        // Its input is closed once the whole body is in it. What was cut short must not end like what is whole.
        let status = stop(&mut child, patience, connection).await;
        drop(child);
        stderr.log_to_the_end(connection).await;
        // What a redirect leads to may be a script, too.
        drop(permit);
        let outcome = match talked {
            Ok(Told::All) => return,
            Ok(Told::Redirect(target)) => Ok(Answer::LocalRedirect(target)),
            Err(failure) => {
                let (code, cause) = failure.told(status);
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

/// Hands the request's body to the script, and the script's complaints to the log; ready if the body breaks off, of which
/// the script must not take the front for the whole.
async fn feed_and_log(body: Option<Incoming>, input: &mut Input, stderr: &mut Stderr, connection: &Connection) {
    let feed = async {
        let mut body = body;
        while let Some(Some(frame)) = next_frame(&mut body).await {
            let Ok(frame) = frame else { return };
            if let Some(data) = frame.data_ref() {
                input.write(data).await;
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
