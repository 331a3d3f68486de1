//! The servers of the tests: those that the environment names, else some of our own, started by `scripts/services`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Where the servers are.
pub(crate) struct Services {
    facts: HashMap<String, String>,
}

/// The checkout's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The servers, started at the first call where the environment does not name them.
pub(crate) fn services() -> &'static Services {
    static SERVICES: OnceLock<Services> = OnceLock::new();
    SERVICES.get_or_init(|| {
        let facts: HashMap<String, String> = std::env::vars().filter(|(key, _)| key.starts_with("TAILRACE_")).collect();
        if facts.contains_key("TAILRACE_TEST_KAFKA") && facts.contains_key("TAILRACE_TEST_ELASTICSEARCH") {
            Services { facts }
        } else {
            start()
        }
    })
}

impl Services {
    /// Kafka's bootstrap servers.
    pub(crate) fn kafka(&self) -> &str {
        &self.facts["TAILRACE_TEST_KAFKA"]
    }

    /// The address of one Elasticsearch node, such as `http://127.0.0.1:9200`.
    pub(crate) fn elasticsearch(&self) -> &str {
        self.facts["TAILRACE_TEST_ELASTICSEARCH"].split(',').next().unwrap_or_default()
    }

    /// Another fact that `scripts/services env` prints, where these servers have it.
    pub(crate) fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str)
    }
}

fn start() -> Services {
    let folder = std::env::temp_dir().join(format!("tailrace-e2e-{}", std::process::id()));
    let status = script(&folder).args(["up", "--secure"]).status().unwrap();
    assert!(status.success(), "scripts/services up failed: {status}");
    end_with_us(&folder);
    facts(&folder)
}

fn facts(folder: &PathBuf) -> Services {
    let output = script(folder).arg("env").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let facts =
        text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    Services { facts }
}

/// A Kafka of one test's own, which may be killed. It goes when it is dropped.
pub(crate) struct OwnKafka {
    folder: PathBuf,
    services: Services,
}

impl OwnKafka {
    /// One broker.
    pub(crate) fn start() -> OwnKafka {
        let folder = std::env::temp_dir().join(super::unique("tailrace-own"));
        let up = script(&folder).args(["up", "--kafka", "1", "--es", "0"]).env("TAILRACE_KAFKA_HEAP", "256m").status();
        assert!(up.unwrap().success(), "scripts/services up failed");
        end_with_us(&folder);
        let services = facts(&folder);
        OwnKafka { folder, services }
    }

    /// Its address.
    pub(crate) fn address(&self) -> &str {
        self.services.kafka()
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        assert!(script(&self.folder).args(["kill", "kafka1"]).status().unwrap().success());
    }

    /// Up again on its old data.
    pub(crate) fn restart(&self) {
        assert!(script(&self.folder).args(["restart", "kafka1"]).status().unwrap().success());
    }
}

impl Drop for OwnKafka {
    fn drop(&mut self) {
        drop(script(&self.folder).arg("down").status());
    }
}

fn script(folder: &PathBuf) -> Command {
    let mut command = Command::new(root().join("scripts/services"));
    command.env("TAILRACE_SERVICES", folder).stdin(Stdio::null());
    command
}

/// A test binary may end in many ways, and statics are not dropped: a small process waits for our end and takes the servers down.
fn end_with_us(folder: &Path) {
    let wait = r#"while kill -0 "$1" 2>/dev/null; do sleep 1; done; exec "$2" down"#;
    let services = root().join("scripts/services");
    let watcher = Command::new("setsid")
        .arg("--fork")
        .args(["sh", "-c", wait, "sh", &std::process::id().to_string()])
        .arg(services)
        .env("TAILRACE_SERVICES", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(watcher.unwrap().success(), "could not start the watcher");
}
