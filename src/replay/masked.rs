//! The members of JSON that a comparison leaves out (`--ignore`), such as times and random names.

use std::collections::BTreeSet;

use serde_json::Value;

/// Texts within texts that may hold JSON.
const DEPTH_MAX: usize = 4;

/// The names of the members.
#[derive(Debug)]
pub(super) struct Masks(BTreeSet<String>);

impl Masks {
    /// Leaves the members of these names out.
    pub(super) fn new(names: BTreeSet<String>) -> Self {
        Self(names)
    }

    /// Whether two messages are the same, except for these members.
    pub(super) fn are_same(&self, one: &[u8], other: &[u8]) -> bool {
        if one == other {
            return true;
        }
        if self.0.is_empty() {
            return false;
        }
        match (self.masked(one), self.masked(other)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        }
    }

    /// Returns a message as JSON without the members; `None` if it is no JSON.
    fn masked(&self, message: &[u8]) -> Option<Value> {
        let mut value = serde_json::from_slice(message).ok()?;
        self.mask(&mut value, DEPTH_MAX);
        Some(value)
    }

    fn mask(&self, value: &mut Value, depth: usize) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| !self.0.contains(name));
                members.values_mut().for_each(|value| self.mask(value, depth));
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.mask(value, depth)),
            Value::String(text) if depth > 0 && text.starts_with(['{', '[']) => {
                if let Ok(mut inner) = serde_json::from_str(text) {
                    self.mask(&mut inner, depth - 1);
                    *value = inner;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_do_not_count_however_deep_they_are() {
        let masks = Masks::new(["time", "id"].map(str::to_owned).into());
        let table = [
            (r#"{"a":1,"time":2}"#, r#"{"time":3,"a":1}"#, true),
            (r#"{"a":1,"time":2}"#, r#"{"a":1}"#, true),
            (r#"{"a":1,"time":2}"#, r#"{"a":2,"time":2}"#, false),
            (r#"[{"id":1},2]"#, r#"[{"id":2},2]"#, true),
            (r#"{"text":"{\"id\":1,\"a\":[{\"time\":5}]}"}"#, r#"{"text":"{\"id\":2,\"a\":[{\"time\":6}]}"}"#, true),
            (r#"{"text":"{\"id\":1,\"a\":1}"}"#, r#"{"text":"{\"id\":1,\"a\":2}"}"#, false),
            ("time 1", "time 2", false),
            ("time 1", "time 1", true),
        ];
        for (one, other, want) in table {
            assert_eq!(masks.are_same(one.as_bytes(), other.as_bytes()), want, "{one} {other}");
        }
    }
}
