//! Starts the program of a gateway.

use std::sync::Arc;

use super::super::{ask::Ask, partner::no_program, scripts::Script};
use crate::{
    admission::Permit,
    http::{gate::Visitor, refusal::Refusal, source_limits::Pass},
    mcp::terms::Launching,
    worker::{Worker, environ::room_variables, variable::Variable},
};

/// The clients of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProgramSharing {
    /// One; it counts as one of its programs.
    Alone,
    /// All.
    All,
}

/// Finds the program at the path.
pub(super) fn program(ask: &Ask) -> Result<Script, Refusal> {
    let script = ask.site.scripts.as_ref().and_then(|scripts| scripts.find(&ask.path, ask.base.bytes));
    script.ok_or_else(|| no_program(ask))
}

/// Returns the environment of the program that all clients share: of the request it has the path only.
pub(super) fn shared_environment(ask: &Ask, script: &Script) -> Vec<Variable> {
    room_variables(&ask.site.launcher.environ, &script.name, b"")
}

/// Returns the start of a program, which begins when it is waited for.
pub(super) fn launching(
    ask: &Ask,
    visitor: &Visitor,
    script: Script,
    environment: Vec<Variable>,
    sharing: ProgramSharing,
) -> Launching<impl Future<Output = Result<(Worker, Permit), Refusal>> + Send + use<>> {
    let (site, peer) = (Arc::clone(&ask.site), visitor.connection.peer);
    let start = async move {
        let launcher = &site.launcher;
        let pass = if sharing == ProgramSharing::Alone { launcher.sources.enter(peer)? } else { Pass::default() };
        let permit = launcher.admit(&pass).await?;
        launcher.start(peer, &script.program, environment, permit).await
    };
    let path = ask.request.uri.path().to_owned();
    Launching { start, connection: visitor.connection.clone(), path, shutdown: ask.shutdown.clone() }
}
