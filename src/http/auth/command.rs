//! `--auth=command:PROG` asks a CGI script before a request is answered. A `Status: 2xx` admits the client; any other answer goes to
//! it. A script that fails admits nobody.

use std::{future::pending, future::poll_fn, path::Path, task::Poll};

use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode, Version,
    header::{AUTHORIZATION, HeaderValue, LOCATION},
    http::request::Parts,
};
use tokio::time::timeout;

use super::{
    asked::{failed, verdict},
    asks::Asks,
    credentials::Credentials,
    proof::AuthOutcome,
};
use crate::{
    buffers,
    http::{
        cgi_head::{Head, parse},
        path::decode,
    },
    limits::{
        UNTIL_SIGINT,
        auth::{AUTH_BODY_BYTES_MAX, AUTH_HEAD_BYTES_MAX, AUTH_SCRIPT_TIME_MAX},
    },
    peer::Connection,
    status::Status,
    worker::{
        Worker,
        environ::{CgiFacts, EnvironOptions, Facts, unique_id, variables},
        output::Output,
        program::Program,
        spawn::spawn_aside,
        variable::Variable,
    },
};

/// Bytes of a whole answer.
const ANSWER_BYTES_MAX: usize = AUTH_HEAD_BYTES_MAX + AUTH_BODY_BYTES_MAX;

/// A script that decides who may connect.
#[derive(Debug)]
pub(crate) struct AuthScript {
    program: Program,
    environ: EnvironOptions,
    asks: Asks,
}

impl AuthScript {
    /// Returns the script at `path`, with the part of the environment that all programs have.
    pub(crate) fn new(path: &Path, environ: EnvironOptions) -> Self {
        let program = Program::new(path.to_owned(), Vec::new());
        Self { program, environ, asks: Asks::new() }
    }

    /// Asks the script about a request.
    pub(super) async fn check(
        &self,
        connection: &Connection,
        request: &Parts,
        credentials: &Credentials,
    ) -> AuthOutcome {
        let shown = self.program.path.to_string_lossy();
        let place = match self.asks.take(connection, &shown) {
            Ok(place) => place,
            Err(refusal) => return AuthOutcome::refused(refusal),
        };
        let environment = self.environment(connection, request, credentials);
        let answer = async {
            let started = spawn_aside(&self.program, &None, environment, place).await;
            let (worker, _place) = started.map_err(|cause| cause.to_string())?;
            let (status, headers, body) = read_answer(worker, connection).await?;
            Ok::<_, String>(verdict(status, headers, body)?)
        };
        // Dropping it kills the script: at the end of the time, or if the client leaves.
        match timeout(AUTH_SCRIPT_TIME_MAX, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(cause)) => AuthOutcome::refused(failed(connection, &shown, &cause)),
            Err(_) => AuthOutcome::refused(failed(connection, &shown, &"it did not answer in time")),
        }
    }

    /// Returns the variables of the script. It gets the credentials, which no other program does.
    fn environment(&self, connection: &Connection, request: &Parts, credentials: &Credentials) -> Vec<Variable> {
        let own = credentials.header.as_ref().map(|header| (AUTHORIZATION.as_str(), header.as_bytes()));
        let others = request.headers.iter().filter(|(name, _)| own.is_none() || **name != AUTHORIZATION);
        let headers: Vec<_> = others.map(|(name, value)| (name.as_str(), value.as_bytes())).chain(own).collect();
        let path = decode(request.uri.path());
        let facts = Facts {
            id: &unique_id(),
            connection,
            remote_host: None,
            auth_type: "",
            user: "",
            protocol: if request.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
            method: request.method.as_str(),
            target: request.uri.path_and_query().map_or("/", |target| target.as_str()),
            script_name: b"",
            path_info: &path,
            path: &path,
            query: request.uri.query().unwrap_or_default(),
            headers: &headers,
            subprotocol: None,
            content: CgiFacts { script_file: Some(&self.program.path), ..CgiFacts::default() },
        };
        variables(&self.environ, &facts)
    }
}

/// Reads the whole answer of a script, and logs its standard error.
async fn read_answer(worker: Worker, connection: &Connection) -> Result<(StatusCode, HeaderMap, Bytes), &'static str> {
    let Worker { child, mut input, mut output, mut stderr, silence: _, tape: _ } = worker;
    input.close();
    let whole = async {
        let answer = read(&mut output).await;
        // It may have something left to do. One that says too much may wait until wsd reads more.
        let wait = if answer.len() > ANSWER_BYTES_MAX { UNTIL_SIGINT } else { AUTH_SCRIPT_TIME_MAX };
        (answer, child.leader().ended_within(wait).await)
    };
    let (answer, status) = tokio::select! {
        whole = whole => whole,
        () = async {
            poll_fn(|cx| buffers::with_read(|buffer| stderr.poll_log(cx, buffer, connection))).await;
            pending::<()>().await;
        } => (Vec::new(), None),
    };
    drop(child);
    stderr.log_to_the_end(connection).await;
    if answer.is_empty() {
        return Err("it said nothing");
    }
    let (head, length) = parse(&answer)?.ok_or("its answer ends within its head")?;
    let body = &answer[length..];
    if length > AUTH_HEAD_BYTES_MAX || body.len() > AUTH_BODY_BYTES_MAX {
        return Err("its answer is too long");
    }
    // It may have decided something else after it had begun its answer.
    match status {
        Some(Status::Exit(0)) => {}
        Some(_) => return Err("it failed: its exit status is not 0, or a signal ended it"),
        None => return Err("it closed its output and did not end"),
    }
    Ok(match head {
        // For CGI this is a 200, but a page for the login looks like this, too.
        Head::Document(status, _) if status.is_success() && !names_status(&answer[..length]) => {
            return Err("its answer has no Status: to admit a client, print `Status: 204`");
        }
        Head::Document(status, headers) => (status, headers, Bytes::copy_from_slice(body)),
        // To a client this is a redirect like any other.
        Head::LocalRedirect(target) => {
            let target = HeaderValue::try_from(target.to_string()).map_err(|_| "its Location is not a path")?;
            (StatusCode::FOUND, [(LOCATION, target)].into_iter().collect(), Bytes::new())
        }
    })
}

/// Whether the head of an answer has the header `Status`.
fn names_status(head: &[u8]) -> bool {
    const NAME: &[u8] = b"status:";
    let mut lines = head.split(|byte| *byte == b'\n');
    lines.any(|line| line.get(..NAME.len()).is_some_and(|front| front.eq_ignore_ascii_case(NAME)))
}

/// Reads the output to its end, or until it is too long.
async fn read(output: &mut Output) -> Vec<u8> {
    let mut answer = Vec::new();
    while answer.len() <= ANSWER_BYTES_MAX {
        let before = answer.len();
        poll_fn(|cx| {
            buffers::with_read(|buffer| {
                let count = std::task::ready!(output.poll_read(cx, buffer));
                answer.extend_from_slice(&buffer[..count]);
                Poll::Ready(())
            })
        })
        .await;
        if answer.len() == before {
            break;
        }
    }
    answer
}
