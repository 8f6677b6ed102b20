//! The last ends of sessions and the last refusals, for whoever looks at the status.
//!
//! They have no query, no header and no reason of a client's own: only words of wsd, addresses, users and routes.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, Serializer};

use super::{
    live::LiveSession,
    route::RouteName,
    shown::{ShownTraffic, seconds, shown_user},
};
use crate::{limits::RECENT_MAX, peer::Peer};

/// The lists.
pub(crate) static RECENT: Recent = Recent(Mutex::new(RecentQueues::new()));

/// The last ends and refusals, each list with [`RECENT_MAX`] entries at most: a flood of refusals drops no end.
#[derive(Debug)]
pub(crate) struct Recent(Mutex<RecentQueues>);

#[derive(Debug)]
struct RecentQueues {
    ends: VecDeque<Arc<RecentEnd>>,
    refusals: VecDeque<Arc<RecentRefusal>>,
    /// The number of refusals of each route.
    refused: BTreeMap<RouteName, u64>,
}

impl RecentQueues {
    const fn new() -> Self {
        Self { ends: VecDeque::new(), refusals: VecDeque::new(), refused: BTreeMap::new() }
    }
}

/// The end of a session.
#[derive(Debug, Serialize)]
pub(super) struct RecentEnd {
    /// Milliseconds since 1970.
    at: u64,
    conn: u64,
    #[serde(serialize_with = "displayed")]
    peer: Peer,
    user: Option<String>,
    #[serde(serialize_with = "as_text")]
    route: RouteName,
    transport: &'static str,
    end: &'static str,
    code: u16,
    secs: f64,
    #[serde(rename = "in")]
    input: ShownTraffic,
    #[serde(rename = "out")]
    output: ShownTraffic,
}

/// A refusal.
#[derive(Debug, Serialize)]
pub(super) struct RecentRefusal {
    /// Milliseconds since 1970.
    at: u64,
    #[serde(serialize_with = "displayed")]
    peer: Peer,
    #[serde(serialize_with = "as_text")]
    route: RouteName,
    why: &'static str,
}

/// The lists at one moment, the latest first.
pub(super) struct RecentLists {
    pub(super) ends: Vec<Arc<RecentEnd>>,
    pub(super) refusals: Vec<Arc<RecentRefusal>>,
    /// The number of refusals of each route.
    pub(super) refused: BTreeMap<RouteName, u64>,
}

impl Recent {
    /// Adds a session that has ended with this word in the log and this close code.
    pub(crate) fn add_end(&self, session: &LiveSession, end: &'static str, code: u16) {
        let facts = &session.facts;
        let entry = RecentEnd {
            at: now(),
            conn: facts.conn,
            peer: facts.peer,
            user: shown_user(&facts.user),
            route: Arc::clone(&facts.route),
            transport: facts.transport.word(),
            end,
            code,
            secs: seconds(session.began.elapsed()),
            input: session.input.sum().into(),
            output: session.output.sum().into(),
        };
        push(&mut self.lock().ends, entry);
    }

    /// Adds a refusal.
    pub(crate) fn add_refusal(&self, peer: Peer, route: &RouteName, why: &'static str) {
        let entry = RecentRefusal { at: now(), peer, route: Arc::clone(route), why };
        let mut lists = self.lock();
        push(&mut lists.refusals, entry);
        *lists.refused.entry(Arc::clone(route)).or_default() += 1;
    }

    /// Returns the lists as they are now.
    pub(super) fn lists(&self) -> RecentLists {
        let lists = self.lock();
        RecentLists {
            ends: lists.ends.iter().rev().cloned().collect(),
            refusals: lists.refusals.iter().rev().cloned().collect(),
            refused: lists.refused.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, RecentQueues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push<T>(list: &mut VecDeque<Arc<T>>, entry: T) {
    if list.len() >= RECENT_MAX {
        list.pop_front();
    }
    list.push_back(Arc::new(entry));
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn displayed<S: Serializer>(peer: &Peer, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(peer)
}

fn as_text<S: Serializer>(route: &RouteName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(route)
}
