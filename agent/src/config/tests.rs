#![allow(clippy::unwrap_used)]

use super::*;
use crate::output::{Partitioner, TlsVersion, Verification};
use crate::tail::settings::{InputKind, Parser};

fn read(text: &str) -> Result<Config, ConfigError> {
    from_text("agent.yml", text, &Overrides::default())
}

fn errors(text: &str) -> Vec<(usize, usize, String)> {
    match read(text) {
        Err(ConfigError::Invalid { findings, .. }) => findings
            .into_iter()
            .map(|finding| (finding.position.line, finding.position.column, finding.message))
            .collect(),
        other => panic!("no findings: {other:?}"),
    }
}

const INPUT: &str = "filebeat.inputs:\n- type: filestream\n  paths: [/a]\n";

#[test]
fn a_configuration_with_dots_and_nesting() {
    let text = "name: web1\nfilebeat.inputs:\n- type: container\n  id: c\n  paths: /a, /b\n  stream: stderr\n  fields: {app: shop}\n\
                output:\n  kafka:\n    hosts: [k1:9092, k2:9092]\n    topic: 'logs-%{[fields.app]:none}'\n    key: '%{[host.name]}'\n\
                output.kafka.partition.round_robin.reachable_only: true\npath.data: /data\ntags: [x]\n";
    let text = text.replace(
        "output.kafka.partition.round_robin.reachable_only: true\n",
        "output.kafka.partition.round_robin: {}\n",
    );
    let config = read(&text).unwrap();
    assert_eq!((config.name.as_str(), config.data.to_str()), ("web1", Some("/data")));
    let input = &config.inputs[0];
    assert_eq!(
        (input.input.kind, input.input.paths.as_slice()),
        (InputKind::Container, ["/a".into(), "/b".into()].as_slice())
    );
    assert!(matches!(input.input.parsers[..], [Parser::Container(_)]));
    assert_eq!(input.tags, ["x"]);
    let OutputSettings::Kafka(kafka) = &config.output else { panic!("not kafka") };
    assert_eq!(kafka.client["bootstrap.servers"], "k1:9092,k2:9092");
    assert_eq!((kafka.client["acks"].as_str(), kafka.client["enable.idempotence"].as_str()), ("all", "true"));
    assert_eq!(kafka.partition.kind, Partitioner::RoundRobin { group_events: 1 });
}

#[test]
fn every_error_is_found_with_its_place() {
    let found = errors(
        "filebeat.inputs:\n- type: filestrem\n  pahts: [/a]\n  close.on_state_change.inactive: 5x\noutput.kafka:\n  hosts: [a]\n  topc: x\n",
    );
    let places: Vec<_> = found.iter().map(|(line, column, _)| (*line, *column)).collect();
    assert!(
        places.contains(&(2, 9)) && places.contains(&(3, 3)) && places.contains(&(4, 35)) && places.contains(&(7, 3)),
        "{found:?}"
    );
    assert!(found.iter().any(|(.., message)| message == "unknown key 'output.kafka.topc'"));
    assert!(found.iter().any(|(.., message)| message == "'output.kafka.topic' is missing"));
}

#[test]
fn there_must_be_one_output() {
    assert!(errors(INPUT)[0].2.contains("no output"));
    assert!(errors(&format!("{INPUT}output: {{console: {{}}, discard: {{}}}}"))[0].2.contains("only one output"));
}

#[test]
fn keys_of_the_elastic_stack_are_noticed() {
    let config = read(&format!("{INPUT}setup.kibana.host: x\noutput.console: {{}}")).unwrap();
    assert_eq!(config.notices.len(), 1);
    assert!(config.notices[0].message.starts_with("'setup'"));
}

/// The section was read twice, and its keys were unknown to the first reading.
#[test]
fn tls_settings_of_kafka_are_known() {
    let text = "output.kafka:\n  hosts: [a:1]\n  topic: x\n  username: u\n  password: p\n  sasl.mechanism: SCRAM-SHA-512\n  ssl.certificate_authorities: [/ca.pem]\n";
    let OutputSettings::Kafka(kafka) = read(&format!("{INPUT}{text}")).unwrap().output else { panic!("not kafka") };
    assert_eq!(
        (kafka.client["security.protocol"].as_str(), kafka.client["ssl.ca.location"].as_str()),
        ("sasl_ssl", "/ca.pem")
    );
}

/// `export config` prints settings as they are understood.
#[test]
fn passwords_are_not_shown() {
    let kafka = "output.kafka: {hosts: [a:1], topic: x, username: u, password: hush, ssl.key_passphrase: hush}\n";
    let elasticsearch = "output.elasticsearch: {hosts: [a], username: u, password: hush}\n";
    for output in [kafka, elasticsearch] {
        let shown = format!("{:?}", read(&format!("{INPUT}{output}")).unwrap());
        assert!(!shown.contains("hush") && !shown.contains("dTpodXNo"), "{shown}");
    }
}

#[test]
fn outputs_that_are_not_enabled_count_as_not_set() {
    let text = "output.elasticsearch: {hosts: [a], enabled: false, codec.json.pretty: true}\noutput.kafka: {hosts: [a:1], topic: x, enabled: true}\n";
    let config = read(&format!("{INPUT}{text}")).unwrap();
    assert!(matches!((config.output, config.codec), (OutputSettings::Kafka(_), crate::document::Codec::Json)));
    assert!(
        errors(&format!("{INPUT}output.kafka: {{hosts: [a:1], topic: x, enabled: false}}"))[0].2.contains("no output")
    );
    assert!(errors(&format!("{INPUT}output.redis: {{hosts: [a:1]}}"))[0].2.contains("'output.redis' is not supported"));
}

/// `queue` may stand in the output too.
#[test]
fn keys_without_effect_are_noticed_and_no_others() {
    let kafka = "output.kafka: {hosts: [a:1], topic: x, metadata: {full: true, retry.max: 3}, max_retries: 3, queue.mem: {events: 1, bytes: 2MiB}}\n";
    let other = "logging: {selectors: ['*'], level: debug}\nmax_procs: 1\n";
    let config = read(&format!("{INPUT}{kafka}{other}")).unwrap();
    let mut said: Vec<&str> = config.notices.iter().filter_map(|notice| notice.message.split('\'').nth(1)).collect();
    said.sort_unstable();
    let wanted = [
        "logging.selectors",
        "max_procs",
        "output.kafka.max_retries",
        "output.kafka.metadata.full",
        "output.kafka.metadata.retry",
        "output.kafka.queue.mem.events",
    ];
    assert_eq!(said, wanted);
    assert_eq!(config.memory_limit, 2 << 20);
}

#[test]
fn logs_are_where_path_logs_says() {
    let files = "logging.to_files: true\noutput.console: {}\n";
    let folder = |text: &str, overrides: &Overrides| {
        let config = from_text("agent.yml", &format!("{INPUT}{files}{text}"), overrides).unwrap();
        config.logging.files.unwrap().folder.display().to_string()
    };
    let given = Overrides { logs: Some("/given".into()), ..Overrides::default() };
    assert_eq!(folder("path.home: /h", &Overrides::default()), "/h/logs");
    assert_eq!(folder("path.logs: /l", &Overrides::default()), "/l");
    assert_eq!(folder("path.logs: /l", &given), "/given");
    assert_eq!(folder("logging.files.path: /own", &given), "/own");
}

#[test]
fn logstash_takes_all_of_its_options() {
    let text = "output.logstash: {hosts: [a, 'b:1'], loadbalance: true, worker: 2, slow_start: true, ttl: 1m, pipelining: 0, bulk_max_size: 10, index: Mine, ssl: {verification_mode: certificate, supported_protocols: [TLSv1.3]}}\n";
    let OutputSettings::Logstash(settings) = read(&format!("{INPUT}{text}")).unwrap().output else {
        panic!("no logstash")
    };
    assert_eq!(settings.hosts, ["a:5044", "b:1"]);
    assert_eq!((settings.workers, settings.loadbalance, settings.slow_start), (2, true, true));
    let tls = settings.tls.unwrap();
    assert_eq!((tls.verification, tls.without), (Verification::Certificate, Some(TlsVersion::V12)));
    for (setting, message) in [
        ("proxy_url: x", "'output.logstash.proxy_url' is not supported"),
        ("ssl.key_passphrase: x", "'output.logstash.ssl.key_passphrase' is not supported"),
        ("ssl.supported_protocols: [TLSv1.1]", "only TLSv1.2 and TLSv1.3"),
    ] {
        let found = errors(&format!("{INPUT}output.logstash: {{hosts: [a], {setting}}}"));
        assert!(found[0].2.contains(message), "{found:?}");
    }
}
