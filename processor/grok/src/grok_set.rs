//! Lists of grok patterns.

use crate::analysis::required_literals;
use crate::budget::Budget;
use crate::error::OutOfBudget;
use crate::grok::Grok;
use crate::scan::{Found, MAX_TEXTS, Scan};
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
    filter: Option<Filter>,
}

/// The texts of all patterns, and which of them each needs.
#[derive(Debug)]
struct Filter {
    scan: Scan,
    needed: Vec<Vec<usize>>,
}

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
    found: Option<(&'s Filter, Found)>,
}

impl Candidates<'_> {
    /// Whether the pattern may match: the text has all that it needs.
    #[inline]
    pub fn may_match(&self, index: usize) -> bool {
        let Some((filter, found)) = &self.found else { return true };
        let is_there = |&text: &usize| found[text / 64] >> (text % 64) & 1 == 1;
        filter.needed.get(index).is_none_or(|needed| needed.iter().all(is_there))
    }
}

impl Filter {
    fn new(groks: &[Grok]) -> Option<Filter> {
        let mut all: Vec<Vec<u8>> = Vec::new();
        let mut needed = Vec::with_capacity(groks.len());
        for grok in groks {
            let mut texts = required_literals(grok.regex().node());
            texts.sort_by_key(|text| std::cmp::Reverse(rarity(text)));
            texts.dedup();
            texts.retain(|text| text.len() > 1);
            texts.truncate(MAX_LITERALS);
            let mut numbers = Vec::with_capacity(texts.len());
            for text in texts {
                let known = all.iter().position(|other| *other == text);
                // What does not fit is not asked for.
                if known.is_none() && all.len() == MAX_TEXTS {
                    continue;
                }
                numbers.push(known.unwrap_or(all.len()));
                if known.is_none() {
                    all.push(text);
                }
            }
            needed.push(numbers);
        }
        (!all.is_empty()).then(|| Filter { scan: Scan::new(all), needed })
    }
}
