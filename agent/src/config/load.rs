//! From files, environment and command line to one configuration.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tailrace_common::yaml::{self, Key, Kind, Node, Position};

use super::section::{Report, Section};
use super::value::fields;
use super::{Config, Finding, codec, inputs, operation, outputs};
use crate::document::{Codec, Precision};
use crate::output::OutputSettings;

/// What the command line says over the files.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `-E key=value`
    pub settings: Vec<String>,
    /// `--path.data`
    pub data: Option<PathBuf>,
    /// `--path.home`
    pub home: Option<PathBuf>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read '{}': {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no YAML.
    #[error("{}:{source}", path.display())]
    Yaml {
        /// Which.
        path: PathBuf,
        /// What and where.
        source: yaml::YamlError,
    },
    /// Everything else that is wrong, all at once.
    #[error("{}", Rendered(.path, .findings))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        findings: Vec<Finding>,
    },
}

struct Rendered<'a>(&'a Path, &'a [Finding]);

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, finding) in self.1.iter().filter(|finding| finding.is_error).enumerate() {
            let separator = if at > 0 { "\n" } else { "" };
            write!(f, "{separator}{}:{}: {}", self.0.display(), finding.position, finding.message)?;
            if let Some(hint) = &finding.hint {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        Ok(())
    }
}

/// Reads configuration files (later ones over earlier ones), then what the command line says.
pub fn load(
    paths: &[PathBuf],
    overrides: &Overrides,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let mut whole = nothing();
    for path in paths {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        let node = yaml::parse(&text).map_err(|source| ConfigError::Yaml { path: path.clone(), source })?;
        if !node.is_null() {
            whole.merge(node.expand_dots());
        }
    }
    read(whole, paths.last().map(PathBuf::as_path).unwrap_or(Path::new("")), overrides, environment)
}

/// Reads a configuration given as text; `name` stands for the file in messages.
pub fn from_text(name: &str, text: &str, overrides: &Overrides) -> Result<Config, ConfigError> {
    let mut whole = nothing();
    let node = yaml::parse(text).map_err(|source| ConfigError::Yaml { path: name.into(), source })?;
    whole.merge(node.expand_dots());
    read(whole, Path::new(name), overrides, &|_| None)
}

/// The text of one key, before the configuration as a whole is read. What is wrong is found when it is.
pub fn peek(paths: &[PathBuf], overrides: &Overrides, key: &str) -> Option<String> {
    let mut whole = nothing();
    for path in paths {
        let node = std::fs::read_to_string(path).ok().and_then(|text| yaml::parse(&text).ok());
        if let Some(node) = node.filter(|node| !node.is_null()) {
            whole.merge(node.expand_dots());
        }
    }
    let report = Report::default();
    for setting in &overrides.settings {
        override_with(&mut whole, setting, &report);
    }
    let node = key.split('.').try_fold(&whole, |node, key| node.get(key))?;
    filled(node.as_text()?, &|name| std::env::var(name).ok()).ok()
}

fn nothing() -> Node {
    Node::empty_map(Position { line: 1, column: 1 })
}

fn read(
    mut whole: Node,
    path: &Path,
    overrides: &Overrides,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let report = Report::default();
    for setting in &overrides.settings {
        override_with(&mut whole, setting, &report);
    }
    expand(&mut whole, environment, &report);
    let config = compile(&whole, overrides, &report);
    let (errors, notices): (Vec<_>, Vec<_>) = report.into_findings().into_iter().partition(|finding| finding.is_error);
    match config {
        Some(config) if errors.is_empty() => Ok(Config { notices, ..config }),
        _ => Err(ConfigError::Invalid { path: path.to_path_buf(), findings: errors }),
    }
}

/// `-E output.kafka.topic=logs`
fn override_with(whole: &mut Node, setting: &str, report: &Report) {
    let position = Position { line: 1, column: 1 };
    match setting.split_once('=').map(|(key, value)| (key, yaml::parse(value))) {
        Some((key, Ok(value))) => whole.merge_at(&Key { text: key.to_string(), position }, value.expand_dots()),
        Some((_, Err(error))) => report.error(position, format!("-E {setting}: {error}"), None),
        None => report.error(position, format!("-E {setting}: it takes key=value"), None),
    }
}

/// Fills in `${NAME}`, `${NAME:default}` and `${NAME:?message}` everywhere.
fn expand(node: &mut Node, environment: &dyn Fn(&str) -> Option<String>, report: &Report) {
    let position = node.position;
    match &mut node.kind {
        Kind::Scalar { text, .. } if text.contains("${") => match filled(text, environment) {
            Ok(filled) => *text = filled,
            Err(message) => report.error(position, message, None),
        },
        Kind::Scalar { .. } => {}
        Kind::List(items) => items.iter_mut().for_each(|item| expand(item, environment, report)),
        Kind::Map(entries) => entries.iter_mut().for_each(|(_, value)| expand(value, environment, report)),
    }
}

fn filled(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let inside = &rest[start + 2..];
        let Some(end) = inside.find('}') else {
            out.push_str(&rest[start..]);
            return Ok(out);
        };
        let (name, default) =
            inside[..end].split_once(':').map_or((&inside[..end], None), |(name, default)| (name, Some(default)));
        match (environment(name), default) {
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => match default.strip_prefix('?') {
                Some(message) => return Err(format!("the variable '{name}' is not set: {message}")),
                None => out.push_str(default),
            },
            (None, None) => return Err(format!("the variable '{name}' is not set and has no default")),
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Sections of the Elastic stack that have no meaning here.
const ELASTIC_ONLY: [&str; 9] =
    ["setup", "monitoring", "xpack", "cloud", "apm", "instrumentation", "timeseries", "features", "seccomp"];

fn compile(whole: &Node, overrides: &Overrides, report: &Report) -> Option<Config> {
    let root = Section::new(Some(whole), String::new(), whole.position, report);
    for name in ELASTIC_ONLY {
        if root.is_set(name) {
            let position = root.get(name).map_or(whole.position, |node| node.position);
            report.notice(position, format!("'{name}' belongs to the Elastic stack and has no effect here"));
        }
    }
    root.ignore(&ELASTIC_ONLY);
    root.ignore(&["max_procs", "strict", "management", "publisher_pipeline", "gc_percent"]);
    let common = inputs::Common {
        fields: fields(&root, "fields"),
        under_root: root.boolean("fields_under_root", false),
        tags: root.texts("tags"),
    };
    let processors = crate::processors::read(&root);
    let filebeat = root.section("filebeat");
    let inputs = inputs::read(&filebeat, &common);
    let registry = filebeat.section("registry");
    registry.ignore(&["path", "migrate_file", "backend"]);
    let flush = registry.duration("flush").unwrap_or(Duration::from_secs(1));
    let permissions =
        registry.text("file_permissions").and_then(|text| u32::from_str_radix(text.trim_start_matches('0'), 8).ok());
    let shutdown =
        filebeat.duration("shutdown_timeout").filter(|time| !time.is_zero()).unwrap_or(Duration::from_secs(10));
    filebeat.ignore(&["autodiscover", "config", "modules", "config_dir", "overwrite_pipelines"]);
    let path = root.section("path");
    let home = overrides.home.clone().or_else(|| path.path("home")).unwrap_or_else(|| PathBuf::from("."));
    let data = overrides.data.clone().or_else(|| path.path("data")).unwrap_or_else(|| home.join("data"));
    path.ignore(&["config", "logs", "home", "data"]);
    let logging = operation::logging(&root, &home);
    let http = operation::http(&root, &data);
    root.section("keystore").ignore(&["path"]);
    let queue = operation::queue(&root, &data);
    let memory_limit = queue.memory;
    let document_ids = root.section("document_id").boolean("enabled", true);
    let name = root.text("name").map(str::to_string).unwrap_or_else(host_name);
    let precisions = [
        ("millisecond", Precision::Milliseconds),
        ("microsecond", Precision::Microseconds),
        ("nanosecond", Precision::Nanoseconds),
    ];
    let precision = root.section("timestamp").choice("precision", &precisions, Precision::Milliseconds);
    let codec = codec::read(whole, report);
    let exec = inputs::bare(&common);
    let output = outputs::read(&root, queue)?;
    // Bulk requests carry the documents alone.
    let codec = if matches!(output, OutputSettings::Elasticsearch(_)) { Codec::Source } else { codec };
    let (registry_flush, registry_permissions) = (flush, permissions.unwrap_or(0o600));
    Some(Config {
        name,
        data,
        inputs,
        processors,
        output,
        codec,
        precision,
        registry_flush,
        registry_permissions,
        shutdown_timeout: shutdown,
        memory_limit,
        logging,
        http,
        exec,
        document_ids,
        notices: Vec::new(),
    })
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".into(), |name| name.trim().to_string())
}
