//! `parsers` of filestream; `stream`, `format`, `json` and `multiline` of the older inputs.

use std::sync::Arc;
use std::time::Duration;

use super::inputs::patterns;
use super::section::Section;
use crate::decode::Pattern;
use crate::decode::ndjson::NdjsonSettings;
use crate::decode::syslog::{SyslogFormat, SyslogSettings, Zone, named_zone};
use crate::tail::settings::{
    ContainerFormat, ContainerSettings, InputKind, MultilineKind, MultilineMatch, MultilineSettings, Parser,
    StreamChoice,
};

/// The list `parsers`: each item a map with one key, the parser's name.
pub(super) fn read(section: &Section<'_>) -> Vec<Parser> {
    let Some(node) = section.get("parsers") else { return Vec::new() };
    let Some(items) = node.as_list() else {
        section.error("parsers", format!("'{}' must be a list", section.name("parsers")), None);
        return Vec::new();
    };
    let mut parsers = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let name = section.name(&format!("parsers.{number}"));
        let parser = Section::new(Some(item), name, item.position, section.report());
        parsers.extend(one(&parser));
    }
    parsers
}

fn one(item: &Section<'_>) -> Option<Parser> {
    let name = item.keys().first().copied().unwrap_or_default();
    match name {
        "container" => Some(Parser::Container(container(&item.section("container")))),
        "multiline" => multiline(&item.section("multiline")).map(Parser::Multiline),
        "ndjson" => Some(Parser::Ndjson(Arc::new(ndjson(&item.section("ndjson"), false)))),
        "include_message" => Some(Parser::IncludeMessage(patterns(&item.section("include_message"), "patterns"))),
        "syslog" => Some(Parser::Syslog(Arc::new(syslog_settings(&item.section("syslog"))))),
        _ => {
            item.ignore(&["container", "multiline", "ndjson", "include_message", "syslog"]);
            None
        }
    }
}

/// The parsers of `container` and `log`, in Filebeat's order.
pub(super) fn read_old(section: &Section<'_>, kind: InputKind) -> Vec<Parser> {
    let mut parsers = Vec::new();
    if kind == InputKind::Container {
        parsers.push(Parser::Container(container(section)));
    }
    if section.is_set("json") {
        parsers.push(Parser::Ndjson(Arc::new(ndjson(&section.section("json"), true))));
    }
    if section.is_set("multiline") {
        parsers.extend(multiline(&section.section("multiline")).map(Parser::Multiline));
    }
    parsers
}

fn container(section: &Section<'_>) -> ContainerSettings {
    let streams = [("all", StreamChoice::All), ("stdout", StreamChoice::Stdout), ("stderr", StreamChoice::Stderr)];
    let formats = [
        ("auto", ContainerFormat::Auto),
        ("docker", ContainerFormat::Docker),
        ("json-file", ContainerFormat::Docker),
        ("cri", ContainerFormat::Cri),
    ];
    let defaults = ContainerSettings::default();
    ContainerSettings {
        stream: section.choice("stream", &streams, StreamChoice::All),
        format: section.choice("format", &formats, ContainerFormat::Auto),
        partial_timeout: section.duration("partial_timeout").unwrap_or(defaults.partial_timeout),
    }
}

fn multiline(section: &Section<'_>) -> Option<MultilineSettings> {
    let pattern = |key: &'static str| {
        let text = section.text(key)?;
        Pattern::new(text).map_err(|error| section.error(key, error.to_string(), None)).ok()
    };
    let negate = section.boolean("negate", false);
    let places = [("after", MultilineMatch::After), ("before", MultilineMatch::Before)];
    let place = section.choice("match", &places, MultilineMatch::After);
    let missing = |key: &str| section.error(key, format!("'{}' is missing", section.name(key)), None);
    let kind = match section.text("type").unwrap_or("pattern") {
        "pattern" => {
            let Some(found) = pattern("pattern") else {
                missing("pattern");
                return None;
            };
            MultilineKind::Pattern { pattern: found, negate, place, flush: pattern("flush_pattern") }
        }
        "count" => MultilineKind::Count(section.number("count_lines").unwrap_or(1) as usize),
        "while_pattern" => MultilineKind::While { pattern: pattern("pattern")?, negate },
        "auto" => MultilineKind::Auto,
        other => {
            section.error(
                "type",
                format!("'{other}' is no type of multiline"),
                Some("use pattern, count, while_pattern or auto".into()),
            );
            return None;
        }
    };
    section.ignore(&["pattern", "flush_pattern", "count_lines"]);
    Some(MultilineSettings {
        max_lines: section.number("max_lines").map_or(500, |lines| lines as usize),
        timeout: section.duration("timeout").unwrap_or(Duration::from_secs(5)),
        skip_newline: section.boolean("skip_newline", false),
        ..MultilineSettings::new(kind)
    })
}

fn ndjson(section: &Section<'_>, old: bool) -> NdjsonSettings {
    let target = match (old, section.boolean("keys_under_root", false)) {
        (true, false) => "json".to_string(),
        _ => section.text("target").unwrap_or_default().to_string(),
    };
    NdjsonSettings {
        target,
        overwrite_keys: section.boolean("overwrite_keys", false),
        expand_keys: section.boolean("expand_keys", false),
        add_error_key: section.boolean("add_error_key", false),
        message_key: section.text("message_key").unwrap_or_default().to_string(),
        document_id: section.text("document_id").unwrap_or_default().to_string(),
        ignore_decoding_error: section.boolean("ignore_decoding_error", false),
    }
}

/// `syslog`, the parser and the processor.
pub(crate) fn syslog_settings(section: &Section<'_>) -> SyslogSettings {
    let formats =
        [("auto", SyslogFormat::Auto), ("rfc3164", SyslogFormat::Rfc3164), ("rfc5424", SyslogFormat::Rfc5424)];
    let timezone = match section.text("timezone") {
        None | Some("Local") => Zone::Local,
        Some(name) => {
            if named_zone(name).is_none() {
                section.error(
                    "timezone",
                    format!("'{name}' is no time zone"),
                    Some("for example: Asia/Shanghai, or +08:00".into()),
                );
            }
            Zone::Named(name.to_owned())
        }
    };
    SyslogSettings {
        format: section.choice("format", &formats, SyslogFormat::Auto),
        timezone,
        log_errors: section.boolean("log_errors", false),
        add_error_key: section.boolean("add_error_key", true),
    }
}
