//! `filebeat.inputs`.

use std::sync::Arc;

use tailrace_common::Object;
use tailrace_common::yaml::Kind;

use super::parsers;
use super::section::Section;
use super::value::fields;
use crate::decode::{LineTerminator, Pattern, TextEncoding};
use crate::document::{Decor, Format};
use crate::tail::settings::{CloseSettings, Compression, InputKind, InputSettings};

/// What holds for the events of all inputs.
pub(super) struct Common {
    pub(super) fields: Object,
    pub(super) under_root: bool,
    pub(super) tags: Vec<String>,
}

const KINDS: [(&str, InputKind); 3] =
    [("filestream", InputKind::Filestream), ("container", InputKind::Container), ("log", InputKind::Log)];

pub(super) fn read(filebeat: &Section<'_>, common: &Common) -> Vec<Decor> {
    let Some(node) = filebeat.get("inputs") else {
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
    inputs.collect()
}

fn input(section: &Section<'_>, common: &Common) -> Option<Decor> {
    let enabled = section.boolean("enabled", true);
    if section.text("type").is_none() {
        section.error("type", "'type' is missing", Some("for example: type: filestream".into()));
    }
    let kind = section.choice("type", &KINDS, InputKind::Filestream);
    let mut settings =
        InputSettings { kind, id: section.text("id").unwrap_or_default().into(), ..InputSettings::default() };
    settings.paths = section.texts("paths");
    if settings.paths.is_empty() {
        section.error("paths", format!("'{}' is missing", section.name("paths")), None);
    }
    lines(section, &mut settings);
    match kind {
        InputKind::Filestream => filestream(section, &mut settings),
        _ => old(section, &mut settings),
    }
    let decor = decor(section, common, settings);
    enabled.then_some(decor)
}

/// What the kinds have in common.
fn lines(section: &Section<'_>, settings: &mut InputSettings) {
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
    let limit = |key| section.number(key).and_then(|number| usize::try_from(number).ok());
    settings.harvester_limit = limit("harvester_limit").unwrap_or(0);
    settings.ignore_older = section.duration("ignore_older").unwrap_or_default();
    settings.clean_removed = section.boolean("clean_removed", true);
    settings.clean_inactive = section.duration("clean_inactive").filter(|time| !time.is_zero());
    if let Some(time) = section.duration("unterminated_timeout") {
        settings.unterminated_timeout = (!time.is_zero()).then_some(time);
    }
    settings.follow_rotated = section.boolean("follow_rotated", true);
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

fn filestream(section: &Section<'_>, settings: &mut InputSettings) {
    let scanner_parent = section.section("prospector");
    let scanner = scanner_parent.section("scanner");
    settings.check_interval = scanner.duration("check_interval").unwrap_or(settings.check_interval);
    settings.include_files = patterns(&scanner, "include_files");
    settings.exclude_files = patterns(&scanner, "exclude_files");
    settings.symlinks = scanner.boolean("symlinks", false);
    settings.recursive_glob = scanner.boolean("recursive_glob", true);
    settings.resend_on_touch = scanner.boolean("resend_on_touch", false);
    let fingerprint = scanner.section("fingerprint");
    settings.fingerprint.enabled = fingerprint.boolean("enabled", true);
    settings.fingerprint.offset = fingerprint.number("offset").unwrap_or(0);
    settings.fingerprint.length = fingerprint.number("length").unwrap_or(1024);
    section.section("file_identity").ignore(&["native", "fingerprint", "path"]);
    let close = section.section("close");
    let (change, reader) = (close.section("on_state_change"), close.section("reader"));
    let defaults = CloseSettings::default();
    settings.close = CloseSettings {
        inactive: change.duration("inactive").unwrap_or(defaults.inactive),
        renamed: change.boolean("renamed", false),
        removed: change.boolean("removed", false),
        on_eof: reader.boolean("on_eof", false),
        after_interval: reader.duration("after_interval").filter(|time| !time.is_zero()),
    };
    change.ignore(&["check_interval"]);
    let backoff = section.section("backoff");
    settings.backoff_init = backoff.duration("init").unwrap_or(settings.backoff_init);
    settings.backoff_max = backoff.duration("max").unwrap_or(settings.backoff_max);
    settings.buffer_size = size(section, "buffer_size", settings.buffer_size);
    settings.message_max_bytes = size(section, "message_max_bytes", settings.message_max_bytes);
    let kinds = [
        ("", Compression::None),
        ("none", Compression::None),
        ("gzip", Compression::Gzip),
        ("auto", Compression::Auto),
    ];
    settings.compression = section.choice("compression", &kinds, Compression::None);
    settings.include_file_fingerprint = section.boolean("include_file_fingerprint", true);
    settings.include_file_owner_name = section.boolean("include_file_owner_name", false);
    settings.include_file_owner_group_name = section.boolean("include_file_owner_group_name", false);
    settings.parsers = parsers::read(section);
    section.section("take_over").ignore(&["enabled", "from_ids"]);
}

/// The older inputs, `container` and `log`.
fn old(section: &Section<'_>, settings: &mut InputSettings) {
    settings.check_interval = section.duration("scan_frequency").unwrap_or(settings.check_interval);
    settings.exclude_files = patterns(section, "exclude_files");
    settings.symlinks = section.boolean("symlinks", settings.kind == InputKind::Container);
    settings.recursive_glob = section.section("recursive_glob").boolean("enabled", true);
    settings.buffer_size = size(section, "harvester_buffer_size", settings.buffer_size);
    settings.message_max_bytes = size(section, "max_bytes", settings.message_max_bytes);
    settings.seek_to_tail = section.boolean("tail_files", false);
    settings.close = CloseSettings {
        inactive: section.duration("close_inactive").unwrap_or(settings.close.inactive),
        renamed: section.boolean("close_renamed", false),
        removed: section.boolean("close_removed", true),
        on_eof: section.boolean("close_eof", false),
        after_interval: section.duration("close_timeout").filter(|time| !time.is_zero()),
    };
    settings.backoff_init = section.duration("backoff").unwrap_or(settings.backoff_init);
    settings.backoff_max = section.duration("max_backoff").unwrap_or(settings.backoff_max);
    section.ignore(&["backoff_factor", "allow_deprecated_use"]);
    settings.parsers = parsers::read_old(section, settings.kind);
}

fn size(section: &Section<'_>, key: &'static str, default: usize) -> usize {
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

fn decor(section: &Section<'_>, common: &Common, settings: InputSettings) -> Decor {
    let own = (fields(section, "fields"), section.boolean("fields_under_root", false));
    let added = added([(common.fields.clone(), common.under_root), own]);
    let format = |key: &'static str| {
        section
            .text(key)
            .and_then(|text| Format::parse(text).map_err(|error| section.error(key, error.to_string(), None)).ok())
    };
    Decor {
        added,
        tags: common.tags.iter().cloned().chain(section.texts("tags")).collect(),
        pipeline: format("pipeline"),
        index: format("index"),
        keep_null: section.boolean("keep_null", false),
        disable_host: section.section("publisher_pipeline").boolean("disable_host", false),
        processors: crate::processors::read(section),
        ..Decor::plain(Arc::new(settings))
    }
}
