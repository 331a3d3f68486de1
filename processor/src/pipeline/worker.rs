//! What a worker does with a batch: decode, filter, deliver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use tailrace_common::{Event, Timestamp};
use tailrace_grok::Scratch;

use super::compile::OutputNode;
use crate::delivery::{DeadLetters, Lease, Share};
use crate::input::Batch;
use crate::output::Services;
use crate::plan::run::{FilterPlan, Filtered, Rejected, Worker};
use crate::plan::tree::Node;

/// What workers share.
pub(super) struct Shared {
    pub(super) id: String,
    pub(super) filters: FilterPlan,
    pub(super) outputs: Vec<OutputNode>,
    pub(super) routes: Vec<Node<usize>>,
    pub(super) services: Services,
    pub(super) received: AtomicU64,
    pub(super) filtered: AtomicU64,
    /// Time that workers spent on batches.
    pub(super) busy_nanos: AtomicU64,
    /// Each input's id, name, and records handed over.
    pub(super) inputs: Vec<(String, &'static str, Arc<AtomicU64>)>,
    pub(super) workers: usize,
    pub(super) batch_size: usize,
    pub(super) batch_delay: Duration,
}

/// What a worker keeps between batches.
#[derive(Default)]
pub(super) struct Hands {
    filters: Worker,
    scratch: Scratch,
}

impl Shared {
    /// Works until the inputs are gone and all their batches done.
    pub(super) fn work(&self, batches: &Receiver<Batch>) {
        let mut hands = Hands::default();
        for batch in batches {
            let (now, started) = (Timestamp::now(), Instant::now());
            let events = batch.records.events(now);
            self.received.fetch_add(events.len() as u64, Ordering::Relaxed);
            let filtered = self.filters.run(events, &mut hands.filters, now);
            self.deliver(filtered, batch.lease, &mut hands);
            let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.busy_nanos.fetch_add(nanos, Ordering::Relaxed);
        }
    }

    /// Emits what time has made due in the filters.
    pub(super) fn flush(&self, last: bool, hands: &mut Hands) {
        let filtered = self.filters.flush(last, &mut hands.filters, Timestamp::now());
        if !filtered.events.is_empty() || !filtered.rejected.is_empty() {
            self.deliver(filtered, Lease::free(), hands);
        }
    }

    fn deliver(&self, filtered: Filtered, lease: Lease, hands: &mut Hands) {
        let rejected = lease.share();
        if self.bury(&filtered.rejected) {
            rejected.done();
        }
        self.filtered.fetch_add(filtered.events.len() as u64, Ordering::Relaxed);
        let mut parts: Vec<Vec<&Event>> = self.outputs.iter().map(|_| Vec::new()).collect();
        let mut lost: Vec<Share> = Vec::new();
        for event in &filtered.events {
            let mut chosen = |output: usize| parts[output].push(event);
            if let Err(reason) = route(&self.routes, event, &mut hands.scratch, &mut chosen) {
                let share = lease.share();
                if self.write_dead_letter(event, "if-statement", &reason) {
                    share.done();
                } else {
                    lost.push(share);
                }
            }
        }
        for (node, events) in self.outputs.iter().zip(parts) {
            if !events.is_empty() {
                let started = Instant::now();
                node.output.write(&events, lease.share());
                node.given.fetch_add(events.len() as u64, Ordering::Relaxed);
                let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
                node.nanos.fetch_add(nanos, Ordering::Relaxed);
            }
        }
        lease.close();
    }

    fn bury(&self, rejected: &[Rejected]) -> bool {
        rejected.iter().all(|rejected| self.write_dead_letter(&rejected.event, &rejected.plugin, &rejected.reason))
    }

    fn write_dead_letter(&self, event: &Event, plugin: &str, reason: &str) -> bool {
        let letters: &Arc<DeadLetters> = &self.services.dead_letters;
        let written = letters.write(event, plugin, reason);
        if let Err(error) = &written {
            tracing::error!(pipeline = self.id, %error, reason, "cannot write a dead letter; its records are not committed");
        }
        written.is_ok()
    }
}

/// Calls `chosen` for every output that an event goes to.
fn route(
    nodes: &[Node<usize>],
    event: &Event,
    scratch: &mut Scratch,
    chosen: &mut impl FnMut(usize),
) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Plugin(output) => chosen(*output),
            Node::Branch(branch) => {
                let mut body = &branch.otherwise;
                for (test, arm) in &branch.arms {
                    if test.holds(event, scratch).map_err(|error| error.to_string())? {
                        body = arm;
                        break;
                    }
                }
                route(body, event, scratch, chosen)?;
            }
        }
    }
    Ok(())
}
