//! The connection for commands, and whether Redis answers.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use redis::{Cmd, FromRedisValue, RedisResult, Script, Value, aio::PubSub};
use tokio::time::timeout;

use super::{
    error::BusError,
    loss::{Loss, LossScope, Losses},
    opener::{BusLink, Opener},
    replicas::Replicas,
};
use crate::{limits::BUS_ANSWER, metrics::bus::BUS};

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

/// The connection for commands, which all users share.
pub(super) struct Connections {
    opener: Opener,
    link: Mutex<Option<BusLink>>,
    replicas: Replicas,
    losses: Arc<Losses>,
    /// Whether Redis answers; in a cluster, whether it takes the heartbeat of this node.
    loss: Arc<Loss>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").field("loss", &self.loss).finish_non_exhaustive()
    }
}

impl Connections {
    /// Returns none yet.
    pub(super) fn new(opener: Opener) -> Self {
        let losses = Arc::<Losses>::default();
        let loss = Arc::new(Loss::new(Arc::clone(&losses), LossScope::All));
        Self { opener, link: Mutex::default(), replicas: Replicas::default(), losses, loss }
    }

    /// Opens the connection for commands.
    pub(super) async fn connect(&self) -> Result<BusLink, BusError> {
        let open = async {
            let mut link = self.opener.link().await?;
            self.replicas.find(&mut link).await?;
            Ok(link)
        };
        let link = timeout(BUS_ANSWER, open).await.unwrap_or_else(|_| Err(BusError::late()))?;
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
        Ok(link)
    }

    /// Opens a connection for news.
    pub(super) async fn news(&self) -> Result<PubSub, BusError> {
        timeout(BUS_ANSWER, self.opener.news()).await.unwrap_or_else(|_| Err(BusError::late()))
    }

    /// Whether a part of Redis may be away while the rest answers.
    pub(super) fn is_cluster(&self) -> bool {
        self.opener.is_cluster()
    }

    /// Returns whether Redis answers; in a cluster, whether it takes the heartbeat of this node.
    pub(super) fn loss(&self) -> &Loss {
        &self.loss
    }

    /// Returns whether Redis answers for the keys of a room.
    pub(super) fn loss_of_room(&self) -> Arc<Loss> {
        if !self.is_cluster() {
            return Arc::clone(&self.loss);
        }
        Arc::new(Loss::new(Arc::clone(&self.losses), LossScope::Room))
    }

    /// Returns the connection for commands, unless Redis is away.
    fn link(&self) -> Result<BusLink, BusError> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
        link.ok_or(BusError::Away)
    }

    /// Sends the command that tells whether Redis is there and takes what wsd writes. `note` gets the answer before others can
    /// send commands again.
    pub(super) async fn beat<T: FromRedisValue>(&self, command: &Cmd, note: impl FnOnce(&T)) -> Result<T, BusError> {
        let began = Instant::now();
        let answer = self.answer(&Question::Command(command), Some(&self.loss)).await?;
        BUS.set_round_trip(began.elapsed());
        let answer = T::from_redis_value(answer).map_err(|error| BusError::Redis(error.into()))?;
        note(&answer);
        self.loss.end();
        Ok(answer)
    }

    /// Asks, and once more over a new connection if the first is of no use: so it must do no harm to ask twice.
    ///
    /// An error of the connection begins the loss. In a cluster without one, it tells nothing of the keys of others.
    pub(super) async fn ask<T: FromRedisValue>(&self, ask: &Question<'_>, loss: Option<&Loss>) -> Result<T, BusError> {
        let loss = if self.is_cluster() { loss } else { Some(&*self.loss) };
        if loss.is_some_and(|loss| loss.since().is_some()) {
            return Err(BusError::Away);
        }
        let answer = self.answer(ask, loss).await?;
        T::from_redis_value(answer).map_err(|error| BusError::Redis(error.into()))
    }

    /// Asks for a key, only to find out whether Redis answers.
    pub(super) async fn probe(&self, key: &str) -> Result<(), BusError> {
        let mut command = redis::cmd("EXISTS");
        command.arg(key);
        self.answer(&Question::Command(&command), None).await.map(drop)
    }

    async fn answer(&self, ask: &Question<'_>, loss: Option<&Loss>) -> Result<Value, BusError> {
        let began = Instant::now();
        let failed = match ask.send(self.link()?).await {
            Ok(answer) => return Ok(answer),
            Err(error) => BusError::from(error),
        };
        if !failed.is_of_connection() {
            return Err(failed);
        }
        let is_away = |error: BusError| {
            if let Some(loss) = loss {
                loss.begin(began, &error);
            }
            error
        };
        if self.is_cluster() {
            // The connection has tried for long to find the next primary, and others use it.
            return Err(is_away(failed));
        }
        // An idle connection may have ended while Redis was there all the time.
        let link = self.connect().await.map_err(|error| {
            self.forget_link();
            is_away(error)
        })?;
        ask.send(link).await.map_err(|error| {
            let error = BusError::from(error);
            if !error.is_of_connection() {
                return error;
            }
            self.forget_link();
            is_away(error)
        })
    }

    /// Tries to reach Redis again after `error`.
    pub(super) async fn reconnect(&self, error: &BusError) {
        if !matches!(error, BusError::Away) {
            self.forget_link();
            self.loss.begin(Instant::now(), error);
        }
        if let Err(error) = self.connect().await {
            self.forget_link();
            self.loss.begin(Instant::now(), &error);
        }
    }

    /// Drops a connection that is of no use. That to a cluster heals itself.
    fn forget_link(&self) {
        if !self.is_cluster() {
            *self.link.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Waits until a replica has what the primary of `key` has.
    pub(super) async fn wait_for_replica(&self, key: &str) {
        if let Ok(link) = self.link() {
            self.replicas.wait(link, key).await;
        }
    }
}
