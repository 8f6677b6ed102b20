//! One run of a CGI script: the request's body goes in, the answer comes out, and no process is left.

use std::{future::poll_fn, path::PathBuf, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Method, StatusCode,
    body::Incoming,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName},
    http::request::Parts,
};
use tokio::sync::oneshot;
use tracing::warn;

use super::{
    super::{
        Context,
        launch::{admit, environment, start},
        page::page,
    },
    Found,
    answer::Answer,
    folder_and_name,
    talk::{Failure, Outcome, Told, talk},
};
use crate::{
    admission::Permit,
    buffers,
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

/// Runs the script that was found for `path`.
pub(super) async fn run(
    context: &Context,
    request: &Parts,
    body: Option<Incoming>,
    found: &Found<'_>,
    path: &[u8],
    time_max: Duration,
) -> Answer {
    let permit = match admit(context) {
        Ok(permit) => permit,
        Err(response) => return Answer::Page(response),
    };
    let (folder, name) = folder_and_name(&found.file);
    let program = Program { path: found.file.clone(), args: Vec::new(), name, folder };
    let script = super::super::scripts::Script { program, name: found.name, path_info: found.info };
    let told_of_body = Content {
        length: text(&request.headers, &CONTENT_LENGTH),
        kind: text(&request.headers, &CONTENT_TYPE),
        script_file: Some(&found.file),
    };
    let environment = environment(context, request, &script, path, &unique_id(), told_of_body, None).await;
    let (worker, permit) = match start(context, &script.program, environment, permit).await {
        Ok(started) => started,
        Err(response) => return Answer::Page(response),
    };
    let (tell, told) = oneshot::channel();
    let is_head = request.method == Method::HEAD;
    let run = Run {
        is_head,
        worker,
        body,
        permit,
        file: found.file.clone(),
        time_max,
        patience: context.site.session.patience,
    };
    let (connection, shutdown) = (context.connection.clone(), context.shutdown.clone());
    context.shutdown.spawn(async move {
        tokio::select! {
            // The script is killed as it is dropped.
            () = shutdown.begun() => {}
            () = run.run(tell, &connection) => {}
        }
    });
    match told.await.unwrap_or(Err(StatusCode::BAD_GATEWAY)) {
        Ok(answer) => answer,
        Err(status @ StatusCode::BAD_REQUEST) => Answer::Page(page(status, "The body of the request is broken.")),
        Err(status) => Answer::Page(page(status, "The script gave no answer. The server's log tells why.")),
    }
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
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
        let Worker { child, mut input, mut output, mut stderr } = worker;
        let beside = feed_and_log(body, &mut input, &mut stderr, connection);
        let mut tell = Some(tell);
        let talked = tokio::select! {
            // The rest of the request will not come.
            () = beside => Err(Failure::Request),
            talked = talk(&mut output, is_head, time_max, &mut tell) => talked,
        };
        // Its input is closed once the whole body is in it. What was cut short must not end like what is whole.
        let status = stop(&child, patience, connection).await;
        child.reap();
        stderr.log_to_the_end(connection).await;
        // What a redirect leads to may be a script, too.
        drop(permit);
        let outcome = match talked {
            Ok(Told::All) => return,
            Ok(Told::Redirect(target)) => Ok(Answer::LocalRedirect(target)),
            Err(failure) => {
                let (code, cause) = failure.told(status);
                warn!(conn = connection.id, program = %file.display(), cause, status = status.shell(), "script failed");
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
    let log = poll_fn(|cx| buffers::with(|buffers| stderr.poll_log(cx, &mut buffers.read, connection)));
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
