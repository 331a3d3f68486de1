//! The plan: a configuration compiled, resolved and checked, and the running of it.

pub mod compile;
pub mod condition;
pub mod counters;
pub mod decorate;
pub mod run;
pub mod template;
pub mod text;
pub mod tree;

use std::cell::Cell;

use tailrace_common::Timestamp;

thread_local! {
    /// When the batch began that this thread has at hand.
    static BATCH: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// What `%{{TIME_NOW}}` says: the beginning of the batch at hand (frozen in tests), else the machine's clock.
pub(crate) fn now() -> Timestamp {
    BATCH.get().unwrap_or_else(Timestamp::now)
}

/// Holds the time of a batch until it is dropped.
struct BatchTime;

impl BatchTime {
    fn begin(now: Timestamp) -> BatchTime {
        BATCH.set(Some(now));
        BatchTime
    }
}

impl Drop for BatchTime {
    fn drop(&mut self) {
        BATCH.set(None);
    }
}
