//! One topic's lane: its parcels wait, travel and come back apart from those of other topics, so that a topic that is
//! missing, forbidden or slow holds up no other.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::native::Topic;
use super::parcel::{Origin, Parcel, UNASSIGNED};
use super::partition::{Chooser, PartitionSettings, Partitions};
use super::scout::Answer;
use super::verdict::{self, Verdict};
use crate::pipeline::{FileKey, SharedTicket};
use crate::queue::{Spool, SpoolError};

/// Whether a lane sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has asked about the topic yet, or it is time to ask again.
    New,
    /// The cluster is asked.
    Asking,
    /// It sends.
    Open,
    /// The topic cannot be sent to; to be asked about again at this time.
    Shut(Instant),
}

/// After so long without anything getting through, what waits goes to disk.
const STUCK: Duration = Duration::from_secs(1);

/// The most bytes of a batch: librdkafka's `batch.size`.
pub(super) const BATCH: usize = 1_000_000;
/// After so long more is sent, though not all of what went before is back: a single partition may be slow.
const SLOW: Duration = Duration::from_secs(1);

/// What a lane counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounts {
    /// Events that Kafka has.
    pub acknowledged: u64,
    /// Events that Kafka will never take.
    pub rejected: u64,
    /// Events that Kafka refused and that went again.
    pub retried: u64,
}

pub(super) struct Lane {
    pub(super) name: Arc<str>,
    pub(super) state: State,
    /// Why it is shut.
    pub(super) reason: Option<RDKafkaErrorCode>,
    pub(super) topic: Option<Topic>,
    pub(super) counts: LaneCounts,
    /// Files that are not read while this lane has no room.
    pub(super) held: Vec<FileKey>,
    partitions: Partitions,
    chooser: Chooser,
    backlog: VecDeque<Parcel>,
    backlog_bytes: usize,
    in_flight_bytes: usize,
    in_flight: usize,
    /// When a parcel went last.
    sent: Instant,
    /// Whether what is under way is a single record that goes alone.
    alone: bool,
    next_number: u64,
    backoff: (Duration, Duration),
    wait: Duration,
    /// When its partitions were last learned.
    learned: Option<Instant>,
    /// Where parcels wait when there are too many for the memory.
    spill: Option<Spill>,
    /// Parcels that come after what is on disk.
    overflow: VecDeque<Parcel>,
    /// When something got through last, or there was nothing to send.
    progress: Instant,
    /// Whether it was said that the spool takes nothing.
    complained: bool,
}

/// A lane's spool.
struct Spill {
    spool: Spool,
    /// Delivered out of turn.
    done: BTreeSet<u64>,
    /// The next one to be delivered.
    next: u64,
}

/// What is to be done with a parcel that came back.
pub(super) enum Returned {
    /// All of it is safe, or rejected.
    Done(Parcel),
    /// It waits in the lane again; the record with this index is to be rejected first.
    Waits,
    /// A record will never be taken: to be kept elsewhere, then [`Lane::go_on`].
    Reject(Parcel, RDKafkaErrorCode),
    /// The producer is to be replaced.
    Renew,
}

impl Lane {
    pub(super) fn new(name: Arc<str>, seed: u64, backoff: (Duration, Duration)) -> Lane {
        Lane {
            name,
            state: State::New,
            reason: None,
            topic: None,
            counts: LaneCounts::default(),
            held: Vec::new(),
            partitions: Partitions::default(),
            chooser: Chooser::new(seed),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            in_flight_bytes: 0,
            in_flight: 0,
            sent: Instant::now(),
            alone: false,
            next_number: 0,
            backoff,
            wait: backoff.0,
            learned: None,
            spill: None,
            overflow: VecDeque::new(),
            progress: Instant::now(),
            complained: false,
        }
    }

    /// From now on parcels that the memory has no room for go to disk.
    pub(super) fn set_spool(&mut self, spool: Spool) {
        let next = spool.acknowledged();
        self.spill = Some(Spill { spool, done: BTreeSet::new(), next });
    }

    /// Whether what comes has to wait behind what is on disk.
    fn is_spilling(&self) -> bool {
        !self.overflow.is_empty() || self.spill.as_ref().is_some_and(|spill| spill.spool.has_unread())
    }

    /// Bytes on disk.
    pub(super) fn spilled(&self) -> u64 {
        self.spill.as_ref().map_or(0, |spill| spill.spool.bytes())
    }

    /// Whether nothing has got through for a while.
    pub(super) fn is_stuck(&self) -> bool {
        // A topic is new for a moment only, and mostly there.
        let open = self.state == State::Open || self.reason.is_none();
        !self.is_idle() && (!open || self.progress.elapsed() >= STUCK)
    }

    /// While nothing gets through, what waits goes to disk as far as there is `room`; the tickets of what is safe there.
    pub(super) fn spill(&mut self, mut room: u64) -> Vec<SharedTicket> {
        let mut safe = Vec::new();
        if !self.is_stuck() {
            return safe;
        }
        let Some(spill) = &mut self.spill else { return safe };
        // What waits in memory is older than what is on disk, what overflowed is younger.
        let queue = if spill.spool.has_unread() { &mut self.overflow } else { &mut self.backlog };
        while let Some(parcel) = queue.front()
            && let Origin::Batch(ticket) = &parcel.origin
        {
            let frame = parcel.to_frame();
            match spill.spool.append(&frame, room) {
                Ok(_) => {
                    room = room.saturating_sub(frame.len() as u64);
                    safe.push(ticket.clone());
                    self.backlog_bytes -= parcel.cost();
                    queue.pop_front();
                }
                Err(error) => {
                    Lane::complain(&self.name, &mut self.complained, &error);
                    break;
                }
            }
        }
        if let Err(error) = spill.spool.sync() {
            // It may be on disk or not: it is sent from there, and its file's position stays before it.
            Lane::complain(&self.name, &mut self.complained, &SpoolError::Disk(error));
            safe.clear();
        } else if !safe.is_empty() {
            self.complained = false;
        }
        safe
    }

    /// Says once what keeps events from going to disk.
    fn complain(topic: &str, complained: &mut bool, error: &SpoolError) {
        if !std::mem::replace(complained, true) {
            tracing::error!(topic, %error, "queue.disk takes no more events; they wait in memory and in their files");
        }
    }

    /// Takes the next parcel from disk when nothing else waits before it, or from behind that when the disk is empty.
    fn refill(&mut self) {
        if !self.backlog.is_empty() {
            return;
        }
        let read = match &mut self.spill {
            Some(spill) if spill.spool.has_unread() => spill.spool.read_next(),
            _ => Ok(None),
        };
        match read {
            Ok(Some((number, frame))) => match Parcel::from_frame(number, &frame) {
                Some(parcel) => self.push(parcel),
                None => {
                    tracing::error!(topic = &*self.name, "a part of queue.disk is of another version and is left out");
                    self.delivered(number);
                }
            },
            Ok(None) => {
                if let Some(parcel) = self.overflow.pop_front() {
                    self.backlog_bytes -= parcel.cost();
                    self.push(parcel);
                }
            }
            Err(error) => tracing::error!(topic = &*self.name, %error, "a part of queue.disk cannot be read"),
        }
    }

    /// A parcel from disk is safe.
    pub(super) fn delivered(&mut self, number: u64) {
        let Some(spill) = &mut self.spill else { return };
        spill.done.insert(number);
        while spill.done.remove(&spill.next) {
            spill.next += 1;
        }
        if let Err(error) = spill.spool.acknowledge(spill.next) {
            tracing::warn!(topic = &*self.name, %error, "queue.disk does not take note of what is delivered");
        }
    }

    /// Bytes that wait.
    pub(super) fn backlog(&self) -> usize {
        self.backlog_bytes
    }

    /// Bytes that wait or are under way.
    pub(super) fn bytes(&self) -> usize {
        self.backlog_bytes + self.in_flight_bytes
    }

    pub(super) fn is_idle(&self) -> bool {
        self.backlog.is_empty() && self.in_flight == 0 && !self.is_spilling()
    }

    /// Takes a parcel at the end of the lane.
    pub(super) fn enter(&mut self, parcel: Parcel) {
        if self.is_idle() {
            self.progress = Instant::now();
        }
        if self.is_spilling() {
            self.backlog_bytes += parcel.cost();
            self.overflow.push_back(parcel);
        } else {
            self.push(parcel);
        }
    }

    fn push(&mut self, mut parcel: Parcel) {
        parcel.number = self.next_number;
        self.next_number += 1;
        self.backlog_bytes += parcel.cost();
        self.backlog.push_back(parcel);
    }

    /// How many bytes may be under way now: `most` at most, and about one batch of `batch` bytes for each partition.
    ///
    /// An idempotent librdkafka has one batch for a partition under way. What is handed to it in the meantime soon has lain
    /// there for longer than `linger.ms`, and then its thread looks for the answer without a pause until it comes. So
    /// everything that waits goes at once, as one batch for each partition, and then nothing until that is back.
    pub(super) fn window(&self, most: usize, batch: usize) -> usize {
        // Chance gives some partitions more than others.
        let each = batch / 4 * 3;
        match self.in_flight {
            0 => most.min(each.saturating_mul(self.partitions.count.max(1) as usize)),
            _ if self.sent.elapsed() >= SLOW => most,
            _ => 0,
        }
    }

    /// Whether parcels wait for others that are about to come back.
    pub(super) fn is_behind(&self) -> bool {
        self.in_flight > 0 && !self.backlog.is_empty() && self.sent.elapsed() < SLOW
    }

    /// The next parcel to send, with its partitions chosen; none while the lane is shut or `limit` bytes are under way.
    pub(super) fn next(&mut self, limit: usize, settings: &PartitionSettings) -> Option<Parcel> {
        if self.state != State::Open || self.alone || (self.in_flight > 0 && self.in_flight_bytes >= limit) {
            return None;
        }
        self.refill();
        let front = self.backlog.front()?;
        if front.together.is_some() && self.in_flight > 0 {
            return None;
        }
        let mut parcel = self.backlog.pop_front()?;
        self.backlog_bytes -= parcel.cost();
        for record in &mut parcel.records {
            if record.partition == UNASSIGNED || record.partition >= self.partitions.count {
                record.partition = match self.chooser.choose(settings, &self.partitions, record.hash) {
                    Some(partition) => partition,
                    None => {
                        self.put_back(parcel);
                        self.shut(RDKafkaErrorCode::LeaderNotAvailable);
                        return None;
                    }
                };
            }
        }
        self.sent = Instant::now();
        self.in_flight += 1;
        self.in_flight_bytes += parcel.cost();
        self.alone = parcel.together.is_some();
        Some(parcel)
    }

    /// Puts a parcel where it was among those that wait.
    fn put_back(&mut self, parcel: Parcel) {
        self.backlog_bytes += parcel.cost();
        let place = self.backlog.iter().position(|other| other.number > parcel.number).unwrap_or(self.backlog.len());
        self.backlog.insert(place, parcel);
    }

    /// A parcel of this lane came back.
    pub(super) fn returned(&mut self, mut parcel: Parcel) -> Returned {
        self.in_flight -= 1;
        self.in_flight_bytes -= parcel.cost();
        self.alone = false;
        let mut refused = std::mem::take(&mut parcel.refused);
        refused.sort_unstable_by_key(|(index, _)| *index);
        let sent = parcel.sent();
        if refused.len() < sent {
            self.progress = Instant::now();
        }
        self.counts.acknowledged += (sent - refused.len().min(sent)) as u64;
        let Some((_, code)) = refused.iter().max_by_key(|(_, code)| severity(verdict::on(*code))).copied() else {
            self.wait = self.backoff.0;
            return self.go_on(parcel);
        };
        let verdict = verdict::on(code);
        if verdict == Verdict::Alone && sent == 1 {
            return Returned::Reject(parcel, code);
        }
        self.counts.retried += refused.len() as u64;
        let indexes: Vec<u32> = refused.iter().map(|(index, _)| *index).collect();
        parcel.retain(&indexes);
        if verdict == Verdict::Alone {
            // By halves the one at fault is found in a few steps.
            parcel.together = Some((indexes.len() as u32 / 2).max(1));
        }
        self.put_back(parcel);
        match verdict {
            Verdict::Retry => self.shut(code),
            Verdict::Renew => return Returned::Renew,
            Verdict::Alone | Verdict::Purged => {}
        }
        Returned::Waits
    }

    /// The records of a parcel that went are done with: on to the others, if there are any.
    pub(super) fn go_on(&mut self, mut parcel: Parcel) -> Returned {
        parcel.records.drain(..parcel.sent());
        if parcel.records.is_empty() {
            return Returned::Done(parcel);
        }
        parcel.together = parcel.together.map(|together| together.saturating_mul(2));
        self.put_back(parcel);
        Returned::Waits
    }

    /// Sends nothing for a while.
    fn shut(&mut self, code: RDKafkaErrorCode) {
        if self.reason != Some(code) {
            tracing::warn!(topic = &*self.name, error = %code, "cannot send to this topic; its events wait, others go on");
        }
        self.reason = Some(code);
        self.state = State::Shut(Instant::now() + self.wait);
        self.wait = (self.wait * 2).min(self.backoff.1);
    }

    /// The cluster has answered.
    pub(super) fn learn(&mut self, answer: Answer, topic: impl FnOnce(&str) -> Option<Topic>) {
        match answer {
            Ok(partitions) => {
                if self.topic.is_none() {
                    self.topic = topic(&self.name);
                }
                if self.topic.is_none() {
                    return self.shut(RDKafkaErrorCode::InvalidTopic);
                }
                if let Some(code) = self.reason.take() {
                    tracing::info!(topic = &*self.name, was = %code, "sending to this topic again");
                }
                self.partitions = partitions;
                self.learned = Some(Instant::now());
                self.state = State::Open;
            }
            // A refresh that fails is no reason to stop sending: librdkafka says so itself when it cannot.
            Err(_) if self.state == State::Open => self.learned = Some(Instant::now()),
            Err(code) => self.shut(code),
        }
    }

    /// Whether the cluster is to be asked about the topic now.
    pub(super) fn wants_to_know(&self, now: Instant, refresh: Duration) -> bool {
        match self.state {
            State::New => true,
            State::Asking => false,
            State::Shut(until) => until <= now,
            State::Open => self.learned.is_some_and(|at| at + refresh <= now),
        }
    }

    pub(super) fn asked(&mut self) {
        match self.state {
            State::Open => self.learned = Some(Instant::now()),
            _ => self.state = State::Asking,
        }
    }

    /// The producer is gone: what it knew is to be learned again.
    pub(super) fn renew(&mut self) {
        self.topic = None;
        self.state = State::New;
    }
}

fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Retry => 0,
        Verdict::Alone => 1,
        Verdict::Purged => 2,
        Verdict::Renew => 3,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::parcel::Record;
    use super::super::partition::Partitioner;
    use super::*;

    fn parcel() -> Parcel {
        let bytes = vec![b'x'; 100_000];
        let record = Record::appended(0, None, &bytes, None, 0);
        Parcel::new(bytes, vec![record], Origin::Spool(0))
    }

    #[test]
    fn all_that_waits_goes_at_once_and_then_nothing_until_it_is_back() {
        let settings = PartitionSettings { kind: Partitioner::Random { group_events: 1 }, reachable_only: false };
        let mut lane = Lane::new("topic".into(), 1, (Duration::from_secs(1), Duration::from_secs(60)));
        lane.state = State::Open;
        lane.partitions = Partitions { count: 2, reachable: vec![0, 1] };
        (0..40).for_each(|_| lane.enter(parcel()));
        let send = |lane: &mut Lane, most: usize| -> Vec<Parcel> {
            let limit = lane.window(most, BATCH);
            std::iter::from_fn(|| lane.next(limit, &settings)).collect()
        };

        let window = send(&mut lane, usize::MAX);
        let bytes: usize = window.iter().map(Parcel::cost).sum();
        let window_bytes = 2 * (BATCH / 4 * 3);
        assert!((window_bytes..window_bytes + parcel().cost()).contains(&bytes), "{bytes}");
        assert!(lane.is_behind() && send(&mut lane, usize::MAX).is_empty());

        let (last, others) = window.split_last().unwrap();
        assert!(!others.is_empty());
        for _ in others {
            assert!(matches!(lane.returned(parcel()), Returned::Done(_)));
            assert!(send(&mut lane, usize::MAX).is_empty());
        }
        assert!(matches!(lane.returned(parcel()), Returned::Done(_)), "{last:?}");
        // Never more than the memory allows.
        assert_eq!(send(&mut lane, 250_000).len(), 3);

        // What takes long does not hold up the rest.
        lane.sent = Instant::now().checked_sub(SLOW).unwrap();
        assert_eq!(send(&mut lane, 500_000).len(), 2);
    }
}
