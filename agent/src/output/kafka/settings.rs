//! `output.kafka`, as it is configured.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use super::{Oversized, PartitionSettings, TopicRule};
use crate::document::Format;
use crate::queue::DiskSettings;

/// `output.kafka`
#[derive(Clone)]
pub struct KafkaSettings {
    /// What librdkafka is told.
    pub client: HashMap<String, String>,
    /// `topics`, then `topic`.
    pub topics: Vec<TopicRule>,
    /// `key`
    pub key: Option<Format>,
    /// `headers`
    pub headers: Vec<(String, String)>,
    /// `partition`
    pub partition: PartitionSettings,
    /// `max_message_bytes`
    pub max_message_bytes: usize,
    /// `oversized`: what becomes of larger events.
    pub oversized: Oversized,
    /// `backoff.init` and `backoff.max`: how long a topic that cannot be sent to is left alone.
    pub backoff: (Duration, Duration),
    /// `metadata.refresh_frequency`: how often the number of a topic's partitions is learned anew.
    pub refresh: Duration,
    /// How many bytes of documents may wait or be under way.
    pub buffer: usize,
    /// `queue.disk`
    pub disk: Option<DiskSettings>,
}

/// Passwords are not shown: `export config` prints this.
impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.client.iter().map(|(name, value)| {
            let secret = name.contains("password") || name.contains("secret");
            (name.as_str(), if secret { "(secret)" } else { value.as_str() })
        });
        f.debug_struct("KafkaSettings")
            .field("client", &shown.collect::<BTreeMap<_, _>>())
            .field("topics", &self.topics)
            .field("key", &self.key)
            .field("headers", &self.headers)
            .field("partition", &self.partition)
            .field("max_message_bytes", &self.max_message_bytes)
            .field("oversized", &self.oversized)
            .field("backoff", &self.backoff)
            .field("refresh", &self.refresh)
            .field("buffer", &self.buffer)
            .field("disk", &self.disk)
            .finish()
    }
}
