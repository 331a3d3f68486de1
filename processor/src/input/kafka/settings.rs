//! The options of the kafka input, in librdkafka's terms.

use rdkafka::ClientConfig;

use super::Decorate;
use crate::kafka::security;
use crate::options::Options;

/// What to read and how.
pub(super) struct Settings {
    pub(super) client: ClientConfig,
    /// Names, or one pattern that starts with `^`.
    pub(super) topics: Vec<String>,
    pub(super) group: String,
    pub(super) decorate: Decorate,
}

/// Numbers that mean the same in librdkafka.
const NUMBERS: [(&str, &str); 12] = [
    ("session_timeout_ms", "session.timeout.ms"),
    ("heartbeat_interval_ms", "heartbeat.interval.ms"),
    ("max_poll_interval_ms", "max.poll.interval.ms"),
    ("fetch_max_bytes", "fetch.max.bytes"),
    ("fetch_max_wait_ms", "fetch.wait.max.ms"),
    ("fetch_min_bytes", "fetch.min.bytes"),
    ("max_partition_fetch_bytes", "max.partition.fetch.bytes"),
    ("metadata_max_age_ms", "metadata.max.age.ms"),
    ("connections_max_idle_ms", "connections.max.idle.ms"),
    ("reconnect_backoff_ms", "reconnect.backoff.ms"),
    ("reconnect_backoff_max_ms", "reconnect.backoff.max.ms"),
    ("retry_backoff_ms", "retry.backoff.ms"),
];

/// Options that change nothing here, and why.
const WITHOUT_MEANING: [(&str, &str); 16] = [
    ("enable_auto_commit", "offsets are committed behind what is delivered"),
    ("auto_commit_interval_ms", "offsets are committed every second"),
    ("consumer_threads", "one thread reads, the workers decode"),
    ("max_poll_records", "see pipeline.batch.size"),
    ("poll_timeout_ms", "records are taken as they come"),
    ("request_timeout_ms", "librdkafka has time-outs of its own"),
    ("receive_buffer_bytes", "left to the operating system"),
    ("send_buffer_bytes", "left to the operating system"),
    ("key_deserializer_class", "keys are read as text"),
    ("value_deserializer_class", "records go to the codec"),
    ("auto_create_topics", "topics are not created by reading"),
    ("exclude_internal_topics", "internal topics are only read when named"),
    ("client_dns_lookup", "all addresses of a name are tried"),
    ("partitioner", "it belongs to the output"),
    ("jaas_path", "use sasl_jaas_config"),
    ("kerberos_config", "the system's krb5.conf is used"),
];

impl Settings {
    pub(super) fn read(options: &mut Options<'_>) -> Settings {
        let mut client = ClientConfig::new();
        client.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        // Librdkafka reads ahead; what waits in its queues counts as memory of this process.
        client.set("queued.max.messages.kbytes", "32768");
        // When these queues are full the client looks again after this many milliseconds; its default of a second would
        // let the workers run dry.
        client.set("fetch.queue.backoff.ms", "10");
        let servers = options.string("bootstrap_servers").unwrap_or_else(|| "localhost:9092".into());
        client.set("bootstrap.servers", servers);
        let group = options.string("group_id").unwrap_or_else(|| "logstash".into());
        client.set("group.id", &group);
        let client_id = options.string("client_id").unwrap_or_else(|| "logstash".into());
        client.set("client.id", client_id);
        let texts = [("group_instance_id", "group.instance.id"), ("client_rack", "client.rack")];
        for (option, property) in texts {
            if let Some(text) = options.string(option) {
                client.set(property, text);
            }
        }
        let levels = ["read_uncommitted", "read_committed"];
        client.set("isolation.level", options.one_of("isolation_level", &levels, "read_uncommitted"));
        for registry in
            ["schema_registry_url", "schema_registry_key", "schema_registry_secret", "schema_registry_proxy"]
        {
            if options.string(registry).is_some() {
                options.error_at(registry, "schema registries are not supported: records go to the codec as they are");
            }
        }
        if options.one_of("group_protocol", &["classic", "consumer"], "classic") == "consumer" {
            client.set("group.protocol", "consumer");
        }
        let reset = match options.string("auto_offset_reset") {
            Some(reset) if reset.starts_with("by_duration:") => {
                options.error_at("auto_offset_reset", "'by_duration' is not supported; use earliest, latest or none");
                "latest"
            }
            _ => options.one_of("auto_offset_reset", &["earliest", "latest", "none"], "latest"),
        };
        client.set("auto.offset.reset", if reset == "none" { "error" } else { reset });
        if options.is_set("partition_assignment_strategy") {
            client.set("partition.assignment.strategy", assignment(options));
        }
        // Kafka's clients wait longer by default; Logstash notices a dead member after ten seconds.
        client.set("session.timeout.ms", "10000").set("heartbeat.interval.ms", "3000");
        for (option, property) in NUMBERS {
            if let Some(number) = options.integer(option) {
                client.set(property, number.to_string());
            }
        }
        client.set("check.crcs", options.boolean("check_crcs", true).to_string());
        for (option, why) in WITHOUT_MEANING {
            options.ignored(option, why);
        }
        security(options, &mut client);
        let topics = topics(options);
        let decorate = match options.one_of("decorate_events", &["none", "basic", "extended", "true", "false"], "none")
        {
            "basic" | "true" => Decorate::Basic,
            "extended" => Decorate::Extended,
            _ => Decorate::None,
        };
        Settings { client, topics, group, decorate }
    }
}

/// By its short name, or by the name of its class in Java.
fn assignment(options: &mut Options<'_>) -> &'static str {
    let names = [
        "range",
        "round_robin",
        "sticky",
        "cooperative_sticky",
        "org.apache.kafka.clients.consumer.RangeAssignor",
        "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "org.apache.kafka.clients.consumer.StickyAssignor",
        "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
    ];
    match options.one_of("partition_assignment_strategy", &names, "range") {
        "round_robin" | "org.apache.kafka.clients.consumer.RoundRobinAssignor" => "roundrobin",
        "range" | "org.apache.kafka.clients.consumer.RangeAssignor" => "range",
        _ => "cooperative-sticky",
    }
}

fn topics(options: &mut Options<'_>) -> Vec<String> {
    let pattern = options.string("topics_pattern");
    let mut topics = options.strings("topics");
    match pattern {
        Some(pattern) => vec![if pattern.starts_with('^') { pattern } else { format!("^{pattern}$") }],
        None => {
            if topics.is_empty() {
                topics.push("logstash".into());
            }
            topics
        }
    }
}
