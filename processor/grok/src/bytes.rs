//! Sets of bytes.

use crate::charset::{CharSet, INVALID};
use crate::utf8;

/// A set of bytes as 256 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const EMPTY: ByteSet = ByteSet([0; 4]);
    pub(crate) const ALL: ByteSet = ByteSet([u64::MAX; 4]);

    /// The bytes that a character of the set can start with.
    pub(crate) fn leads(set: &CharSet) -> Self {
        let mut bytes = Self::EMPTY;
        for &(low, high) in set.ranges() {
            if high >= INVALID {
                bytes.insert_range(0x80, 0xFF);
            }
            if low < INVALID {
                bytes.insert_range(utf8::lead(low), utf8::lead(high.min(INVALID - 1)));
            }
        }
        // Between the last ASCII byte and the first lead byte no character starts.
        if !set.contains(INVALID) {
            let mut stray = Self::EMPTY;
            stray.insert_range(0x80, 0xC1);
            bytes = bytes.without(stray);
        }
        bytes
    }

    pub(crate) fn single(byte: u8) -> Self {
        let mut set = Self::EMPTY;
        set.insert(byte);
        set
    }

    /// `0-9 A-Z _ a-z`
    pub(crate) fn ascii_word() -> Self {
        let mut set = Self::EMPTY;
        (0..0x80u8).filter(|b| b.is_ascii_alphanumeric() || *b == b'_').for_each(|b| set.insert(b));
        set
    }

    pub(crate) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn insert_range(&mut self, low: u8, high: u8) {
        for (word, bits) in (0u8..).zip(&mut self.0) {
            let (first, last) = (word * 64, word * 64 + 63);
            if low <= last && first <= high {
                let (from, to) = (low.max(first) - first, high.min(last) - first);
                *bits |= (u64::MAX << from) & (u64::MAX >> (63 - to));
            }
        }
    }

    pub(crate) fn remove(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] &= !(1 << (byte & 63));
    }

    #[inline]
    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    pub(crate) fn union(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    pub(crate) fn intersect(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..=255).filter(move |&byte| self.contains(byte))
    }

    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

/// How usual a byte is in logs, roughly.
pub(crate) fn usual(byte: u8) -> u32 {
    match byte {
        b' ' | b'e' => 12,
        b'0'..=b'3' | b'a' | b'i' | b'n' | b'o' | b'r' | b's' | b't' => 8,
        b'4'..=b'9' | b'-' | b'.' | b':' | b'/' | b'c' | b'd' | b'l' | b'm' | b'p' | b'u' => 5,
        b'"' | b'=' | b'[' | b']' | b'b' | b'f' | b'g' | b'h' | b'v' | b'w' | b'y' => 3,
        _ => 1,
    }
}
