//! Output `kafka`: events as records of a topic. An event counts as delivered when Kafka has acknowledged it.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Message};
use tailrace_common::{Event, json};

use super::{Output, OutputDefinition, OutputError, Services, common_options};
use crate::codec::{self, Codec};
use crate::delivery::Share;
use crate::kafka::security;
use crate::options::{Invalid, Options, value_text};
use crate::plan::template::Template;
use crate::plugin::BuildContext;

pub(super) const DEFINITION: OutputDefinition =
    OutputDefinition { name: "kafka", summary: "Writes events to a topic of Kafka.", build };

/// How soon a full queue is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// Numbers that mean the same in librdkafka.
const NUMBERS: [(&str, &str); 8] = [
    ("batch_size", "batch.size"),
    ("linger_ms", "linger.ms"),
    ("max_request_size", "message.max.bytes"),
    ("request_timeout_ms", "request.timeout.ms"),
    ("metadata_max_age_ms", "metadata.max.age.ms"),
    ("connections_max_idle_ms", "connections.max.idle.ms"),
    ("reconnect_backoff_ms", "reconnect.backoff.ms"),
    ("retry_backoff_ms", "retry.backoff.ms"),
];

/// Options that change nothing here, and why.
const WITHOUT_MEANING: [(&str, &str); 9] = [
    ("retries", "records are sent until Kafka has them"),
    ("send_buffer_bytes", "left to the operating system"),
    ("receive_buffer_bytes", "left to the operating system"),
    ("key_serializer", "keys are text"),
    ("value_serializer", "records are what the codec makes"),
    ("client_dns_lookup", "all addresses of a name are tried"),
    ("metadata_fetch_timeout_ms", "librdkafka has time-outs of its own"),
    ("jaas_path", "use sasl_jaas_config"),
    ("kerberos_config", "the system's krb5.conf is used"),
];

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    let topic = Template::parse(&options.required_string("topic_id"));
    let codec = codec::from_option(&mut options, build, "plain");
    let key = options.template("message_key");
    let headers = options.hash("message_headers");
    let headers = headers.into_iter().map(|(name, value)| (name, Template::parse(&value_text(&value)))).collect();
    let mut client = ClientConfig::new();
    let servers = options.string("bootstrap_servers").unwrap_or_else(|| "localhost:9092".into());
    client.set("bootstrap.servers", servers);
    client.set("client.id", options.string("client_id").unwrap_or_else(|| "logstash".into()));
    // Nothing is given up: the events are held until Kafka has them.
    client.set("message.timeout.ms", "0");
    let acks = options.one_of("acks", &["0", "1", "all"], "all");
    client.set("acks", acks);
    if acks == "all" {
        client.set("enable.idempotence", "true");
    }
    client.set(
        "compression.type",
        options.one_of("compression_type", &["none", "gzip", "snappy", "lz4", "zstd"], "none"),
    );
    for (option, property) in NUMBERS {
        if let Some(number) = options.integer(option) {
            client.set(property, number.to_string());
        }
    }
    if let Some(bytes) = options.integer("buffer_memory") {
        client.set("queue.buffering.max.kbytes", (bytes / 1024).max(1).to_string());
    }
    client.set(
        "partitioner",
        match options.one_of("partitioner", &["default", "round_robin", "uniform_sticky"], "default") {
            "round_robin" => "random",
            _ => "murmur2_random",
        },
    );
    for (option, why) in WITHOUT_MEANING {
        options.ignored(option, why);
    }
    security(&mut options, &mut client);
    let id = options.id().unwrap_or_else(|| "kafka".into());
    options.finish()?;
    Ok(Box::new(KafkaOutput { id, topic, codec: codec?, key, headers, client, running: OnceLock::new() }))
}

struct KafkaOutput {
    id: String,
    topic: Template,
    codec: Box<dyn Codec>,
    key: Option<Template>,
    headers: Vec<(String, Template)>,
    client: ClientConfig,
    running: OnceLock<Running>,
}

struct Running {
    /// Taken when the output closes.
    producer: Mutex<Option<ThreadedProducer<Deliveries>>>,
    services: Services,
}

/// Hears what became of each record.
struct Deliveries {
    id: String,
    services: Services,
}

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(output = self.id, %error, reason, "kafka; still trying");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Share>;

    fn delivery(&self, result: &DeliveryResult<'_>, share: Box<Share>) {
        match result {
            Ok(_) => {
                self.services.count(1);
                share.done();
            }
            // Purged at the end: it is read again at the next start.
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight), _)) => {}
            Err((error, message)) => {
                if self.services.dead_letters.write_json(
                    &as_json(message.payload().unwrap_or_default()),
                    &as_json(message.topic().as_bytes()),
                    &self.id,
                    &error.to_string(),
                )
                .inspect_err(|refused| tracing::error!(error = %refused, reason = %error, "cannot write a dead letter; its records are not committed"))
                .is_ok()
                {
                    share.done();
                }
            }
        }
    }
}

/// A record as JSON: itself when it is a document, else its text.
fn as_json(payload: &[u8]) -> Vec<u8> {
    if payload.first() == Some(&b'{') && serde_json::from_slice::<&serde_json::value::RawValue>(payload).is_ok() {
        return payload.to_vec();
    }
    let mut out = b"{\"message\":".to_vec();
    json::write_string(&String::from_utf8_lossy(payload), &mut out);
    out.push(b'}');
    out
}

impl Output for KafkaOutput {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        let context = Deliveries { id: self.id.clone(), services: services.clone() };
        let producer = self.client.create_with_context(context).map_err(|error| OutputError(error.to_string()))?;
        let running = Running { producer: Mutex::new(Some(producer)), services: services.clone() };
        self.running.get_or_init(|| running);
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some(running) = self.running.get() else { return };
        let held = running.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(producer) = held.as_ref() else { return };
        let mut payload = Vec::with_capacity(1024);
        for event in events {
            payload.clear();
            self.codec.encode(event, &mut payload);
            if !self.send(producer, &running.services, event, &payload, share.another()) {
                return;
            }
        }
        share.done();
    }

    fn close(&self) {
        const STEP: Duration = Duration::from_millis(100);
        let Some(running) = self.running.get() else { return };
        let Some(producer) = running.producer.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        while producer.in_flight_count() > 0 && !running.services.abandon.is_set() {
            if let Err(error) = producer.flush(STEP)
                && error.rdkafka_error_code() != Some(RDKafkaErrorCode::OperationTimedOut)
            {
                tracing::warn!(output = self.id, %error, "cannot flush");
            }
        }
    }
}

impl KafkaOutput {
    /// Gives a record to the producer; waits while its queue is full. False when the pipeline gave up.
    fn send(
        &self,
        producer: &ThreadedProducer<Deliveries>,
        services: &Services,
        event: &Event,
        payload: &[u8],
        share: Share,
    ) -> bool {
        let topic = self.topic.render_lenient(event);
        let key = self.key.as_ref().map(|key| key.render_lenient(event));
        let mut record = BaseRecord::with_opaque_to(&topic, Box::new(share)).payload(payload);
        if let Some(key) = &key {
            record = record.key(key.as_bytes());
        }
        if !self.headers.is_empty() {
            let mut headers = OwnedHeaders::new();
            for (name, value) in &self.headers {
                headers = headers.insert(Header { key: name, value: Some(value.render_lenient(event).as_bytes()) });
            }
            record = record.headers(headers);
        }
        loop {
            let (error, refused) = match producer.send(record) {
                Ok(()) => return true,
                Err(refused) => refused,
            };
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return bury(services, event, &self.id, &error, *refused.delivery_opaque);
            }
            if services.abandon.is_set() {
                return false;
            }
            record = refused;
            std::thread::sleep(RETRY);
        }
    }
}

/// Writes an event that the producer does not take to the dead letters.
fn bury(services: &Services, event: &Event, id: &str, error: &KafkaError, share: Share) -> bool {
    let buried = services.bury(event, id, &error.to_string());
    if buried {
        share.done();
    }
    buried
}
