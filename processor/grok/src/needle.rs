//! Short texts that must come at a place, and looking for them.

use crate::bytes::usual;
use crate::run::Stops;

/// The most bytes of a head.
const MAX_HEAD: usize = 16;

/// The text that the rest of a match starts with, as far as it is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    bytes: [u8; MAX_HEAD],
    length: u8,
}

impl Head {
    /// Nothing is certain.
    pub(crate) const NONE: Head = Head { bytes: [0; MAX_HEAD], length: 0 };

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// A text and then what comes after it.
    pub(crate) fn joined(text: &[u8], after: Head) -> Head {
        let mut head = Head::NONE;
        let places = head.bytes.iter_mut().zip(text.iter().chain(after.as_bytes()));
        head.length = places.map(|(place, byte)| *place = *byte).count() as u8;
        head
    }

    /// What both start with.
    pub(crate) fn common(self, other: Head) -> Head {
        let same = self.as_bytes().iter().zip(other.as_bytes()).take_while(|(a, b)| a == b).count();
        Head::joined(&self.bytes[..same], Head::NONE)
    }
}

/// A text to look for, by that of its bytes which is least often met.
#[derive(Debug)]
pub(crate) struct Needle {
    text: Box<[u8]>,
    rare: u8,
    /// Where that byte stands in the text.
    offset: usize,
}

impl Needle {
    /// Nothing for an empty text.
    pub(crate) fn new(text: &[u8]) -> Option<Needle> {
        let (offset, &rare) = text.iter().enumerate().min_by_key(|&(_, &byte)| usual(byte))?;
        Some(Needle { text: text.into(), rare, offset })
    }

    /// The text, and the place in it of the byte that is least often met.
    pub(crate) fn rare(&self) -> (&[u8], usize) {
        (&self.text, self.offset)
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The first place from `pos` on.
    #[inline]
    pub(crate) fn find(&self, text: &[u8], pos: usize) -> Option<usize> {
        let mut at = pos + self.offset;
        loop {
            at = Stops::One(self.rare).after(text, at);
            // At the end of the text nothing starts with the rare byte; a short text ends before it could stand there.
            let start = at.checked_sub(self.offset)?;
            if text.get(start..)?.starts_with(&self.text) {
                return Some(start);
            }
            if at >= text.len() {
                return None;
            }
            at += 1;
        }
    }

    /// The last place before `end`, but not before `start`.
    pub(crate) fn find_last(&self, text: &[u8], start: usize, end: usize) -> Option<usize> {
        let mut end = (end + self.offset).min(text.len());
        loop {
            let found = memchr::memrchr(self.rare, text.get(start + self.offset..end)?)?;
            let place = start + found;
            if text[place..].starts_with(&self.text) {
                return Some(place);
            }
            end = place + self.offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_search_at_every_place_finds() {
        let texts: [&[u8]; 6] = [b"", b"ab", b"aab=ab=b=", b"ab=", b"=========", b"xx took=1 took=2 took"];
        for needle in [&b"ab"[..], b"=", b"b=", b"==", b"ab=b", b" took="] {
            let searched = Needle::new(needle).unwrap();
            for text in texts {
                for from in 0..=text.len() {
                    let places = |range: std::ops::Range<usize>| range.filter(|&at| text[at..].starts_with(needle));
                    assert_eq!(searched.find(text, from), places(from..text.len()).next());
                    for end in from..=text.len() {
                        assert_eq!(searched.find_last(text, from, end), places(from..end).next_back(), "{from}..{end}");
                    }
                }
            }
        }
    }

    #[test]
    fn heads_are_joined_and_compared() {
        let head = |text: &str| Head::joined(text.as_bytes(), Head::NONE);
        assert_eq!(Head::joined(b"ab", head("c")), head("abc"));
        assert_eq!(head("abc").common(head("abd")), head("ab"));
        assert_eq!(head("abc").common(Head::NONE), Head::NONE);
        assert_eq!(Head::joined(b"0123456789", head("abcdefgh")).as_bytes(), b"0123456789abcdef");
    }
}
