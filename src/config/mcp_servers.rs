//! `--mcp-config`: the `mcpServers` of desktop clients, as routes of the file of settings.
//!
//! Each entry becomes a table of TOML, so that it has the checks and the recipe of any other route.

use std::{
    collections::HashSet,
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::error::Error;
use crate::worker::{advice, program::locate};

/// The keys by which clients name a server that is elsewhere.
const URL_KEYS: [&str; 3] = ["url", "serverUrl", "httpUrl"];

/// The `mcpServers` of a file, whose names must be different: the last one would take the place of the others.
#[derive(Deserialize)]
struct NamesOfFile {
    #[serde(rename = "mcpServers", deserialize_with = "check_names")]
    _servers: (),
}

fn check_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    struct EntryNames;

    impl<'de> Visitor<'de> for EntryNames {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
            let mut names = HashSet::new();
            while let Some(name) = entries.next_key::<String>()? {
                if names.contains(&name) {
                    return Err(A::Error::custom(format!("two entries have the name `{name}`")));
                }
                entries.next_value::<IgnoredAny>()?;
                names.insert(name);
            }
            Ok(())
        }
    }

    deserializer.deserialize_map(EntryNames)
}

/// The entries of a file, as the text of routes.
#[derive(Debug)]
pub(super) struct McpServers {
    file: String,
    /// The tables.
    pub(super) text: String,
    /// The names, each with the start of its table.
    entries: Vec<(usize, String)>,
}

impl McpServers {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        let bytes = fs::read(path).map_err(|cause| {
            let hint = advice::for_error(&cause).unwrap_or("name a readable JSON file".into());
            Error::new(format!("cannot read `{file}` of --mcp-config: {cause}"), hint)
        })?;
        Self::parse(file, &bytes)
    }

    fn parse(file: String, bytes: &[u8]) -> Result<Self, Error> {
        // Some editors begin UTF-8 with a byte order mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let at = |cause: &serde_json::Error| format!("{file}:{}", cause.line());
        let value: Value = serde_json::from_slice(bytes).map_err(|cause| {
            Error::new(format!("{}: invalid JSON: {cause}", at(&cause)), "correct this line; JSON has no comments")
        })?;
        let Some(servers) = value.get("mcpServers").and_then(Value::as_object) else {
            let hint = "write {\"mcpServers\": {\"NAME\": {\"command\": \"...\", \"args\": []}}}";
            return Err(Error::new(format!("{file}: it has no object `mcpServers`"), hint));
        };
        serde_json::from_slice::<NamesOfFile>(bytes)
            .map_err(|cause| Error::new(format!("{}: {cause}", at(&cause)), "rename one of them"))?;
        let mut all = Self { file, text: String::new(), entries: Vec::new() };
        for (name, entry) in servers {
            if entry["disabled"] == true {
                continue;
            }
            let start = all.text.len();
            all.entries.push((start, name.clone()));
            let table = table(name, entry).map_err(|error| all.about(name, error))?;
            all.text.push_str(&table);
        }
        Ok(all)
    }

    /// Returns the error of a file without a server to start.
    pub(super) fn nothing_to_serve(&self) -> Error {
        let message =
            format!("cannot serve anything: the file `{}` of --mcp-config has no server that is on", self.file);
        Error::new(message, "add an entry to `mcpServers`, or remove `\"disabled\": true` from one")
    }

    /// Names file and entry in an error about the text at an offset.
    pub(super) fn locate(&self, error: Error, at: usize) -> Error {
        let found = self.entries.iter().rev().find(|(start, _)| *start <= at);
        match found {
            Some((_, name)) => self.about(name, error),
            None => error,
        }
    }

    fn about(&self, name: &str, error: Error) -> Error {
        Error { message: format!("{}: `mcpServers.{name}`: {}", self.file, error.message), ..error }
    }
}

/// Returns the table of an entry.
fn table(name: &str, entry: &Value) -> Result<String, Error> {
    let is_fit = |part: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~@".contains(&byte);
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_plain)
    };
    if !name.split('/').all(is_fit) {
        let message = "cannot serve it at `/NAME/mcp`: its name has characters other than letters, digits and -_.~@/";
        return Err(Error::new(message, "rename the entry"));
    }
    let wrong = |key: &str, expected: &str| {
        Error::new(format!("invalid value for `{key}`: expected {expected}"), "correct the entry")
    };
    let Some(entry) = entry.as_object() else { return Err(wrong(name, "an object")) };
    let kind = entry.get("type").or(entry.get("transport")).and_then(Value::as_str);
    if URL_KEYS.iter().any(|key| entry.contains_key(*key)) || kind.is_some_and(|kind| kind != "stdio") {
        let message = "cannot serve a server that is elsewhere: it has a `url`, or another `type` than stdio";
        let hint = "remove it, add \"disabled\": true, or run wsd connect --mcp URL as its command";
        return Err(Error::new(message, hint));
    }
    let Some(command) = entry.get("command").and_then(Value::as_str) else { return Err(wrong("command", "a text")) };
    if command.contains([' ', '|', ';', '&', '$']) && locate(command.as_ref()).is_none() {
        let hint = "write the program alone as `command`, and each of its arguments in `args`";
        return Err(Error::new(format!("cannot find COMMAND `{command}`"), hint));
    }
    let mut words = vec![command];
    for word in list(entry, "args").ok_or_else(|| wrong("args", "a list of texts"))? {
        words.push(word.as_str().ok_or_else(|| wrong("args", "a list of texts"))?);
    }
    let words: Vec<_> = words.into_iter().map(quoted).collect();
    let path = quoted(&format!("/{name}/mcp"));
    let mut table = format!("\n[[route]]\npath = {path}\ncommand = [{}]\nmcp = true\n", words.join(", "));
    if let Some(folder) = entry.get("cwd") {
        let folder = folder.as_str().ok_or_else(|| wrong("cwd", "a text"))?;
        let _ = writeln!(table, "chdir = {}", quoted(folder));
    }
    if let Some(variables) = entry.get("env").filter(|env| !env.is_null()) {
        let variables = variables.as_object().ok_or_else(|| wrong("env", "an object of texts"))?;
        let pair = |(name, value): (&String, &Value)| Some(format!("{} = {}", quoted(name), quoted(value.as_str()?)));
        let pairs: Option<Vec<_>> = variables.iter().map(pair).collect();
        let pairs = pairs.ok_or_else(|| wrong("env", "an object of texts"))?;
        let _ = writeln!(table, "env = {{ {} }}", pairs.join(", "));
    }
    Ok(table)
}

/// Returns a list; an empty one if it is absent, `None` if it is something else.
fn list<'a>(entry: &'a Map<String, Value>, key: &str) -> Option<&'a [Value]> {
    match entry.get(key) {
        None | Some(Value::Null) => Some(&[]),
        Some(value) => value.as_array().map(Vec::as_slice),
    }
}

/// Returns a text as a string of TOML, whose escapes are those of JSON but for one character.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        McpServers::parse("m.json".to_owned(), text.as_bytes()).map(|all| all.text).map_err(|error| error.message)
    }

    #[test]
    fn an_entry_becomes_a_route() {
        let text = r#"{"mcpServers":{"a":{"command":"npx","args":["-y","x \"y\"\n"],"env":{"K":"v\u007f"},"cwd":"/tmp","type":"stdio","alwaysAllow":[]},
            "off":{"disabled":true},"b/c":{"command":"cat"}}}"#;
        let want = "\n[[route]]\npath = \"/a/mcp\"\ncommand = [\"npx\", \"-y\", \"x \\\"y\\\"\\n\"]\nmcp = true\nchdir = \"/tmp\"\n\
                    env = { \"K\" = \"v\\u007f\" }\n\n[[route]]\npath = \"/b/c/mcp\"\ncommand = [\"cat\"]\nmcp = true\n";
        assert_eq!(read(text).as_deref(), Ok(want));
    }

    #[test]
    fn an_error_names_file_and_entry() {
        let table = [
            (
                r#"{"mcpServers":{"a":{"url":"http://h/"}}}"#,
                "m.json: `mcpServers.a`: cannot serve a server that is elsewhere",
            ),
            (
                r#"{"mcpServers":{"a":{"type":"http"}}}"#,
                "m.json: `mcpServers.a`: cannot serve a server that is elsewhere",
            ),
            (r#"{"mcpServers":{"a":{}}}"#, "m.json: `mcpServers.a`: invalid value for `command`"),
            (r#"{"mcpServers":{"a":{"command":"x","args":"y"}}}"#, "m.json: `mcpServers.a`: invalid value for `args`"),
            (
                r#"{"mcpServers":{"a":{"command":"x","env":{"K":1}}}}"#,
                "m.json: `mcpServers.a`: invalid value for `env`",
            ),
            (r#"{"mcpServers":{"a b":{"command":"x"}}}"#, "m.json: `mcpServers.a b`: cannot serve it at `/NAME/mcp`"),
            (
                "{\"mcpServers\":{\n\"a\":{\"command\":\"x\"},\n\"a\":{\"command\":\"y\"}}}",
                "m.json:3: two entries have the name `a`",
            ),
            (r#"{"servers":{}}"#, "m.json: it has no object `mcpServers`"),
            ("{\n//\n}", "m.json:2: invalid JSON"),
        ];
        for (text, want) in table {
            let error = read(text).expect_err(text);
            assert!(error.starts_with(want), "{error}");
        }
    }
}
