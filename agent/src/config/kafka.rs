//! `output.kafka`.

use std::collections::HashMap;
use std::time::Duration;

use tailrace_common::yaml::Node;

use super::operation::Queue;
use super::outputs::format;
use super::section::Section;
use crate::document::Reference;
use crate::output::{KafkaSettings, OutputSettings, Oversized, PartitionSettings, Partitioner, TopicRule};
use crate::processors::Condition;

/// What librdkafka is told.
type Client = HashMap<String, String>;

pub(super) fn read(section: &Section<'_>, queue: Queue) -> Option<OutputSettings> {
    let mut client = Client::new();
    let mut put = |name: &str, value: String| drop(client.insert(name.to_string(), value));
    connection(section, &mut put);
    delivery(section, &mut put);
    super::kafka_security::read(section, &mut put);
    let max_message_bytes = section.bytes("max_message_bytes").unwrap_or(1_000_000).clamp(1000, 1_000_000_000);
    put("message.max.bytes", (max_message_bytes + 65_536).min(1_000_000_000).to_string());
    let partition = partition(&section.section("partition"));
    let backoff = section.section("backoff");
    let backoff = (
        backoff.duration("init").unwrap_or(Duration::from_secs(1)).max(Duration::from_millis(10)),
        backoff.duration("max").unwrap_or(Duration::from_secs(60)).max(Duration::from_millis(10)),
    );
    put("reconnect.backoff.max.ms", backoff.1.min(Duration::from_secs(5)).as_millis().to_string());
    let metadata = section.section("metadata");
    let refresh = metadata.duration("refresh_frequency").unwrap_or(Duration::from_secs(600));
    put("topic.metadata.refresh.interval.ms", refresh.as_millis().clamp(1000, 3_600_000).to_string());
    metadata.without_effect(&["full"], "only the topics that are written to are asked about");
    metadata.without_effect(&["retry"], "they are asked about until there is an answer, see 'backoff'");
    let cut = [("split", Oversized::Split), ("truncate", Oversized::Truncate), ("reject", Oversized::Reject)];
    let oversized = section.choice("oversized", &cut, Oversized::Split);
    let headers = headers(section);
    let key = format(section, "key");
    let topics = topics(section)?;
    accept(section);
    Some(OutputSettings::Kafka(KafkaSettings {
        client,
        topics,
        key,
        headers,
        partition,
        max_message_bytes: usize::try_from(max_message_bytes).unwrap_or(usize::MAX),
        oversized,
        backoff,
        refresh: refresh.max(Duration::from_secs(1)),
        buffer: queue.memory / 2,
        disk: queue.disk,
    }))
}

/// Options without an effect here, as most have none with Filebeat either; `version` is negotiated with each broker.
fn accept(section: &Section<'_>) {
    if let Some(version) = section.text("version")
        && !version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    {
        section.error(
            "version",
            format!("'{version}' is no version of Kafka"),
            Some("for example: version: 2.1.0".into()),
        );
    }
    section.without_effect(&["max_retries"], "events are tried for as long as it takes, as Filebeat does");
    section.without_effect(
        &["worker", "workers", "loadbalance", "channel_buffer_size"],
        "one producer serves all brokers at once",
    );
}

fn connection(section: &Section<'_>, put: &mut impl FnMut(&str, String)) {
    let hosts = section.texts("hosts");
    if hosts.is_empty() {
        let hint = Some("for example: hosts: [\"kafka1:9092\"]".into());
        section.error("hosts", format!("'{}' is missing", section.name("hosts")), hint);
    }
    let with_port = |host: &String| match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => host.clone(),
        _ => format!("{host}:9092"),
    };
    put("bootstrap.servers", hosts.iter().map(with_port).collect::<Vec<_>>().join(","));
    put("client.id", section.text("client_id").unwrap_or("beats").into());
    if let Some(time) = section.duration("timeout") {
        put("socket.timeout.ms", time.as_millis().clamp(1000, 300_000).to_string());
    }
    if let Some(time) = section.duration("broker_timeout") {
        put("request.timeout.ms", time.as_millis().clamp(1, 900_000).to_string());
    }
    if section.duration("keep_alive").is_some_and(|time| !time.is_zero()) {
        put("socket.keepalive.enable", "true".into());
    }
    put("socket.nagle.disable", "true".into());
    put("statistics.interval.ms", "5000".into());
}

fn delivery(section: &Section<'_>, put: &mut impl FnMut(&str, String)) {
    let codecs = [
        ("none", "none"),
        ("no", "none"),
        ("off", "none"),
        ("gzip", "gzip"),
        ("snappy", "snappy"),
        ("lz4", "lz4"),
        ("zstd", "zstd"),
    ];
    let codec = section.choice("compression", &codecs, "gzip");
    put("compression.codec", codec.into());
    let level = section.number("compression_level");
    if codec == "gzip" {
        let level = level.unwrap_or(4);
        if level > 9 {
            section.error("compression_level", format!("'{level}' is no level of gzip, they go from 0 to 9"), None);
        }
        put("compression.level", level.to_string());
    } else if level.is_some() {
        section.notice("compression_level", "'compression_level' has an effect with gzip only, as with Filebeat");
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
    let idempotent = section.boolean("idempotent", acks == "all");
    if idempotent && acks != "all" {
        section.error("idempotent", "'idempotent' takes required_acks -1", Some("set required_acks: -1".into()));
    }
    put("enable.idempotence", idempotent.to_string());
    // Events wait for as long as it takes, and we bound what waits ourselves.
    put("message.timeout.ms", "0".into());
    put("queue.buffering.max.kbytes", "2097151".into());
    put("queue.buffering.max.messages", "0".into());
    put("sticky.partitioning.linger.ms", "0".into());
    let most = section.number("bulk_max_size").filter(|most| *most > 0).unwrap_or(10_000);
    put("batch.num.messages", most.clamp(1, 1_000_000).to_string());
    // As long as a batch waits for more events, so much later do they arrive: at a high rate it is full before that.
    let linger = section.duration("bulk_flush_frequency").filter(|time| !time.is_zero()).unwrap_or(LINGER);
    put("linger.ms", (linger.as_secs_f64() * 1000.0).to_string());
}

/// How long an event waits for others to share a request with.
const LINGER: Duration = Duration::from_millis(1);

fn headers(section: &Section<'_>) -> Vec<(String, String)> {
    let Some(node) = section.get("headers") else { return Vec::new() };
    let list = node.as_list().unwrap_or_default();
    let read = |item: &Node| Some((item.get("key")?.as_text()?.to_string(), item.get("value")?.as_text()?.to_string()));
    let headers: Vec<_> = list.iter().filter_map(read).collect();
    if headers.len() != list.len() || node.as_list().is_none() {
        let hint = Some("for example: headers: [{key: source, value: agent}]".into());
        section.error("headers", format!("'{}' must be a list of key and value", section.name("headers")), hint);
    }
    headers
}

fn partition(section: &Section<'_>) -> PartitionSettings {
    let kinds = section.keys();
    if let [_, second, ..] = kinds.as_slice() {
        section.error(second, "only one of random, round_robin and hash may be set", None);
    }
    let group = |part: &Section<'_>| {
        let events = part.number("group_events").unwrap_or(1);
        if events == 0 {
            part.error("group_events", "'group_events' must be 1 or more", None);
        }
        (events.max(1), part.boolean("reachable_only", false))
    };
    let (kind, reachable_only) = if section.is_set("random") || kinds == ["random"] {
        let (group_events, reachable) = group(&section.section("random"));
        (Partitioner::Random { group_events }, reachable)
    } else if section.is_set("round_robin") || kinds == ["round_robin"] {
        let (group_events, reachable) = group(&section.section("round_robin"));
        (Partitioner::RoundRobin { group_events }, reachable)
    } else {
        let hash = section.section("hash");
        let fields = hash.texts("hash").iter().map(|field| Reference::dotted(field)).collect();
        (Partitioner::Hash { fields, random: hash.boolean("random", true) }, hash.boolean("reachable_only", false))
    };
    section.ignore(&["random", "round_robin", "hash"]);
    PartitionSettings { kind, reachable_only }
}

/// `topics`, and `topic` as the last of them.
fn topics(section: &Section<'_>) -> Option<Vec<TopicRule>> {
    let mut rules = Vec::new();
    if let Some(node) = section.get("topics") {
        let items = node.as_list().unwrap_or_default();
        if node.as_list().is_none() {
            section.error("topics", format!("'{}' must be a list", section.name("topics")), None);
        }
        for (number, item) in items.iter().enumerate() {
            let name = format!("{}.{number}", section.name("topics"));
            rules.extend(rule(&Section::new(Some(item), name, item.position, section.report())));
        }
    }
    if let Some(topic) = format(section, "topic") {
        rules.push(TopicRule::plain(topic));
    }
    if rules.is_empty() && !section.is_set("topic") && !section.is_set("topics") {
        let hint = Some("for example: topic: logs".into());
        section.error("topic", format!("'{}' is missing", section.name("topic")), hint);
    }
    (!rules.is_empty()).then_some(rules)
}

fn rule(section: &Section<'_>) -> Option<TopicRule> {
    if !section.is_set("topic") {
        section.error("topic", format!("'{}' is missing", section.name("topic")), None);
    }
    let text =
        |(key, value): &(tailrace_common::yaml::Key, Node)| Some((key.text.clone(), value.as_text()?.to_string()));
    let mappings = section.get("mappings").and_then(Node::as_map).unwrap_or_default().iter().filter_map(text).collect();
    let default = section.text("default").map(str::to_string);
    let when = Condition::read(section, "when");
    Some(TopicRule { topic: format(section, "topic")?, mappings, default, when })
}
