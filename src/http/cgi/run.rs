//! One run of a CGI script: the request's body goes in, the answer comes out, and no process is left.

use std::{future::poll_fn, io, path::PathBuf, time::Duration};

use bytes::Bytes;
use http_body_util::{
    BodyExt,
    channel::{Channel, Sender},
};
use hyper::{
    HeaderMap, Method, Response, StatusCode, Uri,
    body::Incoming,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    http::request::Parts,
};
use tokio::{sync::oneshot, time::timeout};
use tracing::warn;

use super::{
    super::{
        Context,
        launch::{admit, environment, start},
        page::page,
    },
    Found,
    answer::{Answer, Head, parse},
    folder_and_name,
};
use crate::{
    admission::Permit,
    buffers,
    limits::{CGI_HEAD_BYTES_MAX, READ_BYTES},
    peer::Connection,
    worker::{
        Worker,
        environ::{Content, unique_id},
        input::Input,
        output::{Output, Stderr},
        program::Program,
        status::Status,
        stop::stop,
    },
};

/// Why a script's answer is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// It said nothing.
    Silent,
    /// It said something else.
    Rubbish(&'static str),
    /// It did not answer in time.
    Late,
    /// It ended before all had come that its Content-Length tells of.
    Short,
    /// It is not to blame: the request's body broke off, or made no sense.
    Request,
}

impl Failure {
    /// The status of the answer, and the cause for the log.
    fn told(self, status: Status) -> (StatusCode, &'static str) {
        match self {
            Self::Silent if status != Status::Exit(0) => (StatusCode::INTERNAL_SERVER_ERROR, "the script failed"),
            Self::Silent => (StatusCode::BAD_GATEWAY, "the script said nothing"),
            Self::Rubbish(why) => (StatusCode::BAD_GATEWAY, why),
            Self::Late => (StatusCode::GATEWAY_TIMEOUT, "the script was silent for too long: see --cgi-timeout"),
            Self::Short => (StatusCode::BAD_GATEWAY, "the script's answer is shorter than its Content-Length"),
            Self::Request => (StatusCode::BAD_REQUEST, "the request's body is broken"),
        }
    }
}

/// The script's answer, or the status that tells why there is none.
type Outcome = Result<Answer, StatusCode>;

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
    let worker = match start(context, &script.program, environment) {
        Ok(worker) => worker,
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

fn text<'a>(headers: &'a HeaderMap, name: &hyper::header::HeaderName) -> &'a str {
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
        let status = stop(child, patience, connection).await;
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

/// What a script had to say.
enum Told {
    /// All has been told, or nobody is left to tell it to.
    All,
    /// To be told once the script has ended.
    Redirect(Uri),
}

/// Reads the script's answer; a document goes to `tell` as soon as its head is whole.
async fn talk(
    output: &mut Output,
    is_head: bool,
    time_max: Duration,
    tell: &mut Option<oneshot::Sender<Outcome>>,
) -> Result<Told, Failure> {
    let mut buffer = vec![0; READ_BYTES];
    let Some(waiting) = tell.as_mut() else { return Ok(Told::All) };
    let head = tokio::select! {
        head = timeout(time_max, read_head(output, &mut buffer)) => head,
        // The client has left.
        () = waiting.closed() => return Ok(Told::All),
    };
    let (status, headers, rest) = match head.unwrap_or(Err(Failure::Late))? {
        (Head::LocalRedirect(target), _) => return Ok(Told::Redirect(target)),
        (Head::Document(status, headers), rest) => (status, headers, rest),
    };
    let promised = if is_head { 0 } else { promised_bytes(status, &headers) };
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
        copied = copy(output, &mut buffer, rest, sender, promised, time_max) => copied.map(|()| Told::All),
        () = reader.closed() => Ok(Told::All),
    }
}

/// What the head says of the length of the body, if it has one.
fn promised_bytes(status: StatusCode, headers: &HeaderMap) -> u64 {
    match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => 0,
        _ => text(headers, &CONTENT_LENGTH).parse().unwrap_or(0),
    }
}

/// Reads until the head is whole; returns what came after it, too.
async fn read_head(output: &mut Output, buffer: &mut [u8]) -> Result<(Head, Bytes), Failure> {
    let mut head = Vec::new();
    loop {
        let count = poll_fn(|cx| output.poll_read(cx, buffer)).await;
        if count == 0 {
            return Err(if head.is_empty() {
                Failure::Silent
            } else {
                Failure::Rubbish("the answer ends within its head")
            });
        }
        head.extend_from_slice(&buffer[..count]);
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

/// Hands the body on, as fast as the client takes it, until it ends or the client has left. The script may be silent for
/// `time_max`; the time that the client takes is not its own. A body that is not whole is broken off.
async fn copy(
    output: &mut Output,
    buffer: &mut [u8],
    rest: Bytes,
    mut sender: Sender<Bytes, io::Error>,
    promised: u64,
    time_max: Duration,
) -> Result<(), Failure> {
    let mut data = rest;
    let mut missing = promised;
    let (kind, failure) = loop {
        missing = missing.saturating_sub(data.len() as u64);
        if !data.is_empty() && sender.send_data(data).await.is_err() {
            return Ok(());
        }
        match timeout(time_max, poll_fn(|cx| output.poll_read(cx, buffer))).await {
            Ok(0) if missing == 0 => return Ok(()),
            Ok(0) => break (io::ErrorKind::UnexpectedEof, Failure::Short),
            Ok(count) => data = Bytes::copy_from_slice(&buffer[..count]),
            Err(_) => break (io::ErrorKind::TimedOut, Failure::Late),
        }
    };
    sender.abort(kind.into());
    Err(failure)
}
