//! The end of a run of bytes of a set, sixteen bytes at a time.

use crate::block;

/// The most ranges of bytes that are compared at once.
const MAX_RANGES: usize = 8;
/// From where on a search for single bytes is left to `memchr`.
const LONG: usize = 64;

/// A set of bytes made ready for finding where a run of them ends.
#[derive(Debug)]
pub(crate) struct ByteRun {
    kind: Kind,
    bytes: [bool; 256],
}

#[derive(Debug)]
enum Kind {
    /// All bytes: only the end of the text ends the run.
    All,
    /// One to three bytes end it.
    Stops(Stops),
    /// The set as ranges, or with `inverted` what is not in it.
    Ranges { ranges: Vec<Range>, inverted: bool },
    /// Too many ranges to compare: byte by byte.
    Table,
}

/// Bytes to look for by vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stops {
    /// Nothing ends the run but the end of the text.
    Never,
    One(u8),
    Two(u8, u8),
    Three(u8, u8, u8),
}

/// The bytes from `low` to `low + span`, each number sixteen times.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) low: [u8; 16],
    pub(crate) span: [u8; 16],
}

impl ByteRun {
    /// The run of the bytes that the table has.
    pub(crate) fn new(bytes: [bool; 256]) -> ByteRun {
        let others = |byte: &u8| !bytes[usize::from(*byte)];
        let kind = match Stops::of((0..=255).filter(others)) {
            Some(Stops::Never) => Kind::All,
            Some(stops) => Kind::Stops(stops),
            None => {
                let (inside, outside) = (ranges(&bytes, true), ranges(&bytes, false));
                let inverted = outside.len() < inside.len();
                let ranges = if inverted { outside } else { inside };
                if ranges.len() <= MAX_RANGES { Kind::Ranges { ranges, inverted } } else { Kind::Table }
            }
        };
        ByteRun { kind, bytes }
    }

    /// The bytes of the run.
    pub(crate) fn bytes(&self) -> &[bool; 256] {
        &self.bytes
    }

    /// Whether only the end of the text ends the run.
    pub(crate) fn is_all(&self) -> bool {
        matches!(self.kind, Kind::All)
    }

    /// Where the run from `pos` on ends.
    #[inline(always)]
    pub(crate) fn end(&self, text: &[u8], pos: usize) -> usize {
        match &self.kind {
            Kind::All => text.len(),
            Kind::Stops(stops) => stops.after(text, pos),
            Kind::Ranges { ranges, inverted } => self.by_ranges(ranges, *inverted, text, pos),
            Kind::Table => self.by_bytes(text, pos),
        }
    }

    #[inline]
    fn by_bytes(&self, text: &[u8], pos: usize) -> usize {
        let rest = text.get(pos..).unwrap_or_default();
        pos + rest.iter().position(|&byte| !self.bytes[usize::from(byte)]).unwrap_or(rest.len())
    }

    #[inline(always)]
    fn by_ranges(&self, ranges: &[Range], inverted: bool, text: &[u8], pos: usize) -> usize {
        let Some(block) = text.get(pos..).and_then(<[u8]>::first_chunk) else { return self.by_bytes(text, pos) };
        let found = block::in_ranges(block, ranges);
        let stops = if inverted { found } else { !found & block::ALL };
        if stops != 0 {
            pos + stops.trailing_zeros() as usize
        } else {
            self.by_more_ranges(ranges, inverted, text, pos)
        }
    }

    /// The same for a run of more than sixteen bytes.
    #[inline(never)]
    fn by_more_ranges(&self, ranges: &[Range], inverted: bool, text: &[u8], pos: usize) -> usize {
        let mut at = pos + 16;
        while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk) {
            let found = block::in_ranges(block, ranges);
            let stops = if inverted { found } else { !found & block::ALL };
            if stops != 0 {
                return at + stops.trailing_zeros() as usize;
            }
            at += 16;
        }
        self.by_bytes(text, at)
    }
}

/// The ranges of the bytes whose entry is `wanted`.
fn ranges(bytes: &[bool; 256], wanted: bool) -> Vec<Range> {
    let mut found = Vec::new();
    let mut from = None;
    for at in 0..=256usize {
        let inside = bytes.get(at) == Some(&wanted);
        match (from, inside) {
            (None, true) => from = Some(at),
            (Some(low), false) => {
                found.push(Range { low: [low as u8; 16], span: [(at - 1 - low) as u8; 16] });
                from = None;
            }
            _ => {}
        }
    }
    found
}

impl Stops {
    /// The bytes, when they are few.
    pub(crate) fn of(bytes: impl Iterator<Item = u8>) -> Option<Stops> {
        let found: Vec<u8> = bytes.take(4).collect();
        match found[..] {
            [] => Some(Stops::Never),
            [a] => Some(Stops::One(a)),
            [a, b] => Some(Stops::Two(a, b)),
            [a, b, c] => Some(Stops::Three(a, b, c)),
            _ => None,
        }
    }

    /// The place of the first of the bytes from `pos` on, or the end of the text.
    #[inline]
    pub(crate) fn after(self, text: &[u8], pos: usize) -> usize {
        let mut at = pos;
        while at < pos + LONG {
            let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk) else { break };
            let found = match self {
                Stops::Never => return text.len(),
                Stops::One(a) => block::equal(block, [a, a, a]),
                Stops::Two(a, b) => block::equal(block, [a, b, b]),
                Stops::Three(a, b, c) => block::equal(block, [a, b, c]),
            };
            if found != 0 {
                return at + found.trailing_zeros() as usize;
            }
            at += 16;
        }
        self.first(text.get(at..).unwrap_or_default()).map_or(text.len(), |found| at + found)
    }

    /// The first of the bytes.
    #[inline]
    pub(crate) fn first(self, text: &[u8]) -> Option<usize> {
        match self {
            Stops::Never => None,
            Stops::One(a) => memchr::memchr(a, text),
            Stops::Two(a, b) => memchr::memchr2(a, b, text),
            Stops::Three(a, b, c) => memchr::memchr3(a, b, c, text),
        }
    }

    /// The last of the bytes.
    #[inline]
    pub(crate) fn last(self, text: &[u8]) -> Option<usize> {
        match self {
            Stops::Never => None,
            Stops::One(a) => memchr::memrchr(a, text),
            Stops::Two(a, b) => memchr::memrchr2(a, b, text),
            Stops::Three(a, b, c) => memchr::memrchr3(a, b, c, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_where_reading_byte_by_byte_ends_it() {
        let text: Vec<u8> = (0..600u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        type Test = fn(u8) -> bool;
        let sets: [Test; 8] = [
            |byte| byte.is_ascii_alphanumeric(),
            |byte| byte != b'"',
            |byte| byte != b'"' && byte != b'\\',
            |byte| !b" \t\n".contains(&byte),
            |byte| byte < 0x80,
            |byte| byte % 2 == 0,
            |_| true,
            |byte| byte >= 0x20 && byte != 0x7F && byte != b'|',
        ];
        for set in sets {
            let run = ByteRun::new(std::array::from_fn(|byte| set(byte as u8)));
            for length in [0, 1, 15, 16, 17, 33, 80, 600] {
                for pos in 0..=length {
                    let part = &text[..length];
                    let expected = part[pos..].iter().position(|&byte| !set(byte)).map_or(length, |at| pos + at);
                    assert_eq!(run.end(part, pos), expected);
                }
            }
            // Long runs, to pass the place where memchr takes over.
            let mut long = vec![*(0..=255).collect::<Vec<u8>>().iter().find(|&&byte| set(byte)).unwrap_or(&0); 300];
            long[250] = b'"';
            let expected = if set(b'"') { 300 } else { 250 };
            assert_eq!(run.end(&long, 3), expected);
        }
    }
}
