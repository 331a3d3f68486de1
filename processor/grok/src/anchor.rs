//! Where a match cannot start: too far before the next text that it must contain.

use crate::analysis::min_length;
use crate::ast::{Assert, Node, UNLIMITED};
use crate::clause::bits;
use crate::needle::Needle;

/// The most times that the byte may come.
const MAX_COUNT: u64 = 8;
/// The least that the text must say, in bits.
const LEAST_WEIGHT: u32 = 5;

/// A text that every match contains, and a byte that comes between its start and that text only so many times.
///
/// In `%{IP} %{USER} %{USER} \[` there are two blanks before ` [`: in a long text without a ` [` for a while a match
/// starts after the third last blank before the next one.
#[derive(Debug)]
pub(crate) struct Anchor {
    text: Needle,
    byte: u8,
    count: u64,
}

impl Anchor {
    /// The best anchor of a pattern, if it has one.
    pub(crate) fn new(node: &Node) -> Option<Anchor> {
        let mut elements = Vec::new();
        flatten(node, &mut elements);
        let anchors = texts(&elements)
            .into_iter()
            .filter_map(|(from, text)| Some((bits(&text), Anchor::after(&elements[..from], &text)?)));
        rarest(anchors)
    }

    fn after(head: &[&Node], text: &[u8]) -> Option<Anchor> {
        let count = |byte: u8| {
            let ascii = byte.is_ascii().then_some(byte)?;
            let most = head.iter().try_fold(0u64, |sum, node| Some(sum.saturating_add(most(node, byte)?)))?;
            (most <= MAX_COUNT).then_some((most, ascii))
        };
        let (count, byte) = [b' ', b'"', text[0]].into_iter().filter_map(count).min()?;
        Some(Anchor { text: Needle::new(text)?, byte, count })
    }

    /// The first place from `at` on where a match may start, and the place of the text that says so.
    pub(crate) fn next(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let place = self.text.find(text, at)?;
        let mut end = place;
        for _ in 0..=self.count {
            match memchr::memrchr(self.byte, &text[at..end]) {
                Some(found) => end = at + found,
                None => return Some((at, place)),
            }
        }
        Some((end + 1, place))
    }
}

/// What every match of a pattern ends with, from the rarest text on that it contains on its top level; nothing when
/// that says no more than the text does.
pub(crate) fn end_of(node: &Node) -> Option<Node> {
    let depends = |node: &Node| {
        matches!(node, Node::Backref(..) | Node::Condition(..) | Node::Call(_) | Node::Keep)
            || matches!(node, Node::Assert(Assert::SearchStart))
    };
    if node.any(&depends) {
        return None;
    }
    let mut elements = Vec::new();
    flatten(node, &mut elements);
    let from = rarest(texts(&elements).into_iter().map(|(from, text)| (bits(&text), from)))?;
    let end = &elements[from..];
    let says = |node: &&Node| !matches!(node, Node::Char(_)) && min_length(node) > 0;
    end.iter().any(says).then(|| Node::concat(end.iter().map(|&node| node.clone()).collect()))
}

/// The texts among the elements, but one at their start, and where they start.
fn texts(elements: &[&Node]) -> Vec<(usize, Vec<u8>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < elements.len() {
        let from = at;
        let mut text = Vec::new();
        while let Some(Node::Char(c)) = elements.get(at) {
            text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            at += 1;
        }
        if text.is_empty() {
            at += 1;
        } else if from > 0 {
            found.push((from, text));
        }
    }
    found
}

/// What goes with the most bits, the first of several, when they are enough.
fn rarest<T>(all: impl Iterator<Item = (u32, T)>) -> Option<T> {
    let enough = all.filter(|(weight, _)| *weight >= LEAST_WEIGHT);
    enough.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, found)| found)
}

/// The elements of a sequence; groups on its top level are gone into.
fn flatten<'n>(node: &'n Node, into: &mut Vec<&'n Node>) {
    match node {
        Node::Concat(nodes) => nodes.iter().for_each(|node| flatten(node, into)),
        Node::Capture(_, body) | Node::Atomic(body) => flatten(body, into),
        other => into.push(other),
    }
}

/// How often at most a byte of ASCII is in a match of the node; `None` when there is no limit.
fn most(node: &Node, byte: u8) -> Option<u64> {
    match node {
        Node::Empty | Node::Fail | Node::Look(..) | Node::Assert(_) | Node::Keep => Some(0),
        Node::Char(c) => Some(u64::from(*c == char::from(byte))),
        Node::Folded(_) => Some(1),
        Node::Set(set) => Some(u64::from(set.contains(u32::from(byte)))),
        Node::Concat(nodes) => nodes.iter().try_fold(0u64, |sum, node| Some(sum.saturating_add(most(node, byte)?))),
        Node::Alternate(nodes) => nodes.iter().try_fold(0u64, |max, node| Some(max.max(most(node, byte)?))),
        Node::Capture(_, body) | Node::Atomic(body) => most(body, byte),
        Node::Repeat(body, by) => match most(body, byte) {
            Some(0) => Some(0),
            Some(count) if by.max != UNLIMITED => Some(count.saturating_mul(u64::from(by.max))),
            _ => None,
        },
        Node::Backref(..) | Node::Call(_) | Node::Condition(..) | Node::Grapheme => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::parse::{Options, parse};

    fn next(pattern: &str, text: &str, at: usize) -> Option<(usize, usize)> {
        Anchor::new(&parse(pattern, Options::default()).unwrap().node).unwrap().next(text.as_bytes(), at)
    }

    #[test]
    fn leaves_out_starts_too_far_before_the_text() {
        assert_eq!(next(r"\S+ \S+ \[", "a b c d e f [", 0), Some((8, 11)));
        assert_eq!(next(r"\S+ \S+ \[", "a b c d e f [", 9), Some((9, 11)));
        assert_eq!(next(r"\S+ \S+ \[", "a b c d", 0), None);
        assert_eq!(next(r"(\S+(?: x)?) (\S+) \[", "a b c d e f [", 0), Some((6, 11)));
    }

    #[test]
    fn needs_a_limit_and_a_text() {
        for pattern in [r"\S+\d", r".*\[x", r"ab", r"\S+(?: \S+)*\[", r"\w+ "] {
            let anchor = Anchor::new(&parse(pattern, Options { multi_line: true, ..Options::default() }).unwrap().node);
            assert!(anchor.is_none(), "{pattern}: {anchor:?}");
        }
    }
}
