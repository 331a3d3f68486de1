//! How long a line takes from its writing to its reading from Kafka.

use std::fs::File;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::support::logs::time_of;
use crate::support::{PATIENCE, kafka, services::services, unique};
use crate::{Site, to_kafka};

/// Reads a topic's first partition from its present end.
pub(crate) struct Reader(BaseConsumer);

impl Reader {
    pub(crate) fn at_end(topic: &str) -> Reader {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", services().kafka())
            .set("group.id", unique("latency"))
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        consumer.poll(Duration::from_secs(1));
        Reader(consumer)
    }

    /// The payload of the next record.
    pub(crate) fn next(&self) -> Vec<u8> {
        let message = self.0.poll(PATIENCE).expect("a record").unwrap();
        message.payload().unwrap_or_default().to_vec()
    }
}

/// Writes a line every 100 ms and waits for its record.
pub(crate) fn measure(lines: usize) {
    let topic = kafka::make_topic("latency", 1);
    let reader = Reader::at_end(&topic);
    let site = Site::new("container", &to_kafka(&topic));
    let mut log = File::options().create(true).append(true).open(site.logs().join("app.log")).unwrap();
    let agent = site.start(&[]);
    let mut times = Vec::with_capacity(lines);
    for line in 0..lines {
        let text =
            format!("{{\"log\":\"line {line}\\n\",\"stream\":\"stdout\",\"time\":\"{}\"}}\n", time_of(line as u64));
        let written = Instant::now();
        log.write_all(text.as_bytes()).unwrap();
        let record = String::from_utf8(reader.next()).unwrap();
        assert!(record.contains(&format!("\"line {line}\"")), "another line came: {record}");
        // The first ones pay for the connection.
        if line >= 10 {
            times.push(written.elapsed());
        }
        thread::sleep(Duration::from_millis(100).saturating_sub(written.elapsed()));
    }
    agent.stop();
    kafka::delete_topic(&topic);
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{:<40} p50 {:>8.2?}  p99 {:>8.2?}  longest {:>8.2?}",
        format!("line to Kafka, {} lines", times.len()),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
