//! `filebeat.autodiscover`, read and checked.

use std::sync::Arc;
use std::time::Duration;

use tailrace_common::Event;
use tailrace_common::yaml::{self, Node};

use super::containers::Containers;
use super::fill::{fill, open_places};
use super::hints::{DEFAULT, HintSettings};
use super::pods::Pods;
use super::{Object, Target};
use crate::config::section::{Report, Section};
use crate::config::{Common, Sources, input};
use crate::document::Decor;
use crate::metadata::Changes;
use crate::processors::Condition;

/// `filebeat.autodiscover`
#[derive(Debug)]
pub(crate) struct Autodiscover {
    pub(super) providers: Vec<Provider>,
    /// What holds for the events of all inputs.
    common: Common,
    /// Tells the files in which configurations stand.
    pub(crate) sources: Sources,
}

/// Who knows what there is to be read.
#[derive(Debug)]
pub(super) enum Source {
    Docker(Containers),
    Kubernetes(Box<Pods>),
}

/// One item of `providers`.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) source: Source,
    templates: Vec<Template>,
    hints: HintSettings,
    hints_enabled: bool,
    appenders: Vec<Appender>,
    /// `cleanup_timeout`: so long a container is still read after it has ended.
    pub(super) cleanup: Duration,
}

/// One item of `templates`.
#[derive(Debug)]
struct Template {
    /// None matches everything.
    condition: Option<Condition>,
    configs: Vec<Node>,
}

/// One item of `appenders`.
#[derive(Debug)]
struct Appender {
    condition: Option<Condition>,
    config: Node,
}

impl Provider {
    /// Begins to look; `changes` is told when there is something new.
    pub(super) fn start(&self, changes: &Arc<Changes>) {
        match &self.source {
            Source::Docker(containers) => containers.start(changes),
            Source::Kubernetes(pods) => pods.start(changes),
        }
    }

    /// Whether it has answered.
    pub(super) fn is_complete(&self) -> bool {
        match &self.source {
            Source::Docker(containers) => containers.is_complete(),
            Source::Kubernetes(pods) => pods.is_complete(),
        }
    }

    /// Everything that is there.
    pub(super) fn targets(&self) -> Vec<Target> {
        match &self.source {
            Source::Docker(containers) => containers.targets(&self.hints),
            Source::Kubernetes(pods) => pods.targets(&self.hints),
        }
    }

    /// The inputs of a target: those of all templates that match, else those that its hints ask for.
    pub(super) fn configs(&self, target: &Target) -> Vec<Node> {
        let mut filled: Vec<Node> = Vec::new();
        for data in &target.data {
            let event = Event::bare(data.clone());
            let matching = self.templates.iter().filter(|template| holds(template.condition.as_ref(), &event));
            let mut configs: Vec<Node> = matching.flat_map(|template| &template.configs).cloned().collect();
            if configs.is_empty() && self.hints_enabled {
                configs = self.hints.configs(&target.hints, &target.id);
            }
            for appender in self.appenders.iter().filter(|appender| holds(appender.condition.as_ref(), &event)) {
                configs.iter_mut().for_each(|config| config.merge(appender.config.clone()));
            }
            for config in configs {
                match fill(&config, data) {
                    Ok(config) if !filled.contains(&config) => filled.push(config),
                    Ok(_) => {}
                    Err(error) => tracing::debug!(target = target.id, error, "a template does not apply"),
                }
            }
        }
        filled
    }
}

fn holds(condition: Option<&Condition>, event: &Event) -> bool {
    condition.is_none_or(|condition| condition.holds(event))
}

impl Autodiscover {
    /// The input of a configuration; nothing when it is off.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn input(&self, config: &Node) -> Result<Option<Decor>, String> {
        let report = Report::default();
        let decor = {
            let section = Section::new(Some(config), "autodiscover".into(), config.position, &report);
            input(&section, &self.common)
        };
        let problems: Vec<String> = report
            .into_findings()
            .into_iter()
            .filter(|finding| finding.is_error)
            .map(|finding| {
                let (file, position) = self.sources.find(finding.position);
                format!("{}:{position}: {}", file.display(), finding.message)
            })
            .collect();
        if problems.is_empty() { Ok(decor) } else { Err(problems.join("; ")) }
    }
}

/// Reads the map; nothing where there is none.
pub(crate) fn read(section: &Section<'_>, common: &Common) -> Option<Autodiscover> {
    let providers = section.maps("providers");
    let providers: Vec<Provider> = providers.iter().filter_map(|item| provider(item, common)).collect();
    (!providers.is_empty()).then(|| Autodiscover { providers, common: common.clone(), sources: Sources::default() })
}

#[derive(Clone, Copy)]
enum Type {
    Docker,
    Kubernetes,
}

fn provider(section: &Section<'_>, common: &Common) -> Option<Provider> {
    let kind = match section.required("type")? {
        "docker" => Type::Docker,
        "kubernetes" => Type::Kubernetes,
        other => {
            section.error(
                "type",
                format!("the provider '{other}' is not supported"),
                Some("use docker or kubernetes".into()),
            );
            section.ignore_all();
            return None;
        }
    };
    let enabled = section.boolean("enabled", true);
    let cleanup = section.duration("cleanup_timeout").unwrap_or(Duration::from_secs(60));
    let source = match kind {
        Type::Docker => Source::Docker(Containers::read(section)),
        Type::Kubernetes => Source::Kubernetes(Box::new(Pods::read(section))),
    };
    let (hints, hints_enabled) = hints(section, common);
    let templates: Vec<Template> = section.maps("templates").iter().map(|item| template(item, common)).collect();
    let appenders = section.maps("appenders").iter().filter_map(appender).collect();
    if templates.is_empty() && !hints_enabled {
        let hint = "set hints.enabled: true, or give it templates";
        section.fail(format!("'{}' has neither templates nor hints", section.full_name()), Some(hint.into()));
    }
    section.ignore(&["unique", "leader_lease", "leader_leaseduration", "leader_renewdeadline", "leader_retryperiod"]);
    if section.get("builders").is_some() {
        section.error("builders", "'builders' is not supported", Some("use hints".into()));
    }
    enabled.then_some(Provider { source, templates, hints, hints_enabled, appenders, cleanup })
}

fn template(section: &Section<'_>, common: &Common) -> Template {
    let condition = Condition::read(section, "condition");
    section.require("config");
    let configs = match section.get("config") {
        Some(node) => node.as_list().map_or_else(|| vec![node.clone()], <[Node]>::to_vec),
        None => Vec::new(),
    };
    for (number, config) in configs.iter().enumerate() {
        check(section, &format!("{}.{number}", section.name("config")), config, common);
    }
    Template { condition, configs }
}

/// Says now what is wrong with a configuration, except where a target has yet to fill it in.
fn check(section: &Section<'_>, name: &str, config: &Node, common: &Common) {
    if config.get("module").is_some() {
        let hint = "read the files with an input, and take them apart in the processor's pipeline";
        section.report().error(config.position, format!("'{name}': there are no modules here"), Some(hint.into()));
        return;
    }
    let report = Report::default();
    input(&Section::new(Some(config), name.to_owned(), config.position, &report), common);
    let mut open = Vec::new();
    open_places(config, &mut open);
    for finding in report.into_findings().into_iter().filter(|finding| !open.contains(&finding.position)) {
        if finding.is_error {
            section.report().error(finding.position, finding.message, finding.hint);
        } else {
            section.report().notice(finding.position, finding.message);
        }
    }
}

fn appender(section: &Section<'_>) -> Option<Appender> {
    let kind = section.required("type")?;
    if kind != "config" {
        section.error("type", format!("the appender '{kind}' is not known"), Some("use config".into()));
    }
    let condition = Condition::read(section, "condition");
    section.require("config");
    let config = section.get("config")?;
    if config.as_map().is_none() {
        section.error(
            "config",
            format!("'{}' must be a map, this is {}", section.name("config"), config.type_name()),
            None,
        );
        return None;
    }
    Some(Appender { condition, config: config.clone() })
}

fn hints(section: &Section<'_>, common: &Common) -> (HintSettings, bool) {
    let hints = section.section("hints");
    let prefix = section.text("prefix").unwrap_or("co.elastic").trim_end_matches('.').to_owned();
    let key = hints.text("key").unwrap_or("logs").to_owned();
    let usual = || yaml::parse(DEFAULT).map(Node::expand_dots);
    let (mut config, mut enabled) = (None, true);
    if let Some(node) = hints.get("default_config") {
        let part = hints.section("default_config");
        part.ignore_all();
        enabled = part.boolean("enabled", true);
        if part.keys().iter().any(|key| *key != "enabled") {
            let mut own = node.clone();
            if let yaml::Kind::Map(entries) = &mut own.kind {
                entries.retain(|(key, _)| key.text != "enabled");
            }
            check(section, &hints.name("default_config"), &own, common);
            config = Some(own);
        }
    }
    let default_config = match config.map_or_else(usual, Ok) {
        Ok(config) => config,
        // It is part of the program, and read by a test.
        Err(error) => {
            section.fail(error.to_string(), None);
            Node::empty_map(section.position())
        }
    };
    (HintSettings { prefix, key, default_config, enabled }, hints.boolean("enabled", false))
}

/// `host` and `port` of a target, where it has them.
pub(super) fn with_address(data: &Object, address: &str, port: Option<u16>) -> Object {
    let mut data = data.clone();
    if !address.is_empty() {
        data.insert("host", address);
    }
    if let Some(port) = port {
        data.insert("port", i64::from(port));
    }
    data
}
