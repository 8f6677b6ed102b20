//! The list of all sessions and rooms that there are now, and the traffic of each route.
//!
//! Its lock is taken when a session or room begins or ends, and by whoever reads the list: never on the way of a message.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use super::{
    counts::{COUNTS, cert_expiry, http_connections},
    labels::{OfDirection, OfKind, OfRoute, OfState},
    live::{LiveRoom, LiveSession, RouteFacts, Traffic, Transport},
    route::{NamedRoute, RouteName},
};

/// The list.
pub(crate) static PRESENT: LazyLock<Present> = LazyLock::new(Present::default);

/// The sessions and rooms that there are now.
#[derive(Debug, Default)]
pub(crate) struct Present(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    /// The sessions, by their numbers in the log.
    sessions: HashMap<u64, Arc<LiveSession>>,
    /// The rooms, by their numbers.
    rooms: HashMap<u64, Arc<LiveRoom>>,
    /// The ended sessions, by route.
    ended: BTreeMap<RouteName, EndedSessions>,
    /// The routes of the current settings.
    routes: Vec<RouteFacts>,
}

/// The ended sessions of a route.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EndedSessions {
    /// Their number.
    pub(super) count: u64,
    /// Their messages from clients.
    pub(super) input: Traffic,
    /// Their messages to clients.
    pub(super) output: Traffic,
}

/// The sessions, the rooms and the routes at one moment.
pub(super) struct Listed {
    /// The sessions, in the order of their numbers.
    pub(super) sessions: Vec<Arc<LiveSession>>,
    /// The rooms, the oldest first.
    pub(super) rooms: Vec<Arc<LiveRoom>>,
    /// The ended sessions of each route.
    pub(super) ended: BTreeMap<RouteName, EndedSessions>,
    /// The routes of the current settings.
    pub(super) routes: Vec<RouteFacts>,
}

impl Present {
    /// Returns the name of a route, whose metrics exist from now on.
    pub(crate) fn route(&self, pattern: &str) -> RouteName {
        let mut lists = self.lock();
        let name = NamedRoute::named(pattern);
        if let Some((known, _)) = lists.ended.get_key_value(&name) {
            return Arc::clone(known);
        }
        COUNTS.begin_route(&name);
        lists.ended.insert(Arc::clone(&name), EndedSessions::default());
        name
    }

    /// Lists a session that begins.
    pub(crate) fn add_session(&self, session: &Arc<LiveSession>) {
        self.lock().sessions.insert(session.facts.conn, Arc::clone(session));
    }

    /// Drops a session that has ended, and adds its traffic to that of its route.
    pub(crate) fn end_session(&self, session: &LiveSession) {
        let mut lists = self.lock();
        lists.sessions.remove(&session.facts.conn);
        let ended = lists.ended.entry(Arc::clone(&session.facts.route)).or_default();
        ended.count += 1;
        ended.input.merge(session.input.sum());
        ended.output.merge(session.output.sum());
    }

    /// Notes whether the client of a session is away.
    pub(crate) fn set_detached(&self, conn: u64, is_detached: bool) {
        if let Some(session) = self.lock().sessions.get(&conn) {
            session.is_detached.store(is_detached, Relaxed);
        }
    }

    /// Returns the session with this number in the log.
    pub(crate) fn session(&self, conn: u64) -> Option<Arc<LiveSession>> {
        self.lock().sessions.get(&conn).cloned()
    }

    /// Lists a room that begins.
    pub(crate) fn add_room(&self, room: &Arc<LiveRoom>) {
        self.lock().rooms.insert(room.id, Arc::clone(room));
    }

    /// Drops a room that has ended.
    pub(crate) fn end_room(&self, room: &LiveRoom) {
        self.lock().rooms.remove(&room.id);
    }

    /// Notes the routes of new settings.
    pub(crate) fn set_routes(&self, routes: Vec<RouteFacts>) {
        self.lock().routes = routes;
    }

    /// Returns the list as it is now. Holds the lock for as long as it copies pointers.
    pub(super) fn listed(&self) -> Listed {
        let lists = self.lock();
        let mut listed = Listed {
            sessions: lists.sessions.values().cloned().collect(),
            rooms: lists.rooms.values().cloned().collect(),
            ended: lists.ended.clone(),
            routes: lists.routes.clone(),
        };
        drop(lists);
        listed.sessions.sort_unstable_by_key(|session| session.facts.conn);
        listed.rooms.sort_by_key(|room| room.began);
        listed
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds up the list.
    fn sums(&self) -> Sums {
        let lists = self.lock();
        let routes = lists.ended.iter().map(|(route, &EndedSessions { input, output, .. })| {
            (Arc::clone(route), RouteSums { input, output, ..RouteSums::default() })
        });
        let mut sums = Sums { routes: routes.collect(), sockets: 0, replay: 0 };
        for session in lists.sessions.values() {
            let (facts, is_detached) = (&session.facts, session.is_detached());
            let route = sums.routes.entry(Arc::clone(&facts.route)).or_default();
            route.input.merge(session.input.sum());
            route.output.merge(session.output.sum());
            *(if is_detached { &mut route.detached } else { &mut route.open }) += 1;
            route.room_clients += u64::from(session.room.is_some());
            sums.sockets += u64::from(facts.transport == Transport::WebSocket && !is_detached);
            sums.replay += session.replay() as u64;
        }
        for room in lists.rooms.values() {
            sums.routes.entry(Arc::clone(&room.route)).or_default().rooms += 1;
        }
        sums
    }
}

/// The sums of the list at one moment.
struct Sums {
    routes: BTreeMap<RouteName, RouteSums>,
    /// The connections that are WebSockets.
    sockets: u64,
    /// The bytes for clients that may return.
    replay: u64,
}

#[derive(Clone, Copy, Default)]
struct RouteSums {
    open: u64,
    detached: u64,
    input: Traffic,
    output: Traffic,
    rooms: u64,
    room_clients: u64,
}

/// Encodes the sums at each scrape.
#[derive(Debug)]
pub(super) struct PresentCollector;

impl Collector for PresentCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Sums { routes, sockets, replay } = PRESENT.sums();
        let mut states = Vec::new();
        let (mut messages, mut bytes) = (Vec::new(), Vec::new());
        for (route, sums) in &routes {
            for (state, count) in [("open", sums.open), ("detached", sums.detached)] {
                states.push((OfState { route: Arc::clone(route), state }, count));
            }
            for (direction, traffic) in [("in", sums.input), ("out", sums.output)] {
                let label = OfDirection { route: Arc::clone(route), direction };
                messages.push((label.clone(), traffic.messages));
                bytes.push((label, traffic.bytes));
            }
        }
        gauges(&mut encoder, "wsd_sessions", "Sessions now, and those whose client is away and may return", states)?;
        counters(&mut encoder, "wsd_messages", "Messages from clients (in) and to clients (out)", messages)?;
        counters(&mut encoder, "wsd_message_bytes", "Bytes of these messages", bytes)?;
        let of_routes = |count: fn(&RouteSums) -> u64| {
            routes.iter().map(move |(route, sums)| (OfRoute { route: Arc::clone(route) }, count(sums)))
        };
        gauges(&mut encoder, "wsd_rooms", "Rooms now", of_routes(|sums| sums.rooms))?;
        gauges(&mut encoder, "wsd_room_clients", "Sessions in rooms now", of_routes(|sums| sums.room_clients))?;
        let sockets = [(OfKind { kind: "session" }, sockets), (OfKind { kind: "http" }, http_connections())];
        gauges(&mut encoder, "wsd_connections", "Connections now: WebSockets, and those of HTTP", sockets)?;
        let help = "Bytes of messages that wsd keeps for clients that may return";
        gauge(&mut encoder, "wsd_replay_bytes", help, replay)?;
        let help = "When the first certificate of --sslcert expires, in seconds since 1970";
        cert_expiry().map_or(Ok(()), |at| gauge(&mut encoder, "wsd_cert_expiry_seconds", help, at))
    }
}

/// Encodes one gauge.
pub(super) fn gauge<N: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: N,
) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, &sentence(help), None, MetricType::Gauge)?)
}

/// Encodes gauges with labels.
pub(super) fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, u64)>,
) -> fmt::Result {
    let mut encoder = encoder.encode_descriptor(name, &sentence(help), None, MetricType::Gauge)?;
    values.into_iter().try_for_each(|(labels, value)| ConstGauge::new(value).encode(encoder.encode_family(&labels)?))
}

/// Encodes one counter.
pub(super) fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(encoder.encode_descriptor(name, &sentence(help), None, MetricType::Counter)?)
}

/// Encodes counters with labels.
pub(super) fn counters<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, u64)>,
) -> fmt::Result {
    let mut encoder = encoder.encode_descriptor(name, &sentence(help), None, MetricType::Counter)?;
    values.into_iter().try_for_each(|(labels, value)| ConstCounter::new(value).encode(encoder.encode_family(&labels)?))
}

/// Ends a text as the crate ends those of registered metrics.
pub(super) fn sentence(help: &str) -> String {
    format!("{help}.")
}
