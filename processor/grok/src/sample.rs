//! Texts made up after a pattern.

use crate::ast::{Node, Repeat};
use crate::charset::{CharSet, INVALID};
use crate::regex::Regex;

/// Where a text stops to grow.
const MAX_LENGTH: usize = 1 << 14;
/// How many rounds a repetition goes beyond its least.
const MORE_ROUNDS: u32 = 3;

impl Regex {
    /// A text made up after the pattern. The pattern matches it unless look-around, an anchor, an atomic part or
    /// something of the like decides otherwise: those are not looked at. `choose(n)` takes one of `n` ways: it answers
    /// with a number below `n`.
    pub fn sample(&self, choose: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let mut sampler = Sampler { text: Vec::new(), groups: vec![None; self.group_count()], choose };
        sampler.node(self.node());
        sampler.text
    }
}

struct Sampler<'c> {
    text: Vec<u8>,
    /// What the groups took.
    groups: Vec<Option<(usize, usize)>>,
    choose: &'c mut dyn FnMut(usize) -> usize,
}

impl Sampler<'_> {
    /// One of `count` ways, whatever the caller's function says.
    fn choose(&mut self, count: usize) -> usize {
        (self.choose)(count).min(count.saturating_sub(1))
    }

    fn node(&mut self, node: &Node) {
        if self.text.len() > MAX_LENGTH {
            return;
        }
        match node {
            Node::Char(c) | Node::Folded(c) => self.char(*c),
            Node::Set(set) => self.set(set),
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Alternate(nodes) => {
                let branch = self.choose(nodes.len());
                nodes.get(branch).into_iter().for_each(|node| self.node(node));
            }
            Node::Repeat(body, by) => self.repeat(body, *by),
            Node::Capture(group, body) => {
                let start = self.text.len();
                self.node(body);
                if let Some(place) = self.groups.get_mut(*group as usize) {
                    *place = Some((start, self.text.len()));
                }
            }
            Node::Atomic(body) => self.node(body),
            Node::Backref(groups, _) => {
                let taken = groups.iter().rev().find_map(|&group| *self.groups.get(group as usize)?);
                if let Some((start, end)) = taken {
                    self.text.extend_from_within(start..end);
                }
            }
            Node::Condition(_, yes, no) => {
                let branch = if self.choose(2) == 0 { yes } else { no };
                self.node(branch);
            }
            Node::Grapheme => self.char('g'),
            Node::Empty | Node::Fail | Node::Look(..) | Node::Assert(_) | Node::Call(_) | Node::Keep => {}
        }
    }

    fn repeat(&mut self, body: &Node, by: Repeat) {
        let more = by.max.saturating_sub(by.min).min(MORE_ROUNDS);
        let rounds = by.min as usize + self.choose(more as usize + 1);
        for _ in 0..rounds {
            if self.text.len() > MAX_LENGTH {
                break;
            }
            self.node(body);
        }
    }

    fn char(&mut self, c: char) {
        self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// A character of a set: mostly one that logs are full of, when there is one.
    fn set(&mut self, set: &CharSet) {
        let usual = set.intersect(&CharSet::new(&[(u32::from(' '), u32::from('~'))]));
        let set = if usual.is_empty() || self.choose(16) == 0 { set } else { &usual };
        let range = self.choose(set.ranges().len());
        let Some(&(low, high)) = set.ranges().get(range) else { return };
        let code = low + self.choose((high - low) as usize + 1) as u32;
        match char::from_u32(code) {
            Some(c) => self.char(c),
            None if code == INVALID => self.text.push(0xFF),
            // A surrogate: none of them is a character, so the range's end has to do.
            None => self.char(char::from_u32(low).or(char::from_u32(high)).unwrap_or('?')),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Budget, Options, Regex, Scratch};

    #[test]
    fn a_pattern_without_conditions_matches_what_is_made_up_after_it() {
        let regex = Regex::new(r"(?<a>[a-f]+\d{2,})-(?:x|[^ ]y)?\k<a>\h*", Options::default()).unwrap();
        let mut seed = 1usize;
        for _ in 0..1000 {
            let text = regex.sample(&mut |ways| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) % ways
            });
            assert!(regex.is_match(&text, &mut Scratch::default(), Budget::UNLIMITED).unwrap(), "{text:?}");
        }
    }
}
