//! The status: the routes, the sessions and the rooms at one moment, and the last ends and refusals, as JSON.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{
    live::{LiveRoom, LiveSession, Traffic},
    mcp::{MCP, McpRoute, shown::ShownMcp},
    present::{Listed, PRESENT},
    process::memory_of,
    recent::{RECENT, RecentEnd, RecentLists, RecentRefusal},
    route::RouteName,
    shown::{ShownTraffic, seconds, shown_user},
};

#[derive(Serialize)]
struct Snapshot<'a> {
    routes: Vec<ShownRoute<'a>>,
    sessions: Vec<ShownSession<'a>>,
    rooms: Vec<ShownRoom<'a>>,
    ends: Vec<&'a RecentEnd>,
    refusals: Vec<&'a RecentRefusal>,
}

#[derive(Serialize)]
struct ShownRoute<'a> {
    path: &'a str,
    program: Option<&'a str>,
    /// `ready`, `down` for an eager program that does not run, or `removed` from the settings.
    state: &'static str,
    /// The sessions now.
    sessions: u64,
    rooms: u64,
    total: Totals,
    /// The requests of MCP; `None` for a route without `--mcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp: Option<ShownMcp>,
}

/// The sums of a route since the start of wsd.
#[derive(Clone, Copy, Default, Serialize)]
struct Totals {
    sessions: u64,
    refused: u64,
    #[serde(rename = "in")]
    input: ShownTraffic,
    #[serde(rename = "out")]
    output: ShownTraffic,
}

#[derive(Serialize)]
struct ShownSession<'a> {
    conn: u64,
    peer: String,
    user: Option<String>,
    route: &'a str,
    transport: &'static str,
    state: &'static str,
    age: f64,
    #[serde(rename = "in")]
    input: ShownTraffic,
    #[serde(rename = "out")]
    output: ShownTraffic,
    pid: Option<i32>,
    /// The resident memory of the process, in bytes.
    memory: Option<u64>,
    /// The process of its room.
    room: Option<i32>,
}

#[derive(Serialize)]
struct ShownRoom<'a> {
    route: &'a str,
    path: String,
    /// The process, unless another node has it (`--bus`).
    pid: Option<i32>,
    age: f64,
    memory: Option<u64>,
    members: Vec<u64>,
    /// The node that runs the program (`--bus`).
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// The clients on other nodes, if the program runs here (`--bus`).
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<Vec<OtherMember>>,
    #[serde(rename = "in")]
    input: ShownTraffic,
    #[serde(rename = "out")]
    output: ShownTraffic,
}

#[derive(Serialize)]
struct OtherMember {
    client: String,
    node: String,
}

/// Returns the status as JSON. Reads a file of `/proc` for each process: blocks.
pub(crate) fn json() -> String {
    let listed = PRESENT.listed();
    let recent = RECENT.lists();
    let sessions = listed.sessions.iter().map(|session| shown_session(session)).collect();
    let mut members: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for session in &listed.sessions {
        if let Some(room) = &session.room {
            members.entry(room.id).or_default().push(session.facts.conn);
        }
    }
    let rooms = listed.rooms.iter().map(|room| shown_room(room, members.remove(&room.id).unwrap_or_default()));
    let snapshot = Snapshot {
        routes: shown_routes(&listed, &recent),
        sessions,
        rooms: rooms.collect(),
        ends: recent.ends.iter().map(|end| &**end).collect(),
        refusals: recent.refusals.iter().map(|refusal| &**refusal).collect(),
    };
    serde_json::to_string(&snapshot).expect("numbers and strings become JSON")
}

fn shown_session(session: &LiveSession) -> ShownSession<'_> {
    let facts = &session.facts;
    ShownSession {
        conn: facts.conn,
        peer: facts.peer.to_string(),
        user: shown_user(&facts.user),
        route: &facts.route,
        transport: facts.transport.word(),
        state: session.state(),
        age: seconds(session.began.elapsed()),
        input: session.input.sum().into(),
        output: session.output.sum().into(),
        pid: session.pid,
        memory: session.pid.and_then(memory_of),
        room: session.room.as_ref().and_then(|room| room.pid()),
    }
}

fn shown_room(room: &LiveRoom, members: Vec<u64>) -> ShownRoom<'_> {
    let shown_other = |(client, node): (String, Arc<str>)| OtherMember { client, node: node.to_string() };
    let others = room.cluster.as_ref().map(|cluster| cluster.others().into_iter().map(shown_other).collect());
    ShownRoom {
        route: &room.route,
        path: String::from_utf8_lossy(&room.path).into_owned(),
        pid: room.pid(),
        age: seconds(room.began.elapsed()),
        memory: room.pid().and_then(memory_of),
        members,
        node: room.cluster.as_ref().and_then(|cluster| Some(cluster.node()?.to_string())),
        others,
        input: room.input.sum().into(),
        output: room.output.sum().into(),
    }
}

/// Adds up the routes: those of the settings, and removed ones that still have sessions.
fn shown_routes<'a>(listed: &'a Listed, recent: &RecentLists) -> Vec<ShownRoute<'a>> {
    let mut sums: BTreeMap<&RouteName, (u64, Traffic, Traffic)> = BTreeMap::new();
    let mut rooms: BTreeMap<&RouteName, u64> = BTreeMap::new();
    for session in &listed.sessions {
        let (count, input, output) = sums.entry(&session.facts.route).or_default();
        *count += 1;
        input.merge(session.input.sum());
        output.merge(session.output.sum());
    }
    for room in &listed.rooms {
        *rooms.entry(&room.route).or_default() += 1;
    }
    let requests = MCP.routes();
    let rooms_of = |route: &RouteName| rooms.get(route).copied().unwrap_or_default();
    let shown = |route: &'a RouteName, program: Option<&'a str>, state| {
        let (sessions, mut input, mut output) = sums.get(route).copied().unwrap_or_default();
        let ended = listed.ended.get(route).copied().unwrap_or_default();
        input.merge(ended.input);
        output.merge(ended.output);
        let refused = recent.refused.get(route).copied().unwrap_or_default();
        let total = Totals { sessions: ended.count + sessions, refused, input: input.into(), output: output.into() };
        let mcp = requests.get(route).map(McpRoute::shown);
        ShownRoute { path: route, program, state, sessions, rooms: rooms_of(route), total, mcp }
    };
    let current = listed.routes.iter().map(|facts| {
        let is_down = facts.is_eager && rooms_of(&facts.route) == 0;
        shown(&facts.route, facts.program.as_deref(), if is_down { "down" } else { "ready" })
    });
    let is_removed = |route: &&RouteName| !listed.routes.iter().any(|facts| facts.route == **route);
    let removed = sums.keys().copied().filter(is_removed).map(|route| shown(route, None, "removed"));
    current.chain(removed).collect()
}
