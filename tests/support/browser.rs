//! A headless Chromium, driven by the DevTools protocol.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

use super::{PATIENCE, eventually};

/// A browser with one page. It ends when dropped.
pub(crate) struct Browser {
    child: Child,
    profile: TempDir,
    socket: WebSocket<TcpStream>,
    calls: u64,
    /// Errors the page has thrown and failed loads it has logged.
    problems: Vec<String>,
}

const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1280,900",
];

impl Browser {
    /// Starts a browser with a new profile; nothing where no browser is installed.
    pub(crate) fn start() -> Option<Self> {
        let program = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
            Command::new(name)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|s| s.success())
        })?;
        let profile = TempDir::new().unwrap();
        let child = Command::new(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ports = profile.path().join("DevToolsActivePort");
        let port = eventually("the browser names its port", || {
            std::fs::read_to_string(&ports).ok()?.lines().next()?.parse::<u16>().ok()
        });
        let page = eventually("the browser has a page", || {
            let mut response = ureq::get(format!("http://127.0.0.1:{port}/json/list")).call().ok()?;
            let pages: Vec<Value> = response.body_mut().read_json().ok()?;
            let page = pages.into_iter().find(|page| page["type"] == "page")?;
            Some(page["webSocketDebuggerUrl"].as_str()?.to_owned())
        });
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(page, stream).unwrap();
        let mut browser = Self { child, profile, socket, calls: 0, problems: Vec::new() };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, &json!({}));
        }
        Some(browser)
    }

    /// Loads an address.
    pub(crate) fn open(&mut self, url: &str) {
        let answer = self.call("Page.navigate", &json!({"url": url}));
        assert_eq!(answer["errorText"], Value::Null, "could not open \"{url}\"");
    }

    /// The value of a JavaScript expression in the page; a promise is awaited. Panics when it throws.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", &parameters);
        assert_eq!(answer["exceptionDetails"], Value::Null, "\"{expression}\" threw");
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let guarded = format!("(() => {{ try {{ return !!({expression}); }} catch (e) {{ return false; }} }})()");
        eventually(expression, || (self.evaluate(&guarded) == true).then_some(()));
    }

    /// Types into the first element that the CSS selector matches, as a person would, after emptying it.
    pub(crate) fn type_into(&mut self, selector: &str, text: &str) {
        self.evaluate(&format!("(e => {{ e.focus(); e.select(); }})(document.querySelector({}))", json!(selector)));
        if text.is_empty() {
            self.press("Delete", 46);
        } else {
            self.call("Input.insertText", &json!({"text": text}));
        }
    }

    /// Presses and releases a key, such as `("Enter", 13)`.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let mut parameters = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && !text.is_empty() {
                parameters["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", &parameters);
        }
    }

    /// Clicks the first element that the CSS selector matches, with the mouse at its middle.
    pub(crate) fn click(&mut self, selector: &str) {
        let find = format!(
            "(e => {{ e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})(document.querySelector({}))",
            json!(selector)
        );
        let at = self.evaluate(&find);
        for kind in ["mousePressed", "mouseReleased"] {
            let parameters = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", &parameters);
        }
    }

    /// What has gone wrong in the page so far: uncaught exceptions and error entries of its log.
    pub(crate) fn problems(&mut self) -> &[String] {
        self.evaluate("0"); // whatever came before this answer has been seen then
        &self.problems
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let request = json!({"id": self.calls, "method": method, "params": parameters});
        self.socket.send(Message::text(request.to_string())).unwrap();
        loop {
            let message = self.socket.read().unwrap();
            let Message::Text(text) = message else { continue };
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.calls {
                assert_eq!(answer["error"], Value::Null, "{method} failed");
                return answer["result"].take();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.problems.push(parameters["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                self.problems.push(parameters["entry"].to_string());
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        // Its helpers write into the profile until they notice; the folder goes when they let it.
        drop(std::fs::remove_dir_all(self.profile.path()));
    }
}
