//! `output.*`.

use std::time::Duration;

use super::operation::Queue;
use super::section::Section;
use crate::document::Format;
use crate::output::{FileSettings, LogstashSettings, OutputSettings, TlsSettings};

pub(super) fn read(root: &Section<'_>, queue: Queue) -> Option<OutputSettings> {
    let output = root.section("output");
    let names = ["kafka", "logstash", "elasticsearch", "file", "console", "discard"];
    let set: Vec<&str> = output.keys().into_iter().filter(|key| names.contains(key)).collect();
    let [name] = set.as_slice() else {
        output.ignore(&names);
        let hint =
            "set output.kafka, output.logstash, output.elasticsearch, output.file, output.console or output.discard";
        if set.is_empty() {
            root.error("output", "no output is set", Some(hint.into()));
        } else {
            root.error("output", format!("only one output may be set, these are {}", set.join(", ")), None);
        }
        return None;
    };
    output.ignore(&names);
    let section = output.section(names.into_iter().find(|known| known == name)?);
    section.ignore(&["codec"]);
    if queue.disk.is_some() && *name != "kafka" {
        root.error("queue", "'queue.disk' works with output.kafka only", None);
    }
    match *name {
        "kafka" => super::kafka::read(&section, queue),
        "logstash" => logstash(&section),
        "elasticsearch" => super::elasticsearch::read(&section),
        "file" => file(&section),
        "console" => {
            section.ignore(&["enabled", "pretty", "bulk_max_size"]);
            Some(OutputSettings::Console)
        }
        _ => {
            section.ignore(&["enabled"]);
            Some(OutputSettings::Discard)
        }
    }
}

/// A format string.
pub(super) fn format(section: &Section<'_>, key: &'static str) -> Option<Format> {
    let text = section.text(key)?;
    Format::parse(text).map_err(|error| section.error(key, error.to_string(), None)).ok()
}

fn logstash(section: &Section<'_>) -> Option<OutputSettings> {
    section.boolean("enabled", true);
    let mut hosts = section.texts("hosts");
    if hosts.is_empty() {
        section.error(
            "hosts",
            format!("'{}' is missing", section.name("hosts")),
            Some("for example: hosts: [\"logstash:5044\"]".into()),
        );
    }
    for host in &mut hosts {
        if host.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            host.push_str(":5044");
        }
    }
    let ssl = section.section("ssl");
    let tls = ssl.boolean("enabled", true) && section.is_set("ssl");
    let identity = ssl.path("certificate").zip(ssl.path("key"));
    let authorities = ssl.texts("certificate_authorities").into_iter().map(Into::into).collect();
    ssl.ignore(&["enabled", "verification_mode", "supported_protocols", "cipher_suites", "key_passphrase"]);
    let backoff = section.section("backoff");
    section.ignore(&[
        "worker",
        "workers",
        "loadbalance",
        "ttl",
        "slow_start",
        "proxy_url",
        "index",
        "escape_html",
        "max_retries",
        "queue",
    ]);
    Some(OutputSettings::Logstash(LogstashSettings {
        hosts,
        compression_level: section.number("compression_level").map_or(3, |level| level as u32),
        bulk_max_size: section.number("bulk_max_size").map_or(2048, |size| size as usize),
        pipelining: section.number("pipelining").map_or(2, |windows| windows as usize),
        timeout: section.duration("timeout").unwrap_or(Duration::from_secs(30)),
        backoff: (
            backoff.duration("init").unwrap_or(Duration::from_secs(1)),
            backoff.duration("max").unwrap_or(Duration::from_secs(60)),
        ),
        tls: tls.then_some(TlsSettings { authorities, identity }),
    }))
}

fn file(section: &Section<'_>) -> Option<OutputSettings> {
    section.boolean("enabled", true);
    let path = section.path("path");
    if path.is_none() {
        section.error("path", format!("'{}' is missing", section.name("path")), None);
    }
    let permissions =
        section.text("permissions").and_then(|text| u32::from_str_radix(text.trim_start_matches('0'), 8).ok());
    section.ignore(&["rotate_on_startup"]);
    Some(OutputSettings::File(FileSettings {
        path: path?,
        filename: section.text("filename").unwrap_or("filebeat").into(),
        rotate_every: section.number("rotate_every_kb").unwrap_or(10_240) * 1024,
        number_of_files: section.number("number_of_files").map_or(7, |count| count as usize),
        permissions: permissions.unwrap_or(0o600),
    }))
}
