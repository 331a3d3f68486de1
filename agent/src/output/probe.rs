//! `test output`: can the far side be reached.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::{ElasticsearchSettings, KafkaSettings, OutputSettings};

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to the output and prints what came of it.
pub fn output(settings: &OutputSettings) -> bool {
    match settings {
        OutputSettings::Kafka(settings) => kafka(settings),
        OutputSettings::Logstash(settings) => settings.hosts.iter().filter(|host| !tcp(host)).count() == 0,
        OutputSettings::Elasticsearch(settings) => elasticsearch(settings),
        OutputSettings::File(settings) => match std::fs::create_dir_all(&settings.path) {
            Ok(()) => said(true, &format!("file: {}", settings.path.display()), "the folder is there"),
            Err(error) => said(false, &format!("file: {}", settings.path.display()), &error.to_string()),
        },
        OutputSettings::Console => said(true, "console", "nothing to test"),
        OutputSettings::Discard => said(true, "discard", "nothing to test"),
    }
}

fn said(ok: bool, what: &str, how: &str) -> bool {
    println!("{what}... {} ({how})", if ok { "OK" } else { "FAILED" });
    ok
}

fn tcp(host: &str) -> bool {
    let connected = host.to_socket_addrs().and_then(|mut addresses| {
        let address = addresses.next().ok_or_else(|| std::io::Error::other("the name has no address"))?;
        TcpStream::connect_timeout(&address, PATIENCE)
    });
    match connected {
        Ok(_) => said(true, &format!("logstash: {host}"), "connected"),
        Err(error) => said(false, &format!("logstash: {host}"), &error.to_string()),
    }
}

/// An empty request shows whether the hosts are there and let us in.
fn elasticsearch(settings: &ElasticsearchSettings) -> bool {
    let mut all = true;
    for host in &settings.hosts {
        let alone = ElasticsearchSettings { hosts: vec![host.clone()], timeout: PATIENCE, ..settings.clone() };
        all &= match super::elasticsearch::ping(&alone) {
            Ok(()) => said(true, &format!("elasticsearch: {host}"), "connected"),
            Err(error) => said(false, &format!("elasticsearch: {host}"), &error),
        };
    }
    all
}

fn kafka(settings: &KafkaSettings) -> bool {
    let hosts = settings.client.get("bootstrap.servers").cloned().unwrap_or_default();
    let mut client = ClientConfig::new();
    let shared = ["bootstrap.servers", "client.id"];
    for (name, value) in &settings.client {
        if shared.contains(&name.as_str())
            || name.starts_with("ssl.")
            || name.starts_with("sasl.")
            || name.starts_with("security.")
            || name.starts_with("enable.ssl.")
        {
            client.set(name, value);
        }
    }
    let metadata = client
        .create::<BaseConsumer>()
        .and_then(|consumer| consumer.fetch_metadata(None, PATIENCE).map(|metadata| metadata.brokers().len()));
    match metadata {
        Ok(brokers) => said(true, &format!("kafka: {hosts}"), &format!("{brokers} brokers")),
        Err(error) => said(false, &format!("kafka: {hosts}"), &error.to_string()),
    }
}
