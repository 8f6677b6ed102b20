//! The connection for commands, and whether Redis answers.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisFuture, RedisResult, Script, Value,
    aio::{ConnectionLike, MultiplexedConnection, PubSub},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
};
use tokio::{sync::watch, time::timeout};

use super::{error::BusError, sentinels::Sentinels, target::BusTarget};
use crate::{
    event::Event,
    limits::{BUS_ANSWER, BUS_CONNECT},
    metrics::bus::BUS,
};

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

/// A question to Redis.
pub(super) enum Question<'a> {
    /// A command.
    Command(&'a Cmd),
    /// A script, its keys, and its arguments.
    Script(&'a Script, &'a [&'a str], &'a [&'a [u8]]),
}

impl Question<'_> {
    async fn send(&self, mut link: BusLink) -> RedisResult<Value> {
        match self {
            Self::Command(command) => command.query_async(&mut link).await,
            Self::Script(script, keys, args) => {
                let mut invocation = script.prepare_invoke();
                for key in *keys {
                    invocation.key(*key);
                }
                for arg in *args {
                    invocation.arg(*arg);
                }
                invocation.invoke_async(&mut link).await
            }
        }
    }
}

/// How to open connections.
enum Opener {
    One(Client),
    Cluster(Box<ClusterOpener>),
    Sentinels(Sentinels),
}

/// How to open connections to a cluster.
struct ClusterOpener {
    client: redis::cluster::ClusterClient,
    /// A node each. News of all nodes are at any.
    nodes: Vec<Client>,
    /// The number of connections for news so far: after a node that fails comes the next.
    news: AtomicUsize,
}

/// The connection for commands, which all users share.
pub(super) struct Connections {
    opener: Opener,
    link: Mutex<Option<BusLink>>,
    /// The time since which Redis does not answer.
    lost: watch::Sender<Option<Instant>>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").field("lost", &*self.lost.borrow()).finish_non_exhaustive()
    }
}

impl Connections {
    /// Returns none yet.
    pub(super) fn new(target: &BusTarget) -> Result<Self, BusError> {
        let opener = match target.clone() {
            BusTarget::One(info) => Opener::One(Client::open(info)?),
            BusTarget::Cluster(infos) => {
                let client = ClusterClientBuilder::new(infos.clone())
                    .connection_timeout(BUS_CONNECT)
                    .response_timeout(BUS_ANSWER)
                    .build()?;
                let nodes = infos.into_iter().map(Client::open).collect::<RedisResult<_>>()?;
                Opener::Cluster(Box::new(ClusterOpener { client, nodes, news: AtomicUsize::new(0) }))
            }
            BusTarget::Sentinels(infos, name) => Opener::Sentinels(Sentinels::new(&infos, &name)?),
        };
        Ok(Self { opener, link: Mutex::default(), lost: watch::Sender::new(None) })
    }

    /// Whether it is to a cluster.
    pub(super) fn is_of_cluster(&self) -> bool {
        matches!(self.opener, Opener::Cluster(_))
    }

    /// Opens the connection for commands.
    pub(super) async fn connect(&self) -> Result<BusLink, BusError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(BUS_CONNECT))
            .set_response_timeout(Some(BUS_ANSWER));
        let open = async {
            Ok(match &self.opener {
                Opener::One(client) => {
                    BusLink::One(client.get_multiplexed_async_connection_with_config(&config).await?)
                }
                Opener::Cluster(cluster) => BusLink::Cluster(cluster.client.get_async_connection().await?),
                Opener::Sentinels(sentinels) => {
                    let primary = sentinels.primary().await?;
                    BusLink::One(primary.get_multiplexed_async_connection_with_config(&config).await?)
                }
            })
        };
        let link = timeout(BUS_ANSWER, open).await.unwrap_or_else(|_| Err(BusError::late()))?;
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
        Ok(link)
    }

    /// Opens a connection for news.
    pub(super) async fn news(&self) -> Result<PubSub, BusError> {
        let open = async {
            Ok(match &self.opener {
                Opener::One(client) => client.get_async_pubsub().await?,
                Opener::Cluster(cluster) => {
                    let next = cluster.news.fetch_add(1, Ordering::Relaxed) % cluster.nodes.len();
                    cluster.nodes[next].get_async_pubsub().await?
                }
                Opener::Sentinels(sentinels) => sentinels.primary().await?.get_async_pubsub().await?,
            })
        };
        timeout(BUS_ANSWER, open).await.unwrap_or_else(|_| Err(BusError::late()))
    }

    /// Returns the connection for commands, unless Redis is away.
    pub(super) fn link(&self) -> Result<BusLink, BusError> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
        link.ok_or(BusError::Away)
    }

    /// Sends the command that tells whether Redis is there and takes what wsd writes.
    pub(super) async fn beat<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BusError> {
        let began = Instant::now();
        let answer = self.answer(&Question::Command(command)).await?;
        BUS.set_round_trip(began.elapsed());
        self.is_back();
        T::from_redis_value(answer).map_err(|error| BusError::Redis(error.into()))
    }

    /// Sends a command.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BusError> {
        self.ask(&Question::Command(command)).await
    }

    /// Asks, and once more over a new connection if the first is of no use: so it must do no harm to ask twice.
    pub(super) async fn ask<T: FromRedisValue>(&self, ask: &Question<'_>) -> Result<T, BusError> {
        if self.lost().is_some() {
            return Err(BusError::Away);
        }
        let answer = self.answer(ask).await?;
        T::from_redis_value(answer).map_err(|error| BusError::Redis(error.into()))
    }

    async fn answer(&self, ask: &Question<'_>) -> Result<Value, BusError> {
        let began = Instant::now();
        let failed = match ask.send(self.link()?).await {
            Ok(answer) => return Ok(answer),
            Err(error) => BusError::from(error),
        };
        if !failed.is_of_connection() {
            return Err(failed);
        }
        // An idle connection may have ended while Redis was there all the time.
        let link = self.connect().await.inspect_err(|error| self.is_away(began, error))?;
        ask.send(link).await.map_err(|error| {
            let error = BusError::from(error);
            if error.is_of_connection() {
                self.is_away(began, &error);
            }
            error
        })
    }

    /// Tries to reach Redis again after `error`.
    pub(super) async fn reconnect(&self, error: &BusError) {
        if !matches!(error, BusError::Away) {
            self.is_away(Instant::now(), error);
        }
        if let Err(error) = self.connect().await {
            self.is_away(Instant::now(), &error);
        }
    }

    fn is_away(&self, since: Instant, error: &BusError) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let is_new = self.lost.send_if_modified(|lost| {
            let is_new = lost.is_none();
            *lost = lost.or(Some(since));
            is_new
        });
        if is_new {
            Event::BusLost { cause: error, hint: error.hint() }.emit();
        }
    }

    fn is_back(&self) {
        if self.lost.borrow().is_none() {
            return;
        }
        let mut secs = 0.0;
        let is_new = self.lost.send_if_modified(|lost| {
            lost.take().inspect(|since| secs = crate::event::seconds(since.elapsed())).is_some()
        });
        if is_new {
            Event::BusBack { secs }.emit();
        }
    }

    /// Returns the time since which Redis does not answer.
    pub(super) fn lost(&self) -> Option<Instant> {
        *self.lost.borrow()
    }

    /// Resolves when Redis answers.
    pub(super) async fn up(&self) {
        let _ = self.lost.subscribe().wait_for(Option::is_none).await;
    }

    /// Returns a receiver of the changes.
    pub(super) fn changes(&self) -> watch::Receiver<Option<Instant>> {
        self.lost.subscribe()
    }
}
