//! Clients of both forms, as raw requests.

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::http::{Connection, Response};
use crate::harness::server::{Server, program, wsd};

/// The headers of a POST that both forms need.
pub(crate) const BOTH: &str = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";

/// Starts the fixture of an era, with more flags for wsd and for itself.
pub(crate) fn start(flags: &[&str], era: &str, own: &[&str]) -> Server {
    Server::command(&[&["--mcp"], flags].concat(), &[&[&*program("mcp.py"), era], own].concat())
}

/// Starts the fixture with a variable for its name.
pub(crate) fn start_named(name: &str, era: &str, own: &[&str]) -> Server {
    let program = program("mcp.py");
    let flags = ["--port=0", "--mcp", "--mcp-idle=0.3", "--passenv=PATH,MCP_NAME", &program, era];
    let mut command = wsd(&[&flags[..], own].concat());
    command.env("MCP_NAME", name);
    Server::spawn(command)
}

/// The `initialize` of a version.
pub(crate) fn initialize(version: &str) -> String {
    let params =
        json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } });
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }).to_string()
}

/// The call of a tool; `id` and `arguments` are JSON.
pub(crate) fn call(id: &str, tool: &str, arguments: &str) -> String {
    let meta = format!("\"_meta\":{{\"progressToken\":{id}}}");
    let params = format!("{{\"name\":\"{tool}\",\"arguments\":{arguments},{meta}}}");
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{params}}}")
}

/// The text of a tool's result.
pub(crate) fn text(message: &Value) -> String {
    message["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {message}")).to_owned()
}

/// The body as JSON.
pub(crate) fn value(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|_| panic!("not JSON: {response}"))
}

/// The status and the code of an error.
pub(crate) fn fault(response: &Response) -> (u16, i64) {
    (response.status, value(response)["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error: {response}")))
}

/// A legacy client in its session.
pub(crate) struct Session<'a> {
    server: &'a Server,
    pub(crate) id: String,
}

impl<'a> Session<'a> {
    /// Begins a session of the newest version.
    pub(crate) fn begin(server: &'a Server) -> Self {
        Self::begin_with(server, "2025-11-25")
    }

    /// Begins a session of a version.
    pub(crate) fn begin_with(server: &'a Server, version: &str) -> Self {
        let response = server.post("/", BOTH, initialize(version));
        assert_eq!(response.status, 200, "{response}");
        let id = response.header("Mcp-Session-Id").expect("a session").to_owned();
        let session = Self { server, id };
        let taken = session.post("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
        assert_eq!(taken.status, 202, "{taken}");
        session
    }

    /// The headers of its requests.
    pub(crate) fn headers(&self) -> String {
        format!("{BOTH}Mcp-Session-Id: {}\r\nMCP-Protocol-Version: 2025-11-25\r\n", self.id)
    }

    /// Posts a message.
    pub(crate) fn post(&self, body: &str) -> Response {
        self.server.post("/", &self.headers(), body)
    }

    /// Calls a tool, and waits for the whole answer.
    pub(crate) fn call(&self, tool: &str, arguments: &str) -> Response {
        self.post(&call("1", tool, arguments))
    }

    /// Calls a tool that sends a message after its result, and waits until wsd has the message.
    pub(crate) fn alone(&self, tool: &str) {
        let said = self.text(tool, "{}");
        let count: u64 = said.split(' ').next().unwrap().parse().unwrap();
        eventually("wsd has the message", || {
            let status = value(&self.server.get("/.wsd/status", ""));
            let sessions = status["sessions"].as_array().unwrap();
            sessions.iter().any(|session| session["out"]["messages"] == count).then_some(())
        });
    }

    /// The text of a tool's result, which must be JSON at once.
    pub(crate) fn text(&self, tool: &str, arguments: &str) -> String {
        text(&value(&self.call(tool, arguments)))
    }

    /// The state of the program.
    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.text("state", "{}")).unwrap()
    }

    /// Calls a tool, and leaves the answer in the connection.
    pub(crate) fn calling(&self, id: &str, tool: &str, arguments: &str) -> Connection {
        self.server.posting("/", &self.headers(), call(id, tool, arguments))
    }

    /// Opens the stream of a GET, with more headers.
    pub(crate) fn stream(&self, headers: &str) -> Events {
        Events::of(self.get(headers))
    }

    /// Sends a GET, with more headers.
    pub(crate) fn get(&self, headers: &str) -> Connection {
        let mut connection = self.server.http();
        let host = self.server.host();
        let own = format!("Accept: text/event-stream\r\nMcp-Session-Id: {}\r\n{headers}", self.id);
        connection.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{own}\r\n"));
        connection
    }

    /// Leaves.
    pub(crate) fn delete(&self) -> Response {
        let (host, id) = (self.server.host(), &self.id);
        let head = format!("DELETE / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nMcp-Session-Id: {id}\r\n\r\n");
        self.server.request(&head)
    }
}

/// The body of a modern request; `id` and `params` are JSON, `params` without its braces.
pub(crate) fn modern(id: &str, method: &str, params: &str) -> String {
    modern_with(id, method, params, "")
}

/// The body of a modern request with more in `_meta`, which ends with a comma.
pub(crate) fn modern_with(id: &str, method: &str, params: &str, meta: &str) -> String {
    let claim =
        "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}";
    let comma = if params.is_empty() { "" } else { "," };
    let params = format!("{{{params}{comma}\"_meta\":{{{meta}\"progressToken\":{id},{claim}}}}}");
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}")
}

/// The headers of a modern request.
pub(crate) fn heads(method: &str, name: &str) -> String {
    let name = if name.is_empty() { String::new() } else { format!("Mcp-Name: {name}\r\n") };
    format!("{BOTH}MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{name}")
}

/// Sends a modern call of a tool, and leaves the answer in the connection.
pub(crate) fn calling(server: &Server, id: &str, tool: &str, arguments: &str) -> Connection {
    let body = modern(id, "tools/call", &format!("\"name\":\"{tool}\",\"arguments\":{arguments}"));
    server.posting("/", &heads("tools/call", tool), body)
}

/// Calls a tool as a modern client.
pub(crate) fn called(server: &Server, tool: &str, arguments: &str) -> Response {
    calling(server, "1", tool, arguments).response("POST")
}

/// The state of the shared program.
pub(crate) fn state(server: &Server) -> Value {
    serde_json::from_str(&text(&value(&called(server, "state", "{}")))).unwrap()
}

/// An answer with events.
pub(crate) struct Events {
    connection: Connection,
    /// The status line and the headers.
    pub(crate) head: String,
    text: String,
}

/// An event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Events {
    /// Reads the head of an answer with events.
    pub(crate) fn of(mut connection: Connection) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(connection.take(1).expect("a head"));
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let has_events = head.contains("text/event-stream");
        assert!(has_events, "no events: {head}{}", String::from_utf8_lossy(&connection.rest()));
        Self { connection, head, text: String::new() }
    }

    /// Takes the next event; `None` at the end of the answer. Its data is null if it has none.
    pub(crate) fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if event.starts_with(':') {
                    continue;
                }
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let data = field("data: ").unwrap_or_default();
                let data = if data.is_empty() { Value::Null } else { serde_json::from_str(data).unwrap() };
                return Some(Event { id: field("id: ").unwrap_or_default().to_owned(), data });
            }
            let mut size = Vec::new();
            while !size.ends_with(b"\r\n") {
                size.extend(self.connection.take(1)?);
            }
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
            let chunk = self.connection.take(size + 2)?;
            if size == 0 {
                return None;
            }
            self.text.push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        }
    }

    /// Takes the next message, which must come.
    pub(crate) fn message(&mut self) -> Value {
        loop {
            let event = self.next().expect("a message");
            if !event.data.is_null() {
                return event.data;
            }
        }
    }

    /// Takes the rest of the messages.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).map(|event| event.data).filter(|data| !data.is_null()).collect()
    }

    /// Leaves the rude way.
    pub(crate) fn cut(self) {
        self.connection.reset();
    }
}
