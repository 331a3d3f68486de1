//! TLS and passwords all the way.

use std::path::Path;

use serde_json::json;

use crate::support::elastic::{Elastic, secure_elastic};
use crate::support::logs::{ContainerLog, Format};
use crate::support::services::services;
use crate::support::stage::Stage;

/// How agent and processor come into Kafka.
struct Entrance {
    /// The fact that names the listener.
    listener: &'static str,
    agent: String,
    input: String,
}

fn entrances(tls: &str) -> [Entrance; 4] {
    let scram =
        "org.apache.kafka.common.security.scram.ScramLoginModule required username='bob' password='bob-secret';";
    let plain =
        "org.apache.kafka.common.security.plain.PlainLoginModule required username='alice' password='alice-secret';";
    let trust = format!("ssl_truststore_type => PEM ssl_truststore_location => \"{tls}/ca.crt\"");
    [
        Entrance {
            listener: "SASL",
            agent: "  username: alice\n  password: alice-secret".into(),
            input: format!(
                "security_protocol => SASL_PLAINTEXT sasl_mechanism => PLAIN sasl_jaas_config => \"{plain}\""
            ),
        },
        Entrance {
            listener: "SASL",
            agent: "  username: bob\n  password: bob-secret\n  sasl.mechanism: SCRAM-SHA-256".into(),
            input: format!(
                "security_protocol => SASL_PLAINTEXT sasl_mechanism => 'SCRAM-SHA-256' sasl_jaas_config => \"{scram}\""
            ),
        },
        Entrance {
            listener: "SASL_SSL",
            agent: format!(
                "  username: bob\n  password: bob-secret\n  sasl.mechanism: SCRAM-SHA-512\n  ssl.certificate_authorities: [\"{tls}/ca.crt\"]"
            ),
            input: format!(
                "security_protocol => SASL_SSL sasl_mechanism => 'SCRAM-SHA-512' sasl_jaas_config => \"{scram}\" {trust}"
            ),
        },
        Entrance {
            listener: "SSL",
            agent: format!(
                "  ssl.certificate_authorities: [\"{tls}/ca.crt\"]\n  ssl.certificate: {tls}/client.crt\n  ssl.key: {tls}/client.key"
            ),
            input: format!(
                "security_protocol => SSL {trust} ssl_keystore_type => PEM ssl_keystore_location => \"{tls}/client.pem\""
            ),
        },
    ]
}

/// An API key of the user of the tests, as Logstash takes it.
fn api_key(elastic: &Elastic) -> String {
    let key = elastic.ask("POST", "/_security/api_key", &json!({"name": "tailrace"}));
    format!("{}:{}", key["id"].as_str().unwrap(), key["api_key"].as_str().unwrap())
}

#[test]
fn every_way_into_kafka_and_elasticsearch_works() {
    let (Some(tls), Some(elastic)) = (services().fact("TAILRACE_TEST_TLS"), secure_elastic()) else {
        eprintln!("skipped: the servers have no secured listeners (scripts/services up --secure)");
        return;
    };
    // A key and its certificate in one file, as Kafka's clients want them.
    let client = ["client.key", "client.crt"].map(|name| std::fs::read_to_string(Path::new(tls).join(name)).unwrap());
    let fact = |name: &str| services().fact(&format!("TAILRACE_TEST_{name}")).unwrap();
    let user = format!("user => '{}' password => '{}'", fact("ELASTICSEARCH_USER"), fact("ELASTICSEARCH_PASSWORD"));
    let key = format!("api_key => '{}'", api_key(&elastic));
    for (at, entrance) in entrances(tls).into_iter().enumerate() {
        let mut stage = Stage::new("secure");
        let pem = stage.path().join("client.pem");
        std::fs::write(&pem, client.concat()).unwrap();
        stage.kafka = fact(&format!("KAFKA_{}", entrance.listener)).to_owned();
        stage.agent_settings = entrance.agent;
        stage.input_settings = entrance.input.replace(&format!("{tls}/client.pem"), pem.to_str().unwrap());
        stage.elasticsearch = fact("ELASTICSEARCH_SECURE").to_owned();
        let credentials = if at % 2 == 0 { &user } else { &key };
        stage.output_settings =
            format!("ssl_enabled => true ssl_certificate_authorities => '{tls}/ca.crt' {credentials}");
        stage.write_agent_config();
        stage.write_pipeline("");
        let mut log = ContainerLog::open(&stage.logs().join("a.log"), Format::Cri);
        (0..100).for_each(|n| log.line("stdout", &format!("number {n}")));
        log.flush();
        let agent = stage.start_agent(&[]);
        let processor = stage.start_processor(&[]);
        elastic.await_count(&stage.index, 100);
        for program in [agent, processor] {
            let output = program.output();
            assert!(program.stop().success());
            let secrets = [
                "alice-secret",
                "bob-secret",
                fact("ELASTICSEARCH_PASSWORD"),
                key.rsplit(':').next().unwrap().trim_end_matches('\''),
            ];
            assert!(secrets.iter().all(|secret| !output.contains(secret)), "a secret is in the log: {output}");
        }
    }
}
