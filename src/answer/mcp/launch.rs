//! Starts the program of a gateway.

use std::sync::Arc;

use super::super::{ask::Ask, partner::no_program, scripts::Script, site::Site};
use crate::{
    admission::Permit,
    http::{gate::Visitor, refusal::Refusal, source_limits::Pass},
    mcp::terms::Launching,
    peer::{Connection, Peer},
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
    let (path, shutdown) = (ask.request.uri.path().to_owned(), ask.shutdown.clone());
    let spare = (path.clone(), shutdown.clone());
    let start = async move {
        let (launcher, is_alone) = (&site.launcher, sharing == ProgramSharing::Alone);
        let pass = if is_alone { launcher.sources.enter(peer)? } else { Pass::default() };
        let gateway = site.mcp.as_ref().map(|mcp| &mcp.gateway);
        let gateway = gateway.filter(|gateway| is_alone && gateway.options.has_spare);
        let ready = if let Some(gateway) = gateway { gateway.spare.take().await } else { None };
        let started = if let Some((worker, mut permit)) = ready {
            permit.hold(pass.slot());
            (worker, permit)
        } else {
            let permit = launcher.admit(&pass).await?;
            launcher.start(peer, &script.program, environment, permit).await?
        };
        if let Some(gateway) = gateway {
            let (path, shutdown) = spare;
            let start = start_spare(Arc::clone(&site), peer, script);
            gateway.spare.fill(Launching { start, connection: Connection::none(), path, shutdown }, &gateway.options);
        }
        Ok(started)
    };
    Launching { start, connection: visitor.connection.clone(), path, shutdown }
}

/// Starts the program that waits for the next session; `None` if it gets no fork slot, or cannot start.
async fn start_spare(site: Arc<Site>, peer: Peer, script: Script) -> Option<(Worker, Permit)> {
    let launcher = &site.launcher;
    launcher.check_budget().ok()?;
    // It takes no slot from others that wait.
    let permit = launcher.admission.admit()?;
    let environment = room_variables(&launcher.environ, &script.name, b"");
    launcher.start(peer, &script.program, environment, permit).await.ok()
}
