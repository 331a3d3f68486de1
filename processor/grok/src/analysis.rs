//! What can be said of a part of a pattern before it is compiled: how long its matches are, what
//! they start with, which texts they must contain.

use crate::ast::{Assert, Node, Repeat, UNLIMITED};
use crate::bytes::ByteSet;
use crate::charset::{CharSet, INVALID};
use crate::needle::Head;

/// What can come at a place for the match to go on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Follow {
    /// The bytes that the rest of the match can start with here.
    pub(crate) bytes: ByteSet,
    /// The same when the character before is an ASCII word character.
    pub(crate) after_word: ByteSet,
    /// Whether the rest can match at the end of the text.
    pub(crate) end: bool,
    /// Whether the rest matches for certain, whatever comes.
    pub(crate) always: bool,
    /// The text that the rest starts with.
    pub(crate) head: Head,
}

impl Follow {
    /// The rest succeeds: the end of the pattern or of a group that is not entered again.
    pub(crate) const ALWAYS: Follow =
        Follow { bytes: ByteSet::ALL, after_word: ByteSet::ALL, end: true, always: true, head: Head::NONE };
    /// Nothing is known of the rest.
    pub(crate) const UNKNOWN: Follow = Follow { always: false, ..Follow::ALWAYS };
    const NEVER: Follow = Follow::starting(ByteSet::EMPTY);

    const fn starting(bytes: ByteSet) -> Follow {
        Follow { bytes, after_word: bytes, end: false, always: false, head: Head::NONE }
    }

    fn is_never(&self) -> bool {
        self.bytes.is_empty() && !self.end
    }

    /// Either of two ways to go on.
    pub(crate) fn or(self, other: Follow) -> Follow {
        Follow {
            bytes: self.bytes.union(other.bytes),
            after_word: self.after_word.union(other.after_word),
            end: self.end || other.end,
            always: self.always || other.always,
            head: match (self.is_never(), other.is_never()) {
                (true, _) => other.head,
                (_, true) => self.head,
                _ => self.head.common(other.head),
            },
        }
    }

    fn limited(self, bytes: ByteSet) -> Follow {
        Follow {
            bytes: self.bytes.intersect(bytes),
            after_word: self.after_word.intersect(bytes),
            always: false,
            ..self
        }
    }
}

/// What can come before `node` for the match to go on through it to what `after` describes.
pub(crate) fn before(node: &Node, after: Follow) -> Follow {
    match node {
        Node::Empty | Node::Keep => after,
        Node::Fail => Follow::NEVER,
        Node::Char(c) => {
            let text = &mut [0; 4];
            let text = c.encode_utf8(text).as_bytes();
            Follow { head: Head::joined(text, after.head), ..Follow::starting(ByteSet::single(text[0])) }
        }
        Node::Folded(c) => Follow::starting(ByteSet::leads(&CharSet::single(*c))),
        Node::Set(set) => Follow::starting(ByteSet::leads(set)),
        Node::Concat(nodes) => nodes.iter().rev().fold(after, |after, node| before(node, after)),
        Node::Alternate(nodes) => nodes.iter().map(|node| before(node, after)).fold(Follow::NEVER, Follow::or),
        Node::Repeat(_, Repeat { max: 0, .. }) => after,
        Node::Repeat(body, repeat) => {
            // What comes after a round may be another one.
            let once = before(body, Follow { head: Head::NONE, ..after });
            if repeat.min == 0 { once.or(after) } else { once }
        }
        Node::Capture(_, body) | Node::Atomic(body) => before(body, after),
        Node::Look(look, body) => match (look.behind, look.negative) {
            (true, _) => Follow { always: false, ..after },
            (false, false) => {
                let inside = before(body, Follow::UNKNOWN);
                Follow { end: after.end && inside.end, ..after.limited(inside.bytes) }
            }
            (false, true) => after.limited(excluded(body)),
        },
        Node::Assert(assert) => at_assert(*assert, after),
        Node::Backref(..) | Node::Call(_) => Follow::UNKNOWN,
        Node::Condition(_, yes, no) => Follow { always: false, ..before(yes, after).or(before(no, after)) },
        Node::Grapheme => Follow { end: false, ..Follow::UNKNOWN },
    }
}

/// The bytes that can come where a negative look-ahead holds.
fn excluded(body: &Node) -> ByteSet {
    let set = match body {
        Node::Set(set) => set.clone(),
        Node::Char(c) => CharSet::single(*c),
        _ => return ByteSet::ALL,
    };
    let whole = set.includes(&CharSet::new(&[(0x80, INVALID)]));
    let mut left = ByteSet::ALL;
    for byte in 0..=255u8 {
        if if byte < 0x80 { set.contains(u32::from(byte)) } else { whole } {
            left.remove(byte);
        }
    }
    left
}

fn at_assert(assert: Assert, after: Follow) -> Follow {
    let after = Follow { always: false, ..after };
    match assert {
        Assert::LineEnd | Assert::TextEndOrNewline => after.limited(ByteSet::single(b'\n')),
        Assert::TextEnd => after.limited(ByteSet::EMPTY),
        Assert::WordBoundary(_) => Follow { after_word: after.after_word.without(ByteSet::ascii_word()), ..after },
        Assert::LineStart | Assert::TextStart | Assert::SearchStart | Assert::NotWordBoundary(_) => after,
    }
}

/// The least number of characters that a match has.
pub(crate) fn min_length(node: &Node) -> u64 {
    match node {
        Node::Char(_) | Node::Folded(_) | Node::Set(_) | Node::Grapheme => 1,
        Node::Concat(nodes) => nodes.iter().map(min_length).fold(0, u64::saturating_add),
        Node::Alternate(nodes) => nodes.iter().map(min_length).min().unwrap_or(0),
        Node::Repeat(body, repeat) => min_length(body).saturating_mul(u64::from(repeat.min)),
        Node::Capture(_, body) | Node::Atomic(body) => min_length(body),
        Node::Condition(_, yes, no) => min_length(yes).min(min_length(no)),
        Node::Empty
        | Node::Fail
        | Node::Look(..)
        | Node::Assert(_)
        | Node::Backref(..)
        | Node::Call(_)
        | Node::Keep => 0,
    }
}

/// The number of characters of every match, when it is always the same.
pub(crate) fn fixed_length(node: &Node) -> Option<u32> {
    match node {
        Node::Char(_) | Node::Folded(_) | Node::Set(_) => Some(1),
        Node::Concat(nodes) => nodes.iter().try_fold(0u32, |sum, node| sum.checked_add(fixed_length(node)?)),
        Node::Alternate(nodes) => {
            let mut lengths = nodes.iter().map(fixed_length);
            let first = lengths.next()??;
            lengths.all(|length| length == Some(first)).then_some(first)
        }
        Node::Repeat(body, Repeat { min, max, .. }) if min == max => fixed_length(body)?.checked_mul(*min),
        Node::Capture(_, body) | Node::Atomic(body) => fixed_length(body),
        Node::Condition(_, yes, no) => fixed_length(yes).filter(|length| fixed_length(no) == Some(*length)),
        Node::Empty | Node::Fail | Node::Look(..) | Node::Assert(_) | Node::Keep => Some(0),
        Node::Repeat(..) | Node::Backref(..) | Node::Call(_) | Node::Grapheme => None,
    }
}

/// Whether every path through the node first does what only succeeds at the place where the
/// search may start: then other places need no attempt.
pub(crate) fn starts_with(node: &Node, test: &dyn Fn(&Node) -> bool) -> bool {
    test(node)
        || match node {
            Node::Concat(nodes) => {
                for node in nodes {
                    if starts_with(node, test) {
                        return true;
                    }
                    if !matches!(node, Node::Look(..) | Node::Assert(_)) {
                        return false;
                    }
                }
                false
            }
            Node::Alternate(nodes) => !nodes.is_empty() && nodes.iter().all(|node| starts_with(node, test)),
            Node::Capture(_, body) | Node::Atomic(body) => starts_with(body, test),
            Node::Repeat(body, repeat) => repeat.min > 0 && starts_with(body, test),
            _ => false,
        }
}

/// Whether the pattern starts with a dot that takes everything: where it fails once, it fails at
/// every later place too. Captures and atomic groups around it change that.
pub(crate) fn starts_with_everything(node: &Node) -> bool {
    match node {
        Node::Repeat(body, repeat) => {
            let everything = matches!(&**body, Node::Set(set) if *set == CharSet::any());
            everything && repeat.min == 0 && repeat.max == UNLIMITED && repeat.mode != crate::ast::Mode::Possessive
        }
        Node::Concat(nodes) => nodes.first().is_some_and(starts_with_everything),
        Node::Capture(_, body) => starts_with_everything(body),
        _ => false,
    }
}

/// The texts that every match contains, in their order.
pub(crate) fn required_literals(node: &Node) -> Vec<Vec<u8>> {
    let mut literals = Literals { done: Vec::new(), open: Vec::new() };
    literals.walk(node);
    literals.close();
    literals.done
}

struct Literals {
    done: Vec<Vec<u8>>,
    open: Vec<u8>,
}

impl Literals {
    fn walk(&mut self, node: &Node) {
        match node {
            Node::Char(c) => {
                self.open.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.walk(node)),
            Node::Capture(_, body) | Node::Atomic(body) => self.walk(body),
            Node::Empty | Node::Assert(_) | Node::Keep => {}
            Node::Look(..) => {}
            Node::Repeat(body, repeat) if repeat.min > 0 => {
                self.close();
                self.walk(body);
                self.close();
            }
            Node::Alternate(nodes) => {
                self.close();
                // What all the branches must contain, when that is one text for all of them: of several the longest,
                // since each branch may have its own order.
                let mut each = nodes.iter().map(required_literals);
                if let Some(first) = each.next().filter(|first| !first.is_empty()) {
                    let others: Vec<_> = each.collect();
                    let shared = first.into_iter().filter(|text| others.iter().all(|other| other.contains(text)));
                    self.done.extend(shared.max_by_key(Vec::len));
                }
            }
            _ => self.close(),
        }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push(std::mem::take(&mut self.open));
        }
    }
}

/// The number of nodes, those of repeated parts as often as they are repeated.
pub(crate) fn size(node: &Node) -> u64 {
    match node {
        Node::Condition(_, yes, no) => 1 + size(yes) + size(no),
        Node::Repeat(body, by) if !matches!(**body, Node::Set(_) | Node::Char(_)) => {
            let rounds = if by.max == UNLIMITED { by.min.max(1) } else { by.max };
            size(body).saturating_mul(u64::from(rounds)).saturating_add(1)
        }
        other => other.children().iter().map(size).fold(1, u64::saturating_add),
    }
}
