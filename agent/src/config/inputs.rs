//! `filebeat.inputs`.

use std::sync::Arc;
use std::time::Duration;

use tailrace_common::Object;
use tailrace_common::yaml::{Kind, Node};

use super::section::Section;
use super::value::fields;
use super::{filestream, network, old_inputs};
use crate::decode::{LineTerminator, Pattern, TextEncoding};
use crate::document::{Decor, Format};
use crate::processors::Chain;
use crate::tail::settings::{InputKind, InputSettings};

/// What holds for the events of all inputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Common {
    /// `fields`
    pub(super) fields: Object,
    /// `fields_under_root`
    pub(super) under_root: bool,
    /// `tags`
    pub(super) tags: Vec<String>,
    /// `processors` of all inputs.
    pub(super) processors: Chain,
}

const KINDS: [(&str, InputKind); 8] = [
    ("filestream", InputKind::Filestream),
    ("container", InputKind::Container),
    ("log", InputKind::Log),
    ("stdin", InputKind::Stdin),
    ("tcp", InputKind::Tcp),
    ("udp", InputKind::Udp),
    ("unix", InputKind::Unix),
    ("syslog", InputKind::Syslog),
];

pub(super) fn read(filebeat: &Section<'_>, common: &Common) -> Vec<Decor> {
    let Some(node) = filebeat.get("inputs") else {
        // Those of containers may be all there are.
        if filebeat.is_set("autodiscover") {
            return Vec::new();
        }
        filebeat.report().error(
            filebeat.position(),
            "'filebeat.inputs' is missing",
            Some("list at least one input".into()),
        );
        return Vec::new();
    };
    let Some(items) = node.as_list() else {
        filebeat.error("inputs", format!("'filebeat.inputs' must be a list, this is {}", node.type_name()), None);
        return Vec::new();
    };
    let inputs = items.iter().enumerate().filter_map(|(number, item)| {
        input(&Section::new(Some(item), format!("filebeat.inputs.{number}"), item.position, filebeat.report()), common)
    });
    let inputs: Vec<Decor> = inputs.collect();
    one_id_each(filebeat, items, &inputs);
    inputs
}

/// Inputs of one id would take each other's positions.
fn one_id_each(filebeat: &Section<'_>, items: &[Node], inputs: &[Decor]) {
    for (place, decor) in inputs.iter().enumerate() {
        let input = &decor.input;
        let same = |other: &&Decor| other.input.kind == input.kind && other.input.id == input.id;
        if input.id.is_empty()
            || input.kind != InputKind::Filestream
            || input.may_share_id
            || !inputs[..place].iter().any(|other| same(&other))
        {
            continue;
        }
        let node = items.iter().filter_map(|item| item.get("id")).filter(|id| id.as_text() == Some(&input.id)).nth(1);
        let position = node.map_or(filebeat.position(), |node| node.position);
        let hint = Some("give each input an id of its own".to_owned());
        filebeat.report().error(position, format!("the id '{}' is used by two inputs", input.id), hint);
    }
}

/// One input; nothing when it is off.
pub(crate) fn input(section: &Section<'_>, common: &Common) -> Option<Decor> {
    let enabled = section.boolean("enabled", true);
    let name = section.text("type");
    if name.is_none() {
        section.error("type", "'type' is missing", Some("for example: type: filestream".into()));
    }
    if !enabled && name.is_some_and(|name| KINDS.iter().all(|(known, _)| *known != name)) {
        section.notice("type", format!("'{}' is no input here; it is not enabled", name.unwrap_or_default()));
        section.ignore_all();
        return None;
    }
    let kind = section.choice("type", &KINDS, InputKind::Filestream);
    let mut settings =
        InputSettings { kind, id: section.text("id").unwrap_or_default().into(), ..InputSettings::default() };
    match kind {
        InputKind::Filestream => {
            lines(section, &mut settings);
            filestream::read(section, &mut settings);
        }
        InputKind::Container | InputKind::Log => {
            lines(section, &mut settings);
            old_inputs::read(section, &mut settings);
        }
        InputKind::Stdin => {
            encoding(section, &mut settings);
            old_inputs::read_stdin(section, &mut settings);
        }
        InputKind::Tcp | InputKind::Udp | InputKind::Unix | InputKind::Syslog => {
            network::read(section, &mut settings);
        }
    }
    let decor = decor(section, common, settings);
    enabled.then_some(decor)
}

/// What the kinds that read files have in common.
fn lines(section: &Section<'_>, settings: &mut InputSettings) {
    settings.paths = section.texts("paths");
    if settings.paths.is_empty() {
        section.error("paths", format!("'{}' is missing", section.name("paths")), None);
    }
    encoding(section, settings);
    settings.harvester_limit = section.count("harvester_limit").unwrap_or(0);
    settings.ignore_older = section.duration("ignore_older").unwrap_or_default();
    settings.clean_removed = section.boolean("clean_removed", true);
    settings.clean_inactive = clean_inactive(section);
    settings.quota = super::quota::read(section);
    settings.follow_rotated = section.boolean("follow_rotated", true);
}

/// `clean_inactive`: 0 and what is below stand for never.
fn clean_inactive(section: &Section<'_>) -> Option<Duration> {
    let text = section.get("clean_inactive").and_then(|node| node.as_text()).unwrap_or_default();
    if text.starts_with('-') {
        return None;
    }
    section.duration("clean_inactive").filter(|time| !time.is_zero())
}

/// How bytes become lines, and which of these are kept.
fn encoding(section: &Section<'_>, settings: &mut InputSettings) {
    if let Some(name) = section.text("encoding") {
        match TextEncoding::named(name) {
            Some(encoding) => settings.encoding = encoding,
            None => section.error("encoding", format!("'{name}' is no encoding"), None),
        }
    }
    if let Some(name) = section.text("line_terminator") {
        match LineTerminator::named(name) {
            Some(terminator) => settings.line_terminator = terminator,
            None => section.error("line_terminator", format!("'{name}' is no line terminator"), None),
        }
    }
    settings.include_lines = patterns(section, "include_lines");
    settings.exclude_lines = patterns(section, "exclude_lines");
    if let Some(time) = section.duration("unterminated_timeout") {
        settings.unterminated_timeout = (!time.is_zero()).then_some(time);
    }
}

/// A state must not be forgotten while its file may still be found as new.
pub(super) fn check_clean_inactive(section: &Section<'_>, settings: &InputSettings, scan: &str) {
    let Some(time) = settings.clean_inactive else { return };
    // Filebeat asks it of the older inputs alone.
    if settings.kind != InputKind::Filestream && settings.ignore_older.is_zero() {
        let hint = Some("a file that is forgotten before it is ignored would be read again".to_owned());
        section.error("clean_inactive", "'clean_inactive' needs 'ignore_older'", hint);
        return;
    }
    let shortest = settings.ignore_older + settings.check_interval;
    if time <= shortest {
        let message = format!(
            "'clean_inactive' ({time:?}) must be more than 'ignore_older' and '{scan}' together ({shortest:?})"
        );
        section.error("clean_inactive", message, None);
    }
}

pub(super) fn patterns(section: &Section<'_>, key: &'static str) -> Vec<Pattern> {
    let compile = |text: &String| match Pattern::new(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            section.error(key, format!("'{}': {error}", section.name(key)), None);
            None
        }
    };
    let texts: Vec<String> = match section.get(key).map(|node| &node.kind) {
        Some(Kind::List(items)) => items.iter().filter_map(|item| item.as_text().map(str::to_string)).collect(),
        Some(Kind::Scalar { text, .. }) => vec![text.clone()],
        _ => Vec::new(),
    };
    texts.iter().filter_map(compile).collect()
}

pub(super) fn size(section: &Section<'_>, key: &'static str, default: usize) -> usize {
    section.bytes(key).and_then(|bytes| usize::try_from(bytes).ok()).filter(|bytes| *bytes > 0).unwrap_or(default)
}

/// An input without settings of its own.
pub(super) fn bare(common: &Common) -> Decor {
    let added = added([(common.fields.clone(), common.under_root)]);
    Decor { added, tags: common.tags.clone(), ..Decor::plain(Arc::new(InputSettings::default())) }
}

/// `fields`, those of all inputs first, as they stand in the document.
fn added(all: impl IntoIterator<Item = (Object, bool)>) -> Object {
    let mut added = Object::new();
    for (fields, under_root) in all {
        if fields.is_empty() {
            continue;
        }
        let object = if under_root { fields } else { [("fields", fields)].into_iter().collect() };
        crate::document::deep_merge(&mut added, object, true);
    }
    added
}

fn decor(section: &Section<'_>, common: &Common, mut settings: InputSettings) -> Decor {
    let own = (fields(section, "fields"), section.boolean("fields_under_root", false));
    let added = added([(common.fields.clone(), common.under_root), own]);
    let format = |key: &'static str| {
        section
            .text(key)
            .and_then(|text| Format::parse(text).map_err(|error| section.error(key, error.to_string(), None)).ok())
    };
    // Filebeat marks the events of inputs that took others over.
    let take_over = settings.take_over.then(|| "take_over".to_owned());
    let processors = crate::processors::read(section);
    for chain in [&processors, &common.processors].into_iter().filter(|chain| !chain.is_empty()) {
        settings.awaited.push(Arc::new(chain.clone()));
    }
    Decor {
        added,
        tags: common.tags.iter().cloned().chain(section.texts("tags")).chain(take_over).collect(),
        pipeline: format("pipeline"),
        index: format("index"),
        keep_null: section.boolean("keep_null", false),
        disable_host: section.section("publisher_pipeline").boolean("disable_host", false),
        processors,
        ..Decor::plain(Arc::new(settings))
    }
}
