//! The numbers of a running pipeline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::worker::Shared;
use crate::plan::counters::Snapshot;
use crate::plan::tree::walk;

/// Where a pipeline stands, counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events that came in.
    pub received: u64,
    /// Events that came out of the filters.
    pub filtered: u64,
    /// Events that outputs have made safe.
    pub delivered: u64,
    /// Events in the dead letters.
    pub dead_letters: u64,
    /// Events dropped because the dead letters are full.
    pub dropped: u64,
}

/// The numbers of a running pipeline, to be asked at any time.
#[derive(Clone)]
pub struct Monitor(pub(super) Arc<Shared>);

/// What one plugin has done.
#[derive(Clone, Debug)]
pub struct PluginStats {
    /// `id`, or one made from name and place.
    pub id: String,
    /// `grok`.
    pub name: &'static str,
    /// What it has seen; what does not apply is 0.
    pub seen: Snapshot,
    /// Counters of its own.
    pub numbers: Vec<(&'static str, u64)>,
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Shared {
    pub(super) fn stats(&self) -> Stats {
        Stats {
            received: load(&self.received),
            filtered: load(&self.filtered),
            delivered: self.outputs.iter().map(|node| load(&node.delivered)).sum(),
            dead_letters: self.services.dead_letters.written(),
            dropped: self.services.dead_letters.dropped(),
        }
    }
}

impl Monitor {
    /// `pipeline.id`.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Where the pipeline stands.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// `pipeline.workers`, `pipeline.batch.size`, `pipeline.batch.delay`.
    pub fn sizes(&self) -> (usize, usize, Duration) {
        (self.0.workers, self.0.batch_size, self.0.batch_delay)
    }

    /// Time that workers spent on batches.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(load(&self.0.busy_nanos))
    }

    /// Bytes of dead letters on disk.
    pub fn dead_letter_bytes(&self) -> u64 {
        self.0.services.dead_letters.bytes()
    }

    /// The inputs.
    pub fn inputs(&self) -> Vec<PluginStats> {
        let one = |(id, name, received): &(String, &'static str, Arc<AtomicU64>)| PluginStats {
            id: id.clone(),
            name,
            seen: Snapshot { events_out: load(received), ..Snapshot::default() },
            numbers: Vec::new(),
        };
        self.0.inputs.iter().map(one).collect()
    }

    /// The filters, in the order of the text.
    pub fn filters(&self) -> Vec<PluginStats> {
        let mut all = Vec::new();
        walk(self.0.filters.nodes(), &mut |node| {
            let (seen, numbers) = (node.counters.snapshot(), node.filter.numbers());
            all.push(PluginStats { id: node.id.clone(), name: node.name, seen, numbers });
        });
        all
    }

    /// The outputs.
    pub fn outputs(&self) -> Vec<PluginStats> {
        let nodes = self.0.outputs.iter().map(|node| PluginStats {
            id: node.id.clone(),
            name: node.name,
            seen: Snapshot {
                events_in: load(&node.given),
                events_out: load(&node.delivered),
                time: Duration::from_nanos(load(&node.nanos)),
                ..Snapshot::default()
            },
            numbers: Vec::new(),
        });
        nodes.collect()
    }
}
