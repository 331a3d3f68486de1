//! Where in a text a match is looked for.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use memchr::memmem::Finder;

use crate::analysis::{self, Follow};
use crate::anchor::Anchor;
use crate::ast::{Assert, Node};
use crate::budget::{Halt, Meter};
use crate::needle::Needle;
use crate::program::{Op, Program};
use crate::run::Stops;
use crate::token::{Token, Verdict, Wall, Walls};
use crate::utf8;

/// What matches a program at one place of a text.
pub(crate) trait Attempts {
    /// Matches at one place. The captures are in the registers then.
    fn attempt(&mut self, at: usize, meter: &mut Meter) -> Result<bool, Halt>;

    /// Matches at the first place from `from` to `last` where there is a match.
    fn attempt_any(&mut self, search: &Search, from: usize, last: usize, meter: &mut Meter) -> Result<bool, Halt>;
}

/// What a match can start with.
#[derive(Debug)]
pub(crate) struct FirstBytes {
    pub(crate) bytes: [bool; 256],
    /// Whether it can be empty at the end of the text.
    pub(crate) at_end: bool,
}

/// The most texts that are looked for one after the other.
const MAX_NEEDED: usize = 16;

/// Where a match can start and what its text must contain.
#[derive(Debug)]
pub(crate) struct Search {
    starts: Starts,
    first: FirstBytes,
    find_first: Option<Stops>,
    /// The text that every match starts with.
    head: Option<Box<Finder<'static>>>,
    /// The texts that every match contains, one after the other.
    needed: Vec<Needle>,
    /// Whether to look for those before anything is tried; else after the first place has failed, since most places
    /// fail at once and most lines match at the first.
    asks_first: bool,
    /// Whether the last text that did not match lacked what it needs: then the next is asked for it first.
    misses: AtomicBool,
    /// The token that every match starts with, when only what it matches decides how the match goes on.
    token: Option<u32>,
    /// What leaves out places in long texts.
    anchor: Option<Anchor>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Starts {
    Anywhere,
    /// Only where the text starts.
    Text,
    /// Only where the search starts.
    Here,
    /// Only where a line starts.
    Line,
}

impl Search {
    pub(crate) fn new(node: &Node, program: &Program) -> Search {
        let is = |wanted: Assert| analysis::starts_with(node, &|node| matches!(node, Node::Assert(a) if *a == wanted));
        let has_references = node.any(&|n| {
            matches!(n, Node::Backref(..) | Node::Condition(..) | Node::Call(_) | Node::Keep)
                || matches!(n, Node::Assert(Assert::SearchStart))
        });
        let everything = analysis::starts_with_everything(node);
        let starts = if is(Assert::TextStart) {
            Starts::Text
        } else if is(Assert::SearchStart) || (!has_references && everything) {
            Starts::Here
        } else if is(Assert::LineStart) {
            Starts::Line
        } else {
            Starts::Anywhere
        };
        let head = analysis::before(node, Follow { always: false, ..Follow::ALWAYS });
        let mut needed = analysis::required_literals(node);
        needed.truncate(MAX_NEEDED);
        let needed = needed.iter().filter_map(|text| Needle::new(text)).collect();
        let token = program.ops.iter().find_map(|op| match op {
            Op::Save(_) | Op::Clear { .. } => None,
            Op::Token(token) | Op::SaveToken { token, .. } => Some(Some(*token)),
            _ => Some(None),
        });
        Search {
            starts,
            first: FirstBytes { bytes: std::array::from_fn(|byte| head.bytes.contains(byte as u8)), at_end: head.end },
            find_first: Stops::of(head.bytes.iter()).filter(|stops| *stops != Stops::Never),
            head: Some(head.head.as_bytes())
                .filter(|text| text.len() > 1)
                .map(|text| Box::new(Finder::new(text).into_owned())),
            needed,
            asks_first: everything,
            misses: AtomicBool::new(false),
            anchor: (starts == Starts::Anywhere).then(|| Anchor::new(node)).flatten(),
            token: token.flatten().filter(|_| !has_references && starts == Starts::Anywhere),
        }
    }

    /// Whether a match may start at any place whose byte is among the first.
    pub(crate) fn is_by_first(&self) -> bool {
        self.starts == Starts::Anywhere && self.head.is_none()
    }

    /// What a match can start with.
    pub(crate) fn first_bytes(&self) -> &FirstBytes {
        &self.first
    }

    /// The last place, from `from` on, where a match may start: what it needs comes after that, one text after the other.
    fn last_start(&self, text: &[u8], from: usize) -> Option<usize> {
        self.needed.iter().rev().try_fold(text.len(), |end, needed| {
            let least = end.checked_sub(needed.len())?;
            needed.find_last(text, from, least + 1)
        })
    }

    /// Looks for no texts from now on but for the one that every match starts with.
    pub(crate) fn forget_texts(&mut self) {
        self.needed.clear();
    }

    /// Whether the last text that did not match lacked what it needs.
    pub(crate) fn expects_miss(&self) -> bool {
        self.misses.load(Relaxed)
    }

    /// Notes whether the next text is expected to lack what it needs.
    pub(crate) fn expect_miss(&self, misses: bool) {
        if misses != self.expects_miss() {
            self.misses.store(misses, Relaxed);
        }
    }

    /// Whether to look for what the text needs before anything is tried.
    pub(crate) fn asks_first(&self) -> bool {
        self.asks_first || self.expects_miss()
    }

    /// Whether the text lacks what every match contains.
    pub(crate) fn lacks_text(&self, text: &[u8], from: usize) -> bool {
        self.last_start(text, from).is_none()
    }

    /// The first place where a match may start.
    #[inline]
    pub(crate) fn first_place(&self, text: &[u8], start: usize) -> Option<usize> {
        // Most lines match at their start.
        let here = self.is_by_first() && text.get(start).is_some_and(|&byte| self.first.bytes[usize::from(byte)]);
        if here { Some(start) } else { self.candidate(text, start, start) }
    }

    /// The next and the last place where a match may start when none does at `place`.
    pub(crate) fn places_after(&self, text: &[u8], place: usize) -> Option<(usize, usize)> {
        if place >= text.len() || matches!(self.starts, Starts::Text | Starts::Here) {
            return None;
        }
        let last = self.last_start(text, place + 1);
        if last.is_none() {
            self.expect_miss(true);
        }
        Some((utf8::boundary(text, place + 1), last?))
    }

    /// Tries all places from one to the last.
    pub(crate) fn others(
        &self,
        program: &Program,
        text: &[u8],
        (mut at, last): (usize, usize),
        meter: &mut Meter,
        machine: &mut impl Attempts,
    ) -> Result<bool, Halt> {
        let token = self.token.and_then(|token| program.tokens.get(token as usize));
        let walled = token.and_then(|token| Some((token, token.walls(program)?)));
        // From anchor to anchor.
        loop {
            let (from, to) = match &self.anchor {
                Some(anchor) => match anchor.next(text, at) {
                    Some((from, place)) => (from, place.min(last)),
                    None => return Ok(false),
                },
                None => (at, last),
            };
            let found = match walled {
                Some(walled) => self.between_walls(machine, program, walled, (from, to), text, meter)?,
                None if from <= to => machine.attempt_any(self, from, to, meter)?,
                None => false,
            };
            if found || to >= last || to >= text.len() {
                return Ok(found);
            }
            at = after(text, to);
        }
    }

    /// Tries places one by one.
    pub(crate) fn one_by_one(
        &self,
        machine: &mut impl Attempts,
        text: &[u8],
        (from, last): (usize, usize),
        meter: &mut Meter,
    ) -> Result<bool, Halt> {
        let mut at = from;
        while let Some(place) = self.candidate(text, from, at).filter(|place| *place <= last) {
            meter.step()?;
            if machine.attempt(place, meter)? {
                return Ok(true);
            }
            if place >= text.len() {
                break;
            }
            at = after(text, place);
        }
        Ok(false)
    }

    /// Tries only places between walls where a word can be, and only the first of them where the word goes on to the
    /// wall: what starts later in it ends there too.
    fn between_walls(
        &self,
        machine: &mut impl Attempts,
        program: &Program,
        (token, walls): (&Token, &Walls),
        (from, last): (usize, usize),
        text: &[u8],
        meter: &mut Meter,
    ) -> Result<bool, Halt> {
        let mut at = from;
        while let Some(place) = self.candidate(text, from, at).filter(|place| *place <= last) {
            meter.step()?;
            let (wall, kind) = walls.next(text, place);
            if kind != Wall::Blocks {
                let whole = kind == Wall::Ends && token.decide(program, text, place) == Verdict::Ends(wall);
                let to = if whole { place } else { wall.min(last) };
                if machine.attempt_any(self, place, to, meter)? {
                    return Ok(true);
                }
            }
            if wall >= text.len() {
                break;
            }
            at = after(text, wall);
        }
        Ok(false)
    }

    /// The next place from `at` on where a match may start.
    #[inline]
    fn candidate(&self, text: &[u8], start: usize, at: usize) -> Option<usize> {
        let mut at = at;
        match self.starts {
            Starts::Text => return (at == 0).then_some(0),
            Starts::Here => return (at == start).then_some(at),
            Starts::Line if at > 0 && text[at - 1] != b'\n' => {
                at += memchr::memchr(b'\n', &text[at..])? + 1;
            }
            Starts::Line | Starts::Anywhere => {}
        }
        if self.starts == Starts::Line {
            return Some(at);
        }
        if let Some(head) = &self.head {
            return head.find(&text[at..]).map(|found| at + found);
        }
        let found = match self.find_first {
            Some(find) => find.first(&text[at..]),
            None => text[at..].iter().position(|&byte| self.first.bytes[usize::from(byte)]),
        };
        match found {
            Some(found) => Some(at + found),
            None => self.first.at_end.then_some(text.len()),
        }
    }
}

/// The place after the character at `pos`.
fn after(text: &[u8], pos: usize) -> usize {
    pos + utf8::decode(text, pos).1
}
