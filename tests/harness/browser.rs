//! Pages in a headless Chromium, driven over its `DevTools` protocol by the same raw WebSocket client as everything else.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::{Condvar, Mutex};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Connection;
use crate::lines::Lines;
use crate::server::address_of;
use crate::skip::skip;
use crate::time::{DEADLINE, within};
use crate::websocket::{Client, TEXT, upgrade_request};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A name of this machine that does not say so, as a server's on the network. Pages and scripts may be loaded from it.
pub const NETWORK_NAME: &str = "wsd.test";

/// Browsers at a time; a test waits for its turn. Each is half a dozen processes that start at once, and on a small
/// machine more of them keep each other waiting past the deadline.
const BROWSERS_MAX: usize = 3;

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// A page in a browser. Others of the same browser are as its other windows; it ends with the last of them.
pub struct Browser {
    process: Rc<Process>,
    page: Client,
    calls: u64,
    /// The documents that have been loaded, by the IDs of their loaders.
    loaded: Vec<String>,
    /// The page's complaints: exceptions, and errors in its console.
    complaints: Vec<String>,
    /// The messages that the page has sent over WebSockets, as text.
    sent: Vec<String>,
}

struct Process {
    child: Child,
    /// Where its `DevTools` listen.
    host: String,
    _profile: TempDir,
    _turn: Turn,
}

/// One of [`BROWSERS_MAX`].
struct Turn;

impl Browser {
    /// Starts one; where none is installed, skips the test and returns `None`.
    pub fn start() -> Option<Self> {
        let turn = Turn::wait();
        let profile = TempDir::new().unwrap();
        let Some(mut child) = NAMES.iter().find_map(|name| launch(name, &profile)) else {
            skip("Chromium");
            return None;
        };
        let said = Lines::of(child.stderr.take().unwrap());
        let mut process = Process { child, host: String::new(), _profile: profile, _turn: turn };
        let line = said.wait_for("DevTools listening on ws://", 1);
        let line = line.unwrap_or_else(|| panic!("Chromium does not listen:\n{}", said.text())).text;
        let (_, url) = line.split_once("ws://").unwrap();
        url.split('/').next().unwrap().clone_into(&mut process.host);
        Some(Self::page(Rc::new(process)))
    }

    /// Opens another page.
    pub fn another(&self) -> Self {
        Self::page(Rc::clone(&self.process))
    }

    fn page(process: Rc<Process>) -> Self {
        let host = &process.host;
        let address = address_of(&format!("http://{host}/"));
        let mut connection = Connection::open(address);
        connection.send(format!("PUT /json/new?about:blank HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"));
        let page: Value = serde_json::from_slice(&connection.response("PUT").body).unwrap();
        let url = page["webSocketDebuggerUrl"].as_str().unwrap();
        let path = url.strip_prefix(&format!("ws://{host}")).unwrap();
        let page = Client::open(address, &upgrade_request(host, path, ""));
        let page = page.unwrap_or_else(|response| panic!("no DevTools session:\n{response}"));
        let mut browser =
            Self { process, page, calls: 0, loaded: Vec::new(), complaints: Vec::new(), sent: Vec::new() };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser.call("Page.setLifecycleEventsEnabled", &json!({ "enabled": true }));
        browser.call("Emulation.setFocusEmulationEnabled", &json!({ "enabled": true }));
        browser
    }

    /// Opens a document, and waits until it has been loaded.
    pub fn open(&mut self, url: &str) {
        let loader = self.call("Page.navigate", &json!({ "url": url }))["loaderId"].take();
        let loader = loader.as_str().unwrap();
        while !self.loaded.iter().any(|loaded| loaded == loader) {
            self.hear();
        }
    }

    /// Returns the value of a JavaScript expression on the page. Waits for a promise.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", &parameters);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until a JavaScript expression is true on the page.
    pub fn expect(&mut self, expression: &str) {
        let seen = within(DEADLINE, || (self.evaluate(expression) == true).then_some(()));
        if seen.is_none() {
            let text = self.evaluate("document.body.innerText");
            panic!("never true on the page: {expression}\nit shows: {text}\nit complains: {:?}", self.complaints);
        }
    }

    /// Waits until there is such an element and `text` in it.
    pub fn expect_text(&mut self, selector: &str, text: &str) {
        self.expect(&format!("document.querySelector({selector:?})?.textContent.includes({})", json!(text)));
    }

    /// Presses a key and lets it go.
    pub fn press(&mut self, key: &str) {
        self.press_with(0, key);
    }

    /// Presses a letter while Ctrl is held.
    pub fn press_control(&mut self, letter: &str) {
        self.press_with(2, letter);
    }

    /// Presses a key while Shift is held.
    pub fn press_shift(&mut self, key: &str) {
        self.press_with(8, key);
    }

    /// Presses a key while others are held, as a sum of their bits.
    fn press_with(&mut self, held: u32, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowRight" => (39, ""),
            "ArrowDown" => (40, ""),
            " " | "1" | "2" | "3" | "4" | "5" | "6" | "7" => (key.as_bytes()[0], key),
            letter if letter.len() == 1 => {
                (letter.as_bytes()[0].to_ascii_uppercase(), if held == 0 { letter } else { "" })
            }
            _ => panic!("what is the code of {key}?"),
        };
        let mut event = json!({ "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text, "modifiers": held });
        self.call("Input.dispatchKeyEvent", &event);
        event["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", &event);
    }

    /// Presses Tab until this element has the focus.
    pub fn tab_to(&mut self, selector: &str) {
        for _ in 0..20 {
            if self.evaluate(&format!("document.activeElement === document.querySelector('{selector}')")) == true {
                return;
            }
            self.press("Tab");
        }
        panic!("the keyboard does not lead to {selector}");
    }

    /// Types text where the focus is.
    pub fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Types text into a field, in the place of what it held, and presses Enter.
    pub fn enter(&mut self, selector: &str, text: &str) {
        self.evaluate(&format!(
            "(field => {{ field.focus(); field.select(); }})(document.querySelector({selector:?}))"
        ));
        self.write(text);
        self.press("Enter");
    }

    /// Clicks an element, wherever it is.
    pub fn click(&mut self, selector: &str) {
        self.evaluate(&format!("document.querySelector({selector:?}).click()"));
    }

    /// Draws a line with the mouse over an element, through points that are parts of its width and height.
    pub fn drag(&mut self, selector: &str, points: &[(f64, f64)]) {
        let area = self.evaluate(&format!("document.querySelector({selector:?}).getBoundingClientRect().toJSON()"));
        let [x, y, width, height] = ["x", "y", "width", "height"].map(|side| area[side].as_f64().unwrap());
        let at = |(right, down): (f64, f64)| (x + right * width, y + down * height);
        self.mouse("mousePressed", at(points[0]));
        for point in points {
            self.mouse("mouseMoved", at(*point));
        }
        self.mouse("mouseReleased", at(points[points.len() - 1]));
    }

    fn mouse(&mut self, kind: &str, (x, y): (f64, f64)) {
        let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", &event);
    }

    /// Makes the window a phone's or any other's.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": true });
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Takes a picture of the window at this size: the bytes of a file of WebP, in base64.
    pub fn picture(&mut self, width: u32, height: u32) -> String {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let picture = self.call("Page.captureScreenshot", &json!({ "format": "webp", "quality": 70 }));
        picture["data"].as_str().unwrap().to_owned()
    }

    /// Prefers a colour scheme: `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// Forces the colours of a theme with high contrast, as Windows does: a `light` or a `dark` one.
    pub fn force_colours(&mut self, scheme: &str) {
        let features = json!({ "features": [
            { "name": "forced-colors", "value": "active" },
            { "name": "prefers-color-scheme", "value": scheme },
        ] });
        self.call("Emulation.setEmulatedMedia", &features);
        self.expect("matchMedia('(forced-colors: active)').matches");
    }

    /// Makes the screen one for fingers, without a pointer that hovers.
    pub fn touch(&mut self) {
        self.call("Emulation.setTouchEmulationEnabled", &json!({ "enabled": true }));
        self.expect("matchMedia('(hover: none) and (pointer: coarse)').matches");
    }

    /// Takes a picture of an element as it is shown: a PNG in base64.
    pub fn picture_of(&mut self, selector: &str) -> String {
        let area = self.evaluate(&format!(
            "(({{ x, y, width, height }}) => ({{ x: x + scrollX, y: y + scrollY, width, height, scale: 1 }}))\
             (document.querySelector({selector:?}).getBoundingClientRect())"
        ));
        let parameters = json!({ "format": "png", "clip": area, "captureBeyondViewport": true });
        self.call("Page.captureScreenshot", &parameters)["data"].as_str().unwrap().to_owned()
    }

    /// Returns the colours of an element as it is shown, at points that are parts of its width and height.
    pub fn colours(&mut self, selector: &str, points: &[(f64, f64)]) -> Vec<[u8; 3]> {
        let picture = self.picture_of(selector);
        let colours = self.evaluate(&format!(
            "(async () => {{
                const bytes = Uint8Array.from(atob({picture:?}), (character) => character.charCodeAt(0));
                const bitmap = await createImageBitmap(new Blob([bytes], {{ type: 'image/png' }}));
                const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
                context.drawImage(bitmap, 0, 0);
                return {}.map(([x, y]) => [...context.getImageData(
                    Math.floor(x * (bitmap.width - 1)), Math.floor(y * (bitmap.height - 1)), 1, 1).data.slice(0, 3)]);
            }})()",
            json!(points)
        ));
        serde_json::from_value(colours).unwrap()
    }

    /// Lets the page come from a server whose certificate nobody vouches for.
    pub fn trust_any_certificate(&mut self) {
        self.call("Security.setIgnoreCertificateErrors", &json!({ "ignore": true }));
    }

    /// Makes the page's processor so many times slower.
    pub fn slow_down(&mut self, times: u32) {
        self.call("Emulation.setCPUThrottlingRate", &json!({ "rate": times }));
    }

    /// Brings the page before all others. As long as none is hidden by this, each is as if it were in front.
    pub fn bring_to_front(&mut self) {
        self.call("Page.bringToFront", &json!({}));
    }

    /// Hides the page behind `other`.
    pub fn hide_behind(&mut self, other: &mut Self) {
        self.call("Emulation.setFocusEmulationEnabled", &json!({ "enabled": false }));
        other.bring_to_front();
        self.expect("document.hidden");
    }

    /// Closes the page, as one closes a tab.
    pub fn close(mut self) {
        self.call("Page.close", &json!({}));
    }

    /// Takes the network away from the page, or gives it back.
    pub fn set_offline(&mut self, is_offline: bool) {
        let conditions =
            json!({ "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.call("Network.emulateNetworkConditions", &conditions);
    }

    /// Returns the MiB that the scripts of the page hold, without garbage.
    pub fn script_memory(&mut self) -> f64 {
        self.call("HeapProfiler.collectGarbage", &json!({}));
        let usage = self.call("Runtime.getHeapUsage", &json!({}));
        let kinds = ["usedSize", "embedderHeapUsedSize", "backingStorageSize"];
        kinds.iter().map(|kind| usage[kind].as_f64().unwrap()).sum::<f64>() / 1_048_576.0
    }

    /// Returns the page's complaints so far.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Returns the messages that the page has sent over WebSockets so far; one of bytes is in base64.
    pub fn sent(&self) -> &[String] {
        &self.sent
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        self.page.text(&json!({ "id": self.calls, "method": method, "params": parameters }).to_string());
        loop {
            let mut message = self.hear();
            if message["id"] == self.calls {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
        }
    }

    /// Takes the next message, and notes what it tells of the page.
    fn hear(&mut self) -> Value {
        let message = self.page.message();
        assert_eq!(message.opcode, TEXT);
        let message: Value = serde_json::from_slice(&message.payload).unwrap();
        let facts = &message["params"];
        let is_error = facts["entry"]["level"] == "error" || facts["type"] == "error";
        if is_error || message["method"] == "Runtime.exceptionThrown" {
            self.complaints.push(facts.to_string());
        }
        if message["method"] == "Network.webSocketFrameSent" {
            self.sent.push(facts["response"]["payloadData"].as_str().unwrap().to_owned());
        }
        if message["method"] == "Page.lifecycleEvent" && facts["name"] == "load" {
            self.loaded.push(facts["loaderId"].as_str().unwrap().to_owned());
        }
        message
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The group holds the browser's many processes. It fails only if all have ended.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        self.child.wait().unwrap();
    }
}

impl Turn {
    fn wait() -> Self {
        let running = RUNNING.lock().unwrap();
        let mut running = ENDED.wait_while(running, |running| *running >= BROWSERS_MAX).unwrap();
        *running += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap() -= 1;
        ENDED.notify_one();
    }
}

fn launch(name: &str, profile: &TempDir) -> Option<Child> {
    let mut command = Command::new(name);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"])
        .arg(format!("--host-resolver-rules=MAP {NETWORK_NAME} 127.0.0.1"))
        .arg("--remote-debugging-port=0")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("about:blank")
        // What it leaves behind goes with its profile.
        .env("TMPDIR", profile.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0).spawn().ok()
}
