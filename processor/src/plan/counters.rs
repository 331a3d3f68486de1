//! What each node of a plan has seen, for metrics, coverage and profiles.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of one node; workers add to them once per batch.
#[derive(Debug, Default)]
pub struct Counters {
    events_in: AtomicU64,
    events_out: AtomicU64,
    matched: AtomicU64,
    failed: AtomicU64,
    nanos: AtomicU64,
}

/// What the counters stood at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Events that came to the node.
    pub events_in: u64,
    /// Events that left it.
    pub events_out: u64,
    /// Events on which the filter did its work.
    pub matched: u64,
    /// Events on which it failed.
    pub failed: u64,
    /// Time in the node.
    pub time: Duration,
}

impl Counters {
    /// Adds what one batch did.
    pub fn add(&self, batch: &Snapshot) {
        let nanos = u64::try_from(batch.time.as_nanos()).unwrap_or(u64::MAX);
        for (counter, amount) in [
            (&self.events_in, batch.events_in),
            (&self.events_out, batch.events_out),
            (&self.matched, batch.matched),
            (&self.failed, batch.failed),
            (&self.nanos, nanos),
        ] {
            if amount > 0 {
                counter.fetch_add(amount, Ordering::Relaxed);
            }
        }
    }

    /// What they stand at.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            events_in: self.events_in.load(Ordering::Relaxed),
            events_out: self.events_out.load(Ordering::Relaxed),
            matched: self.matched.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
        }
    }
}
