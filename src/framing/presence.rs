//! Events of clients whose variables come from another node (`--bus`).

use std::collections::BTreeMap;

use super::events::open;

/// Returns the variables of a client in JSON, for another node.
pub(crate) fn variables<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    serde_json::to_vec(&variables.collect::<BTreeMap<_, _>>()).expect("variables have a text")
}

/// Appends an `open` event for a new client of another node, whose variables are in JSON.
pub(crate) fn open_far(client: &str, node: &str, variables: &[u8], input: &mut Vec<u8>) {
    let variables: BTreeMap<String, String> = serde_json::from_slice(variables).unwrap_or_default();
    open(client, Some(node), variables.iter().map(|(name, value)| (&**name, &**value)), input);
}
