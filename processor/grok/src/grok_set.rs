//! Lists of grok patterns.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::analysis::required_literals;
use crate::budget::Budget;
use crate::error::OutOfBudget;
use crate::grok::Grok;
use crate::search::rarity;
use crate::vm::Scratch;

/// From how many patterns on one scan for all their texts pays.
const MIN_PATTERNS: usize = 4;
/// The most texts of one pattern that are looked for.
const MAX_LITERALS: usize = 3;

/// A list of patterns that is tried in order, as in `match => { "message" => [p1, p2, ...] }`.
///
/// One scan over the text finds which of the texts that the patterns must contain are there;
/// only the patterns that have theirs are tried.
#[derive(Debug)]
pub struct GrokSet {
    groks: Vec<Grok>,
    scan: Option<Scan>,
}

#[derive(Debug)]
struct Scan {
    literals: AhoCorasick,
    /// The texts, by number, that each pattern needs.
    needed: Vec<Vec<usize>>,
    count: usize,
}

impl GrokSet {
    /// A set of compiled patterns.
    pub fn new(groks: Vec<Grok>) -> GrokSet {
        let scan = (groks.len() >= MIN_PATTERNS).then(|| Scan::new(&groks)).flatten();
        GrokSet { groks, scan }
    }

    /// The patterns.
    pub fn groks(&self) -> &[Grok] {
        &self.groks
    }

    /// Which patterns a text cannot match, for a caller that goes through them itself: call
    /// [`Candidates::may_match`] with the pattern's index.
    pub fn candidates(&self, text: &[u8]) -> Candidates<'_> {
        Candidates { scan: self.scan.as_ref(), found: self.scan.as_ref().map(|scan| scan.find(text)) }
    }

    /// Finds the first pattern that matches and the spans of its fields.
    ///
    /// # Errors
    /// A match took longer than the budget, which every pattern has to itself; the error goes
    /// with the pattern's index.
    pub fn captures(
        &self,
        text: &[u8],
        scratch: &mut Scratch,
        budget: Budget,
        captures: &mut Vec<Option<(usize, usize)>>,
    ) -> Result<Option<usize>, (usize, OutOfBudget)> {
        let candidates = self.candidates(text);
        for (index, grok) in self.groks.iter().enumerate() {
            if candidates.may_match(index) {
                let found = grok.captures(text, scratch, budget, captures);
                if found.map_err(|error| (index, error))? {
                    return Ok(Some(index));
                }
            }
        }
        Ok(None)
    }
}

/// What a scan of a text says about the patterns of a set.
#[derive(Debug)]
pub struct Candidates<'s> {
    scan: Option<&'s Scan>,
    found: Option<Vec<u64>>,
}

impl Candidates<'_> {
    /// Whether the pattern may match: the text has all that it needs.
    pub fn may_match(&self, index: usize) -> bool {
        let (Some(scan), Some(found)) = (self.scan, &self.found) else { return true };
        let is_there = |&literal: &usize| found[literal / 64] >> (literal % 64) & 1 == 1;
        scan.needed.get(index).is_none_or(|needed| needed.iter().all(is_there))
    }
}

impl Scan {
    fn new(groks: &[Grok]) -> Option<Scan> {
        let mut literals: Vec<Vec<u8>> = Vec::new();
        let mut needed = Vec::with_capacity(groks.len());
        for grok in groks {
            let mut texts = required_literals(grok.regex().node());
            texts.sort_by_key(|text| std::cmp::Reverse(rarity(text)));
            texts.dedup();
            texts.retain(|text| text.len() > 1);
            texts.truncate(MAX_LITERALS);
            let mut numbers = Vec::new();
            for text in texts {
                let known = literals.iter().position(|literal| *literal == text);
                numbers.push(known.unwrap_or(literals.len()));
                if known.is_none() {
                    literals.push(text);
                }
            }
            needed.push(numbers);
        }
        if literals.is_empty() {
            return None;
        }
        let count = literals.len();
        let literals = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&literals)
            .ok()?;
        Some(Scan { literals, needed, count })
    }

    /// The texts that are there, as bits by number.
    fn find(&self, text: &[u8]) -> Vec<u64> {
        let mut found = vec![0; self.count.div_ceil(64)];
        for hit in self.literals.find_overlapping_iter(text) {
            let number = hit.pattern().as_usize();
            found[number / 64] |= 1 << (number % 64);
        }
        found
    }
}
