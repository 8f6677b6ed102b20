//! Warns of a Redis that drops keys of rooms when its memory is full.

use redis::Value;

use super::connection::{Connections, Question};
use crate::event::Event;

/// Warns if a server drops keys when it is full. One that does not tell is taken for one that drops none.
pub(super) async fn warn(connections: &Connections) {
    let mut command = redis::cmd("INFO");
    command.arg("memory");
    let Ok(answer) = connections.ask::<Value>(&Question::Command(&command), None).await else { return };
    if let Some(policy) = texts(&answer).iter().find_map(|facts| policy(facts)) {
        let hint = "set maxmemory-policy of Redis to noeviction";
        Event::BusDropsKeys { policy, hint }.emit();
    }
}

/// Returns the texts of an answer: that of the server, or of each server of a cluster.
fn texts(answer: &Value) -> Vec<String> {
    match answer {
        Value::BulkString(text) => vec![String::from_utf8_lossy(text).into_owned()],
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => vec![text.clone()],
        Value::Map(pairs) => pairs.iter().flat_map(|(_, value)| texts(value)).collect(),
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Returns the policy by which a server drops keys; `None` if it has memory without a limit, or drops none.
fn policy(facts: &str) -> Option<&str> {
    let fact = |name: &str| facts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let limit = fact("maxmemory")?;
    fact("maxmemory_policy").filter(|policy| limit != "0" && *policy != "noeviction")
}
