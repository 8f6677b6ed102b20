//! Answers a request for a WebSocket: checks the handshake, starts the program, and only then sends the 101.

use std::{
    future::{pending, poll_fn},
    sync::Arc,
    task::Poll,
};

use hyper::{
    Response, StatusCode,
    header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE},
};

use super::{
    ask::Ask,
    scripts::{Script, Scripts},
};
use crate::{
    budget::Owner,
    http::{
        connection::into_stream,
        gate::Visitor,
        handshake,
        origin::Aim,
        page::{self, Body, text_body},
        refusal::Refusal,
    },
    partner::Partner as _,
    room::{
        member::Member,
        registry::{NotJoined, Rooms, Sharing},
    },
    session,
    socket::Socket,
    stall::StallWatch,
    worker::{
        environ::{CgiFacts, room_variables, unique_id},
        process::Process,
        variable::Variable,
    },
};

/// The partner of a session.
enum SessionPartner {
    /// A process of its own.
    Process(Box<Process>),
    /// A seat in a room.
    Member(Member),
}

/// Answers a request for a WebSocket; a 101 begins a session.
pub(super) async fn answer(mut ask: Ask) -> Response<Body> {
    match begin(&ask).await {
        Ok((response, partner)) => {
            run(&mut ask, partner);
            response
        }
        Err(refusal) => {
            refusal.log(ask.connection.peer);
            let mut response = page::refused(&refusal);
            response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            response
        }
    }
}

/// Spawns the session, which begins once hyper has sent the 101.
fn run(ask: &mut Ask, partner: SessionPartner) {
    let Some(upgrade) = ask.upgrade.take() else { return };
    let (site, connection, shutdown) = (Arc::clone(&ask.site), ask.connection.clone(), ask.shutdown.clone());
    let path = ask.request.uri.path().to_owned();
    ask.shutdown.spawn(async move {
        let upgraded = tokio::select! {
            biased;
            upgraded = upgrade => upgraded,
            () = given_up(&partner) => return,
        };
        // Fails if the client leaves before the 101; dropping the process kills its worker.
        let Ok(upgraded) = upgraded else { return };
        let (stream, early) = into_stream(upgraded);
        let socket = |owner: &Owner| Socket::new(stream, early, &site.socket, owner);
        match partner {
            SessionPartner::Process(process) => {
                session::run(&connection, path, socket(process.owner()), *process, &shutdown).await;
            }
            SessionPartner::Member(member) => {
                session::run(&connection, path, socket(member.owner()), member, &shutdown).await;
            }
        }
    });
}

/// Resolves when wsd waits no longer for a client that does not take the 101: the budget asks for the bytes on its seat, or
/// its room cuts it off as too slow (`--slow`, `--slow-wait`).
async fn given_up(partner: &SessionPartner) {
    let SessionPartner::Member(member) = partner else { return pending().await };
    let mut watch = StallWatch::new();
    // A client is late from the first look on.
    let mut is_late = false;
    poll_fn(|cx| {
        while watch.poll_look(cx).is_ready() {
            is_late = true;
            let patience = member.patience();
            let stalled = watch.stalled(0, patience.is_some());
            if patience.is_some_and(|(limit, _)| stalled >= limit) {
                return Poll::Ready(());
            }
        }
        // Before that, the session is about to begin and sends the client a Close frame that tells the reason.
        if is_late && (member.owner().is_asked(cx) || member.is_cut_off(cx)) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Does every step that can fail, in this order: handshake, gate, path, fork limit, program.
async fn begin(ask: &Ask) -> Result<(Response<Body>, SessionPartner), Refusal> {
    let accept = handshake::accept(&ask.request)?;
    let Visitor { connection } = ask.site.gate.admit(&ask.connection, &ask.request, Aim::Session)?;
    let script = ask.site.scripts.as_ref().and_then(|scripts: &Scripts| scripts.find(&ask.path, ask.base.bytes));
    let Some(script) = script else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "path", "There is no program at this path."));
    };
    let subprotocol = handshake::subprotocol(&ask.request.headers, &ask.site.subprotocols);
    let (id, launcher) = (unique_id(), &ask.site.launcher);
    let environment = ask.environment(&connection, &script, &id, CgiFacts::default(), subprotocol).await;
    let partner = match &ask.site.rooms {
        None => {
            let permit = launcher.admit().await?;
            let (worker, permit) = launcher.start(connection.peer, &script.program, environment, permit).await?;
            SessionPartner::Process(Box::new(Process::new(connection, worker, permit, &launcher.process)))
        }
        Some(rooms) => {
            launcher.check_budget()?;
            SessionPartner::Member(join(ask, rooms, &script, id, &environment).await?)
        }
    };
    Ok((switching_protocols(&accept, subprotocol), partner))
}

/// Joins a client to a room; the first client starts the room's worker.
async fn join(
    ask: &Ask,
    rooms: &Arc<Rooms>,
    script: &Script<'_>,
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
        let permit = launcher.admit().await?;
        let environment = match rooms.sharing {
            Sharing::Alone => environment.to_vec(),
            Sharing::All => room_variables(&launcher.environ, script.name, b""),
            Sharing::Path => room_variables(&launcher.environ, script.name, script.path_info),
        };
        launcher.start(ask.connection.peer, &script.program, environment, permit).await
    };
    // A room for all has the path of the route, not that of its first client.
    let path = if rooms.sharing == Sharing::All { script.name } else { &*ask.path };
    let joined = rooms.join(path, id, variables, &ask.connection, &ask.shutdown, launch).await;
    let unavailable = |why, text| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why, text);
    joined.map_err(|refused| match refused {
        NotJoined::Launch(refusal) => refusal,
        NotJoined::Full => unavailable("full", "The room is full. Try again later."),
        NotJoined::Down => unavailable("down", "The program is being started again. Try again soon."),
    })
}

fn switching_protocols(accept: &str, subprotocol: Option<&str>) -> Response<Body> {
    let mut response = Response::new(text_body(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(accept).expect("base64 is visible ASCII"));
    if let Some(name) = subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(name).expect("a listed name is a token"));
    }
    response
}
