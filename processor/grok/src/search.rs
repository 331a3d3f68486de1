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

/// What matches a program at one place of a text.
pub(crate) trait Attempts {
    /// Matches at one place. The captures are in the registers then.
    fn attempt(&mut self, at: usize, meter: &mut Meter) -> Result<bool, Halt>;
}

/// The most texts that are looked for one after the other.
const MAX_NEEDED: usize = 16;

/// Where a match can start and what its text must contain.
#[derive(Debug)]
pub(crate) struct Search {
    starts: Starts,
    first: [bool; 256],
    find_first: Option<Stops>,
    /// The text that every match starts with.
    head: Option<Box<Finder<'static>>>,
    at_end: bool,
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

/// Where a search goes on.
#[derive(Debug, Clone, Copy)]
struct Places<'t> {
    text: &'t [u8],
    /// Where it started.
    start: usize,
    /// The next place.
    from: usize,
    /// The last one that is worth a try.
    last: usize,
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
            first: std::array::from_fn(|byte| head.bytes.contains(byte as u8)),
            find_first: Stops::of(head.bytes.iter()).filter(|stops| *stops != Stops::Never),
            head: Some(head.head.as_bytes())
                .filter(|text| text.len() > 1)
                .map(|text| Box::new(Finder::new(text).into_owned())),
            at_end: head.end,
            needed,
            asks_first: everything,
            misses: AtomicBool::new(false),
            anchor: (starts == Starts::Anywhere).then(|| Anchor::new(node)).flatten(),
            token: token.flatten().filter(|_| !has_references && starts == Starts::Anywhere),
        }
    }

    /// The last place, from `from` on, where a match may start: what it needs comes after that, one text after the other.
    fn last_start(&self, text: &[u8], from: usize) -> Option<usize> {
        self.needed.iter().rev().try_fold(text.len(), |end, needed| {
            let least = end.checked_sub(needed.len())?;
            needed.find_last(text, from, least + 1)
        })
    }

    /// Searches from `start` on, with the machine that `make` gives where there is something to try.
    pub(crate) fn run<M: Attempts>(
        &self,
        program: &Program,
        text: &[u8],
        start: usize,
        meter: &mut Meter,
        make: impl FnOnce() -> M,
    ) -> Result<bool, Halt> {
        let misses = self.misses.load(Relaxed);
        let asked = self.asks_first || misses;
        if asked && self.last_start(text, start).is_none() {
            return Ok(false);
        }
        // Most lines match at their start.
        let here =
            self.starts == Starts::Anywhere && text.get(start).is_some_and(|&byte| self.first[usize::from(byte)]);
        let place = if here && self.head.is_none() { Some(start) } else { self.candidate(text, start, start) };
        let Some(place) = place else { return Ok(false) };
        let mut machine = make();
        if machine.attempt(place, meter)? {
            if misses {
                self.misses.store(false, Relaxed);
            }
            return Ok(true);
        }
        if place >= text.len() {
            return Ok(false);
        }
        let Some(last) = self.last_start(text, place + 1) else {
            self.misses.store(true, Relaxed);
            return Ok(false);
        };
        let places = Places { text, start, from: crate::utf8::boundary(text, place + 1), last };
        let token = self.token.and_then(|token| program.tokens.get(token as usize));
        match token.and_then(|token| Some((token, token.walls(program)?))) {
            Some((token, walls)) => self.between_walls(&mut machine, program, (token, walls), places, meter),
            None => self.everywhere(&mut machine, places, meter),
        }
    }

    fn everywhere(&self, machine: &mut impl Attempts, places: Places<'_>, meter: &mut Meter) -> Result<bool, Halt> {
        let text = places.text;
        let (mut at, mut anchored) = (places.from, None);
        while let Some(place) = self.next_place(places, at, &mut anchored) {
            meter.step()?;
            if machine.attempt(place, meter)? {
                return Ok(true);
            }
            if place >= text.len() {
                break;
            }
            at = place + crate::utf8::decode(text, place).1;
        }
        Ok(false)
    }

    /// Tries only places from which the first token matches, and of those between two walls only one.
    fn between_walls(
        &self,
        machine: &mut impl Attempts,
        program: &Program,
        (token, walls): (&Token, &Walls),
        places: Places<'_>,
        meter: &mut Meter,
    ) -> Result<bool, Halt> {
        let text = places.text;
        let (mut at, mut anchored) = (places.from, None);
        while let Some(place) = self.next_place(places, at, &mut anchored) {
            meter.step()?;
            let (wall, kind) = walls.next(text, place);
            let after_wall =
                |wall: usize| if wall < text.len() { wall + crate::utf8::decode(text, wall).1 } else { wall };
            if kind == Wall::Blocks && wall < text.len() {
                at = after_wall(wall);
                continue;
            }
            if kind == Wall::Blocks {
                return Ok(false);
            }
            let verdict = token.decide(program, text, place);
            if verdict != Verdict::Fails && machine.attempt(place, meter)? {
                return Ok(true);
            }
            if place >= text.len() {
                break;
            }
            at = match verdict {
                Verdict::Ends(end) if end == wall && kind == Wall::Ends => {
                    if wall >= text.len() {
                        return Ok(false);
                    }
                    after_wall(wall)
                }
                _ => place + crate::utf8::decode(text, place).1,
            };
        }
        Ok(false)
    }

    /// The next place from `at` on that is worth a try. `anchored` is where the anchor's text stands, once it was asked.
    #[inline]
    fn next_place(&self, places: Places<'_>, at: usize, anchored: &mut Option<usize>) -> Option<usize> {
        let (text, mut at) = (places.text, at);
        if let Some(anchor) = &self.anchor
            && anchored.is_none_or(|place| at > place)
        {
            let (from, place) = anchor.next(text, at)?;
            at = from;
            *anchored = Some(place);
        }
        self.candidate(text, places.start, at).filter(|place| *place <= places.last)
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
            None => text[at..].iter().position(|&byte| self.first[usize::from(byte)]),
        };
        match found {
            Some(found) => Some(at + found),
            None => self.at_end.then_some(text.len()),
        }
    }
}
