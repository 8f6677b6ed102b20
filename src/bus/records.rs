//! The records of the streams, and their ids.

use std::{collections::HashMap, fmt, str::FromStr};

use bytes::Bytes;
use redis::{FromRedisValue, Value};

use super::error::BusError;

/// The id of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordId(pub(crate) u64, pub(crate) u64);

/// A record of the output.
#[derive(Clone, Debug)]
pub(crate) struct OutRecord {
    /// The record before it.
    pub(crate) before: RecordId,
    /// Its own id.
    pub(crate) id: RecordId,
    /// Its kind and its receivers.
    pub(crate) kind: Bytes,
    /// Its messages.
    pub(crate) payload: Bytes,
}

/// A record of the input.
#[derive(Clone, Debug)]
pub(crate) struct InRecord {
    /// Its id.
    pub(crate) id: RecordId,
    /// The run of the node that sent it.
    pub(crate) node: String,
    /// Its kind.
    pub(crate) kind: String,
    /// The client.
    pub(crate) client: String,
    /// The messages, or the variables of a new client.
    pub(crate) payload: Bytes,
}

/// A record of a stream: its id, and its fields.
pub(super) type StreamEntry = (String, HashMap<String, Value>);

/// Returns a field, or an empty one: a record of another program must not stop those behind it.
fn field<T: FromRedisValue + Default>(fields: &mut HashMap<String, Value>, name: &str) -> T {
    fields.remove(name).and_then(|value| T::from_redis_value(value).ok()).unwrap_or_default()
}

/// Reads a record of the output. One that is not wsd's has an empty kind.
pub(super) fn out_record((own, mut fields): StreamEntry) -> Result<OutRecord, BusError> {
    let before = field::<String>(&mut fields, "p").parse().unwrap_or_default();
    let (kind, payload): (Vec<u8>, Vec<u8>) = (field(&mut fields, "t"), field(&mut fields, "d"));
    Ok(OutRecord { before, id: id(&own)?, kind: kind.into(), payload: payload.into() })
}

/// Reads a record of the input. One that is not wsd's has an empty kind.
pub(super) fn in_record((own, mut fields): StreamEntry) -> Result<InRecord, BusError> {
    let payload: Vec<u8> = field(&mut fields, "d");
    Ok(InRecord {
        id: id(&own)?,
        node: field(&mut fields, "n"),
        kind: field(&mut fields, "k"),
        client: field(&mut fields, "c"),
        payload: payload.into(),
    })
}

impl OutRecord {
    /// Reads a message of the channel; `None` if it is not a record.
    pub(crate) fn parse(message: &Bytes) -> Option<Self> {
        let end = memchr::memchr(b'\n', message)?;
        let mut words = str::from_utf8(&message[..end]).ok()?.split(' ');
        let (before, own) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let length: usize = words.next()?.parse().ok()?;
        let rest = message.slice(end + 1..);
        let payload = (length <= rest.len()).then(|| rest.slice(length..))?;
        Some(Self { before, id: own, kind: rest.slice(..length), payload })
    }
}

impl FromStr for RecordId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, second) = text.split_once('-').ok_or(())?;
        Ok(Self(first.parse().map_err(drop)?, second.parse().map_err(drop)?))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// Reads an id.
pub(super) fn id(text: &str) -> Result<RecordId, BusError> {
    text.parse().map_err(|()| BusError::Strange)
}
