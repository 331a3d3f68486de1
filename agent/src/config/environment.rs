//! The configuration without any file, from environment variables alone, so that a base image needs nothing else.

use tailrace_common::yaml::{self, Key, Node, Position, YamlError};

/// What it is made of; variables are filled in like those of any file.
pub(super) const TEXT: &str = include_str!("default.yml");

/// How the built-in configuration is called in messages.
pub(super) const NAME: &str = "(built-in configuration)";

/// Keys that are there only if their variable is set and not empty.
const OPTIONAL: [(&str, &str); 8] = [
    ("KAFKA_USERNAME", "output.kafka.username"),
    ("KAFKA_PASSWORD", "output.kafka.password"),
    ("KAFKA_SASL_MECHANISM", "output.kafka.sasl.mechanism"),
    ("KAFKA_CA_FILE", "output.kafka.ssl.certificate_authorities"),
    ("KAFKA_CERT_FILE", "output.kafka.ssl.certificate"),
    ("KAFKA_KEY_FILE", "output.kafka.ssl.key"),
    ("KAFKA_KEY", "output.kafka.key"),
    ("LOG_TAGS", "tags"),
];

/// What `help environment` prints.
pub const HELP: &str = "\
Without a configuration file the agent reads its settings from the environment:

  KAFKA_BROKERS         where to send, for example kafka-1:9092,kafka-2:9092; must be set
  PROJECT               becomes fields.project (unknown)
  APP_ENV               becomes fields.env (dev)
  LOG_PATHS             what to read, globs with commas between them
                        (/var/log/app/**/*.log,/var/log/containers/*.log,/var/lib/docker/containers/*/*-json.log)
  LOG_ENCODING          of the files (plain, which is UTF-8)
  LOG_PARSERS           parsers of filestream as YAML ([{multiline: {type: auto}}]); for containers put {container: ~}
                        before the others
  LOG_TAGS              tags of all events, with commas between them
  KAFKA_TOPIC           a format string (logs-%{[fields.env]}-%{[fields.project]})
  KAFKA_KEY             a format string for the records' keys
  KAFKA_COMPRESSION     none, gzip, snappy, lz4 or zstd (lz4)
  KAFKA_ACKS            -1 for all replicas, 1, or 0 (-1)
  KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_SASL_MECHANISM
                        PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
  KAFKA_CA_FILE, KAFKA_CERT_FILE, KAFKA_KEY_FILE
                        PEM files; any of them turns TLS on
  AGENT_NAME            agent.name and host.name (the host's name)
  AGENT_DATA            where positions are kept (/var/lib/tailrace/agent)
  LOG_LEVEL             of the agent's own messages (info)

-E KEY=VALUE sets any key of filebeat.yml over them; `export config` shows what came of it.";

/// The built-in configuration, before its variables are filled in.
///
/// # Errors
/// Never, as long as the text is YAML, which a test sees to.
pub(super) fn configuration(environment: &dyn Fn(&str) -> Option<String>) -> Result<Node, YamlError> {
    let mut whole = yaml::parse(TEXT)?.expand_dots();
    let position = Position { line: 1, column: 1 };
    for (variable, key) in OPTIONAL {
        if environment(variable).is_some_and(|value| !value.is_empty()) {
            let value = yaml::parse(&format!("${{{variable}}}"))?;
            whole.merge_at(&Key { text: key.to_owned(), position }, value);
        }
    }
    Ok(whole)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use crate::config::{Config, ConfigError, Overrides, load};
    use crate::output::OutputSettings;

    fn from(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        load(&[], &Overrides::default(), &|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn brokers_are_enough() {
        let config =
            from(&[("KAFKA_BROKERS", "k1:9092,k2:9092"), ("PROJECT", "shop"), ("LOG_PATHS", "/a/*.log,/b")]).unwrap();
        assert_eq!(config.inputs[0].input.paths, ["/a/*.log", "/b"]);
        let fields = config.inputs[0].added.get("fields").unwrap().as_object().unwrap();
        assert_eq!((fields.get("project"), fields.get("env")), (Some(&"shop".into()), Some(&"dev".into())));
        let OutputSettings::Kafka(kafka) = &config.output else { panic!("not kafka") };
        assert_eq!(kafka.client["bootstrap.servers"], "k1:9092,k2:9092");
        assert_eq!((kafka.client["security.protocol"].as_str(), kafka.client["acks"].as_str()), ("plaintext", "all"));
    }

    #[test]
    fn what_must_be_set_is_said() {
        let error = from(&[]).unwrap_err().to_string();
        assert!(error.contains("'KAFKA_BROKERS' is not set: name the brokers"), "{error}");
        let wrong = from(&[("KAFKA_BROKERS", "k:1"), ("KAFKA_COMPRESSION", "rar")]).unwrap_err().to_string();
        assert!(wrong.contains("'output.kafka.compression' must be one of"), "{wrong}");
    }

    #[test]
    fn credentials_and_tls_are_taken() {
        let config = from(&[
            ("KAFKA_BROKERS", "k:1"),
            ("KAFKA_USERNAME", "u"),
            ("KAFKA_PASSWORD", "p: [1]"),
            ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
            ("KAFKA_CA_FILE", "/ca.pem"),
            ("LOG_PARSERS", "[{container: ~}]"),
            ("LOG_TAGS", "a,b"),
        ])
        .unwrap();
        let OutputSettings::Kafka(kafka) = &config.output else { panic!("not kafka") };
        assert_eq!(kafka.client["security.protocol"], "sasl_ssl");
        assert_eq!(kafka.client["sasl.password"], "p: [1]");
        assert_eq!(
            (config.inputs[0].tags.as_slice(), config.inputs[0].input.parsers.len()),
            (["a", "b"].map(String::from).as_slice(), 1)
        );
    }
}
