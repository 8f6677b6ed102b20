//! The sessions of legacy clients, by id.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::time::Instant;

use super::{lock::lock, session::McpSession};
use crate::limits::mcp::{MCP_RECORD_TIME_MAX, MCP_SESSIONS_MAX};

/// The sessions of a route.
#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<HashMap<String, Arc<McpSession>>>);

impl Table {
    /// Adds a session. Forgets those that are over, those that have slept for too long, and beyond the limit the one that has
    /// slept longest.
    pub(super) fn add(&self, session: &Arc<McpSession>) {
        let mut known = lock(&self.0);
        if known.len() >= MCP_SESSIONS_MAX || known.len().is_power_of_two() {
            let now = Instant::now();
            known.retain(|_, session| {
                let slept = session.asleep_since().map(|since| now.duration_since(since));
                !session.is_over() && slept.is_none_or(|slept| slept < MCP_RECORD_TIME_MAX)
            });
        }
        if known.len() >= MCP_SESSIONS_MAX {
            forget_sleeper(&mut known);
        }
        known.insert(session.id.clone(), Arc::clone(session));
    }

    /// Finds the session of a user.
    pub(crate) fn find(&self, id: &str, user: &str) -> Option<Arc<McpSession>> {
        let mut known = lock(&self.0);
        let session = known.get(id).filter(|session| session.user == user)?;
        let is_kept = session.asleep_since().is_none_or(|since| since.elapsed() < MCP_RECORD_TIME_MAX);
        if session.is_over() || !is_kept {
            known.remove(id);
            return None;
        }
        Some(Arc::clone(session))
    }

    /// Forgets a session.
    pub(crate) fn remove(&self, id: &str) {
        lock(&self.0).remove(id);
    }

    /// Whether there is no session.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// Forgets the session that has slept longest, since the bytes of their records count.
    pub(crate) fn relieve(&self) {
        forget_sleeper(&mut lock(&self.0));
    }
}

fn forget_sleeper(known: &mut HashMap<String, Arc<McpSession>>) {
    let sleepers = known.values().filter_map(|session| Some((session.asleep_since()?, session.id.clone())));
    if let Some((_, id)) = sleepers.min() {
        known.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{
        super::terms::{McpEras, McpOptions},
        *,
    };
    use crate::{budget::Budget, metrics::route::NamedRoute, worker::process::ProcessOptions};

    fn options() -> Arc<McpOptions> {
        let process = ProcessOptions {
            message_bytes_max: 0,
            patience: Duration::ZERO,
            is_readonly: false,
            budget: Budget::new(None),
            route: NamedRoute::named("/"),
        };
        let eras = McpEras::Both;
        Arc::new(McpOptions { eras, idle: Duration::ZERO, body_bytes_max: 0, replay_bytes_max: 0, process })
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_10_000_sessions_the_one_that_has_slept_longest_is_forgotten() {
        let (table, options) = (Table::default(), options());
        let awake = McpSession::new(String::new(), Vec::new(), Arc::clone(&options));
        table.add(&awake);
        let mut sleepers = Vec::new();
        for _ in 0..MCP_SESSIONS_MAX {
            sleepers.push(McpSession::asleep(&options));
            advance(Duration::from_secs(1)).await;
        }

        for sleeper in &sleepers {
            table.add(sleeper);
        }

        let is_known = |session: &McpSession| table.find(&session.id, "").is_some();
        assert!(is_known(&awake) && !is_known(&sleepers[0]));
        assert!(sleepers[1..].iter().all(|sleeper| is_known(sleeper)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_has_slept_for_24_hours_is_forgotten() {
        let (table, options) = (Table::default(), options());
        let (awake, sleeper) =
            (McpSession::new(String::new(), Vec::new(), Arc::clone(&options)), McpSession::asleep(&options));
        table.add(&awake);
        table.add(&sleeper);

        let second = Duration::from_secs(1);
        advance(MCP_RECORD_TIME_MAX.saturating_sub(second)).await;
        assert!(table.find(&sleeper.id, "").is_some());
        advance(second).await;

        assert!(table.find(&sleeper.id, "").is_none() && table.find(&awake.id, "").is_some());
    }
}
