//! Opens connections to the servers of the bus.

use std::sync::atomic::{AtomicUsize, Ordering};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, Pipeline, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection, PubSub},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
};

use super::{
    error::BusError,
    sentinels::Sentinels,
    target::{BusIdentity, BusTarget},
};
use crate::limits::{BUS_ANSWER, BUS_CONNECT};

/// A connection for commands. Clones share it.
#[derive(Clone)]
pub(super) enum BusLink {
    /// To one server.
    One(MultiplexedConnection),
    /// To a cluster.
    Cluster(ClusterConnection),
}

impl ConnectionLike for BusLink {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(link) => link.req_packed_command(cmd),
            Self::Cluster(link) => link.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(link) => link.req_packed_commands(pipeline, offset, count),
            Self::Cluster(link) => link.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(link) => link.get_db(),
            Self::Cluster(link) => link.get_db(),
        }
    }
}

/// How to open connections.
pub(super) enum Opener {
    /// To one server.
    One(Client),
    /// To a cluster.
    Cluster(Box<ClusterOpener>),
    /// To the server that sentinels name.
    Sentinels(Sentinels),
}

/// How to open connections to a cluster.
pub(super) struct ClusterOpener {
    client: redis::cluster::ClusterClient,
    /// A node each. News of all nodes are at any.
    nodes: Vec<Client>,
    /// The number of connections for news so far: after a node that fails comes the next.
    news: AtomicUsize,
}

impl Opener {
    /// Returns the opener for these servers. It shows `identity` to those that have TLS.
    pub(super) fn new(target: &BusTarget, identity: Option<&BusIdentity>) -> Result<Self, BusError> {
        let client = |info: ConnectionInfo| match identity {
            Some(identity) => Client::build_with_tls(info, identity.certificates()),
            None => Client::open(info),
        };
        Ok(match target.clone() {
            BusTarget::One(info) => Self::One(client(info)?),
            BusTarget::Cluster(infos) => {
                let builder = ClusterClientBuilder::new(infos.clone())
                    .connection_timeout(BUS_CONNECT)
                    .response_timeout(BUS_ANSWER);
                let all = match identity {
                    Some(identity) => builder.certs(identity.certificates()),
                    None => builder,
                };
                let nodes = infos.into_iter().map(client).collect::<RedisResult<_>>()?;
                Self::Cluster(Box::new(ClusterOpener { client: all.build()?, nodes, news: AtomicUsize::new(0) }))
            }
            BusTarget::Sentinels(infos, name) => Self::Sentinels(Sentinels::new(&infos, &name)?),
        })
    }

    /// Whether the servers are a cluster, of which a part may be away.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Opens a connection for commands.
    pub(super) async fn link(&self) -> Result<BusLink, BusError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(BUS_CONNECT))
            .set_response_timeout(Some(BUS_ANSWER));
        Ok(match self {
            Self::One(client) => BusLink::One(client.get_multiplexed_async_connection_with_config(&config).await?),
            Self::Cluster(cluster) => BusLink::Cluster(cluster.client.get_async_connection().await?),
            Self::Sentinels(sentinels) => {
                let primary = sentinels.primary().await?;
                BusLink::One(primary.get_multiplexed_async_connection_with_config(&config).await?)
            }
        })
    }

    /// Opens a connection for news.
    pub(super) async fn news(&self) -> Result<PubSub, BusError> {
        Ok(match self {
            Self::One(client) => client.get_async_pubsub().await?,
            Self::Cluster(cluster) => {
                let next = cluster.news.fetch_add(1, Ordering::Relaxed) % cluster.nodes.len();
                cluster.nodes[next].get_async_pubsub().await?
            }
            Self::Sentinels(sentinels) => sentinels.primary().await?.get_async_pubsub().await?,
        })
    }
}
