//! Sets of characters as sorted, disjoint ranges of code points.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// The code that stands for one byte that is no part of valid UTF-8. It lies past the last
/// code point, so a negated class and the dot contain it and nothing else does.
pub(crate) const INVALID: u32 = 0x11_0000;

/// A set of characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct CharSet {
    ranges: Vec<(u32, u32)>,
}

impl CharSet {
    /// A set from ranges in any order.
    pub(crate) fn new(ranges: &[(u32, u32)]) -> Self {
        let mut set = Self { ranges: ranges.to_vec() };
        set.normalise();
        set
    }

    /// Every character, the newline included, and every invalid byte.
    pub(crate) fn any() -> Self {
        Self { ranges: vec![(0, INVALID)] }
    }

    /// Every character but the newline: the dot outside of multi-line mode.
    pub(crate) fn any_but_newline() -> Self {
        Self { ranges: vec![(0, 9), (11, INVALID)] }
    }

    /// The set of one character.
    pub(crate) fn single(c: char) -> Self {
        Self { ranges: vec![(c as u32, c as u32)] }
    }

    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(crate) fn contains(&self, code: u32) -> bool {
        let after = self.ranges.partition_point(|&(low, _)| low <= code);
        after > 0 && self.ranges[after - 1].1 >= code
    }

    /// The only character of the set, when there is exactly one.
    pub(crate) fn only(&self) -> Option<char> {
        match self.ranges[..] {
            [(low, high)] if low == high => char::from_u32(low),
            _ => None,
        }
    }

    pub(crate) fn add_range(&mut self, low: u32, high: u32) {
        let in_order = self.ranges.last().is_none_or(|&(_, last)| low > last.saturating_add(1));
        self.ranges.push((low, high));
        if !in_order {
            self.normalise();
        }
    }

    pub(crate) fn union(&mut self, other: &CharSet) {
        let was_empty = self.ranges.is_empty();
        self.ranges.extend_from_slice(&other.ranges);
        if !was_empty {
            self.normalise();
        }
    }

    pub(crate) fn intersect(&self, other: &CharSet) -> CharSet {
        let (mut i, mut j, mut ranges) = (0, 0, Vec::new());
        while i < self.ranges.len() && j < other.ranges.len() {
            let (a, b) = (self.ranges[i], other.ranges[j]);
            let (low, high) = (a.0.max(b.0), a.1.min(b.1));
            if low <= high {
                ranges.push((low, high));
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        CharSet { ranges }
    }

    /// Whether every character of `other` is in this set.
    pub(crate) fn includes(&self, other: &CharSet) -> bool {
        self.intersect(other) == *other
    }

    pub(crate) fn negate(&self) -> CharSet {
        let (mut next, mut ranges) = (0, Vec::new());
        for &(low, high) in &self.ranges {
            if low > next {
                ranges.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= INVALID {
            ranges.push((next, INVALID));
        }
        CharSet { ranges }
    }

    /// Adds the characters that equal one of the set but for their case (simple folding).
    pub(crate) fn fold(&self) -> CharSet {
        let mut class = ClassUnicode::empty();
        let mut invalid = false;
        for &(low, high) in &self.ranges {
            invalid |= high >= INVALID;
            // Surrogates are no characters; a range that touches them is cut in two.
            for (from, to) in [(low, high.min(0xD7FF)), (low.max(0xE000), high.min(0x10_FFFF))] {
                if let (true, Some(from), Some(to)) = (from <= to, char::from_u32(from), char::from_u32(to)) {
                    class.push(ClassUnicodeRange::new(from, to));
                }
            }
        }
        // Folding fails only where the library was built without its tables.
        let folded = class.try_case_fold_simple().is_ok();
        debug_assert!(folded, "the case folding tables are compiled in");
        let mut set = CharSet::from(&class);
        if invalid {
            set.add_range(INVALID, INVALID);
        }
        set
    }

    fn normalise(&mut self) {
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, last| {
            let joined = next.0 <= last.1.saturating_add(1);
            if joined {
                last.1 = last.1.max(next.1);
            }
            joined
        });
    }
}

impl From<&ClassUnicode> for CharSet {
    fn from(class: &ClassUnicode) -> Self {
        let ranges: Vec<_> = class.iter().map(|range| (range.start() as u32, range.end() as u32)).collect();
        CharSet::new(&ranges)
    }
}
