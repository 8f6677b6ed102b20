//! The partner of a session: starts a program, or joins a room. It knows no transport: a WebSocket is one of the clients.

use std::{future::pending, pin::Pin, sync::Arc};

use hyper::{HeaderMap, StatusCode};
use tracing::Span;

use super::{
    ask::Ask,
    paths::examples,
    scripts::{Script, Scripts},
    window::window,
};
use crate::{
    budget::Owner,
    client::Client,
    framing::Framing,
    http::{gate::Visitor, refusal::Refusal, source_limits::Pass},
    metrics::live::{SessionFacts, Transport},
    partner::Partner as _,
    peer::Connection,
    record::tape::Tape,
    resume::Overflow,
    room::{
        kept::Kept,
        member::Member,
        registry::{NotJoined, Rooms, Sharing},
        remote::Starting,
    },
    session::{self, terms::Terms},
    shutdown::Shutdown,
    worker::{
        environ::{CgiFacts, room_variables, unique_id},
        process::Process,
        stdio::Stdio,
        variable::Variable,
    },
};

/// The paths that the hint of a refusal names: as many as a line can have.
const PATHS_MAX: usize = 5;

/// The partner of a session, and the terms of the session.
pub(super) struct SessionPartner {
    kind: PartnerKind,
    terms: Option<Box<Terms>>,
    facts: SessionFacts,
}

/// A kind of partner. It is in a box until the session begins, so that it costs the session no memory.
enum PartnerKind {
    /// A process of its own.
    Process(Box<Process>),
    /// A seat in a room.
    Member(Box<Member>),
}

/// The program of a session, before it starts.
pub(super) struct Start {
    script: Script,
    id: String,
    environment: Vec<Variable>,
}

impl Start {
    /// Finds the program at the path. `subprotocol` is for it.
    pub(super) async fn prepare(ask: &Ask, visitor: &Visitor, subprotocol: Option<&str>) -> Result<Self, Refusal> {
        let script = ask.site.scripts.as_ref().and_then(|scripts| scripts.find(&ask.path, ask.base.bytes));
        let mut script = script.ok_or_else(|| no_program(ask))?;
        if let Stdio::Terminal(size) = &mut script.program.stdio {
            *size = window(ask.request.uri.query().unwrap_or_default())?;
        }
        let id = unique_id();
        let environment = ask.environment(visitor, &script, &id, CgiFacts::default(), subprotocol).await;
        Ok(Self { script, id, environment })
    }

    /// Returns the user's headers of the 101.
    pub(super) fn headers(&self, ask: &Ask, visitor: &Visitor) -> HeaderMap {
        ask.site.headers.websocket(&self.environment, &visitor.connection)
    }

    /// Starts the program within the fork limit, or joins its room. `framing` is for a process of the client's own.
    pub(super) async fn partner(
        self,
        ask: &Ask,
        visitor: &Visitor,
        framing: Framing,
    ) -> Result<SessionPartner, Refusal> {
        let Self { script, id, environment } = self;
        let (launcher, connection, limits) = (&ask.site.launcher, &visitor.connection, &ask.site.session);
        let pass = launcher.pass(visitor)?;
        let facts = facts(ask, visitor);
        if let Some(rooms) = &ask.site.rooms {
            launcher.check_budget()?;
            let mut member = join(ask, connection, rooms, &script, id, &environment).await?;
            member.hold(pass.slot());
            let kind = PartnerKind::Member(Box::new(member));
            return Ok(SessionPartner { kind, terms: visitor.terms(limits), facts });
        }
        let permit = launcher.admit(&pass).await?;
        let (mut worker, permit) = launcher.start(connection.peer, &script.program, environment, permit).await?;
        if let Some(recorded) = launcher.recorded(&script.program, &script.name, framing) {
            worker.record(Tape::begin(&recorded, connection.id, Span::current()));
        }
        let process = Process::new(connection.clone(), worker, permit, framing, &launcher.process);
        let kind = PartnerKind::Process(Box::new(process));
        Ok(SessionPartner { kind, terms: visitor.terms(limits), facts })
    }
}

impl SessionPartner {
    /// Returns the seat in a room, if it is one.
    pub(super) fn into_member(self) -> Option<Member> {
        match self.kind {
            PartnerKind::Member(member) => Some(*member),
            PartnerKind::Process(_) => None,
        }
    }

    /// Returns the policy for output that a client who can return does not take.
    pub(super) fn overflow(&self) -> Overflow {
        match &self.kind {
            PartnerKind::Process(_) => Overflow::Block,
            PartnerKind::Member(member) if member.is_waited_for() => Overflow::DropWhileAway,
            PartnerKind::Member(_) => Overflow::Drop,
        }
    }

    /// Begins the session with the client that `client` makes, and returns its run to the end; the owner counts the bytes that
    /// wait in the session. `path` is for the log.
    ///
    /// In a box: so an idle session holds nothing of its beginning, and no room for another kind of partner.
    pub(super) fn run<'s, C: Client + Send + 's>(
        self,
        path: String,
        client: impl FnOnce(&Owner) -> C,
        shutdown: &'s Shutdown,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 's>> {
        let Self { kind, terms, facts } = self;
        match kind {
            PartnerKind::Process(process) => {
                let client = client(process.owner());
                Box::pin(session::run(facts, path, client, *process, terms, shutdown))
            }
            PartnerKind::Member(member) => {
                let client = client(member.owner());
                Box::pin(session::run(facts, path, client, *member, terms, shutdown))
            }
        }
    }

    /// Resolves when the partner waits no longer for a client whose session has not begun.
    pub(super) async fn given_up(&self) {
        match &self.kind {
            PartnerKind::Process(_) => pending().await,
            PartnerKind::Member(member) => member.given_up().await,
        }
    }
}

/// Returns the facts of a session that begins.
fn facts(ask: &Ask, visitor: &Visitor) -> SessionFacts {
    SessionFacts {
        conn: visitor.connection.id,
        peer: visitor.connection.peer,
        user: visitor.user.as_str().into(),
        route: Arc::clone(&ask.site.launcher.process.route),
        transport: if ask.upgrade.is_some() { Transport::WebSocket } else { Transport::Events },
    }
}

/// Returns the refusal of a path without a program.
pub(super) fn no_program(ask: &Ask) -> Refusal {
    let programs: Vec<_> = examples(&ask.routes).into_iter().map(|example| example.path).collect();
    let hint = match programs.len() {
        _ if matches!(ask.site.scripts, Some(Scripts::Dir(..))) => "no program of --dir has this name".to_owned(),
        0 => "wsd has no programs: name one with COMMAND, --dir or --route".to_owned(),
        1..=PATHS_MAX => format!("connect to a program: {}", programs.join(", ")),
        more => format!("connect to a program: {} and {} more", programs[..PATHS_MAX].join(", "), more - PATHS_MAX),
    };
    Refusal::new(StatusCode::NOT_FOUND, "path", "There is no program at this path.").with_hint(hint)
}

/// Joins a client to a room; the first client starts the room's worker.
async fn join(
    ask: &Ask,
    connection: &Connection,
    rooms: &Arc<Rooms>,
    script: &Script,
    id: String,
    environment: &[Variable],
) -> Result<Member, Refusal> {
    let launcher = &ask.site.launcher;
    let inherited = &launcher.environ.inherited;
    let of_client: Vec<_> = environment
        .iter()
        .filter(|variable| !inherited.iter().any(|known| known.name() == variable.name()))
        .map(|variable| (variable.name().to_string_lossy(), variable.value().to_string_lossy()))
        .collect();
    let variables = of_client.iter().map(|(name, value)| (&**name, &**value));
    let launch = async {
        // Not one of the client's programs, if others share it: it may stay when the client has left its seat.
        let pass = match rooms.sharing {
            Sharing::Alone => Pass::default(),
            Sharing::All | Sharing::Path => launcher.sources.start_room(connection.peer)?,
        };
        let permit = launcher.admit(&pass).await?;
        let environment = match rooms.sharing {
            Sharing::Alone => environment.to_vec(),
            Sharing::All => room_variables(&launcher.environ, &script.name, b""),
            Sharing::Path => room_variables(&launcher.environ, &script.name, &script.path_info),
        };
        let (mut worker, permit) = launcher.start(connection.peer, &script.program, environment, permit).await?;
        if let Some(recorded) = launcher.recorded(&script.program, &script.name, ask.site.framings.default()) {
            worker.record(Tape::begin(&recorded, connection.id, Span::none()));
        }
        Ok((worker, permit))
    };
    // A room for all has the path of the route, not that of its first client.
    let path = if rooms.sharing == Sharing::All { &script.name } else { &ask.path };
    let joined = if rooms.bus().is_some() {
        let starting = || {
            let path_info = if rooms.sharing == Sharing::Path { &*script.path_info } else { b"" };
            Ok(Starting {
                kept: Kept {
                    program: script.program.clone(),
                    confining: launcher.confining.clone(),
                    environment: room_variables(&launcher.environ, &script.name, path_info),
                    recorded: launcher.recorded(&script.program, &script.name, ask.site.framings.default()),
                },
                admission: launcher.admission.clone(),
                route: script.name.clone(),
                slot: launcher.sources.start_room(connection.peer)?.slot(),
            })
        };
        rooms.join_far(path, id, variables, connection, &ask.shutdown, starting).await
    } else {
        rooms.join(path, id, variables, connection, &ask.shutdown, launch).await
    };
    let unavailable = |why, text| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why, text).with_retry();
    joined.map_err(|refused| match refused {
        NotJoined::Launch(refusal) => refusal,
        NotJoined::Full => unavailable("full", "The room is full. Try again later."),
        NotJoined::Unstarted => {
            let text = "The program cannot be started. The server's log tells why.";
            Refusal::unlogged(StatusCode::INTERNAL_SERVER_ERROR, text)
        }
        NotJoined::Away => unavailable("bus", "The rooms of the cluster are away. Try again soon.")
            .with_hint("Redis does not answer in time: see `bus lost`"),
        NotJoined::Down => unavailable("down", "The program is being started again. Try again soon."),
    })
}
