//! Quick news of streams: a connection of its own that listens to channels.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use redis::aio::PubSubSink;
use tokio::{
    sync::{Notify, mpsc},
    time::{interval, sleep, timeout},
};

use super::{connection::Connections, error::BusError};
use crate::limits::{BUS_ANSWER, BUS_RETRY, LEASE_RENEWAL};

/// News that wait for one room. It reads the stream instead of those that do not fit.
const NOTES_MAX: usize = 256;

/// News for a room.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// A message on the channel.
    Message(Bytes),
    /// Messages may have been missed.
    Missed,
}

/// The channels that this node listens to. Each may have several listeners: the rooms of a route before and after a reload.
#[derive(Debug, Default)]
pub(crate) struct News {
    channels: Mutex<HashMap<String, Vec<Subscriber>>>,
    /// Wakes the reader when the channels have changed.
    changed: Notify,
}

#[derive(Debug)]
struct Subscriber {
    tell: mpsc::Sender<Note>,
    /// Whether it knows that it hears all from now on.
    is_told: bool,
}

impl News {
    /// Listens to a channel.
    pub(super) fn subscribe(&self, channel: &str) -> mpsc::Receiver<Note> {
        let (tell, told) = mpsc::channel(NOTES_MAX);
        self.lock().entry(channel.to_owned()).or_default().push(Subscriber { tell, is_told: false });
        self.changed.notify_one();
        told
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Subscriber>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads news for ever, and connects again when that breaks.
    pub(super) async fn read(&self, connections: &Connections) {
        loop {
            if let Err(error) = self.read_once(connections).await {
                error.log();
            }
            sleep(BUS_RETRY).await;
        }
    }

    async fn read_once(&self, connections: &Connections) -> Result<(), BusError> {
        let (mut sink, mut stream) = connections.news().await?.split();
        let mut known = HashSet::new();
        self.lock().values_mut().flatten().for_each(|listener| listener.is_told = false);
        self.follow(&mut sink, &mut known).await?;
        let mut pings = interval(LEASE_RENEWAL);
        loop {
            tokio::select! {
                message = stream.next() => {
                    let Some(message) = message else { return Ok(()) };
                    let bytes = Bytes::copy_from_slice(message.get_payload_bytes());
                    for listener in self.lock().get(message.get_channel_name()).into_iter().flatten() {
                        // A room that is behind reads the stream.
                        let _ = listener.tell.try_send(Note::Message(bytes.clone()));
                    }
                }
                () = self.changed.notified() => self.follow(&mut sink, &mut known).await?,
                _ = pings.tick() => in_time(sink.ping::<redis::Value>(), BUS_ANSWER).await.map(drop)?,
            }
        }
    }

    /// Brings the subscriptions up to date. One command has all channels: a node with many rooms may be far from Redis.
    async fn follow(&self, sink: &mut PubSubSink, known: &mut HashSet<String>) -> Result<(), BusError> {
        let (old, new) = {
            let mut channels = self.lock();
            channels.retain(|_, listeners| {
                listeners.retain(|listener| !listener.tell.is_closed());
                !listeners.is_empty()
            });
            let old: Vec<_> = known.iter().filter(|name| !channels.contains_key(*name)).cloned().collect();
            let new: Vec<_> = channels.keys().filter(|name| !known.contains(*name)).cloned().collect();
            (old, new)
        };
        if !old.is_empty() {
            known.retain(|name| !old.contains(name));
            in_time(sink.unsubscribe(old), BUS_ANSWER).await?;
        }
        if !new.is_empty() {
            in_time(sink.subscribe(&new), BUS_ANSWER).await?;
            known.extend(new);
        }
        let mut channels = self.lock();
        let of_known = channels.iter_mut().filter(|(name, _)| known.contains(*name)).flat_map(|(_, of_name)| of_name);
        for listener in of_known.filter(|listener| !listener.is_told) {
            // What came before the subscription is in the stream. A full queue tells the room that by itself.
            let _ = listener.tell.try_send(Note::Missed);
            listener.is_told = true;
        }
        Ok(())
    }
}

async fn in_time<T>(ask: impl Future<Output = redis::RedisResult<T>>, limit: Duration) -> Result<T, BusError> {
    timeout(limit, ask).await.map_or_else(|_| Err(BusError::late()), |answer| Ok(answer?))
}
