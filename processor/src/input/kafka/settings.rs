//! The options of the kafka input, in librdkafka's terms.

use rdkafka::ClientConfig;

use super::Decorate;
use crate::options::{Options, value_text};

/// What to read and how.
pub(super) struct Settings {
    pub(super) client: ClientConfig,
    /// Names, or one pattern that starts with `^`.
    pub(super) topics: Vec<String>,
    pub(super) group: String,
    pub(super) decorate: Decorate,
}

/// Numbers that mean the same in librdkafka.
const NUMBERS: [(&str, &str); 11] = [
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
        let servers = options.string("bootstrap_servers").unwrap_or_else(|| "localhost:9092".into());
        client.set("bootstrap.servers", servers);
        let group = options.string("group_id").unwrap_or_else(|| "logstash".into());
        client.set("group.id", &group);
        let client_id = options.string("client_id").unwrap_or_else(|| "logstash".into());
        client.set("client.id", client_id);
        let texts = [
            ("group_instance_id", "group.instance.id"),
            ("client_rack", "client.rack"),
            ("isolation_level", "isolation.level"),
        ];
        for (option, property) in texts {
            if let Some(text) = options.string(option) {
                client.set(property, text);
            }
        }
        if options.one_of("group_protocol", &["classic", "consumer"], "classic") == "consumer" {
            client.set("group.protocol", "consumer");
        }
        let reset = options.one_of("auto_offset_reset", &["earliest", "latest", "none"], "latest");
        client.set("auto.offset.reset", if reset == "none" { "error" } else { reset });
        let assignment = ["range", "round_robin", "sticky", "cooperative_sticky"];
        if options.is_set("partition_assignment_strategy") {
            let strategy = match options.one_of("partition_assignment_strategy", &assignment, "range") {
                "round_robin" => "roundrobin",
                "sticky" | "cooperative_sticky" => "cooperative-sticky",
                _ => "range",
            };
            client.set("partition.assignment.strategy", strategy);
        }
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

/// TLS and SASL. Java's key stores cannot be read; PEM files can.
fn security(options: &mut Options<'_>, client: &mut ClientConfig) {
    let protocols = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
    let protocol = options.one_of("security_protocol", &protocols, "PLAINTEXT");
    client.set("security.protocol", protocol);
    for (store, kind, property) in [
        ("ssl_truststore_location", "ssl_truststore_type", "ssl.ca.location"),
        ("ssl_keystore_location", "ssl_keystore_type", "ssl.certificate.location"),
    ] {
        let format = options.string(kind).unwrap_or_default();
        let Some(path) = options.existing_path(store) else { continue };
        let pem = format.eq_ignore_ascii_case("pem")
            || path.extension().is_some_and(|extension| extension == "pem" || extension == "crt");
        if !pem {
            let message = format!(
                "'{}' must be a PEM file; convert a Java key store by 'keytool' and 'openssl pkcs12'",
                path.display()
            );
            options.error_at(store, message);
        }
        client.set(property, path.display().to_string());
        if property == "ssl.certificate.location" {
            client.set("ssl.key.location", path.display().to_string());
        }
    }
    for option in ["ssl_truststore_password", "ssl_keystore_password"] {
        options.ignored(option, "PEM files have no store password");
    }
    if let Some(password) = options.string("ssl_key_password") {
        client.set("ssl.key.password", password);
    }
    if let Some(algorithm) = options.string("ssl_endpoint_identification_algorithm") {
        client
            .set("ssl.endpoint.identification.algorithm", if algorithm.is_empty() { "none".into() } else { algorithm });
    }
    let mechanisms = ["GSSAPI", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
    let mechanism = options.one_of("sasl_mechanism", &mechanisms, "GSSAPI");
    let jaas = options.raw("sasl_jaas_config").map(|value| value_text(&value));
    if let Some(service) = options.string("sasl_kerberos_service_name") {
        client.set("sasl.kerberos.service.name", service);
    }
    if !protocol.starts_with("SASL") {
        return;
    }
    client.set("sasl.mechanism", mechanism);
    if mechanism == "GSSAPI" {
        options.error_at("sasl_mechanism", "Kerberos (GSSAPI) is not supported; use PLAIN or SCRAM");
        return;
    }
    let jaas = jaas.unwrap_or_default();
    match (jaas_value(&jaas, "username"), jaas_value(&jaas, "password")) {
        (Some(username), Some(password)) => {
            client.set("sasl.username", username).set("sasl.password", password);
        }
        _ => options.error_at("sasl_jaas_config", "'sasl_jaas_config' must hold username=\"...\" and password=\"...\""),
    }
}

/// `... username="bob" ...`
fn jaas_value(jaas: &str, name: &str) -> Option<String> {
    let after = jaas.split(&format!("{name}=")).nth(1)?;
    let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    after[1..].split(quote).next().map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_read_from_jaas() {
        let jaas =
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"bob\" password='it''s';";
        assert_eq!(jaas_value(jaas, "username").as_deref(), Some("bob"));
        assert_eq!(jaas_value(jaas, "password").as_deref(), Some("it"));
        assert_eq!(jaas_value("x", "username"), None);
    }
}
