//! From files, environment and command line to one configuration.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tailrace_common::yaml::{self, Key, Kind, Node, Position};

use super::input_files::InputFiles;
use super::section::{Report, Section};
use super::sources::Sources;
use super::value::fields;
use super::{Config, Finding, codec, environment, inputs, operation, outputs, variables};
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
    /// `--path.config`
    pub config: Option<PathBuf>,
    /// `--path.logs`
    pub logs: Option<PathBuf>,
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
    #[error("{}", Rendered(.findings))]
    Invalid {
        /// What is wrong.
        findings: Vec<Finding>,
    },
}

struct Rendered<'a>(&'a [Finding]);

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, finding) in self.0.iter().filter(|finding| finding.is_error).enumerate() {
            let separator = if at > 0 { "\n" } else { "" };
            write!(f, "{separator}{}:{}: {}", finding.file.display(), finding.position, finding.message)?;
            if let Some(hint) = &finding.hint {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        Ok(())
    }
}

/// Reads configuration files (later ones over earlier ones), then what the command line says. Without files the built-in
/// configuration takes everything from the environment.
pub fn load(
    paths: &[PathBuf],
    overrides: &Overrides,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let mut sources = Sources::default();
    let mut whole = nothing();
    for path in paths {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        add(&mut whole, &mut sources, path, &text)?;
    }
    if paths.is_empty() {
        let built_in = environment::configuration(environment);
        let mut node = built_in.map_err(|source| ConfigError::Yaml { path: environment::NAME.into(), source })?;
        sources.add(Path::new(environment::NAME), environment::TEXT, &mut node);
        whole.merge(node);
    }
    read(whole, sources, overrides, environment)
}

/// Reads a configuration given as text; `name` stands for the file in messages.
pub fn from_text(name: &str, text: &str, overrides: &Overrides) -> Result<Config, ConfigError> {
    let mut sources = Sources::default();
    let mut whole = nothing();
    add(&mut whole, &mut sources, Path::new(name), text)?;
    read(whole, sources, overrides, &|_| None)
}

fn add(whole: &mut Node, sources: &mut Sources, path: &Path, text: &str) -> Result<(), ConfigError> {
    let node = yaml::parse(text).map_err(|source| ConfigError::Yaml { path: path.to_owned(), source })?;
    if !node.is_null() {
        let mut node = node.expand_dots();
        sources.add(path, text, &mut node);
        whole.merge(node);
    }
    Ok(())
}

/// The text of one key, before the configuration as a whole is read. What is wrong is found when it is.
pub fn peek(paths: &[PathBuf], overrides: &Overrides, key: &str) -> Option<String> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut whole = nothing();
    for path in paths {
        let node = std::fs::read_to_string(path).ok().and_then(|text| yaml::parse(&text).ok());
        if let Some(node) = node.filter(|node| !node.is_null()) {
            whole.merge(node.expand_dots());
        }
    }
    if paths.is_empty() {
        whole.merge(environment::configuration(&variable).ok()?);
    }
    let report = Report::default();
    for setting in &overrides.settings {
        override_with(&mut whole, setting, &mut Sources::default(), &report);
    }
    let node = key.split('.').try_fold(&whole, |node, key| node.get(key))?;
    variables::fill(node.as_text()?, &variable).ok()
}

fn nothing() -> Node {
    Node::empty_map(Position { line: 1, column: 1 })
}

fn read(
    mut whole: Node,
    mut sources: Sources,
    overrides: &Overrides,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let report = Report::default();
    for setting in &overrides.settings {
        override_with(&mut whole, setting, &mut sources, &report);
    }
    set_paths(&mut whole, overrides);
    variables::expand(&mut whole, environment, &report);
    let more = InputFilesOf { sources: &mut sources, environment, report: &report };
    let files = more.add_to(&mut whole);
    let config = compile(&whole, &report);
    let mut findings = report.into_findings();
    for finding in &mut findings {
        (finding.file, finding.position) = sources.find(finding.position);
    }
    let (errors, notices): (Vec<_>, Vec<_>) = findings.into_iter().partition(|finding| finding.is_error);
    match config {
        Some(mut config) if errors.is_empty() => {
            if let Some(autodiscover) = config.autodiscover.as_mut().and_then(Arc::get_mut) {
                autodiscover.sources = sources;
            }
            Ok(Config { notices, input_files: files, ..config })
        }
        _ => Err(ConfigError::Invalid { findings: errors }),
    }
}

/// What reading `filebeat.config.inputs` needs.
struct InputFilesOf<'r> {
    sources: &'r mut Sources,
    environment: &'r dyn Fn(&str) -> Option<String>,
    report: &'r Report,
}

impl InputFilesOf<'_> {
    /// Adds the inputs of other files to those of `filebeat.inputs`.
    fn add_to(self, whole: &mut Node) -> Option<InputFiles> {
        let filebeat = whole.get("filebeat")?;
        let folder = whole.get("path").and_then(|path| path.get("config")).and_then(Node::as_text);
        let folder = PathBuf::from(folder.unwrap_or_default());
        let section = Section::new(Some(filebeat), "filebeat".into(), filebeat.position, self.report);
        section.ignore_all();
        let files = InputFiles::read(&section, &folder)?;
        let position = filebeat.position;
        drop(section);
        let added = files.inputs(self.sources, self.environment, self.report);
        let held = whole.get("filebeat").and_then(|filebeat| filebeat.get("inputs")).and_then(Node::as_list);
        let all: Vec<Node> = held.unwrap_or_default().iter().cloned().chain(added).collect();
        let key = Key { text: "filebeat.inputs".to_owned(), position };
        whole.merge_at(&key, Node { kind: Kind::List(all), position });
        Some(files)
    }
}

/// `path.home` and what lies below it, so that `${path.config}` can stand in values.
fn set_paths(whole: &mut Node, overrides: &Overrides) {
    let held = |whole: &Node, key: &str| whole.get("path")?.get(key)?.as_text().map(str::to_owned);
    let given = [
        ("home", &overrides.home),
        ("data", &overrides.data),
        ("config", &overrides.config),
        ("logs", &overrides.logs),
    ];
    let home = overrides.home.as_ref().map(|home| home.display().to_string());
    let home = home.or_else(|| held(whole, "home")).unwrap_or_else(|| ".".to_owned());
    for (name, default) in
        [("home", String::new()), ("config", String::new()), ("data", "/data".into()), ("logs", "/logs".into())]
    {
        let given = given.iter().find(|(key, _)| *key == name).and_then(|(_, path)| path.as_ref());
        let value = match (given, held(whole, name)) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(_)) => continue,
            (None, None) => format!("{home}{default}"),
        };
        let position = whole.position;
        let node = Node { kind: Kind::Scalar { text: value, plain: false }, position };
        whole.merge_at(&Key { text: format!("path.{name}"), position }, node);
    }
}

/// `-E output.kafka.topic=logs`
fn override_with(whole: &mut Node, setting: &str, sources: &mut Sources, report: &Report) {
    let position = Position { line: 1, column: 1 };
    match setting.split_once('=').map(|(key, value)| (key, yaml::parse(value))) {
        Some((text, Ok(value))) => {
            let (mut key, mut value) = (Key { text: text.to_string(), position }, value.expand_dots());
            sources.add_setting(setting, &mut key, &mut value);
            whole.merge_at(&key, value);
        }
        Some((_, Err(error))) => report.error(position, format!("-E {setting}: {error}"), None),
        None => report.error(position, format!("-E {setting}: it takes key=value"), None),
    }
}

/// Sections of the Elastic stack that have no meaning here.
const ELASTIC_ONLY: [&str; 9] =
    ["setup", "monitoring", "xpack", "cloud", "apm", "instrumentation", "timeseries", "features", "seccomp"];

fn compile(whole: &Node, report: &Report) -> Option<Config> {
    let root = Section::new(Some(whole), String::new(), whole.position, report);
    for name in ELASTIC_ONLY {
        if root.is_set(name) {
            let position = root.get(name).map_or(whole.position, |node| node.position);
            report.notice(position, format!("'{name}' belongs to the Elastic stack and has no effect here"));
        }
    }
    root.ignore(&ELASTIC_ONLY);
    root.without_effect(&["max_procs"], "reading and sending have one thread each");
    root.without_effect(&["gc_percent"], "there is no garbage collector here");
    root.without_effect(&["strict", "management", "publisher_pipeline"], "it means nothing here");
    let processors = crate::processors::read(&root);
    let common = inputs::Common {
        fields: fields(&root, "fields"),
        under_root: root.boolean("fields_under_root", false),
        tags: root.texts("tags"),
        processors: processors.clone(),
    };
    let filebeat = root.section("filebeat");
    let inputs = inputs::read(&filebeat, &common);
    let autodiscover = crate::autodiscover::read(&filebeat.section("autodiscover"), &common);
    let registry = filebeat.section("registry");
    registry.ignore(&["migrate_file"]);
    registry.choice("backend", &[("memlog", ())], ());
    let registry_path = registry.path("path").unwrap_or_else(|| PathBuf::from("registry"));
    let flush = registry.duration("flush").unwrap_or(Duration::from_secs(1));
    let permissions =
        registry.text("file_permissions").and_then(|text| u32::from_str_radix(text.trim_start_matches('0'), 8).ok());
    let shutdown =
        filebeat.duration("shutdown_timeout").filter(|time| !time.is_zero()).unwrap_or(Duration::from_secs(10));
    unsupported(&filebeat);
    let path = root.section("path");
    // All of them stand there by now, see `set_paths`.
    path.ignore(&["config", "home"]);
    let (data, logs) = (path.path("data").unwrap_or_default(), path.path("logs").unwrap_or_default());
    let logging = operation::logging(&root, &logs);
    let http = operation::http(&root, &data);
    root.section("keystore").ignore(&["path"]);
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
    let (output, memory_limit) = outputs::read(&root, &data)?;
    // Bulk requests carry the documents alone.
    let codec = match output {
        OutputSettings::Elasticsearch(_) => Codec::Source,
        OutputSettings::Discard => Codec::Nothing,
        _ => codec,
    };
    let data_of_filebeat = data.join(registry_path).join("filebeat");
    let (registry_flush, registry_permissions) = (flush, permissions.unwrap_or(0o600));
    Some(Config {
        name,
        data,
        inputs,
        processors,
        output,
        codec,
        precision,
        filebeat_registry: data_of_filebeat,
        registry_flush,
        registry_permissions,
        shutdown_timeout: shutdown,
        memory_limit,
        logging,
        http,
        exec,
        document_ids,
        autodiscover: autodiscover.map(Arc::new),
        input_files: None,
        notices: Vec::new(),
    })
}

/// Parts of Filebeat that are not here.
fn unsupported(filebeat: &Section<'_>) {
    // Read before everything else.
    filebeat.section("config").ignore_all();
    filebeat.ignore(&["modules", "config_dir", "overwrite_pipelines"]);
    if filebeat.get("modules").and_then(Node::as_list).is_some_and(|modules| !modules.is_empty()) {
        let hint = "read the files with an input, and take them apart in the processor's pipeline";
        filebeat.error("modules", "'filebeat.modules' is not supported", Some(hint.into()));
    }
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".into(), |name| name.trim().to_string())
}
