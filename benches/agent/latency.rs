//! How long a line takes from its writing to its reading from Kafka.

use std::fs::File;
use std::io::Write;
use std::sync::mpsc;
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

/// How long the first lines may take.
const CONNECTING: Duration = Duration::from_millis(250);

/// Writes lines with a `pause` between them, and waits for the record of each.
pub(crate) fn measure(lines: usize, pause: Duration) {
    let topic = kafka::make_topic("latency", 1);
    let reader = Reader::at_end(&topic);
    let site = Site::new("container", &to_kafka(&topic));
    let mut log = File::options().create(true).append(true).open(site.logs().join("app.log")).unwrap();
    let agent = site.start(&[]);
    let (tell, told) = mpsc::sync_channel(lines);
    let writer = thread::spawn(move || {
        for line in 0..lines {
            let time = time_of(line as u64);
            let text = format!("{{\"log\":\"line {line}\\n\",\"stream\":\"stdout\",\"time\":\"{time}\"}}\n");
            let written = Instant::now();
            log.write_all(text.as_bytes()).unwrap();
            tell.send(written).unwrap();
            thread::sleep(pause.saturating_sub(written.elapsed()));
        }
    });
    let mut times = Vec::with_capacity(lines);
    for line in 0..lines {
        let record = String::from_utf8(reader.next()).unwrap();
        times.push(told.recv().unwrap().elapsed());
        assert!(record.contains(&format!("\"line {line}\"")), "another line came: {record}");
    }
    writer.join().unwrap();
    // The first ones pay for the connection.
    let first = CONNECTING.as_nanos() / pause.as_nanos();
    times.drain(..(first as usize).clamp(10, lines / 2));
    agent.stop();
    kafka::delete_topic(&topic);
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{:<40} p50 {:>8.2?}  p99 {:>8.2?}  longest {:>8.2?}",
        format!("line to Kafka, {:.0} lines/s, {} of them", 1.0 / pause.as_secs_f64(), times.len()),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
