//! Lists of grok patterns.

use std::collections::HashMap;

use crate::budget::Budget;
use crate::clause::{Clause, clauses, weight};
use crate::error::OutOfBudget;
use crate::grok::Grok;
use crate::scan::{Found, MAX_TEXTS, Scan};
use crate::vm::Scratch;

/// From how many patterns on one scan for all their texts pays.
const MIN_PATTERNS: usize = 6;
/// The most conditions of one pattern that are looked at.
const MAX_CLAUSES: usize = 4;
/// The least that a condition must say, in bits, to be looked at.
const LEAST_WEIGHT: u32 = 6;
/// What is enough for a pattern, in bits: the more texts are looked for, the more are met by chance.
const ENOUGH: u32 = 24;

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
    /// Sets of texts of which one must be there.
    conditions: Vec<Condition>,
    /// The conditions of each pattern.
    needed: Vec<Vec<usize>>,
}

/// Texts by number, as words of [`Found`] and the bits in them.
type Condition = Vec<(usize, u64)>;

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
    pub fn candidates(&self, text: &[u8]) -> Candidates<'_> {
        Candidates { found: self.filter.as_ref().map(|filter| (filter, filter.scan.find(text))) }
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
        let found = self.filter.as_ref().map(|filter| (filter, filter.scan.find(text)));
        for (index, grok) in self.groks.iter().enumerate() {
            if found.as_ref().is_none_or(|(filter, found)| filter.may_match(found, index)) {
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
    found: Option<(&'s Filter, Found)>,
}

impl Candidates<'_> {
    /// Whether the pattern may match: the text has all that it needs.
    #[inline]
    pub fn may_match(&self, index: usize) -> bool {
        self.found.as_ref().is_none_or(|(filter, found)| filter.may_match(found, index))
    }
}

impl Filter {
    #[inline]
    fn may_match(&self, found: &Found, index: usize) -> bool {
        let holds = |&condition: &usize| self.conditions[condition].iter().any(|&(word, bits)| found[word] & bits != 0);
        self.needed.get(index).is_none_or(|needed| needed.iter().all(holds))
    }

    fn new(groks: &[Grok]) -> Option<Filter> {
        let mut making = Making::default();
        let needed: Vec<Vec<usize>> = groks.iter().map(|grok| making.needed(clauses(grok.regex().node()))).collect();
        let Making { texts, conditions, .. } = making;
        (!texts.is_empty()).then(|| Filter { scan: Scan::new(texts), conditions, needed })
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
    /// The conditions of a pattern, those first that say most for the texts that they take.
    fn needed(&mut self, mut clauses: Vec<Clause>) -> Vec<usize> {
        clauses.retain(|clause| weight(clause) >= LEAST_WEIGHT);
        clauses.sort_by_key(|clause| std::cmp::Reverse(weight(clause).saturating_sub(2 * clause.len().ilog2())));
        let (mut needed, mut said) = (Vec::new(), 0);
        for clause in clauses.into_iter().take(MAX_CLAUSES) {
            if said < ENOUGH {
                said += weight(&clause);
                needed.extend(self.condition(clause));
            }
        }
        needed
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
        let mut condition = Condition::new();
        for text in &clause {
            let next = self.texts.len();
            let number = *self.numbers.entry(text.clone()).or_insert(next);
            if number == next {
                self.texts.push(text.clone());
            }
            let (word, bit) = (number / 64, 1 << (number % 64));
            match condition.iter_mut().find(|(other, _)| *other == word) {
                Some((_, bits)) => *bits |= bit,
                None => condition.push((word, bit)),
            }
        }
        self.conditions.push(condition);
        self.known.insert(clause, self.conditions.len() - 1);
        Some(self.conditions.len() - 1)
    }
}
