//! Quantifiers: `* + ?` with `?` (lazy) and `+` (possessive), and `{n,m}`.

use super::Parser;
use crate::ast::{Mode, Node, Repeat, UNLIMITED};
use crate::error::Error;

/// The largest number in an interval (Oniguruma's `ONIG_MAX_REPEAT_NUM`).
const MAX_REPEAT: u32 = 100_000;

impl Parser<'_> {
    /// Applies the quantifiers that follow to an element.
    pub(super) fn quantified(&mut self, mut node: Node) -> Result<Node, Error> {
        loop {
            while let (true, Some(c)) = (self.flags.extended, self.peek()) {
                if !self.skip_blank(c) {
                    break;
                }
            }
            let start = self.pos;
            let Some(repeat) = self.quantifier()? else {
                return Ok(node);
            };
            if matches!(node, Node::Assert(_) | Node::Keep) {
                return Err(Error::new(start, "the target of the repeat operator is invalid"));
            }
            node = apply(node, repeat);
        }
    }

    fn quantifier(&mut self) -> Result<Option<Repeat>, Error> {
        let (min, max) = match self.peek() {
            Some('*') => (0, UNLIMITED),
            Some('+') => (1, UNLIMITED),
            Some('?') => (0, 1),
            Some('{') => return self.interval(),
            _ => return Ok(None),
        };
        self.pos += 1;
        let mode = if self.eat("?") {
            Mode::Lazy
        } else if self.eat("+") {
            Mode::Possessive
        } else {
            Mode::Greedy
        };
        Ok(Some(Repeat { min, max, mode }))
    }

    /// `{n}`, `{n,}`, `{,m}`, `{n,m}`; anything else in braces is text. After an interval `+` is
    /// a quantifier of its own, and so is `?` after `{n}`, as in Ruby.
    fn interval(&mut self) -> Result<Option<Repeat>, Error> {
        let Some((min, max, length)) = read_interval(self.rest()) else {
            return Ok(None);
        };
        if min.is_some_and(|n| n > MAX_REPEAT) || max.is_some_and(|n| n > MAX_REPEAT) {
            return Err(self.error(format!("a repeat count is above {MAX_REPEAT}")));
        }
        self.pos += length;
        let (mut low, mut high) = (min.unwrap_or(0), max.unwrap_or(UNLIMITED));
        let mut mode = Mode::Greedy;
        if low > high {
            std::mem::swap(&mut low, &mut high);
            mode = Mode::Possessive;
        } else if low != high && self.eat("?") {
            mode = Mode::Lazy;
        }
        Ok(Some(Repeat { min: low, max: high, mode }))
    }

    /// Whether the brace at `start` opens an interval.
    pub(super) fn interval_follows(&self, start: usize) -> bool {
        read_interval(&self.pattern[start..]).is_some()
    }
}

/// Reads an interval: its limits and its length in bytes.
fn read_interval(text: &str) -> Option<(Option<u32>, Option<u32>, usize)> {
    let end = text.find('}')?;
    let inner = text.get(1..end)?;
    let number = |digits: &str| {
        let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        valid.then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let (min, max) = match inner.split_once(',') {
        None => (Some(number(inner)?), Some(number(inner)?)),
        Some(("", max)) => (Some(0), Some(number(max)?)),
        Some((min, "")) => (Some(number(min)?), None),
        Some((min, max)) => (Some(number(min)?), Some(number(max)?)),
    };
    Some((min, max, end + 1))
}

/// Repeats a node. A plain quantifier on a plain quantifier is one, as in Oniguruma.
fn apply(node: Node, repeat: Repeat) -> Node {
    if let Node::Repeat(inner, by) = &node
        && let Some(reduced) = reduce(*by, repeat)
    {
        return match reduced {
            Reduced::Inner => node,
            Reduced::To(by) => Node::Repeat(inner.clone(), by),
            Reduced::Nested(first, second) => Node::Repeat(Box::new(Node::Repeat(inner.clone(), first)), second),
        };
    }
    Node::Repeat(Box::new(node), repeat)
}

enum Reduced {
    Inner,
    To(Repeat),
    Nested(Repeat, Repeat),
}

/// What `x` repeated by `inner` and then by `outer` comes to, when both are plain.
fn reduce(inner: Repeat, outer: Repeat) -> Option<Reduced> {
    use Mode::{Greedy, Lazy};
    let of = |min, max, mode| Repeat { min, max, mode };
    let kind = |r: Repeat| match (r.min, r.max, r.mode) {
        (0, 1, Greedy) => Some(0),
        (0, UNLIMITED, Greedy) => Some(1),
        (1, UNLIMITED, Greedy) => Some(2),
        (0, 1, Lazy) => Some(3),
        (0, UNLIMITED, Lazy) => Some(4),
        (1, UNLIMITED, Lazy) => Some(5),
        _ => None,
    };
    let plus = Reduced::To(of(1, UNLIMITED, Greedy));
    let star = Reduced::To(of(0, UNLIMITED, Greedy));
    let lazy_star = Reduced::To(of(0, UNLIMITED, Lazy));
    let lazy_maybe = Reduced::To(of(0, 1, Lazy));
    let plus_then_maybe = Reduced::Nested(of(1, UNLIMITED, Greedy), of(0, 1, Lazy));
    Some(match (kind(inner)?, kind(outer)?) {
        (0, 1 | 2) | (2, 0 | 1) => star,
        (0, 3) => lazy_maybe,
        (0, 4) | (3, 1 | 2 | 4 | 5) | (5, 3 | 4) => lazy_star,
        (1, 3 | 4) | (2, 4) => plus_then_maybe,
        (5, 1) => star,
        (5, 2) => plus,
        (0, 5) | (2, 3) | (5, 0) => return None,
        _ => Reduced::Inner,
    })
}
