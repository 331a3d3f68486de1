//! `logstash.yml` and `pipelines.yml`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tailrace_common::nearest::nearest;
use tailrace_common::path::EscapeStyle;
use tailrace_common::yaml::{self, Key, Node};

use super::keystore::{Keystore, KeystoreError};
use crate::options::Ecs;
use crate::pipeline::PipelineSettings;

/// A setting that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read '{}': {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The keystore cannot be used.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// What stands in it is wrong: all errors, one a line, each with its place.
    #[error("{0}")]
    Invalid(String),
}

/// Where a pipeline's configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `path.config`.
    Files(Vec<String>),
    /// `config.string`.
    Text(String),
}

/// One pipeline of a process.
#[derive(Clone, Debug)]
pub struct Instance {
    /// How it runs.
    pub settings: PipelineSettings,
    /// What it runs.
    pub source: Option<Source>,
    /// `config.support_escapes`.
    pub support_escapes: bool,
    /// What `${NAME}` stands for.
    pub keystore: Arc<Keystore>,
}

/// What `logstash.yml` says beyond the pipelines' defaults.
#[derive(Clone, Debug)]
pub struct ProcessSettings {
    /// `api.enabled`, `api.http.host` and `api.http.port` (or the first of a range).
    pub api: Option<(String, u16)>,
    /// `log.level`.
    pub log_level: Option<String>,
    /// What pipelines start from.
    pub defaults: Instance,
}

/// Keys that are understood, and keys that mean nothing here.
const KNOWN: [&str; 20] = [
    "pipeline.id",
    "pipeline.workers",
    "pipeline.batch.size",
    "pipeline.batch.delay",
    "pipeline.ecs_compatibility",
    "pipeline.ordered",
    "path.config",
    "path.data",
    "path.dead_letter_queue",
    "config.field_reference.escape_style",
    "config.string",
    "config.support_escapes",
    "dead_letter_queue.enable",
    "dead_letter_queue.max_bytes",
    "api.enabled",
    "api.http.host",
    "api.http.port",
    "http.host",
    "http.port",
    "log.level",
];

/// Keys that are accepted and say nothing, with the reason for the log; a `*` at the end stands for anything.
const WITHOUT_MEANING: [(&str, &str); 21] = [
    ("queue.*", "Kafka is the queue, and positions are committed behind what is delivered"),
    ("dead_letter_queue.*", "dead letters are always kept, the newest are dropped when there is no room"),
    ("xpack.*", "there is no central management"),
    ("monitoring.*", "see /metrics"),
    ("modules*", "there are no modules"),
    ("cloud.*", "set cloud addresses in the output"),
    ("node.name", "the host is named by its own name"),
    ("log.format*", "see --log.level"),
    ("path.logs", "logs go to stderr"),
    ("path.plugins", "there are no plugins to load"),
    ("path.settings", "the folder is known"),
    ("pipeline.batch.*", "batches are cut by size and time"),
    ("pipeline.plugin_classloaders", "there is no Java"),
    ("pipeline.reloadable", "pipelines are restarted"),
    ("pipeline.separate_logs", "log lines name their pipeline"),
    ("pipeline.system", "all pipelines are alike"),
    ("pipeline.unsafe_shutdown", "a second signal gives up"),
    ("config.reload.*", "restart to reload"),
    ("config.debug", "see --log.level"),
    ("config.test_and_exit", "use -t"),
    ("api.*", "the API is plain HTTP on its own address"),
];

impl ProcessSettings {
    /// What holds without `logstash.yml`.
    pub fn new(defaults: PipelineSettings) -> ProcessSettings {
        let defaults = Instance { settings: defaults, source: None, support_escapes: false, keystore: Arc::default() };
        ProcessSettings { api: Some(("127.0.0.1".into(), 9600)), log_level: None, defaults }
    }

    /// Reads the keystore and `logstash.yml` in the folder, where they are there.
    pub fn read(mut self, folder: &Path) -> Result<ProcessSettings, SettingsError> {
        self.defaults.keystore = Arc::new(Keystore::open(folder)?);
        if folder.join("logstash.keystore").exists() {
            tracing::warn!("'logstash.keystore' is a Java keystore and is not read; see tailrace keystore --help");
        }
        let path = folder.join("logstash.yml");
        if !path.exists() {
            return Ok(self);
        }
        let mut reader = Reader::open(&path, self.defaults.keystore.clone())?;
        let root = reader.root()?;
        for (key, value) in flat(&root, "") {
            reader.process_key(&mut self, &key, value);
        }
        reader.finish().map(|()| self)
    }
}

/// Reads `pipelines.yml` in the folder.
pub fn read_pipelines(folder: &Path, defaults: &Instance) -> Result<Vec<Instance>, SettingsError> {
    let mut reader = Reader::open(&folder.join("pipelines.yml"), defaults.keystore.clone())?;
    let root = reader.root()?;
    let mut instances: Vec<Instance> = Vec::new();
    let Some(items) = root.as_list().filter(|items| !items.is_empty()) else {
        reader.error(&root, "must be a list of pipelines, each with 'pipeline.id' and 'path.config'");
        return reader.finish().map(|()| instances);
    };
    for item in items {
        let mut instance = defaults.clone();
        instance.settings.id = String::new();
        for (key, value) in flat(item, "") {
            if !reader.pipeline_key(&mut instance, &key, value) {
                reader.other_key(&key, value);
            }
        }
        if instance.settings.id.is_empty() {
            reader.error(item, "every pipeline needs a 'pipeline.id'");
        } else if instances.iter().any(|other| other.settings.id == instance.settings.id) {
            reader.error(item, &format!("the pipeline id '{}' is taken", instance.settings.id));
        }
        if instance.source.is_none() {
            reader.error(item, "every pipeline needs 'path.config' or 'config.string'");
        }
        instances.push(instance);
    }
    reader.finish().map(|()| instances)
}

/// The entries of a map with nested keys joined by dots.
fn flat<'n>(node: &'n Node, prefix: &str) -> Vec<(String, &'n Node)> {
    let mut all = Vec::new();
    for (Key { text, .. }, value) in node.as_map().unwrap_or_default() {
        let name = if prefix.is_empty() { text.clone() } else { format!("{prefix}.{text}") };
        if value.as_map().is_some() {
            all.extend(flat(value, &name));
        } else {
            all.push((name, value));
        }
    }
    all
}

struct Reader {
    path: PathBuf,
    text: String,
    keystore: Arc<Keystore>,
    errors: Vec<String>,
}

impl Reader {
    fn open(path: &Path, keystore: Arc<Keystore>) -> Result<Reader, SettingsError> {
        let unreadable = |source| SettingsError::Unreadable { path: path.into(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Ok(Reader { path: path.into(), text, keystore, errors: Vec::new() })
    }

    fn root(&self) -> Result<Node, SettingsError> {
        let invalid = |error: yaml::YamlError| SettingsError::Invalid(format!("{}:{error}", self.path.display()));
        yaml::parse(&self.text).map_err(invalid)
    }

    fn error(&mut self, node: &Node, message: &str) {
        self.errors.push(format!("{}:{}: {message}", self.path.display(), node.position));
    }

    fn finish(self) -> Result<(), SettingsError> {
        if self.errors.is_empty() { Ok(()) } else { Err(SettingsError::Invalid(self.errors.join("\n"))) }
    }

    /// The text of a value, variables filled in.
    fn text(&mut self, key: &str, node: &Node) -> Option<String> {
        let Some(text) = node.as_text() else {
            self.error(node, &format!("'{key}' must be text, this is {}", node.type_name()));
            return None;
        };
        match self.keystore.expand(text) {
            Ok(text) => Some(text),
            Err(message) => {
                self.error(node, &message);
                None
            }
        }
    }

    fn parsed<T: std::str::FromStr>(&mut self, key: &str, node: &Node, expected: &str) -> Option<T> {
        let text = self.text(key, node)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.error(node, &format!("'{key}' must be {expected}, this is '{text}'"));
        }
        parsed
    }

    /// A key of `pipelines.yml`, or a default of `logstash.yml`; false when it is neither.
    fn pipeline_key(&mut self, instance: &mut Instance, key: &str, node: &Node) -> bool {
        let settings = &mut instance.settings;
        const COUNT: &str = "a whole number";
        match key {
            "pipeline.id" => settings.id = self.text(key, node).unwrap_or_default(),
            "pipeline.workers" => settings.workers = self.parsed(key, node, COUNT).unwrap_or(1).max(1),
            "pipeline.batch.size" => settings.batch_size = self.parsed(key, node, COUNT).unwrap_or(1).max(1),
            "pipeline.batch.delay" => {
                settings.batch_delay = Duration::from_millis(self.parsed(key, node, COUNT).unwrap_or(50));
            }
            "pipeline.ordered" => {
                // As in Logstash, the order of events is kept by one worker.
                if self.text(key, node).is_some_and(|text| text == "true") {
                    settings.workers = 1;
                }
            }
            "pipeline.ecs_compatibility" => {
                let text = self.text(key, node).unwrap_or_default();
                match Ecs::parse(&text) {
                    Some(ecs) => settings.ecs = ecs,
                    None => self.error(node, &format!("'{key}' must be disabled, v1 or v8, this is '{text}'")),
                }
            }
            "path.config" => {
                let addresses = match node.as_list() {
                    Some(items) => items.iter().filter_map(|item| self.text(key, item)).collect(),
                    None => self.text(key, node).into_iter().collect(),
                };
                self.source(instance, key, node, Some(Source::Files(addresses)));
            }
            "config.string" => {
                let text = self.text(key, node).map(Source::Text);
                self.source(instance, key, node, text);
            }
            "config.support_escapes" => {
                instance.support_escapes = self.parsed(key, node, "true or false").unwrap_or(false);
            }
            "dead_letter_queue.max_bytes" => {
                let text = self.text(key, node).unwrap_or_default();
                match crate::options::parse_bytes(&text) {
                    Some(bytes) => settings.dead_letter_bytes = bytes,
                    None => self.error(node, &format!("'{key}' must be a size such as 1gb, this is '{text}'")),
                }
            }
            "dead_letter_queue.enable" => drop(self.text(key, node)),
            _ => return false,
        }
        true
    }

    fn source(&mut self, instance: &mut Instance, key: &str, node: &Node, source: Option<Source>) {
        if instance.source.is_some() {
            self.error(node, &format!("'{key}': 'path.config' and 'config.string' exclude each other"));
        }
        instance.source = source;
    }

    fn process_key(&mut self, process: &mut ProcessSettings, key: &str, node: &Node) {
        match key {
            "path.data" => {
                if let Some(folder) = self.text(key, node).map(PathBuf::from) {
                    process.defaults.settings.dead_letters = folder.join("dead_letter_queue");
                    process.defaults.settings.data = folder;
                }
            }
            "path.dead_letter_queue" => {
                if let Some(folder) = self.text(key, node) {
                    process.defaults.settings.dead_letters = folder.into();
                }
            }
            "api.enabled" => {
                if self.parsed(key, node, "true or false") == Some(false) {
                    process.api = None;
                }
            }
            "api.http.host" | "http.host" => {
                let host = self.text(key, node).unwrap_or_default();
                process.api.iter_mut().for_each(|(held, _)| held.clone_from(&host));
            }
            "api.http.port" | "http.port" => {
                let text = self.text(key, node).unwrap_or_default();
                match text.split('-').next().and_then(|first| first.trim().parse().ok()) {
                    Some(port) => process.api.iter_mut().for_each(|(_, held)| *held = port),
                    None => self.error(node, &format!("'{key}' must be a port or a range, this is '{text}'")),
                }
            }
            "config.field_reference.escape_style" => {
                let text = self.text(key, node).unwrap_or_default();
                match EscapeStyle::parse(&text) {
                    Some(style) => style.install(),
                    None => self.error(node, &format!("'{key}' must be none, percent or ampersand, this is '{text}'")),
                }
            }
            "log.level" => process.log_level = self.text(key, node),
            _ => {
                if !self.pipeline_key(&mut process.defaults, key, node) {
                    self.other_key(key, node);
                }
            }
        }
    }

    /// A key that says nothing here, or does not exist.
    fn other_key(&mut self, key: &str, node: &Node) {
        if key.starts_with("api.auth.") || key.starts_with("api.ssl.") {
            self.error(node, &format!("'{key}' is not supported: the API is plain HTTP; keep it on 127.0.0.1"));
            return;
        }
        let named = |pattern: &str| match pattern.strip_suffix('*') {
            Some(start) => key.starts_with(start),
            None => key == pattern,
        };
        if let Some((_, why)) = WITHOUT_MEANING.iter().find(|(pattern, _)| named(pattern)) {
            tracing::info!(key, file = %self.path.display(), "the setting has no effect: {why}");
            return;
        }
        let near = nearest(key, KNOWN).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        self.error(node, &format!("unknown setting '{key}'{near}"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    #[test]
    fn defaults_come_from_logstash_yml() {
        let folder = folder(&[
            (
                "logstash.yml",
                "pipeline:\n  workers: 3\npath.data: /d\napi.http.port: 9700-9800\nqueue.type: persisted\n",
            ),
            (
                "pipelines.yml",
                "- pipeline.id: a\n  path.config: /etc/a/*.conf\n- pipeline.id: b\n  config.string: 'input { stdin { } }'\n  pipeline.workers: 1\n",
            ),
        ]);
        let process = ProcessSettings::new(PipelineSettings::default()).read(folder.path()).unwrap();
        assert_eq!(process.api, Some(("127.0.0.1".into(), 9700)));
        let pipelines = read_pipelines(folder.path(), &process.defaults).unwrap();
        let seen: Vec<_> = pipelines.iter().map(|one| (one.settings.id.as_str(), one.settings.workers)).collect();
        assert_eq!(seen, [("a", 3), ("b", 1)]);
        assert_eq!(pipelines[0].source, Some(Source::Files(vec!["/etc/a/*.conf".into()])));
        assert_eq!(pipelines[1].settings.dead_letters, Path::new("/d/dead_letter_queue"));
    }

    #[test]
    fn all_errors_with_their_places() {
        let folder = folder(&[(
            "pipelines.yml",
            "- pipeline.id: a\n  pipeline.worker: 2\n- pipeline.id: a\n  path.config: x\n  config.string: ''\n",
        )]);
        let defaults = ProcessSettings::new(PipelineSettings::default()).defaults;
        let error = read_pipelines(folder.path(), &defaults).unwrap_err().to_string();
        for part in [
            ":2:20: unknown setting 'pipeline.worker'; did you mean 'pipeline.workers'?",
            "needs 'path.config'",
            ":5:18: 'config.string': 'path.config' and 'config.string' exclude each other",
            "id 'a' is taken",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
