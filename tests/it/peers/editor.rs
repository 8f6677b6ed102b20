//! A client of a language server, as an editor has one.

use serde_json::{Value, json};

use crate::harness::server::Server;
use crate::harness::websocket::{BINARY, Client, Close};

/// How a client sends its messages and gets those of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A body in each text message, as monaco-languageclient does.
    Bodies,
    /// The bytes of the base protocol in binary messages, the header and the body by themselves, as vscode-languageclient
    /// does over a WebSocket.
    Stream,
}

/// A session with a language server.
pub(crate) struct Editor {
    client: Client,
    mode: Mode,
    calls: u32,
    /// The bytes of a stream that are no whole message yet.
    heard: Vec<u8>,
}

impl Editor {
    /// Starts a session, up to `initialized`.
    pub(crate) fn start(server: &Server, mode: Mode) -> Self {
        let mut editor = Self { client: server.connect("/"), mode, calls: 0, heard: Vec::new() };
        let capabilities = json!({ "textDocument": { "publishDiagnostics": {} } });
        let params = json!({ "processId": null, "rootUri": null, "capabilities": capabilities });
        let response = editor.request("initialize", &params);
        assert!(response["result"]["capabilities"].is_object(), "{response}");
        editor.notify("initialized", &json!({}));
        editor
    }

    /// Sends a notification.
    pub(crate) fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Opens a document, and returns the first diagnostic of it.
    pub(crate) fn diagnose(&mut self, uri: &str, language: &str, text: &str) -> Value {
        let document = json!({ "uri": uri, "languageId": language, "version": 1, "text": text });
        self.notify("textDocument/didOpen", &json!({ "textDocument": document }));
        let is_diagnosed = |message: &Value| message["params"]["diagnostics"].get(0).is_some();
        self.expect(is_diagnosed)["params"]["diagnostics"][0].take()
    }

    /// Ends the session with `shutdown` and `exit`. Returns the Close.
    pub(crate) fn leave(mut self) -> Close {
        let response = self.request("shutdown", &Value::Null);
        assert!(response["result"].is_null() && response.get("error").is_none(), "{response}");
        self.send(&json!({ "jsonrpc": "2.0", "method": "exit" }));
        self.client.close_at_last()
    }

    /// Sends a request, and takes all messages up to its response.
    fn request(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.expect(|message| message["id"] == id && message.get("method").is_none())
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        if self.mode == Mode::Bodies {
            return self.client.text(&body);
        }
        self.client.binary(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        self.client.binary(body.as_bytes());
    }

    /// Takes messages up to one that `is_wanted`. Answers the server's own requests.
    fn expect(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next();
            if message.get("id").is_some() && message.get("method").is_some() {
                self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": null }));
            }
            if is_wanted(&message) {
                return message;
            }
        }
    }

    fn next(&mut self) -> Value {
        if self.mode == Mode::Bodies {
            return serde_json::from_str(&self.client.line()).unwrap();
        }
        loop {
            if let Some(header) = self.heard.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let text = str::from_utf8(&self.heard[..header]).unwrap();
                let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
                let end = header + 4 + length.parse::<usize>().unwrap();
                if self.heard.len() >= end {
                    let body = serde_json::from_slice(&self.heard[header + 4..end]).unwrap();
                    self.heard.drain(..end);
                    return body;
                }
            }
            let message = self.client.message();
            assert_eq!(message.opcode, BINARY, "{message:?}");
            self.heard.extend(message.payload);
        }
    }
}
