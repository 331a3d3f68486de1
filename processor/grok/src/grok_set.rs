//! Lists of grok patterns.

use std::collections::HashMap;

use crate::budget::Budget;
use crate::clause::{Clause, clauses, weight};
use crate::error::OutOfBudget;
use crate::grok::Grok;
use crate::scan::{MAX_TEXTS, Scan};
use crate::vm::Scratch;

/// From how many patterns on one scan for all their texts pays.
const MIN_PATTERNS: usize = 6;
/// The most conditions of one pattern that are looked at.
const MAX_CLAUSES: usize = 4;
/// The least that a condition must say, in bits, to be looked at.
const LEAST_WEIGHT: u32 = 6;
/// What is enough for a pattern, in bits: the more texts are looked for, the more are met by chance.
const ENOUGH: u32 = 24;
/// The same where the next condition is one text only.
const ENOUGH_OF_ONE: u32 = 64;

/// A list of patterns that is tried in order, as in `match => { "message" => [p1, p2, ...] }`.
///
/// One scan over the text finds which of the texts that the patterns must contain are there, such as one of the months'
/// names for a pattern with a date; only the patterns that have theirs are tried.
#[derive(Debug)]
pub struct GrokSet {
    groks: Vec<Grok>,
    filter: Option<Filter>,
}

/// The texts of all patterns, and which of them each needs.
#[derive(Debug)]
struct Filter {
    scan: Scan,
    conditions: Vec<Condition>,
}

/// Numbers, as words and the bits in them.
type Bits = Vec<(usize, u64)>;

/// Texts of which one must be there, and the patterns that need it.
#[derive(Debug, Default)]
struct Condition {
    texts: Bits,
    patterns: Bits,
}

/// So many patterns are sifted; those past them are tried each.
const MAX_SIFTED: usize = 256;

impl GrokSet {
    /// A set of compiled patterns.
    pub fn new(groks: Vec<Grok>) -> GrokSet {
        let filter = (groks.len() >= MIN_PATTERNS).then(|| Filter::new(&groks)).flatten();
        GrokSet { groks, filter }
    }

    /// The patterns.
    pub fn groks(&self) -> &[Grok] {
        &self.groks
    }

    /// Which patterns a text cannot match, for a caller that goes through them itself: call
    /// [`Candidates::may_match`] with the pattern's index.
    pub fn candidates(&self, text: &[u8]) -> Candidates {
        self.filter.as_ref().map_or_else(Candidates::default, |filter| filter.candidates(text))
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
        let mut index = candidates.next(0);
        while let Some(grok) = self.groks.get(index) {
            let found = grok.captures(text, scratch, budget, captures);
            if found.map_err(|error| (index, error))? {
                return Ok(Some(index));
            }
            index = candidates.next(index + 1);
        }
        Ok(None)
    }
}

/// What a scan of a text says about the patterns of a set.
#[derive(Debug, Default)]
pub struct Candidates {
    /// A bit for each pattern that cannot match.
    ruled_out: [u64; MAX_SIFTED / 64],
}

impl Candidates {
    /// Whether the pattern may match: the text has all that it needs.
    #[inline]
    pub fn may_match(&self, index: usize) -> bool {
        self.ruled_out.get(index / 64).is_none_or(|word| word >> (index % 64) & 1 == 0)
    }

    /// The next pattern from `index` on that may match; there may be fewer.
    fn next(&self, index: usize) -> usize {
        let mut index = index;
        while let Some(word) = self.ruled_out.get(index / 64) {
            let left = !word >> (index % 64);
            if left != 0 {
                return index + left.trailing_zeros() as usize;
            }
            index = (index / 64 + 1) * 64;
        }
        index
    }
}

impl Filter {
    fn candidates(&self, text: &[u8]) -> Candidates {
        let found = self.scan.find(text);
        let mut candidates = Candidates::default();
        for condition in &self.conditions {
            if !condition.texts.iter().any(|&(word, bits)| found[word] & bits != 0) {
                condition.patterns.iter().for_each(|&(word, bits)| candidates.ruled_out[word] |= bits);
            }
        }
        candidates
    }

    fn new(groks: &[Grok]) -> Option<Filter> {
        let mut making = Making::default();
        for (number, grok) in groks.iter().enumerate().take(MAX_SIFTED) {
            making.pattern(number, clauses(grok.regex().node()));
        }
        let Making { texts, conditions, .. } = making;
        (!texts.is_empty()).then(|| Filter { scan: Scan::new(texts), conditions })
    }
}

/// What a filter is made of.
#[derive(Default)]
struct Making {
    texts: Vec<Vec<u8>>,
    conditions: Vec<Condition>,
    numbers: HashMap<Vec<u8>, usize>,
    known: HashMap<Clause, usize>,
}

impl Making {
    /// Takes up the conditions of a pattern, those first that say most for the texts that they take.
    fn pattern(&mut self, number: usize, mut clauses: Vec<Clause>) {
        clauses.retain(|clause| weight(clause) >= LEAST_WEIGHT);
        clauses.sort_by_key(|clause| std::cmp::Reverse(weight(clause).saturating_sub(2 * clause.len().ilog2())));
        let mut said = 0;
        for clause in clauses.into_iter().take(MAX_CLAUSES) {
            if said < if clause.len() == 1 { ENOUGH_OF_ONE } else { ENOUGH } {
                said += weight(&clause);
                if let Some(condition) = self.condition(clause) {
                    add(&mut self.conditions[condition].patterns, number);
                }
            }
        }
    }

    /// The number of a condition; nothing when there are too many texts.
    fn condition(&mut self, clause: Clause) -> Option<usize> {
        if let Some(&known) = self.known.get(&clause) {
            return Some(known);
        }
        let new = clause.iter().filter(|text| !self.numbers.contains_key(*text)).count();
        if self.texts.len() + new > MAX_TEXTS {
            return None;
        }
        let mut condition = Condition::default();
        for text in &clause {
            let next = self.texts.len();
            let number = *self.numbers.entry(text.clone()).or_insert(next);
            if number == next {
                self.texts.push(text.clone());
            }
            add(&mut condition.texts, number);
        }
        self.conditions.push(condition);
        self.known.insert(clause, self.conditions.len() - 1);
        Some(self.conditions.len() - 1)
    }
}

fn add(bits: &mut Bits, number: usize) {
    let (word, bit) = (number / 64, 1 << (number % 64));
    match bits.iter_mut().find(|(other, _)| *other == word) {
        Some((_, bits)) => *bits |= bit,
        None => bits.push((word, bit)),
    }
}
