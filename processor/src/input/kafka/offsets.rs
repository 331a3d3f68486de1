//! The ledgers of the partitions that are assigned now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tailrace_common::event::Lane;

use crate::delivery::Ledger;

/// How long a partition that is taken away waits for what is on the way.
const DRAIN: Duration = Duration::from_secs(10);

/// One partition while it is assigned.
pub(super) struct Partition {
    pub(super) lane: Arc<Lane>,
    pub(super) ledger: Mutex<Ledger>,
    /// The watermark that was committed last.
    committed: Mutex<Option<i64>>,
}

impl Partition {
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The partitions that are assigned now.
#[derive(Default)]
pub(super) struct Offsets(Mutex<HashMap<(String, i32), Arc<Partition>>>);

impl Offsets {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, i32), Arc<Partition>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partition's state; made when its first record comes.
    pub(super) fn partition(&self, topic: &str, partition: i32) -> Arc<Partition> {
        let mut partitions = self.lock();
        let made = partitions.entry((topic.to_string(), partition)).or_insert_with(|| {
            let lane = Arc::new(Lane { topic: topic.into(), partition });
            Arc::new(Partition { lane, ledger: Mutex::default(), committed: Mutex::default() })
        });
        made.clone()
    }

    /// Whether this state is still the one of its partition.
    pub(super) fn holds(&self, partition: &Arc<Partition>) -> bool {
        let key = (partition.lane.topic.clone(), partition.lane.partition);
        self.lock().get(&key).is_some_and(|held| Arc::ptr_eq(held, partition))
    }

    /// Commits the watermarks that moved since they were committed last.
    pub(super) fn commit<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, mode: CommitMode) {
        let partitions: Vec<_> = self.lock().values().cloned().collect();
        commit(consumer, &partitions, mode);
    }

    /// Waits until all is safe, or the time is over; `meanwhile` is called in between.
    pub(super) fn settle(&self, time: Duration, mut meanwhile: impl FnMut()) -> bool {
        let deadline = Instant::now() + time;
        loop {
            if self.lock().values().all(|partition| partition.ledger().is_settled()) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            meanwhile();
        }
    }

    /// Lets partitions go: waits for what is on the way, commits, forgets them.
    fn revoke<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, revoked: &TopicPartitionList) {
        let keys = revoked
            .elements()
            .iter()
            .map(|element| (element.topic().to_string(), element.partition()))
            .collect::<Vec<_>>();
        let partitions: Vec<_> = keys.iter().filter_map(|key| self.lock().get(key).cloned()).collect();
        let deadline = Instant::now() + DRAIN;
        while Instant::now() < deadline && partitions.iter().any(|partition| !partition.ledger().is_settled()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        commit(consumer, &partitions, CommitMode::Sync);
        let mut held = self.lock();
        for key in &keys {
            held.remove(key);
        }
    }
}

fn commit<C: ConsumerContext>(consumer: &BaseConsumer<C>, partitions: &[Arc<Partition>], mode: CommitMode) {
    let mut list = TopicPartitionList::new();
    let mut moved = Vec::new();
    for partition in partitions {
        let watermark = partition.ledger().watermark();
        let committed = *partition.committed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(offset) = watermark.filter(|_| watermark != committed) else { continue };
        if let Err(error) =
            list.add_partition_offset(&partition.lane.topic, partition.lane.partition, Offset::Offset(offset))
        {
            tracing::error!(%error, "cannot commit an offset");
            continue;
        }
        moved.push((partition, offset));
    }
    if moved.is_empty() {
        return;
    }
    match consumer.commit(&list, mode) {
        Ok(()) => moved.into_iter().for_each(|(partition, offset)| {
            *partition.committed.lock().unwrap_or_else(PoisonError::into_inner) = Some(offset);
        }),
        // It is tried again; until then records would be read twice, and be indexed once.
        Err(error) => tracing::warn!(%error, "offsets are not committed yet"),
    }
}

/// Follows the assignment of partitions.
pub(super) struct Context {
    pub(super) offsets: Offsets,
    /// For messages.
    pub(super) servers: String,
}

impl ClientContext for Context {
    /// The client says of itself what [`ClientContext::error`] does not get: that Kafka has let records go unread.
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "OFFSET" {
            tracing::warn!(message, "kafka deleted records before they were read: see the topic's retention");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            tracing::warn!("cannot reach kafka at {}; still trying", self.servers);
        } else {
            tracing::warn!(%error, reason, servers = self.servers, "kafka");
        }
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(partitions) => self.offsets.revoke(consumer, partitions),
            Rebalance::Assign(partitions) => tracing::info!(partitions = partitions.count(), "partitions assigned"),
            Rebalance::Error(error) => tracing::warn!(%error, "rebalance failed"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        if let Err(error) = result
            && error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset)
        {
            tracing::warn!(%error, "a commit failed; it is tried again");
            for element in offsets.elements() {
                let held = self.offsets.lock().get(&(element.topic().to_string(), element.partition())).cloned();
                if let Some(partition) = held {
                    *partition.committed.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
            }
        }
    }
}
