//! `output.*`.

use std::collections::HashMap;
use std::time::Duration;

use super::section::Section;
use crate::document::Format;
use crate::output::{FileSettings, KafkaSettings, LogstashSettings, OutputSettings, Partitioner, TlsSettings};

pub(super) fn read(root: &Section<'_>) -> Option<OutputSettings> {
    let output = root.section("output");
    let names = ["kafka", "logstash", "file", "console", "discard"];
    let set: Vec<&str> = output.keys().into_iter().filter(|key| names.contains(key)).collect();
    match set.as_slice() {
        ["kafka"] => kafka(&output.section("kafka")),
        ["logstash"] => logstash(&output.section("logstash")),
        ["file"] => file(&output.section("file")),
        ["console"] => {
            output.section("console").ignore(&["enabled", "pretty", "codec", "bulk_max_size"]);
            Some(OutputSettings::Console)
        }
        ["discard"] => {
            output.section("discard").ignore(&["enabled"]);
            Some(OutputSettings::Discard)
        }
        [] => {
            output.ignore(&names);
            root.error(
                "output",
                "no output is set",
                Some("set output.kafka, output.logstash, output.file, output.console or output.discard".into()),
            );
            None
        }
        several => {
            output.ignore(&names);
            root.error("output", format!("only one output may be set, these are {}", several.join(", ")), None);
            None
        }
    }
}

fn format(section: &Section<'_>, key: &'static str) -> Option<Format> {
    let text = section.text(key)?;
    Format::parse(text).map_err(|error| section.error(key, error.to_string(), None)).ok()
}

fn kafka(section: &Section<'_>) -> Option<OutputSettings> {
    section.boolean("enabled", true);
    let mut client = HashMap::new();
    let mut put = |name: &str, value: String| drop(client.insert(name.to_string(), value));
    let hosts = section.texts("hosts");
    if hosts.is_empty() {
        section.error(
            "hosts",
            format!("'{}' is missing", section.name("hosts")),
            Some("for example: hosts: [\"kafka1:9092\"]".into()),
        );
    }
    put("bootstrap.servers", hosts.join(","));
    put("client.id", section.text("client_id").unwrap_or("beats").into());
    let codecs = [("none", "none"), ("gzip", "gzip"), ("snappy", "snappy"), ("lz4", "lz4"), ("zstd", "zstd")];
    let codec = section.choice("compression", &codecs, "gzip");
    put("compression.codec", codec.into());
    if codec == "gzip" {
        put("compression.level", section.number("compression_level").unwrap_or(4).to_string());
    } else {
        section.ignore(&["compression_level"]);
    }
    let acks = match section.text("required_acks") {
        None | Some("-1" | "all") => "all",
        Some("1") => "1",
        Some("0") => "0",
        Some(other) => {
            section.error("required_acks", format!("'{other}' must be -1, 0 or 1"), None);
            "all"
        }
    };
    put("acks", acks.into());
    put("enable.idempotence", (acks == "all").to_string());
    // Nothing is given up because of time: the files wait.
    put("message.timeout.ms", "0".into());
    put("queue.buffering.max.kbytes", "65536".into());
    put("linger.ms", "5".into());
    put("reconnect.backoff.max.ms", "5000".into());
    let max_message_bytes = section.bytes("max_message_bytes").unwrap_or(1_000_000);
    put("message.max.bytes", (max_message_bytes + 65_536).min(1_000_000_000).to_string());
    if let Some(time) = section.duration("broker_timeout") {
        put("request.timeout.ms", time.as_millis().to_string());
    }
    security(section, &mut put);
    let partition = section.section("partition");
    let partitioner = match partition.keys().first().copied() {
        Some("random") => Partitioner::Random,
        Some("round_robin") => Partitioner::RoundRobin,
        _ => Partitioner::Hash,
    };
    partition.ignore(&["random", "round_robin", "hash"]);
    let headers =
        section.get("headers").and_then(|node| node.as_list()).unwrap_or_default().iter().filter_map(|item| {
            Some((item.get("key")?.as_text()?.to_string(), item.get("value")?.as_text()?.to_string()))
        });
    let headers = headers.collect();
    let topic = format(section, "topic");
    if topic.is_none() && !section.is_set("topic") {
        section.error(
            "topic",
            format!("'{}' is missing", section.name("topic")),
            Some("for example: topic: logs".into()),
        );
    }
    section.ignore(&[
        "version",
        "metadata",
        "worker",
        "max_retries",
        "backoff",
        "bulk_max_size",
        "bulk_flush_frequency",
        "timeout",
        "channel_buffer_size",
        "keep_alive",
        "codec",
        "enabled",
    ]);
    Some(OutputSettings::Kafka(KafkaSettings {
        client,
        topic: topic?,
        topics: Vec::new(),
        key: format(section, "key"),
        headers,
        partitioner,
        max_message_bytes: usize::try_from(max_message_bytes).unwrap_or(usize::MAX),
    }))
}

fn security(section: &Section<'_>, put: &mut impl FnMut(&str, String)) {
    let ssl = section.section("ssl");
    let tls = ssl.boolean("enabled", true) && section.is_set("ssl");
    let (username, password) = (section.text("username"), section.text("password"));
    let protocol = match (username.is_some(), tls) {
        (true, true) => "sasl_ssl",
        (true, false) => "sasl_plaintext",
        (false, true) => "ssl",
        (false, false) => "plaintext",
    };
    put("security.protocol", protocol.into());
    let sasl = section.section("sasl");
    let mechanisms = [("PLAIN", "PLAIN"), ("SCRAM-SHA-256", "SCRAM-SHA-256"), ("SCRAM-SHA-512", "SCRAM-SHA-512")];
    let mechanism = sasl.choice("mechanism", &mechanisms, "PLAIN");
    if let Some(username) = username {
        put("sasl.mechanism", mechanism.into());
        put("sasl.username", username.into());
        put("sasl.password", password.unwrap_or_default().into());
    }
    if let Some(path) = ssl.texts("certificate_authorities").first() {
        put("ssl.ca.location", path.clone());
    }
    for (key, name) in [
        ("certificate", "ssl.certificate.location"),
        ("key", "ssl.key.location"),
        ("key_passphrase", "ssl.key.password"),
    ] {
        if let Some(text) = ssl.text(key) {
            put(name, text.into());
        }
    }
    if ssl.text("verification_mode") == Some("none") {
        put("enable.ssl.certificate.verification", "false".into());
    }
    if ssl.text("verification_mode") == Some("certificate") {
        put("ssl.endpoint.identification.algorithm", "none".into());
    }
    ssl.ignore(&["supported_protocols", "cipher_suites", "curve_types", "renegotiation"]);
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
    section.ignore(&["codec", "rotate_on_startup"]);
    Some(OutputSettings::File(FileSettings {
        path: path?,
        filename: section.text("filename").unwrap_or("filebeat").into(),
        rotate_every: section.number("rotate_every_kb").unwrap_or(10_240) * 1024,
        number_of_files: section.number("number_of_files").map_or(7, |count| count as usize),
        permissions: permissions.unwrap_or(0o600),
    }))
}
