//! Quick news of streams: a connection of its own that listens to channels.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
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

/// The channels that this node listens to.
#[derive(Debug, Default)]
pub(crate) struct News {
    channels: Mutex<HashMap<String, mpsc::Sender<Note>>>,
    /// Wakes the reader when the channels have changed.
    changed: Notify,
}

impl News {
    /// Listens to a channel.
    pub(super) fn subscribe(&self, channel: &str) -> mpsc::Receiver<Note> {
        let (tell, told) = mpsc::channel(NOTES_MAX);
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.to_owned(), tell);
        self.changed.notify_one();
        told
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
        let mut known = HashMap::new();
        self.follow(&mut sink, &mut known).await?;
        let mut pings = interval(LEASE_RENEWAL);
        loop {
            tokio::select! {
                message = stream.next() => {
                    let Some(message) = message else { return Ok(()) };
                    let note = Note::Message(Bytes::copy_from_slice(message.get_payload_bytes()));
                    let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(tell) = channels.get(message.get_channel_name()) {
                        // A room that is behind reads the stream.
                        let _ = tell.try_send(note);
                    }
                }
                () = self.changed.notified() => self.follow(&mut sink, &mut known).await?,
                _ = pings.tick() => in_time(sink.ping::<redis::Value>(), BUS_ANSWER).await.map(drop)?,
            }
        }
    }

    /// Brings the subscriptions up to date.
    async fn follow(
        &self,
        sink: &mut PubSubSink,
        known: &mut HashMap<String, mpsc::Sender<Note>>,
    ) -> Result<(), BusError> {
        let (old, new) = {
            let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
            channels.retain(|_, tell| !tell.is_closed());
            let old: Vec<_> = known.keys().filter(|name| !channels.contains_key(*name)).cloned().collect();
            let is_new = |(name, tell): &(&String, &mpsc::Sender<Note>)| {
                known.get(*name).is_none_or(|known| !known.same_channel(tell))
            };
            let new: Vec<_> = channels.iter().filter(is_new).map(|(name, tell)| (name.clone(), tell.clone())).collect();
            (old, new)
        };
        for name in old {
            known.remove(&name);
            in_time(sink.unsubscribe(name), BUS_ANSWER).await?;
        }
        for (name, tell) in new {
            if !known.contains_key(&name) {
                in_time(sink.subscribe(&name), BUS_ANSWER).await?;
            }
            // What came before the subscription is in the stream.
            let _ = tell.try_send(Note::Missed);
            known.insert(name, tell);
        }
        Ok(())
    }
}

async fn in_time<T>(ask: impl Future<Output = redis::RedisResult<T>>, limit: Duration) -> Result<T, BusError> {
    timeout(limit, ask).await.map_or_else(|_| Err(BusError::late()), |answer| Ok(answer?))
}
