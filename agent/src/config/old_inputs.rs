//! The older inputs: `container`, `log` and `stdin`.

use tailrace_common::yaml::Node;

use super::filestream::identity;
use super::inputs::{check_clean_inactive, patterns, size};
use super::parsers;
use super::section::Section;
use crate::tail::settings::{Backoff, CloseSettings, InputKind, InputSettings, ScanSort};

pub(super) fn read(section: &Section<'_>, settings: &mut InputSettings) {
    settings.check_interval = section.duration("scan_frequency").unwrap_or(settings.check_interval);
    settings.exclude_files = patterns(section, "exclude_files");
    settings.symlinks = section.boolean("symlinks", settings.kind == InputKind::Container);
    settings.recursive_glob = section.section("recursive_glob").boolean("enabled", true);
    let scan = section.section("scan");
    let sorts = [("none", ScanSort::None), ("modtime", ScanSort::ModTime), ("filename", ScanSort::FileName)];
    if scan.text_or_empty("sort").is_some_and(|sort| !sort.is_empty()) {
        settings.scan_sort = scan.choice("sort", &sorts, ScanSort::None);
    }
    settings.scan_descending = scan.choice("order", &[("asc", false), ("desc", true)], false);
    section.without_effect(&["harvester_buffer_size"], "buffers are as large as what there is to read");
    settings.message_max_bytes = size(section, "max_bytes", settings.message_max_bytes);
    settings.seek_to_tail = section.boolean("tail_files", false);
    settings.close = CloseSettings {
        inactive: section.duration("close_inactive").unwrap_or(settings.close.inactive),
        renamed: section.boolean("close_renamed", false),
        removed: section.boolean("close_removed", true),
        on_eof: section.boolean("close_eof", false),
        after_interval: section.duration("close_timeout").filter(|time| !time.is_zero()),
    };
    let defaults = settings.backoff;
    let init = section.duration("backoff").unwrap_or(defaults.init);
    settings.backoff = Backoff {
        init,
        max: section.duration("max_backoff").unwrap_or(defaults.max).max(init),
        factor: section.float("backoff_factor").unwrap_or(defaults.factor).clamp(1.0, 100.0),
    };
    section.boolean("allow_deprecated_use", true);
    section.without_effect(&["run_as_filestream"], "there is one reader for all kinds");
    settings.identity = identity(&section.section("file_identity"));
    check_clean_inactive(section, settings, "scan_frequency");
    settings.parsers = parsers::read_old(section, settings.kind);
    let has_key = |json: &Node| json.get("message_key").is_some_and(|key| !key.is_null());
    let without_key = section.get("json").is_some_and(|json| !has_key(json));
    if without_key && section.is_set("multiline") {
        let hint = Some("lines of JSON are joined by the text under that key".to_owned());
        section.error("json", "'json.message_key' is missing: 'multiline' needs it", hint);
    }
    if without_key && (section.is_set("include_lines") || section.is_set("exclude_lines")) {
        section.error("json", "'json.message_key' is missing: 'include_lines' and 'exclude_lines' need it", None);
    }
}

/// `stdin`: what comes on the standard input, line by line.
pub(super) fn read_stdin(section: &Section<'_>, settings: &mut InputSettings) {
    section.without_effect(&["harvester_buffer_size"], "buffers are as large as what there is to read");
    settings.message_max_bytes = size(section, "max_bytes", settings.message_max_bytes);
    settings.parsers = parsers::read_old(section, settings.kind);
}
