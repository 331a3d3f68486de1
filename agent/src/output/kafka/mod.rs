//! `output.kafka`: documents as records.
//!
//! What the documents of a batch have in common is decided once: they are written back to back into a parcel for each
//! topic. Parcels wait in their topic's lane, travel through librdkafka, and come back when Kafka has answered for each
//! record.

mod context;
mod lane;
mod native;
mod oversize;
mod parcel;
mod partition;
mod scout;
mod settings;
mod sorting;
mod topics;
mod verdict;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;

pub use context::{Broker, Cluster, ClusterState, Window};
pub use lane::LaneCounts;
pub use oversize::Oversized;
pub use partition::{PartitionSettings, Partitioner};
pub use settings::KafkaSettings;
pub use topics::TopicRule;

use super::rejected::Rejected;
use super::{LaneStats, Output, OutputError, OutputStats};
use crate::document::Documents;
use crate::memory;
use crate::pipeline::{Batch, FileKey, Holds, SharedTicket};
use crate::queue::{Opened, Spool};
use context::Context;
use lane::{Lane, Returned, State};
use native::Producer;
use parcel::{Origin, Parcel};
use scout::Scout;
use sorting::Sorted;

/// More topics than this at once are a mistake in `topic`.
const MOST_LANES: usize = 4096;
/// Unused buffers that are kept for the next batch, and how long after the last one.
const KEPT: usize = 16;
const UNUSED: Duration = Duration::from_secs(1);
/// How often the counts of the lanes are published.
const PUBLISH: Duration = Duration::from_millis(500);

pub(super) struct Kafka {
    settings: KafkaSettings,
    stats: Arc<OutputStats>,
    rejected: Arc<Rejected>,
    stop: Arc<AtomicBool>,
    holds: Holds,
    cluster: Arc<Cluster>,
    producer: Producer,
    scout: Scout,
    lanes: Vec<Lane>,
    by_topic: HashMap<Arc<str>, usize>,
    /// The lane of every event, where `topic` is a plain name.
    constant: Option<usize>,
    /// Parcels that came back, with their lanes; kept for its memory.
    done: Vec<(u32, Parcel)>,
    buffers: Vec<Vec<u8>>,
    /// When a batch came last.
    entered: Instant,
    published: Instant,
    /// What was read of files whose lane is full, not encoded: the reader's memory bounds it.
    parked: HashMap<FileKey, VecDeque<Batch>>,
    /// Whether a lane may have room since files were released last.
    freed: bool,
}

impl Kafka {
    pub(super) fn new(
        settings: &KafkaSettings,
        stats: Arc<OutputStats>,
        rejected: Arc<Rejected>,
        stop: Arc<AtomicBool>,
        holds: Holds,
    ) -> Result<Kafka, OutputError> {
        memory::keep();
        let cluster = stats.cluster.clone();
        let producer = connect(settings, &cluster)?;
        let scout = Scout::start().map_err(|error| OutputError(format!("cannot start a thread: {error}")))?;
        let mut kafka = Kafka {
            settings: settings.clone(),
            stats,
            rejected,
            stop,
            holds,
            cluster,
            producer,
            scout,
            lanes: Vec::new(),
            by_topic: HashMap::new(),
            constant: None,
            done: Vec::new(),
            buffers: Vec::new(),
            entered: Instant::now(),
            published: Instant::now(),
            parked: HashMap::new(),
            freed: false,
        };
        kafka.open_spools();
        if let [rule] = settings.topics.as_slice()
            && let Some(topic) = rule.constant()
        {
            kafka.constant = kafka.lane_of(topic).ok();
            kafka.ask();
        }
        Ok(kafka)
    }

    /// Lanes with something on disk go on, whether or not anything more comes for them.
    fn open_spools(&mut self) {
        let Some(disk) = &self.settings.disk else { return };
        let Ok(entries) = std::fs::read_dir(&disk.path) else { return };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        for topic in names.collect::<Vec<_>>() {
            if let Err(error) = self.lane_of(&topic) {
                tracing::warn!(%error, "left alone in the folder of queue.disk");
            }
        }
        self.ask();
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The lane of a topic.
    fn lane_of(&mut self, topic: &str) -> Result<usize, String> {
        if let Some(lane) = self.by_topic.get(topic) {
            return Ok(*lane);
        }
        if !is_topic(topic) {
            return Err(format!("'{topic}' is no name of a topic"));
        }
        if self.lanes.len() >= MOST_LANES {
            return Err(format!("'{topic}' would be the topic number {}", MOST_LANES + 1));
        }
        let name: Arc<str> = topic.into();
        let seed = xxhash_rust::xxh3::xxh3_64(topic.as_bytes()) ^ clock_seed();
        let mut lane = Lane::new(name.clone(), seed, self.settings.backoff);
        if let Some(disk) = &self.settings.disk {
            match Spool::open(&disk.path.join(topic), disk.segment_size) {
                Ok((spool, found)) => {
                    if found != Opened::default() {
                        tracing::info!(topic, ?found, "going on with what waits in queue.disk");
                    }
                    lane.set_spool(spool);
                }
                Err(error) => tracing::error!(topic, %error, "queue.disk cannot be used for this topic"),
            }
        }
        self.lanes.push(lane);
        self.by_topic.insert(name, self.lanes.len() - 1);
        Ok(self.lanes.len() - 1)
    }

    /// Keeps an event that will never be sent; `false` when that is not possible.
    fn reject(&self, document: &[u8], reason: &str) -> bool {
        let kept = self.rejected.keep(document, reason);
        if kept {
            self.stats.rejected.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// Sends what may be sent now.
    fn pump(&mut self) {
        let most = self.settings.buffer / 4 * 3;
        let batch = self.settings.max_message_bytes.min(lane::BATCH);
        for lane in 0..self.lanes.len() {
            let limit = self.lanes[lane].window(most, batch);
            while let Some(parcel) = self.lanes[lane].next(limit, &self.settings.partition) {
                let Some(topic) = &self.lanes[lane].topic else { break };
                if let Some(parcel) = self.producer.submit(topic, lane as u32, parcel) {
                    self.take_back(lane, parcel);
                    break;
                }
            }
        }
    }

    /// Takes what librdkafka has to tell, waiting at most `wait` for it.
    fn receive(&mut self, wait: Duration) {
        let mut done = std::mem::take(&mut self.done);
        self.producer.poll(wait, &mut done);
        let any = !done.is_empty();
        for (lane, parcel) in done.drain(..) {
            self.take_back(lane as usize, parcel);
        }
        self.done = done;
        while let Some((topic, answer)) = self.scout.answer() {
            let producer = &self.producer;
            if let Some(lane) = self.by_topic.get(&topic) {
                self.lanes[*lane].learn(answer, |name| producer.topic(name));
            }
        }
        self.freed |= any;
    }

    fn take_back(&mut self, lane: usize, parcel: Parcel) {
        let before = self.lanes[lane].counts;
        let mut returned = self.lanes[lane].returned(parcel);
        if let Returned::Reject(parcel, code) = returned {
            returned = self.reject_first(lane, parcel, code);
        }
        let counts = self.lanes[lane].counts;
        let acknowledged = counts.acknowledged - before.acknowledged;
        self.stats.acknowledged.fetch_add(acknowledged, Ordering::Relaxed);
        self.stats.retried.fetch_add(counts.retried - before.retried, Ordering::Relaxed);
        if acknowledged > 0 {
            self.cluster.works();
        }
        match returned {
            Returned::Done(parcel) => self.finish(lane, parcel),
            Returned::Renew => self.renew(),
            Returned::Waits | Returned::Reject(..) => {}
        }
    }

    /// The record that went alone will never be taken.
    fn reject_first(&mut self, lane: usize, parcel: Parcel, code: RDKafkaErrorCode) -> Returned {
        let reason = format!("topic '{}': {code}", self.lanes[lane].name);
        let document = parcel.records.first().map(|record| parcel.document(record)).unwrap_or_default();
        if self.reject(document, &reason) {
            self.lanes[lane].counts.rejected += 1;
        } else {
            // Nobody has it: its batch must not count as safe.
            if let Origin::Batch(ticket) = &parcel.origin {
                ticket.lose();
            }
        }
        self.lanes[lane].go_on(parcel)
    }

    fn finish(&mut self, lane: usize, parcel: Parcel) {
        match &parcel.origin {
            Origin::Batch(ticket) => ticket.part_done(),
            Origin::Spool(number) => self.lanes[lane].delivered(*number),
        }
        if self.buffers.len() < KEPT {
            let mut buffer = parcel.bytes;
            buffer.clear();
            self.buffers.push(buffer);
        }
    }

    /// A producer that is done for is replaced; what it had under way goes again.
    fn renew(&mut self) {
        tracing::error!("the kafka producer cannot go on; starting another one, what is under way is sent again");
        let mut done = Vec::new();
        self.producer.purge(&mut done);
        for (lane, parcel) in done {
            if let Returned::Done(parcel) = self.lanes[lane as usize].returned(parcel) {
                self.finish(lane as usize, parcel);
            }
        }
        match connect(&self.settings, &self.cluster) {
            Ok(producer) => {
                self.lanes.iter_mut().for_each(Lane::renew);
                self.producer = producer;
            }
            Err(error) => tracing::error!(%error, "cannot start another producer"),
        }
    }

    /// Asks about the topics of which something is to be known.
    fn ask(&mut self) {
        let now = Instant::now();
        for lane in &mut self.lanes {
            if lane.wants_to_know(now, self.settings.refresh) && self.scout.ask(&lane.name, self.producer.client()) {
                lane.asked();
            }
        }
    }

    /// Files of lanes that have room again are read on, after what was read of them already.
    fn release_files(&mut self, documents: &mut Documents) {
        let low = self.settings.buffer / 16;
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].held.is_empty() || self.lanes[lane].backlog() > low {
                continue;
            }
            let held = std::mem::take(&mut self.lanes[lane].held);
            let mut released = Vec::new();
            for file in held {
                if self.publish_parked(file, documents) {
                    released.push(file);
                }
            }
            self.holds.release(&released);
        }
    }

    /// Sends what was read of a held file; `false` when it is held again.
    fn publish_parked(&mut self, file: FileKey, documents: &mut Documents) -> bool {
        let Some(mut batches) = self.parked.remove(&file) else { return true };
        while let Some(batch) = batches.pop_front() {
            if let Some((batch, lane)) = self.enter(batch, documents) {
                batches.push_front(batch);
                self.parked.insert(file, batches);
                self.lanes[lane].held.push(file);
                return false;
            }
        }
        true
    }

    /// What has to become less before more is taken. What waits for a topic that is stuck is not part of it, unless
    /// there can be no other: it is bounded by the reader's memory, as its files are held.
    fn bytes_in_the_way(&self) -> usize {
        let alone = self.constant.is_some();
        self.lanes.iter().filter(|lane| alone || !lane.is_stuck()).map(Lane::bytes).sum()
    }

    fn publish_counts(&mut self, now: Instant) {
        if now < self.published + PUBLISH {
            return;
        }
        self.published = now;
        let lanes = self.lanes.iter().map(|lane| LaneStats {
            topic: lane.name.to_string(),
            open: lane.state == State::Open || lane.reason.is_none(),
            reason: lane.reason.map(|code| code.to_string()),
            waiting_bytes: lane.bytes() as u64,
            spooled_bytes: lane.spilled(),
            held_files: lane.held.len() as u64,
            acknowledged: lane.counts.acknowledged,
            rejected: lane.counts.rejected,
            retried: lane.counts.retried,
        });
        self.stats.set_lanes(lanes.collect());
    }
}

fn connect(settings: &KafkaSettings, cluster: &Arc<Cluster>) -> Result<Producer, OutputError> {
    let mut client = ClientConfig::new();
    for (name, value) in &settings.client {
        client.set(name, value);
    }
    let servers = settings.client.get("bootstrap.servers").cloned().unwrap_or_default();
    let context = Context { servers, cluster: cluster.clone() };
    Producer::new(&client, context, &settings.headers).map_err(|error| OutputError(format!("output.kafka: {error}")))
}

/// Kafka's rule for names of topics.
fn is_topic(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.bytes().all(legal)
}

fn clock_seed() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64)
}

impl Kafka {
    /// Puts a batch's documents into their lanes. It comes back, with the lane that has no room, if one of them is stuck.
    fn enter(&mut self, batch: Batch, documents: &mut Documents) -> Option<(Batch, usize)> {
        let mut sorted = Sorted::default();
        self.entered = Instant::now();
        let (capacity, high) = (batch.entries.len(), self.settings.buffer / 8);
        let mut count = 0;
        documents.write(&batch, |outgoing| {
            count += 1;
            self.sort(outgoing, &mut sorted, capacity);
        });
        let is_full = |lane: &Lane| lane.backlog() > high && lane.is_stuck();
        if self.constant.is_none()
            && let Some((lane, ..)) = sorted.parcels.iter().find(|(lane, ..)| is_full(&self.lanes[*lane]))
        {
            return Some((batch, *lane));
        }
        self.stats.took(capacity, count);
        let Batch { file, text, ticket, .. } = batch;
        drop(text);
        let ticket = ticket.share(sorted.parcels.len() + sorted.lost);
        for (lane, bytes, records) in sorted.parcels {
            let lane = &mut self.lanes[lane];
            lane.enter(Parcel::new(bytes, records, Origin::Batch(ticket.clone())));
            if lane.backlog() > high && self.constant.is_none() && self.holds.hold(file.key) {
                lane.held.push(file.key);
            }
        }
        None
    }

    /// What waits in lanes where nothing gets through goes to disk.
    fn spill(&mut self) {
        let Some(disk) = &self.settings.disk else { return };
        let mut any = false;
        for lane in 0..self.lanes.len() {
            let room = disk.max_size.saturating_sub(self.lanes.iter().map(Lane::spilled).sum());
            let safe = self.lanes[lane].spill(room);
            any |= !safe.is_empty();
            safe.iter().for_each(SharedTicket::part_done);
        }
        self.freed |= any;
    }

    /// Does what is due.
    fn work(&mut self, wait: Duration, documents: &mut Documents) {
        self.receive(wait);
        self.ask();
        self.pump();
        self.spill();
        if std::mem::take(&mut self.freed) {
            self.release_files(documents);
            self.pump();
        }
        self.publish_counts(Instant::now());
    }
}

impl Output for Kafka {
    fn publish(&mut self, batch: Batch, documents: &mut Documents) {
        let key = batch.file.key;
        if let Some(batches) = self.parked.get_mut(&key) {
            batches.push_back(batch);
        } else if let Some((batch, lane)) = self.enter(batch, documents) {
            self.parked.insert(key, VecDeque::from([batch]));
            self.lanes[lane].held.push(key);
            self.holds.hold(key);
        }
        self.pump();
        self.work(Duration::ZERO, documents);
        while self.bytes_in_the_way() > self.settings.buffer && !self.stopping() {
            self.work(Duration::from_millis(10), documents);
        }
    }

    fn poll(&mut self, documents: &mut Documents) -> Duration {
        self.work(Duration::ZERO, documents);
        if self.lanes.iter().any(|lane| (lane.state == State::Asking && !lane.is_idle()) || lane.is_behind()) {
            Duration::from_millis(1)
        } else if self.lanes.iter().any(|lane| !lane.is_idle()) {
            Duration::from_millis(5)
        } else {
            if !self.buffers.is_empty() && self.entered.elapsed() >= UNUSED {
                self.buffers.clear();
                memory::give_back();
            }
            Duration::from_millis(200)
        }
    }

    fn close(&mut self, deadline: Instant) {
        while self.lanes.iter().any(|lane| !lane.is_idle()) && Instant::now() < deadline && !self.stopping() {
            self.receive(Duration::from_millis(20));
            self.ask();
            self.pump();
        }
        self.published = self.published.checked_sub(PUBLISH).unwrap_or(self.published);
        self.publish_counts(Instant::now());
    }
}
