//! The ledger of one partition: which offsets are given out, which are safe, and how far both without a gap.

use std::collections::VecDeque;

/// Offsets given out and safe, of one partition.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Ranges in the order in which they were given out; the first is never safe.
    open: VecDeque<Range>,
    /// How many ranges were taken off the front.
    closed: u64,
    committed: Option<i64>,
}

#[derive(Debug)]
struct Range {
    end: i64,
    safe: bool,
}

/// Names a range that was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeId(u64);

impl Ledger {
    /// Gives out the offsets up to `end` (exclusive) that follow those given out before.
    pub fn issue(&mut self, end: i64) -> RangeId {
        self.open.push_back(Range { end, safe: false });
        RangeId(self.closed + self.open.len() as u64 - 1)
    }

    /// Marks a range as safe. Says whether the watermark moved.
    pub fn release(&mut self, id: RangeId) -> bool {
        let Some(at) = id.0.checked_sub(self.closed) else { return false };
        if let Some(range) = usize::try_from(at).ok().and_then(|at| self.open.get_mut(at)) {
            range.safe = true;
        }
        let mut moved = false;
        while self.open.front().is_some_and(|range| range.safe) {
            self.committed = self.open.pop_front().map(|range| range.end);
            self.closed += 1;
            moved = true;
        }
        moved
    }

    /// The first offset that is not safe: what to commit. `None` until something is.
    pub fn watermark(&self) -> Option<i64> {
        self.committed
    }

    /// Whether everything given out is safe.
    pub fn is_settled(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_watermark_stops_at_a_gap() {
        let mut ledger = Ledger::default();
        let ids: Vec<_> = [10, 25, 30].map(|end| ledger.issue(end)).into();
        assert!(!ledger.release(ids[1]));
        assert_eq!(ledger.watermark(), None);
        assert!(ledger.release(ids[0]));
        assert_eq!(ledger.watermark(), Some(25));
        assert!(!ledger.is_settled());
        assert!(ledger.release(ids[2]));
        assert!(!ledger.release(ids[0]));
        assert_eq!((ledger.watermark(), ledger.is_settled()), (Some(30), true));
    }

    proptest! {
        #[test]
        fn never_past_what_is_not_safe(lengths in prop::collection::vec(1_i64..9, 1..30), order in prop::collection::vec(any::<prop::sample::Index>(), 0..60)) {
            let mut ledger = Ledger::default();
            let mut end = 0;
            let issued: Vec<_> = lengths.iter().map(|length| { end += length; (ledger.issue(end), end) }).collect();
            let mut safe = vec![false; issued.len()];
            for index in order {
                let at = index.index(issued.len());
                safe[at] = true;
                ledger.release(issued[at].0);
                let prefix = safe.iter().take_while(|safe| **safe).count();
                prop_assert_eq!(ledger.watermark(), prefix.checked_sub(1).map(|last| issued[last].1));
                prop_assert_eq!(ledger.is_settled(), prefix == issued.len());
            }
        }
    }
}
