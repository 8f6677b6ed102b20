//! Starts the program for a request: a fork slot, the environment, the process; or an answer that tells why not.

use hyper::{
    Response, StatusCode, Version,
    header::{HeaderValue, RETRY_AFTER},
    http::request::Parts,
};
use tracing::{error, warn};

use super::{Body, Context, page::page, scripts::Script};
use crate::{
    admission::Permit,
    limits::RETRY_AFTER_SECS,
    worker::{
        Worker,
        environ::{Content, Facts, variables},
        program::Program,
        spawn::{LaunchError, spawn, spawn_aside},
        variable::Variable,
    },
};

/// Room for what may wait for one more program or client (`--maxbuffer`); or 503.
#[expect(clippy::result_large_err, reason = "the error is the answer, which is made in either case")]
pub(super) fn check_budget(context: &Context) -> Result<(), Response<Body>> {
    if !context.site.process.budget.is_full() {
        return Ok(());
    }
    warn!(peer = %context.connection.peer, why = "maxbuffer", hint = "raise --maxbuffer", "session refused");
    Err(out_of_buffers())
}

/// The answer while `--maxbuffer` is nearly used up.
pub(super) fn out_of_buffers() -> Response<Body> {
    with_retry_after(page(StatusCode::SERVICE_UNAVAILABLE, "The server is out of buffers. Try again later."))
}

/// A fork slot, and room for what may wait; or 429, or 503.
#[expect(clippy::result_large_err, reason = "the error is the answer, which is made in either case")]
pub(super) fn admit(context: &Context) -> Result<Permit, Response<Body>> {
    check_budget(context)?;
    context.site.admission.admit().ok_or_else(|| {
        warn!(peer = %context.connection.peer, why = "maxforks", hint = "raise --maxforks", "session refused");
        let text = "As many programs are running as are allowed. Try again later.";
        with_retry_after(page(StatusCode::TOO_MANY_REQUESTS, text))
    })
}

/// The environment for the request to `path` (decoded), which `script` answers.
pub(super) async fn environment(
    context: &Context,
    request: &Parts,
    script: &Script<'_>,
    path: &[u8],
    id: &str,
    body: Content<'_>,
    subprotocol: Option<&str>,
) -> Vec<Variable> {
    let peer = context.connection.peer;
    let remote_host = match &context.site.lookup {
        Some(lookup) => lookup.name(peer).await,
        None => peer.address(),
    };
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let facts = Facts {
        id,
        connection: &context.connection,
        remote_host: &remote_host,
        protocol: if request.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
        method: request.method.as_str(),
        target: request.uri.path_and_query().map_or("/", |target| target.as_str()),
        script_name: script.name,
        path_info: script.path_info,
        path,
        query: request.uri.query().unwrap_or_default(),
        headers: &headers,
        subprotocol,
        content: body,
    };
    variables(&context.site.environ, &facts)
}

/// Starts a program in its fork slot; or 500, or 503. Where there is anybody else, nobody waits for that.
pub(super) async fn start(
    context: &Context,
    program: &Program,
    environment: Vec<Variable>,
    permit: Permit,
) -> Result<(Worker, Permit), Response<Body>> {
    if !context.has_others() {
        return start_at_once(context, program, environment).map(|worker| (worker, permit));
    }
    spawn_aside(program, environment, permit).await.map_err(|cause| launch_failed(context, program, &cause))
}

/// The same, whoever waits.
#[expect(clippy::result_large_err, reason = "the error is the answer, which is made in either case")]
pub(super) fn start_at_once(
    context: &Context,
    program: &Program,
    environment: Vec<Variable>,
) -> Result<Worker, Response<Body>> {
    spawn(program, environment).map_err(|cause| launch_failed(context, program, &cause))
}

fn launch_failed(context: &Context, program: &Program, cause: &LaunchError) -> Response<Body> {
    let hint = cause.hint(program).unwrap_or_default();
    let program = program.path.display();
    error!(peer = %context.connection.peer, program = %program, cause = %cause, hint, "worker not started");
    if cause.is_shortage() {
        let text = "The server is out of processes, memory or descriptors. Try again later.";
        with_retry_after(page(StatusCode::SERVICE_UNAVAILABLE, text))
    } else {
        page(StatusCode::INTERNAL_SERVER_ERROR, "The program cannot be started. The server's log tells why.")
    }
}

pub(super) fn with_retry_after(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECS));
    response
}
