//! One pass over a text that finds which of many short texts are in it.

use crate::bytes::usual;

/// The most texts.
pub(crate) const MAX_TEXTS: usize = 1024;
/// Places in the table of pairs.
const PAIRS: usize = 1 << 12;
/// The most groups of entries.
const MAX_GROUPS: usize = 255;

/// Which texts are there, by number.
pub(crate) type Found = [u64; MAX_TEXTS / 64];

/// Of texts of two bytes or more the pair of neighbouring bytes that is least likely to be met by chance is looked for;
/// only where one stands the whole text is compared. Single bytes are looked up at the end.
#[derive(Debug)]
pub(crate) struct Scan {
    /// By the hash of a pair of bytes: the number of its group of entries from 1 on, or 0 when it is not looked for.
    groups: Box<[u8; PAIRS]>,
    /// Where the entries of each group start.
    starts: Vec<usize>,
    /// Pair, offset in the text, number of the text; those of a group together.
    entries: Vec<(u16, usize, usize)>,
    texts: Vec<Vec<u8>>,
    /// Texts of a single byte, and their numbers.
    singles: Vec<(u8, usize)>,
}

impl Scan {
    /// Prepares for looking for these texts, none of which is empty. Those past the limit are never found.
    pub(crate) fn new(texts: Vec<Vec<u8>>) -> Scan {
        let mut groups = Box::new([0u8; PAIRS]);
        let (mut singles, mut found, mut count) = (Vec::new(), Vec::with_capacity(texts.len()), 0);
        for (number, text) in texts.iter().enumerate().take(MAX_TEXTS) {
            if let [byte] = text[..] {
                singles.push((byte, number));
            }
            let rarest = text.windows(2).enumerate().min_by_key(|(_, pair)| usual(pair[0]) * usual(pair[1]));
            let Some((offset, pair)) = rarest else { continue };
            let pair = u16::from_le_bytes([pair[0], pair[1]]);
            let group = &mut groups[hash(pair)];
            if *group == 0 {
                *group = (count % MAX_GROUPS) as u8 + 1;
                count += 1;
            }
            found.push((usize::from(*group), (pair, offset, number)));
        }
        found.sort_by_key(|&(group, _)| group);
        let starts = (1..=MAX_GROUPS + 1).map(|group| found.partition_point(|&(other, _)| other < group)).collect();
        let entries = found.into_iter().map(|(_, entry)| entry).collect();
        Scan { groups, starts, entries, texts, singles }
    }

    /// Which of the texts are in `text`.
    pub(crate) fn find(&self, text: &[u8]) -> Found {
        let mut found = [0; MAX_TEXTS / 64];
        for (at, pair) in text.windows(2).enumerate() {
            let pair = u16::from_le_bytes([pair[0], pair[1]]);
            let group = self.groups[hash(pair)];
            if group != 0 {
                self.compare(usize::from(group), pair, at, text, &mut found);
            }
        }
        for &(byte, number) in &self.singles {
            found[number / 64] |= u64::from(memchr::memchr(byte, text).is_some()) << (number % 64);
        }
        found
    }

    fn compare(&self, group: usize, pair: u16, at: usize, text: &[u8], found: &mut Found) {
        let entries = self.starts[group - 1]..self.starts[group];
        for &(own, offset, number) in &self.entries[entries] {
            let word = &mut found[number / 64];
            if own != pair || *word >> (number % 64) & 1 == 1 {
                continue;
            }
            let stands = at.checked_sub(offset).is_some_and(|start| text[start..].starts_with(&self.texts[number]));
            *word |= u64::from(stands) << (number % 64);
        }
    }
}

fn hash(pair: u16) -> usize {
    usize::from(pair.wrapping_mul(0x9E35)) >> 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_texts_that_are_there_and_no_others() {
        let words = ["ab", "abc", "b: ", "session opened", "opened", "\u{e9}t\u{e9}", "zz", "aa", "aaa", "x", "'"];
        let scan = Scan::new(words.iter().map(|word| word.as_bytes().to_vec()).collect());
        let texts = [
            "",
            "a",
            "ab",
            "xabc",
            "b: ab",
            "session opene",
            "the session opened",
            "l'\u{e9}t\u{e9}",
            "zaz",
            "zz",
            "aa",
            "baaa",
        ];
        for text in texts {
            let found = scan.find(text.as_bytes());
            for (number, word) in words.iter().enumerate() {
                assert_eq!(found[number / 64] >> (number % 64) & 1 == 1, text.contains(word), "{word} in {text}");
            }
        }
    }
}
