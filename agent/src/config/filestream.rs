//! The input `filestream`.

use std::time::Duration;

use super::inputs::{check_clean_inactive, patterns, size};
use super::parsers;
use super::section::Section;
use crate::tail::settings::{
    CloseSettings, Compression, DeleteSettings, FileIdentity, FingerprintSettings, IgnoreInactive, InputSettings,
};

/// A fingerprint over fewer bytes would be the same for too many files.
const SHORTEST_FINGERPRINT: u64 = 64;

pub(super) fn read(section: &Section<'_>, settings: &mut InputSettings) {
    scanner(section, settings);
    settings.identity = identity(&section.section("file_identity"));
    close(section, settings);
    if section.value("file_identity").is_some_and(|kind| !kind.is_null() && kind.get("fingerprint").is_none()) {
        settings.fingerprint.enabled = false;
    }
    let backoff = section.section("backoff");
    settings.backoff.init = backoff.duration("init").unwrap_or(settings.backoff.init);
    settings.backoff.max = backoff.duration("max").unwrap_or(settings.backoff.max).max(settings.backoff.init);
    section.without_effect(&["buffer_size"], "buffers are as large as what there is to read");
    settings.message_max_bytes = size(section, "message_max_bytes", settings.message_max_bytes);
    let compressions = [
        ("", Compression::None),
        ("none", Compression::None),
        ("gzip", Compression::Gzip),
        ("auto", Compression::Auto),
    ];
    settings.compression = match section.text_or_empty("compression") {
        None | Some("") => Compression::None,
        Some(_) => section.choice("compression", &compressions, Compression::None),
    };
    settings.include_file_fingerprint = section.boolean("include_file_fingerprint", true);
    settings.include_file_owner_name = section.boolean("include_file_owner_name", false);
    settings.include_file_owner_group_name = section.boolean("include_file_owner_group_name", false);
    settings.parsers = parsers::read(section);
    history(section, settings);
    lifetime(section, settings);
}

fn scanner(section: &Section<'_>, settings: &mut InputSettings) {
    let prospector = section.section("prospector");
    let scanner = prospector.section("scanner");
    settings.check_interval = scanner.duration("check_interval").unwrap_or(settings.check_interval);
    settings.include_files = patterns(&scanner, "include_files");
    settings.exclude_files = patterns(&scanner, "exclude_files");
    settings.symlinks = scanner.boolean("symlinks", false);
    settings.recursive_glob = scanner.boolean("recursive_glob", true);
    settings.resend_on_touch = scanner.boolean("resend_on_touch", false);
    let fingerprint = scanner.section("fingerprint");
    let defaults = FingerprintSettings::default();
    settings.fingerprint = FingerprintSettings {
        enabled: fingerprint.boolean("enabled", true),
        offset: fingerprint.number("offset").unwrap_or(defaults.offset),
        length: fingerprint.number("length").unwrap_or(defaults.length),
    };
    if settings.fingerprint.length < SHORTEST_FINGERPRINT {
        let message = format!("'{}' must be {SHORTEST_FINGERPRINT} or more", fingerprint.name("length"));
        fingerprint.error("length", message, None);
    }
}

/// `file_identity`: a map with one kind.
pub(super) fn identity(section: &Section<'_>) -> FileIdentity {
    match section.keys().as_slice() {
        [] | ["native"] => {
            section.ignore(&["native"]);
            FileIdentity::Native
        }
        ["path"] => {
            section.ignore(&["path"]);
            FileIdentity::Path
        }
        ["fingerprint"] => {
            let fingerprint = section.section("fingerprint");
            if !fingerprint.boolean("growing", true) {
                let why = "'growing: false' has no effect: small files are told apart from their first byte on";
                fingerprint.notice("growing", why);
            }
            FileIdentity::Native
        }
        ["inode_marker"] => {
            let marker = section.section("inode_marker");
            marker.required("path");
            let why = "'inode_marker' has no effect: a file stays the same file when the number of its device changes";
            section.notice("inode_marker", why);
            FileIdentity::Native
        }
        several => {
            section.ignore(&["native", "path", "fingerprint", "inode_marker"]);
            if several.len() > 1 {
                section.fail(format!("'{}' must be one kind", section.full_name()), None);
            }
            FileIdentity::Native
        }
    }
}

fn close(section: &Section<'_>, settings: &mut InputSettings) {
    let close = section.section("close");
    let (change, reader) = (close.section("on_state_change"), close.section("reader"));
    change.without_effect(&["check_interval"], "changes are told by the system");
    let defaults = CloseSettings::default();
    settings.close = CloseSettings {
        inactive: change.duration("inactive").unwrap_or(defaults.inactive),
        renamed: change.boolean("renamed", false),
        removed: change.boolean("removed", false),
        on_eof: reader.boolean("on_eof", false),
        after_interval: reader.duration("after_interval").filter(|time| !time.is_zero()),
    };
    let older = settings.ignore_older;
    if !older.is_zero() && older <= settings.close.inactive {
        let message = format!(
            "'ignore_older' ({older:?}) must be more than '{}' ({:?})",
            change.name("inactive"),
            settings.close.inactive
        );
        section.error("ignore_older", message, None);
    }
}

/// Which files are begun, and how long they are remembered.
fn lifetime(section: &Section<'_>, settings: &mut InputSettings) {
    let inactive =
        [("since_first_start", IgnoreInactive::SinceFirstStart), ("since_last_start", IgnoreInactive::SinceLastStart)];
    settings.ignore_inactive = match section.text_or_empty("ignore_inactive") {
        None | Some("") => IgnoreInactive::Never,
        Some(_) => section.choice("ignore_inactive", &inactive, IgnoreInactive::Never),
    };
    settings.seek_to_tail = section.boolean("seek_to_tail", false);
    let delete = section.section("delete");
    let defaults = DeleteSettings::default();
    settings.delete = DeleteSettings {
        enabled: delete.boolean("enabled", false),
        grace_period: delete.duration("grace_period").unwrap_or(defaults.grace_period),
    };
    let until_end = section.section("read_until_eof");
    let timeout = until_end.duration("timeout").unwrap_or(Duration::from_secs(60));
    settings.read_until_eof = until_end.boolean("enabled", false).then_some(timeout);
    if !section.boolean("legacy_clean_inactive", false) {
        check_clean_inactive(section, settings, "prospector.scanner.check_interval");
    }
    take_over(section, settings);
}

/// `take_over`: positions of inputs that are no longer configured are taken over always; of others where it says so.
fn take_over(section: &Section<'_>, settings: &mut InputSettings) {
    match section.get("take_over") {
        Some(node) if node.as_map().is_none() => settings.take_over = section.boolean("take_over", false),
        _ => {
            let take_over = section.section("take_over");
            settings.take_over = take_over.boolean("enabled", false);
            settings.take_over_from = take_over.texts("from_ids");
        }
    }
    if settings.take_over && settings.id.is_empty() {
        section.error("take_over", "'take_over' needs an 'id'", None);
    }
    if settings.take_over && settings.may_share_id {
        let message = "'take_over' and 'allow_deprecated_id_duplication' cannot both be set";
        section.error("take_over", message, None);
    }
}

/// Options that are there because of how Filebeat came to be.
fn history(section: &Section<'_>, settings: &mut InputSettings) {
    settings.may_share_id = section.boolean("allow_deprecated_id_duplication", false);
    if settings.may_share_id {
        let why = "inputs that share an id are not told apart in the registry: give each an id of its own";
        section.notice("allow_deprecated_id_duplication", why);
    }
    if section.boolean("gzip_experimental", false) {
        section.notice("gzip_experimental", "'gzip_experimental' has no effect: set 'compression: auto'");
    }
    section.without_effect(&["rotation"], "copies and renamed files are found by their content");
}
