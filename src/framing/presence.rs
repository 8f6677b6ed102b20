//! The variables of clients on their way to another node (`--bus`).

use std::collections::BTreeMap;

/// Returns the variables of a client in JSON, for another node.
pub(crate) fn variables<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    serde_json::to_vec(&variables.collect::<BTreeMap<_, _>>()).expect("variables have a text")
}

/// Reads the variables of a client of another node.
pub(crate) fn parse(variables: &[u8]) -> BTreeMap<String, String> {
    serde_json::from_slice(variables).unwrap_or_default()
}
