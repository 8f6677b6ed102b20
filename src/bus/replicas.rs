//! Waits until a replica has a lease, so that a failover does not hand it out twice.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use redis::{
    Cmd, FromRedisValue, RedisResult, Value,
    cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr},
    cmd,
};
use tokio::time::timeout;

use super::{error::BusError, opener::BusLink};
use crate::limits::{BUS_ANSWER, BUS_PATIENCE};

/// The time that a lease waits for a replica. Other commands on the connection wait with it.
const REPLICA_WAIT: Duration = Duration::from_millis(100);

/// The time when a lease may wait for a replica again; `None` if there are no replicas.
#[derive(Debug, Default)]
pub(super) struct Replicas(Mutex<Option<Instant>>);

impl Replicas {
    /// Finds out whether there are replicas (in a cluster: of each primary). The connection must not have written yet.
    pub(super) async fn find(&self, link: &mut BusLink) -> Result<(), BusError> {
        let is_one = matches!(link, BusLink::One(_));
        // In a cluster, one primary may be gone.
        let count = timeout(BUS_ANSWER / 2, wait(0, Duration::ZERO).query_async::<i64>(link)).await;
        self.set(matches!(count, Ok(Ok(count)) if count > 0).then(Instant::now));
        match count {
            Ok(Err(error)) if is_one => {
                Some(BusError::from(error)).filter(BusError::is_of_connection).map_or(Ok(()), Err)
            }
            _ => Ok(()),
        }
    }

    /// Waits until a replica has all that went to the primary of `key`. Replicas that are silent get no chance for a while.
    pub(super) async fn wait(&self, mut link: BusLink, key: &str) {
        let next = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_none_or(|next| Instant::now() < next) {
            return;
        }
        let command = wait(1, REPLICA_WAIT);
        let answer: RedisResult<Value> = match &mut link {
            BusLink::One(link) => command.query_async(link).await,
            BusLink::Cluster(link) => {
                let primary = SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master));
                link.route_command(command, RoutingInfo::SingleNode(primary)).await
            }
        };
        if !answer.is_ok_and(|count| i64::from_redis_value(count).is_ok_and(|count| count > 0)) {
            self.set(Some(Instant::now() + BUS_PATIENCE));
        }
    }

    fn set(&self, next: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

/// Returns the command that answers once so many replicas are in step, or after a time.
fn wait(replicas: usize, time: Duration) -> Cmd {
    let mut command = cmd("WAIT");
    command.arg(replicas).arg(time.as_millis().to_string());
    command
}
