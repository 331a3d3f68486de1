//! `http`, `logging` and `queue`: how the agent runs.

use std::path::{Path, PathBuf};

use super::section::Section;
use crate::monitor::HttpSettings;
use crate::monitor::http::Address;
use crate::monitor::log::{LogFiles, LogSettings};
use crate::queue::DiskSettings;

/// `queue`
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// How many bytes may be read and not yet let go by the output.
    pub(super) memory: usize,
    pub(super) disk: Option<DiskSettings>,
}

/// The memory without `queue.mem.bytes`.
const MEMORY: usize = 16 << 20;

pub(super) fn queue(root: &Section<'_>, data: &Path) -> Queue {
    let section = root.section("queue");
    let memory = section.section("mem");
    // The queue is bounded in bytes: events differ too much in size. Nothing waits for a batch to be full.
    memory.ignore(&["events", "flush"]);
    let bytes = memory.bytes("bytes").map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX).max(1 << 20));
    let disk = section.section("disk");
    let max_size = disk.bytes("max_size");
    let path = disk.path("path").unwrap_or_else(|| data.join("diskqueue"));
    let segment_size = disk.bytes("segment_size");
    disk.ignore(&["read_ahead", "write_ahead", "retry_interval", "max_retry_interval", "read_ahead_bytes"]);
    if section.is_set("disk") && max_size.is_none() {
        disk.error("max_size", "'queue.disk.max_size' is missing", Some("for example: max_size: 1GB".into()));
    }
    let disk = max_size.map(|max_size| DiskSettings {
        path,
        max_size,
        segment_size: segment_size.unwrap_or(max_size / 10).clamp(64 << 10, 1 << 30),
    });
    Queue { memory: bytes.unwrap_or(MEMORY), disk }
}

pub(super) fn http(root: &Section<'_>, data: &Path) -> HttpSettings {
    let section = root.section("http");
    let mut settings = HttpSettings::off(data);
    let port = section.number("port").unwrap_or(5066);
    let Ok(port) = u16::try_from(port) else {
        section.error("port", format!("'{port}' is no port"), None);
        return settings;
    };
    let address = Address::parse(section.text("host").unwrap_or("localhost"), port);
    section.ignore(&["named_pipe", "pprof"]);
    if section.boolean("enabled", false) {
        if !address.is_loopback() {
            section
                .report()
                .notice(section.position(), format!("anyone who reaches {address} can see what the agent does"));
        }
        settings.address = Some(address);
    }
    settings
}

pub(super) fn logging(root: &Section<'_>, home: &Path) -> LogSettings {
    let section = root.section("logging");
    let levels = [
        ("debug", "debug"),
        ("info", "info"),
        ("warning", "warn"),
        ("warn", "warn"),
        ("error", "error"),
        ("critical", "error"),
        ("fatal", "error"),
        ("trace", "trace"),
    ];
    let level = section.choice("level", &levels, "info").to_owned();
    let to_stderr = section.boolean("to_stderr", false);
    if section.boolean("to_syslog", false) {
        section.error("to_syslog", "'logging.to_syslog' is not supported", Some("use to_stderr or to_files".into()));
    }
    let to_files = section.boolean("to_files", false);
    let files = files(&section.section("files"), home);
    let metrics = section.section("metrics");
    let period = metrics.duration("period").unwrap_or(std::time::Duration::from_secs(30));
    let metrics = metrics.boolean("enabled", true).then_some(period).filter(|period| !period.is_zero());
    // Logs are JSON wherever nobody reads them from a terminal.
    section.ignore(&["selectors", "json", "ecs", "to_eventlog", "event_data"]);
    LogSettings { level, files: (to_files && !to_stderr).then_some(files), metrics }
}

fn files(section: &Section<'_>, home: &Path) -> LogFiles {
    let permissions =
        section.text("permissions").map(|text| (text, u32::from_str_radix(text.trim_start_matches('0'), 8)));
    if let Some((text, Err(_))) = &permissions {
        section.error(
            "permissions",
            format!("'{text}' are no permissions"),
            Some("for example: permissions: 0600".into()),
        );
    }
    section.ignore(&["interval", "rotateonstartup", "redirect_stderr"]);
    LogFiles {
        folder: section.path("path").unwrap_or_else(|| PathBuf::from(home).join("logs")),
        name: section.text("name").unwrap_or("filebeat").into(),
        rotate_every: section.bytes("rotateeverybytes").unwrap_or(10 << 20).max(1 << 10),
        keep: section.number("keepfiles").map_or(7, |keep| keep.clamp(2, 1024) as usize),
        permissions: permissions.and_then(|(_, read)| read.ok()).unwrap_or(0o600),
    }
}
