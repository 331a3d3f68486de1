//! The agent's `output.kafka` against a real Kafka: stuck topics, refused events, partitions, a Kafka that is away.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::faults::proxied_kafka;
use crate::support::eventually;
use crate::support::kafka::{self, Record};
use crate::support::program::{Program, tailrace};
use crate::support::services::services;

/// A folder with log files and an agent that sends them.
struct Bench {
    dir: TempDir,
    kafka: String,
}

impl Bench {
    fn new() -> Bench {
        Bench { dir: TempDir::new().unwrap(), kafka: services().kafka().to_owned() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn log(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Appends numbered lines.
    fn write(&self, name: &str, numbers: std::ops::Range<u64>) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.log(name)).unwrap();
        let lines: String = numbers.map(|number| format!("{name} {number}\n")).collect();
        file.write_all(lines.as_bytes()).unwrap();
    }

    /// Starts an agent with an input for each file, whose field `topic` names the topic.
    fn start(&self, files: &[(&str, &str)], settings: &str) -> Program {
        let inputs: String = files
            .iter()
            .map(|(file, topic)| {
                let path = self.log(file);
                format!("- {{type: filestream, id: {file}, paths: [{}], fields: {{topic: {topic}}}}}\n", path.display())
            })
            .collect();
        let text = format!(
            "path.data: {}\nfilebeat.inputs:\n{inputs}output.kafka:\n  hosts: [\"{}\"]\n  compression: lz4\n  backoff.max: 1s\n{settings}\n",
            self.path().join("data").display(),
            self.kafka
        );
        let config = self.path().join("agent.yml");
        std::fs::write(&config, text).unwrap();
        let mut command = tailrace();
        command.args(["agent", "-c"]).arg(config);
        Program::start(&mut command, self.path(), "agent")
    }
}

const BY_FIELD: &str = "  topic: '%{[fields.topic]}'";

fn messages(topic: &str) -> Vec<String> {
    let mut messages: Vec<String> = kafka::read_topic(topic).iter().map(message).collect();
    messages.sort();
    messages
}

fn message(record: &Record) -> String {
    record.json()["message"].as_str().unwrap().to_owned()
}

fn await_records(topic: &str, count: i64) {
    eventually("the records are in kafka", || (kafka::count_records(topic) >= count).then_some(()));
}

#[test]
fn a_topic_that_is_stuck_holds_up_no_other() {
    let bench = Bench::new();
    let good = kafka::make_topic("lanes", 2);
    // Kafka makes no topic whose name differs from another one's by dots and underscores only.
    let obstacle = kafka::make_topic("lanes.stuck", 1);
    let stuck = obstacle.replace('.', "_");
    bench.write("stuck.log", 0..20_000);
    bench.write("good.log", 0..20_000);
    let settings = format!("{BY_FIELD}\nqueue.mem.bytes: 2MiB");
    let agent = bench.start(&[("stuck.log", &stuck), ("good.log", &good)], &settings);
    await_records(&good, 20_000);
    kafka::delete_topic(&obstacle);
    eventually("the topic is there", || kafka::exists(&stuck).then_some(()));
    await_records(&stuck, 20_000);
    assert!(agent.stop().success());
    for (topic, name) in [(&good, "good.log"), (&stuck, "stuck.log")] {
        let mut last = BTreeMap::new();
        for record in kafka::read_topic(topic) {
            let number: u64 = message(&record).strip_prefix(&format!("{name} ")).unwrap().parse().unwrap();
            let before = last.insert(record.partition, number);
            assert!(before.is_none_or(|before| before < number), "out of order in partition {}", record.partition);
        }
    }
}

#[test]
fn an_event_that_kafka_refuses_is_kept_and_its_neighbours_arrive() {
    let bench = Bench::new();
    let topic = kafka::make_topic_with("refused", 1, &[("max.message.bytes", "2000")]);
    let mut lines: Vec<String> = (0..50).map(|number| format!("small {number:03}")).collect();
    // What does not shrink when it is compressed.
    lines.insert(25, (0..4000).map(|_| fastrand::alphanumeric()).collect());
    std::fs::write(bench.log("a.log"), lines.join("\n") + "\n").unwrap();
    let agent = bench.start(&[("a.log", &topic)], BY_FIELD);
    await_records(&topic, 50);
    let kept = eventually("the refused event is kept", || {
        let text = std::fs::read_to_string(bench.path().join("data/rejected.ndjson")).ok()?;
        serde_json::from_str::<Value>(text.lines().next()?).ok()
    });
    assert!(agent.stop().success());
    assert!(kept["reason"].as_str().unwrap().contains(&topic), "{kept}");
    assert!(kept["event"].as_str().unwrap().contains(&lines[25]));
    let wanted: Vec<String> = lines.iter().filter(|line| line.starts_with("small")).cloned().collect();
    assert_eq!(messages(&topic), wanted);
}

#[test]
fn an_event_larger_than_the_limit_is_split_into_flagged_parts() {
    let bench = Bench::new();
    let topic = kafka::make_topic("split", 1);
    let long = "0123456789".repeat(1000);
    std::fs::write(bench.log("a.log"), format!("before\n{long}\nafter\n")).unwrap();
    let agent = bench.start(&[("a.log", &topic)], &format!("{BY_FIELD}\n  max_message_bytes: 3000"));
    await_records(&topic, 6);
    assert!(agent.stop().success());
    let records = kafka::read_topic(&topic);
    let parts: Vec<Value> =
        records.iter().map(Record::json).filter(|event| event["log"]["split"].is_object()).collect();
    let joined: String = parts.iter().map(|part| part["message"].as_str().unwrap()).collect();
    assert_eq!(joined, long);
    assert!(parts.iter().all(|part| part["log"]["flags"] == serde_json::json!(["split"])));
    assert!(records.iter().all(|record| record.value.len() <= 3000));
    assert_eq!((message(&records[0]), message(records.last().unwrap())), ("before".into(), "after".into()));
}

#[test]
fn keys_partitions_headers_and_topics_are_as_configured() {
    let bench = Bench::new();
    let (one, other) = (kafka::make_topic("rules", 5), kafka::make_topic("rules-other", 1));
    bench.write("a.log", 0..30);
    bench.write("b.log", 0..30);
    let settings = format!(
        "  topics:\n  - topic: '%{{[fields.topic]}}'\n    mappings: {{first: {one}}}\n  topic: {other}\n  key: '%{{[message]}}'\n  headers: [{{key: from, value: agent}}]"
    );
    let agent = bench.start(&[("a.log", "first"), ("b.log", "second")], &settings);
    await_records(&one, 30);
    await_records(&other, 30);
    assert!(agent.stop().success());
    for record in kafka::read_topic(&one) {
        let key = String::from_utf8(record.key.clone().unwrap()).unwrap();
        assert_eq!(key, message(&record));
        // FNV-1a of the key without its sign, as Filebeat's hash partitioner.
        let hash = key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        assert_eq!(record.partition, (hash & 0x7fff_ffff) as i32 % 5);
        assert_eq!(record.headers, [("from".to_owned(), b"agent".to_vec())]);
    }
    assert!(messages(&other).iter().all(|message| message.starts_with("b.log")));
}

#[test]
fn with_a_disk_queue_events_outlast_their_file_while_kafka_is_away() {
    let Some(proxy) = proxied_kafka() else { return };
    let mut bench = Bench::new();
    bench.kafka = proxy.address();
    let topic = kafka::make_topic("spooled", 2);
    let settings = format!("  topic: {topic}\nqueue.mem.bytes: 1MiB\nqueue.disk.max_size: 100MB");
    proxy.refuse(true);
    bench.write("a.log", 0..20_000);
    let agent = bench.start(&[("a.log", "x")], &settings);
    let spool = bench.path().join("data/diskqueue").join(&topic);
    let size = || -> u64 {
        let Ok(entries) = std::fs::read_dir(&spool) else { return 0 };
        entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    };
    eventually("most of it is on disk", || (size() > 8_000_000).then_some(()));
    agent.kill();
    // What was not on disk yet is read from the file again, the rest is not.
    let agent = bench.start(&[("a.log", "x")], &settings);
    proxy.refuse(false);
    await_records(&topic, 20_000);
    assert!(agent.stop().success());
    let mut seen: Vec<u64> =
        messages(&topic).iter().map(|message| message.strip_prefix("a.log ").unwrap().parse().unwrap()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..20_000).collect::<Vec<_>>());
    assert!(size() < 1_000_000, "delivered segments are deleted");
}
