//! `output.kafka`: documents as records, acknowledged one by one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::util::Timeout;

use super::rejected::Rejected;
use super::{Output, OutputError, OutputStats};
use crate::document::{Documents, Format};
use crate::pipeline::{Batch, SharedTicket};

/// `output.kafka`
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// What librdkafka is told.
    pub client: HashMap<String, String>,
    /// `topic`
    pub topic: Format,
    /// `topics`: rules before `topic`.
    pub topics: Vec<Format>,
    /// `key`
    pub key: Option<Format>,
    /// `headers`
    pub headers: Vec<(String, String)>,
    /// `partition`
    pub partitioner: Partitioner,
    /// `max_message_bytes`: larger events are rejected.
    pub max_message_bytes: usize,
}

/// `partition.*`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partitioner {
    /// `hash`: by the key, and at random without one.
    #[default]
    Hash,
    /// `random`
    Random,
    /// `round_robin`
    RoundRobin,
}

/// What goes with a record until it is acknowledged.
struct OnTheWay {
    ticket: SharedTicket,
}

struct Context {
    /// For messages.
    servers: String,
    stats: Arc<OutputStats>,
    rejected: Arc<Rejected>,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            tracing::warn!("cannot reach kafka at {}; still trying", self.servers);
        } else {
            tracing::warn!(%error, reason, servers = self.servers, "kafka");
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<OnTheWay>;

    fn delivery(&self, result: &DeliveryResult<'_>, on_the_way: Box<OnTheWay>) {
        match result {
            Ok(_) => {
                self.stats.acknowledged.fetch_add(1, Ordering::Relaxed);
                on_the_way.ticket.part_done();
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight), _)) => {
            }
            Err((error, message)) => {
                // What librdkafka gives up for good would fail for ever: too large, forbidden.
                let document = message.payload().unwrap_or_default();
                if self.rejected.keep(document, &format!("topic '{}': {error}", message.topic())) {
                    self.stats.rejected.fetch_add(1, Ordering::Relaxed);
                    on_the_way.ticket.part_done();
                }
            }
        }
    }
}

pub(super) struct Kafka {
    settings: KafkaSettings,
    producer: BaseProducer<Context>,
    stop: Arc<AtomicBool>,
    /// Partitions of the topics seen, for `round_robin` and `hash`.
    partitions: HashMap<String, Topic>,
}

struct Topic {
    count: i32,
    asked: Instant,
    next: i32,
}

/// How long the number of partitions of a topic is believed.
const PARTITIONS_AGE: Duration = Duration::from_secs(60);

impl Kafka {
    pub(super) fn new(
        settings: &KafkaSettings,
        stats: Arc<OutputStats>,
        rejected: Arc<Rejected>,
        stop: Arc<AtomicBool>,
    ) -> Result<Kafka, OutputError> {
        let mut client = ClientConfig::new();
        for (name, value) in &settings.client {
            client.set(name, value);
        }
        let servers = settings.client.get("bootstrap.servers").cloned().unwrap_or_default();
        let producer = client
            .create_with_context(Context { servers, stats, rejected })
            .map_err(|error| OutputError(format!("output.kafka: {error}")))?;
        Ok(Kafka { settings: settings.clone(), producer, stop, partitions: HashMap::new() })
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn send(&mut self, prepared: &Prepared, document: &[u8], ticket: &SharedTicket) {
        let context = self.producer.context();
        if document.len() > self.settings.max_message_bytes {
            let reason =
                format!("larger than max_message_bytes ({} of {})", document.len(), self.settings.max_message_bytes);
            if context.rejected.keep(document, &reason) {
                context.stats.rejected.fetch_add(1, Ordering::Relaxed);
                ticket.part_done();
            }
            return;
        }
        let partition = self.partition(prepared);
        let mut on_the_way = Box::new(OnTheWay { ticket: ticket.clone() });
        loop {
            let mut record =
                BaseRecord::with_opaque_to(&prepared.topic, on_the_way).payload(document).timestamp(prepared.millis);
            if let Some(key) = &prepared.key {
                record = record.key(key.as_str());
            }
            if let Some(partition) = partition {
                record = record.partition(partition);
            }
            if !self.settings.headers.is_empty() {
                record = record.headers(self.headers());
            }
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                    on_the_way = record.delivery_opaque;
                    if self.stopping() {
                        return;
                    }
                    // Kafka is slower than the files: wait for it.
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((error, record)) => {
                    let context = self.producer.context();
                    if context.rejected.keep(document, &format!("topic '{}': {error}", prepared.topic)) {
                        context.stats.rejected.fetch_add(1, Ordering::Relaxed);
                        record.delivery_opaque.ticket.part_done();
                    }
                    return;
                }
            }
        }
    }

    fn headers(&self) -> OwnedHeaders {
        self.settings.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value.as_str()) })
        })
    }

    /// As Filebeat's partitioners: FNV-1a over the key, modulo the partitions; `None` leaves it to librdkafka.
    fn partition(&mut self, prepared: &Prepared) -> Option<i32> {
        let hashed = match (self.settings.partitioner, &prepared.key) {
            (Partitioner::Hash, Some(key)) => Some(fnv1a(key.as_bytes())),
            (Partitioner::RoundRobin, _) => None,
            _ => return None,
        };
        if !self.partitions.contains_key(&prepared.topic) {
            let asked = Instant::now().checked_sub(PARTITIONS_AGE).unwrap_or_else(Instant::now);
            self.partitions.insert(prepared.topic.clone(), Topic { count: 0, asked, next: 0 });
        }
        let topic = self.partitions.get_mut(&prepared.topic)?;
        if topic.asked.elapsed() >= PARTITIONS_AGE {
            topic.asked = Instant::now();
            let metadata =
                self.producer.client().fetch_metadata(Some(&prepared.topic), Timeout::After(Duration::from_secs(5)));
            let count =
                metadata.ok().and_then(|metadata| i32::try_from(metadata.topics().first()?.partitions().len()).ok());
            topic.count = count.unwrap_or(topic.count);
        }
        if topic.count == 0 {
            return None;
        }
        Some(match hashed {
            Some(hash) => ((hash as i32).unsigned_abs() % topic.count as u32) as i32,
            None => {
                topic.next = (topic.next + 1) % topic.count;
                topic.next
            }
        })
    }
}

fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Where a document goes.
struct Prepared {
    topic: String,
    key: Option<String>,
    millis: i64,
}

impl Output for Kafka {
    fn publish(&mut self, batch: Batch, documents: &mut Documents) {
        let mut records: Vec<(Option<Prepared>, Vec<u8>)> = Vec::with_capacity(batch.entries.len());
        let settings = &self.settings;
        documents.write(&batch, |outgoing| {
            let topic = settings.topics.iter().chain([&settings.topic]).find_map(|format| format.text(&outgoing.view));
            let topic = topic.filter(|topic| !topic.is_empty());
            let key = settings.key.as_ref().and_then(|key| key.text(&outgoing.view));
            let prepared = topic.map(|topic| Prepared { topic, key, millis: outgoing.timestamp.as_millis() });
            records.push((prepared, outgoing.bytes.to_vec()));
        });
        let ticket = batch.ticket.share(records.len());
        drop(batch.text);
        for (prepared, document) in records {
            match prepared {
                Some(prepared) => self.send(&prepared, &document, &ticket),
                None => {
                    let context = self.producer.context();
                    if context.rejected.keep(&document, "the topic could not be filled in") {
                        context.stats.rejected.fetch_add(1, Ordering::Relaxed);
                        ticket.part_done();
                    }
                }
            }
        }
        self.producer.poll(Duration::ZERO);
    }

    fn poll(&mut self) {
        self.producer.poll(Duration::ZERO);
    }

    fn close(&mut self, deadline: Instant) {
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline && !self.stopping() {
            self.producer.poll(Duration::from_millis(20));
        }
    }
}
