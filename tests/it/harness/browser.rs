//! A headless Chromium, driven over its `DevTools` protocol by the same raw WebSocket client as everything else.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::eventually;
use crate::harness::http::Connection;
use crate::harness::lines::Lines;
use crate::harness::server::address_of;
use crate::harness::websocket::{Client, TEXT, upgrade_request};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser with one page open.
pub(crate) struct Browser {
    child: Child,
    page: Client,
    calls: u64,
    /// What the page complained of: exceptions and errors in its console.
    complaints: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// Starts one; `None` where none is installed, which CI does not let pass.
    pub(crate) fn start() -> Option<Self> {
        let profile = TempDir::new().unwrap();
        let Some(mut child) = NAMES.iter().find_map(|name| launch(name, &profile)) else {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no Chromium is installed, and CI needs one");
            eprintln!("skipped: no Chromium is installed");
            return None;
        };
        let said = Lines::of(child.stderr.take().unwrap());
        let line = said.wait_for("DevTools listening on ws://", 1);
        let line = line.unwrap_or_else(|| panic!("Chromium does not listen:\n{}", said.text())).text;
        let (_, url) = line.split_once("ws://").unwrap();
        let host = url.split('/').next().unwrap();
        let pages = eventually("Chromium opens a page", || {
            let mut connection = Connection::open(address_of(&format!("http://{host}/")));
            connection.send(format!("GET /json/list HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
            let pages: Value = serde_json::from_slice(&connection.response("GET").body).unwrap();
            pages.as_array()?.iter().find(|page| page["type"] == "page").cloned()
        });
        let url = pages["webSocketDebuggerUrl"].as_str().unwrap();
        let path = url.strip_prefix(&format!("ws://{host}")).unwrap();
        let page = Client::open(address_of(&format!("http://{host}/")), &upgrade_request(host, path, ""));
        let page = page.unwrap_or_else(|response| panic!("no DevTools session:\n{response}"));
        let mut browser = Self { child, page, calls: 0, complaints: Vec::new(), _profile: profile };
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Opens a page.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", &json!({ "url": url }));
        self.expect("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// What a JavaScript expression gives on the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.call("Runtime.evaluate", &json!({ "expression": expression, "returnByValue": true }));
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until a JavaScript expression is true on the page.
    pub(crate) fn expect(&mut self, expression: &str) {
        let seen =
            crate::harness::within(crate::harness::DEADLINE, || (self.evaluate(expression) == true).then_some(()));
        if seen.is_none() {
            let text = self.evaluate("document.body.innerText");
            panic!("never true on the page: {expression}\nit shows: {text}\nit complains: {:?}", self.complaints);
        }
    }

    /// Presses a key and lets it go.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            _ => panic!("what is the code of {key}?"),
        };
        let mut event =
            json!({ "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
        self.call("Input.dispatchKeyEvent", &event);
        event["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", &event);
    }

    /// Presses Tab until this element has the focus.
    pub(crate) fn tab_to(&mut self, selector: &str) {
        for _ in 0..20 {
            if self.evaluate(&format!("document.activeElement === document.querySelector('{selector}')")) == true {
                return;
            }
            self.press("Tab");
        }
        panic!("the keyboard does not lead to {selector}");
    }

    /// Types text where the focus is.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Makes the window a phone's or any other's.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": true });
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Prefers a colour scheme: `light` or `dark`.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// What the page complained of so far.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        self.page.text(&json!({ "id": self.calls, "method": method, "params": parameters }).to_string());
        loop {
            let message = self.page.message();
            assert_eq!(message.opcode, TEXT);
            let mut message: Value = serde_json::from_slice(&message.payload).unwrap();
            if message["id"] == self.calls {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            let is_error = message["params"]["entry"]["level"] == "error" || message["params"]["type"] == "error";
            if is_error || message["method"] == "Runtime.exceptionThrown" {
                self.complaints.push(message["params"].to_string());
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The group holds the browser's many processes. It fails only if all have ended.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        self.child.wait().unwrap();
    }
}

fn launch(name: &str, profile: &TempDir) -> Option<Child> {
    let mut command = Command::new(name);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"])
        .arg("--remote-debugging-port=0")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("about:blank");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0).spawn().ok()
}
