//! `http`, `logging` and `queue`: how the agent runs.

use std::path::Path;

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
const MEMORY: usize = 10 << 20;

/// `queue`, or `queue` of the output, which goes over it.
pub(super) fn queue(root: &Section<'_>, output: &Section<'_>, data: &Path) -> Queue {
    let section = if output.is_set("queue") { output.section("queue") } else { root.section("queue") };
    if output.is_set("queue") && root.is_set("queue") {
        let message = format!("'queue' and '{}' cannot both be set", section.full_name());
        root.error("queue", message, None);
        root.section("queue").ignore_all();
    }
    let memory = section.section("mem");
    memory.without_effect(&["events"], "the queue is bounded by 'queue.mem.bytes', as events differ in size");
    memory.without_effect(&["flush"], "nothing waits for a batch to be full");
    let bytes = memory.bytes("bytes").map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX).max(1 << 20));
    let disk = section.section("disk");
    let max_size = disk.bytes("max_size");
    let path = disk.path("path").unwrap_or_else(|| data.join("diskqueue"));
    let segment_size = disk.bytes("segment_size");
    disk.without_effect(
        &["read_ahead", "write_ahead", "retry_interval", "max_retry_interval", "read_ahead_bytes"],
        "the spool reads, writes and tries again at its own pace",
    );
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
    section.without_effect(&["named_pipe", "pprof"], "there is none here");
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

pub(super) fn logging(root: &Section<'_>, logs: &Path) -> LogSettings {
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
    let files = files(&section.section("files"), logs);
    let metrics = section.section("metrics");
    let period = metrics.duration("period").unwrap_or(std::time::Duration::from_secs(30));
    let metrics = metrics.boolean("enabled", true).then_some(period).filter(|period| !period.is_zero());
    section.without_effect(&["json", "ecs"], "logs are JSON with ECS names wherever they are not read from a terminal");
    section.without_effect(&["selectors"], "what is logged is told by 'logging.level', or RUST_LOG, alone");
    section.without_effect(&["event_data"], "the content of events is never logged");
    section.without_effect(&["to_eventlog"], "there is no event log on this system");
    LogSettings { level, files: (to_files && !to_stderr).then_some(files), metrics }
}

fn files(section: &Section<'_>, logs: &Path) -> LogFiles {
    let permissions =
        section.text("permissions").map(|text| (text, u32::from_str_radix(text.trim_start_matches('0'), 8)));
    if let Some((text, Err(_))) = &permissions {
        section.error(
            "permissions",
            format!("'{text}' are no permissions"),
            Some("for example: permissions: 0600".into()),
        );
    }
    section.without_effect(&["redirect_stderr"], "standard error stays what it is");
    LogFiles {
        folder: section.path("path").unwrap_or_else(|| logs.to_owned()),
        name: section.text("name").unwrap_or("filebeat").into(),
        rotate_every: section.bytes("rotateeverybytes").unwrap_or(10 << 20).max(1 << 10),
        keep: section.number("keepfiles").map_or(7, |keep| keep.clamp(2, 1024) as usize),
        interval: section.duration("interval").filter(|interval| !interval.is_zero()),
        rotate_on_startup: section.boolean("rotateonstartup", true),
        permissions: permissions.and_then(|(_, read)| read.ok()).unwrap_or(0o600),
    }
}
