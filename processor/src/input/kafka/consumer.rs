//! The thread that reads from Kafka.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::offsets;
use super::records::Collected;
use super::settings::Settings;
use crate::input::{Batch, Feed, InputError};

/// How often watermarks are committed.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// How long one wait for records takes at most.
const POLL: Duration = Duration::from_millis(100);
/// How long a batch waits for the workers before reading is paused. Pausing makes the client forget what it has read
/// ahead, so it is for servers that are away, not for a moment's work; and a rebalance may wait this long.
const PATIENCE: Duration = Duration::from_secs(1);

struct Reader<'a> {
    consumer: BaseConsumer<offsets::Context>,
    context: &'a Arc<super::Context>,
    feed: &'a Feed,
    collected: Collected,
    next_commit: Instant,
}

/// Reads until the pipeline stops.
pub(super) fn run(settings: &Settings, context: &Arc<super::Context>, feed: &Feed) -> Result<(), InputError> {
    let servers = settings.client.get("bootstrap.servers").unwrap_or_default().to_string();
    let consumer: BaseConsumer<offsets::Context> = settings
        .client
        .create_with_context(offsets::Context { offsets: offsets::Offsets::default(), servers })
        .map_err(|error| InputError(format!("kafka: {error}")))?;
    let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(|error| InputError(format!("kafka: cannot subscribe: {error}")))?;
    let mut reader = Reader {
        consumer,
        context,
        feed,
        collected: Collected::default(),
        next_commit: Instant::now() + COMMIT_INTERVAL,
    };
    while !feed.stopping() {
        if let Some(batch) = reader.collect() {
            reader.hand_over(batch);
        }
        reader.commit_in_time();
    }
    reader.drain();
    Ok(())
}

impl Reader<'_> {
    /// Takes what comes until a batch is full or its time is over.
    fn collect(&mut self) -> Option<Batch> {
        let started = Instant::now();
        loop {
            let wait =
                if self.collected.len() == 0 { POLL } else { self.feed.batch_delay.saturating_sub(started.elapsed()) };
            let nothing = !self.poll(wait);
            let late = self.collected.len() > 0 && started.elapsed() >= self.feed.batch_delay;
            if self.collected.is_full(self.feed.batch_size) || nothing || late {
                return self.collected.batch(&self.consumer.context().offsets, self.context);
            }
        }
    }

    /// Takes one record; false when none came.
    fn poll(&mut self, wait: Duration) -> bool {
        match self.consumer.poll(wait) {
            None => false,
            Some(Ok(message)) => {
                let partition = self.consumer.context().offsets.partition(message.topic(), message.partition());
                self.collected.push(&message, partition, self.context);
                true
            }
            Some(Err(error)) => {
                report(&error);
                false
            }
        }
    }

    /// Gives a batch to the workers. When they stay busy no more is fetched, but the group still hears of this member.
    fn hand_over(&mut self, mut batch: Batch) {
        let begun = Instant::now();
        let mut paused = false;
        loop {
            batch = match self.feed.offer(batch) {
                Ok(()) => break,
                Err(batch) => batch,
            };
            if !paused && begun.elapsed() >= PATIENCE {
                self.pause(true);
                paused = true;
            }
            if paused {
                self.poll(POLL / 10);
            }
            self.commit_in_time();
            if self.feed.stopping() && self.feed.is_closed() {
                break;
            }
        }
        if paused {
            self.pause(false);
        }
    }

    fn pause(&self, pause: bool) {
        let switched = self
            .consumer
            .assignment()
            .and_then(|assigned| if pause { self.consumer.pause(&assigned) } else { self.consumer.resume(&assigned) });
        if let Err(error) = switched {
            tracing::warn!(%error, "cannot pause or resume reading from kafka");
        }
    }

    fn commit_in_time(&mut self) {
        if Instant::now() >= self.next_commit {
            self.consumer.context().offsets.commit(&self.consumer, CommitMode::Async);
            self.next_commit = Instant::now() + COMMIT_INTERVAL;
        }
    }

    /// Waits for what is on the way, and commits it.
    fn drain(&mut self) {
        self.pause(true);
        let offsets = &self.consumer.context().offsets;
        let settled = offsets.settle(self.feed.drain, || {
            if let Some(Err(error)) = self.consumer.poll(Duration::from_millis(10)) {
                report(&error);
            }
        });
        if !settled {
            tracing::warn!("not everything was delivered in time; it is read again at the next start");
        }
        offsets.commit(&self.consumer, CommitMode::Sync);
    }
}

fn report(error: &KafkaError) {
    // That no server can be reached is said by the client, with their addresses.
    if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
        tracing::warn!(%error, "cannot read from kafka; still trying");
    }
}
