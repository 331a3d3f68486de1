//! Kafka seen from outside: topics made, records written and read without our own agent or processor.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use super::services::services;
use super::{PATIENCE, unique};

/// A record as it was read.
pub(crate) struct Record {
    /// Its partition.
    pub(crate) partition: i32,
    /// Its offset in the partition.
    pub(crate) offset: i64,
    /// Its time in milliseconds since 1970.
    pub(crate) timestamp: Option<i64>,
    /// Its key.
    pub(crate) key: Option<Vec<u8>>,
    /// The names of its headers and their values.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Its payload.
    pub(crate) value: Vec<u8>,
}

impl Record {
    /// The payload as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.value).unwrap()
    }
}

impl From<BorrowedMessage<'_>> for Record {
    fn from(message: BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|headers| {
            headers.iter().map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec())).collect::<Vec<_>>()
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
            value: message.payload().unwrap_or_default().to_vec(),
        }
    }
}

thread_local! {
    static OTHER: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on this thread, which is this test, means the Kafka at another address.
pub(crate) fn talk_to(address: &str) {
    OTHER.set(Some(address.to_owned()));
}

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    let other = OTHER.with_borrow(Clone::clone);
    config.set("bootstrap.servers", other.as_deref().unwrap_or_else(|| services().kafka()));
    config
}

/// Asks until there is an answer: a broker that has just come up, or a topic just made, has no leader for a moment.
fn patiently<T>(ask: impl Fn() -> KafkaResult<T>) -> T {
    let start = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(error) => assert!(start.elapsed() < PATIENCE, "Kafka does not answer: {error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The partitions of a topic with their first and their next offset.
fn watermarks(consumer: &BaseConsumer, topic: &str) -> Vec<(i32, i64, i64)> {
    let metadata = patiently(|| {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        match metadata.topics()[0].error() {
            Some(error) => Err(KafkaError::MetadataFetch(error.into())),
            None => Ok(metadata),
        }
    });
    let of = |partition: i32| {
        let (low, high) = patiently(|| consumer.fetch_watermarks(topic, partition, PATIENCE));
        (partition, low, high)
    };
    metadata.topics()[0].partitions().iter().map(|p| of(p.id())).collect()
}

/// Makes a topic and returns its name, `PREFIX-...`.
pub(crate) fn make_topic(prefix: &str, partitions: i32) -> String {
    make_topic_with(prefix, partitions, &[])
}

/// The same with settings of the topic.
pub(crate) fn make_topic_with(prefix: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
    let name = unique(prefix);
    let admin: AdminClient<DefaultClientContext> = config().create().unwrap();
    let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let results = runtime.block_on(admin.create_topics(&[topic], &options)).unwrap();
    results.into_iter().next().unwrap().unwrap();
    name
}

/// Deletes a topic.
pub(crate) fn delete_topic(topic: &str) {
    let admin: AdminClient<DefaultClientContext> = config().create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let results = runtime.block_on(admin.delete_topics(&[topic], &options)).unwrap();
    results.into_iter().next().unwrap().unwrap();
}

/// Whether there is a topic of this name. Asking makes none.
pub(crate) fn exists(topic: &str) -> bool {
    let consumer: BaseConsumer = config().set("group.id", unique("looker")).create().unwrap();
    let metadata = patiently(|| consumer.fetch_metadata(None, PATIENCE));
    metadata.topics().iter().any(|found| found.name() == topic)
}

/// Writes records (partition, payload) and waits until the broker has all of them.
pub(crate) fn produce<'a>(topic: &str, records: impl IntoIterator<Item = (i32, &'a [u8])>) {
    let producer: BaseProducer =
        config().set("linger.ms", "20").set("queue.buffering.max.messages", "1000000").create().unwrap();
    for (partition, payload) in records {
        let mut record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(payload);
        while let Err((error, back)) = producer.send(record) {
            let full = rdkafka::types::RDKafkaErrorCode::QueueFull;
            assert_eq!(error.rdkafka_error_code(), Some(full), "could not produce: {error}");
            producer.poll(Duration::from_millis(50));
            record = back;
        }
    }
    producer.flush(PATIENCE).unwrap();
}

/// Reads a topic from its beginning to where it ends now, in the order of each partition.
pub(crate) fn read_topic(topic: &str) -> Vec<Record> {
    let mut records = Vec::new();
    each_record(topic, |record| records.push(record));
    records
}

/// Hands every record of a topic, from its beginning to where it ends now, to `see`.
pub(crate) fn each_record(topic: &str, mut see: impl FnMut(Record)) {
    let consumer: BaseConsumer =
        config().set("group.id", unique("reader")).set("enable.auto.commit", "false").create().unwrap();
    let mut left = 0;
    let mut assignment = TopicPartitionList::new();
    for (partition, low, high) in watermarks(&consumer, topic) {
        left += high - low;
        if high > low {
            assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
    }
    consumer.assign(&assignment).unwrap();
    let (mut last, mut trouble) = (Instant::now(), None);
    while left > 0 {
        assert!(last.elapsed() < PATIENCE, "{left} records of \"{topic}\" did not come: {trouble:?}");
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                see(message.into());
                left -= 1;
                (last, trouble) = (Instant::now(), None);
            }
            Some(Err(error)) => trouble = Some(error),
            None => {}
        }
    }
}

/// How many records a topic holds.
pub(crate) fn count_records(topic: &str) -> i64 {
    let consumer: BaseConsumer = config().set("group.id", unique("counter")).create().unwrap();
    watermarks(&consumer, topic).into_iter().map(|(_, low, high)| high - low).sum()
}

/// How many records of a topic a consumer group has committed, over all partitions of a topic that was read from its beginning.
pub(crate) fn committed(group: &str, topic: &str, partitions: i32) -> i64 {
    let consumer: BaseConsumer = config().set("group.id", group).create().unwrap();
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_range(topic, 0, partitions - 1);
    let list = patiently(|| consumer.committed_offsets(wanted.clone(), PATIENCE));
    list.elements().iter().filter_map(|e| e.offset().to_raw()).filter(|&offset| offset > 0).sum()
}
