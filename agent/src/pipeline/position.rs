//! How far a file has been read or delivered.

use std::ops::Range;

/// Disjoint, sorted, non-adjacent ranges of byte offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet(Vec<Range<u64>>);

impl RangeSet {
    /// The ranges in order.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.0
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a range, joined with what it touches.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|known| known.end < range.start);
        let last = self.0.partition_point(|known| known.start <= range.end);
        let joined = match self.0.get(first..last) {
            Some([one]) => one.start.min(range.start)..one.end.max(range.end),
            Some([head, .., tail]) => head.start.min(range.start)..tail.end.max(range.end),
            _ => range,
        };
        self.0.splice(first..last, [joined]);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What is missing in `within`.
    pub fn gaps(&self, within: Range<u64>) -> RangeSet {
        let mut gaps = RangeSet::default();
        let mut at = within.start;
        for range in &self.0 {
            gaps.insert(at..range.start.min(within.end).max(at));
            at = at.max(range.end);
        }
        gaps.insert(at..within.end.max(at));
        gaps
    }

    /// The first range that ends behind `offset`.
    pub fn after(&self, offset: u64) -> Option<&Range<u64>> {
        self.0.get(self.0.partition_point(|range| range.end <= offset))
    }
}

impl FromIterator<Range<u64>> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> RangeSet {
        let mut set = RangeSet::default();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

/// How far a file is done: everything before `offset`, and beyond it the ranges of `beyond`.
///
/// Ranges beyond the offset arise when an entry is complete while an older one still waits for its rest: a piece of
/// stdout without its end, then whole lines of stderr. Reading goes on at `offset` and leaves the ranges out, so that
/// the waiting piece is read again and nothing else is. TCP's selective acknowledgement is the same idea.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Everything before this byte is done.
    pub offset: u64,
    /// What is done beyond it.
    pub beyond: RangeSet,
}

impl Position {
    /// Everything before `offset`, nothing beyond.
    pub fn at(offset: u64) -> Position {
        Position { offset, beyond: RangeSet::default() }
    }

    /// Everything before `read` but for the pieces that wait for their rest.
    pub fn of(read: u64, waiting: &RangeSet) -> Position {
        match waiting.ranges().first() {
            None => Position::at(read),
            Some(first) => Position { offset: first.start, beyond: waiting.gaps(first.start..read) },
        }
    }

    /// The last byte that is done, plus one.
    pub fn end(&self) -> u64 {
        self.beyond.ranges().last().map_or(self.offset, |range| range.end.max(self.offset))
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges are what is tested")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(ranges: &[Range<u64>]) -> RangeSet {
        ranges.iter().cloned().collect()
    }

    #[test]
    fn ranges_join_what_they_touch() {
        assert_eq!(set(&[0..2, 4..6, 2..4]).ranges(), [0..6]);
        assert_eq!(set(&[8..9, 0..2, 4..6]).ranges(), [0..2, 4..6, 8..9]);
        assert_eq!(set(&[4..6, 1..9]).ranges(), [1..9]);
        assert_eq!(set(&[3..3]).ranges(), []);
    }

    #[test]
    fn a_waiting_piece_holds_the_offset_back() {
        assert_eq!(Position::of(90, &set(&[])), Position::at(90));
        assert_eq!(Position::of(90, &set(&[40..90])), Position::at(40));
        let interleaved = Position::of(90, &set(&[10..20, 50..60]));
        assert_eq!((interleaved.offset, interleaved.beyond.ranges()), (10, [20..50, 60..90].as_slice()));
        assert_eq!(interleaved.end(), 90);
    }

    proptest! {
        #[test]
        fn gaps_and_ranges_together_fill_the_whole(ranges in proptest::collection::vec((0u64..60, 0u64..9), 0..9)) {
            let set: RangeSet = ranges.iter().map(|(start, len)| *start..start + len).collect();
            let gaps = set.gaps(0..80);
            for byte in 0..80 {
                let inside = |set: &RangeSet| set.ranges().iter().any(|range| range.contains(&byte));
                prop_assert_ne!(inside(&set), inside(&gaps));
                prop_assert_eq!(inside(&set), ranges.iter().any(|(start, len)| (*start..start + len).contains(&byte)));
            }
        }
    }
}
