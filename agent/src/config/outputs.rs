//! `output.*`.

use std::path::Path;
use std::time::Duration;

use tailrace_common::yaml::Node;

use super::section::Section;
use crate::document::Format;
use crate::output::{FileSettings, LogstashSettings, OutputSettings, Pem, TlsSettings, TlsVersion, Verification};

/// The one output that is set, and how many bytes may be read and not yet let go by it.
pub(super) fn read(root: &Section<'_>, data: &Path) -> Option<(OutputSettings, usize)> {
    let output = root.section("output");
    let names = ["kafka", "logstash", "elasticsearch", "file", "console", "discard"];
    output.ignore(&names);
    if output.get("redis").is_some_and(is_enabled) {
        output.unsupported(&["redis"], Some("send to Kafka, or to the processor by output.logstash"));
    }
    let is_set = |name: &&str| output.keys().contains(name) && output.value(name).is_some_and(is_enabled);
    let set: Vec<&'static str> = names.into_iter().filter(is_set).collect();
    let [name] = *set.as_slice() else {
        let hint =
            "set output.kafka, output.logstash, output.elasticsearch, output.file, output.console or output.discard";
        if set.is_empty() {
            root.error("output", "no output is set", Some(hint.into()));
        } else {
            root.error("output", format!("only one output may be set, these are {}", set.join(", ")), None);
        }
        return None;
    };
    let section = output.section(name);
    section.ignore(&["codec", "enabled"]);
    let queue = super::operation::queue(root, &section, data);
    if queue.disk.is_some() && name != "kafka" {
        root.error("queue", "'queue.disk' works with output.kafka only", None);
    }
    let memory = queue.memory;
    let output = match name {
        "kafka" => super::kafka::read(&section, queue),
        "logstash" => logstash(&section),
        "elasticsearch" => super::elasticsearch::read(&section),
        "file" => file(&section),
        "console" => {
            section.ignore(&["pretty"]);
            section.without_effect(&["bulk_max_size"], "documents are written as they come");
            Some(OutputSettings::Console)
        }
        _ => Some(OutputSettings::Discard),
    };
    Some((output?, memory))
}

/// Whether an output is not turned off by `enabled: false`.
pub(super) fn is_enabled(output: &Node) -> bool {
    output.get("enabled").and_then(Node::as_bool).unwrap_or(true)
}

/// A format string.
pub(super) fn format(section: &Section<'_>, key: &'static str) -> Option<Format> {
    let text = section.text(key)?;
    Format::parse(text).map_err(|error| section.error(key, error.to_string(), None)).ok()
}

fn logstash(section: &Section<'_>) -> Option<OutputSettings> {
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
    let backoff = section.section("backoff");
    section.unsupported(&["proxy_url", "proxy_use_local_resolver"], Some("connect to the hosts themselves"));
    section.without_effect(&["max_retries"], "events are tried for as long as it takes, as Filebeat does");
    section.without_effect(&["escape_html"], "what is escaped in JSON means the same");
    let workers = if section.is_set("workers") { section.count("workers") } else { section.count("worker") };
    section.ignore(&["worker", "workers"]);
    let loadbalance = section.boolean("loadbalance", false);
    if !loadbalance && workers.is_some_and(|workers| workers > 1) {
        section.notice("worker", format!("'{}' has an effect with 'loadbalance: true' only", section.name("worker")));
    }
    Some(OutputSettings::Logstash(LogstashSettings {
        hosts,
        loadbalance,
        workers: workers.unwrap_or(1).clamp(1, 64),
        compression_level: section.number("compression_level").map_or(3, |level| level.min(9) as u32),
        bulk_max_size: section.count("bulk_max_size").unwrap_or(2048),
        slow_start: section.boolean("slow_start", false),
        pipelining: section.count("pipelining").unwrap_or(2),
        timeout: section.duration("timeout").unwrap_or(Duration::from_secs(30)).max(Duration::from_secs(1)),
        ttl: section.duration("ttl").unwrap_or_default(),
        backoff: (
            backoff.duration("init").unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(10)),
            backoff.duration("max").unwrap_or(Duration::from_secs(60)).max(Duration::from_millis(10)),
        ),
        index: section.text("index").map(str::to_owned),
        tls: tls(section),
    }))
}

/// `ssl` of an output that uses rustls.
pub(super) fn tls(section: &Section<'_>) -> Option<TlsSettings> {
    let ssl = section.section("ssl");
    let enabled = ssl.boolean("enabled", true) && section.is_set("ssl");
    let identity = ssl.text("certificate").zip(ssl.text("key"));
    let modes = [
        ("full", Verification::Full),
        ("strict", Verification::Full),
        ("certificate", Verification::Certificate),
        ("none", Verification::None),
    ];
    let verification = ssl.choice("verification_mode", &modes, Verification::Full);
    let protocols = ssl.texts("supported_protocols");
    let has = |version: &str| protocols.is_empty() || protocols.iter().any(|protocol| protocol == version);
    let without = match (has("TLSv1.2"), has("TLSv1.3")) {
        (true, true) => None,
        (false, true) => Some(TlsVersion::V12),
        (true, false) => Some(TlsVersion::V13),
        (false, false) => {
            ssl.error("supported_protocols", "only TLSv1.2 and TLSv1.3 are supported", None);
            None
        }
    };
    ssl.unsupported(&["key_passphrase"], Some("give the key without a passphrase, readable by the agent alone"));
    ssl.unsupported(&["ca_sha256", "ca_trusted_fingerprint", "restart_on_cert_change"], None);
    ssl.unsupported(&["cipher_suites", "curve_types"], Some("leave it out: only safe ones are used"));
    if ssl.text("renegotiation").is_some_and(|mode| mode != "never") {
        ssl.error("renegotiation", "'renegotiation' is not supported", Some("leave it out".into()));
    }
    let authorities = ssl.texts("certificate_authorities");
    let identity = identity.map(|(certificate, key)| (certificate.to_owned(), Pem(key.to_owned())));
    enabled.then_some(TlsSettings { authorities, identity, verification, without })
}

fn file(section: &Section<'_>) -> Option<OutputSettings> {
    let path = section.path("path");
    if path.is_none() {
        section.error("path", format!("'{}' is missing", section.name("path")), None);
    }
    let permissions =
        section.text("permissions").and_then(|text| u32::from_str_radix(text.trim_start_matches('0'), 8).ok());
    Some(OutputSettings::File(FileSettings {
        path: path?,
        filename: section.text("filename").unwrap_or("filebeat").into(),
        rotate_every: section.number("rotate_every_kb").unwrap_or(10_240) * 1024,
        number_of_files: section.number("number_of_files").map_or(7, |count| count.clamp(2, 1024) as usize),
        rotate_on_startup: section.boolean("rotate_on_startup", true),
        permissions: permissions.unwrap_or(0o600),
    }))
}
