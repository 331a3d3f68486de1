//! Which patterns can match a text at all, by the fixed texts that they need.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use regex_syntax::hir::{Hir, HirKind};

/// Shorter texts tell little.
const SHORTEST: usize = 2;
/// The most texts of which one must be there.
const MOST_CHOICES: usize = 24;
/// The most conditions of one pattern.
const MOST_CONDITIONS: usize = 4;

/// The texts of all patterns by number.
#[derive(Default)]
pub(super) struct Literals(HashMap<String, usize>);

/// What must be in a text so that a pattern can match: of each list one.
pub(super) struct Needs(Vec<Vec<usize>>);

impl Needs {
    /// The needs of a pattern; its texts are added to `literals`.
    pub(super) fn of(pattern: &str, literals: &mut Literals) -> Needs {
        let parser = regex_syntax::ParserBuilder::new().utf8(false).unicode(true).build();
        // A pattern that this parser does not know is always tried.
        let Ok(tree) = { parser }.parse(pattern) else { return Needs(Vec::new()) };
        let mut conditions = required(&tree);
        conditions.sort_by_key(|choices| std::cmp::Reverse(shortest(choices)));
        conditions.truncate(MOST_CONDITIONS);
        let mut number = |text: String| {
            let next = literals.0.len();
            *literals.0.entry(text.to_ascii_lowercase()).or_insert(next)
        };
        Needs(conditions.into_iter().map(|choices| choices.into_iter().map(&mut number).collect()).collect())
    }

    /// Whether they are all among what was found.
    pub(super) fn met(&self, found: &[bool]) -> bool {
        self.0.iter().all(|choices| choices.iter().any(|&literal| found[literal]))
    }
}

fn shortest(choices: &[String]) -> usize {
    choices.iter().map(String::len).min().unwrap_or_default()
}

/// What every match contains, as far as it is plain to see.
fn required(tree: &Hir) -> Vec<Vec<String>> {
    match tree.kind() {
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) if text.len() >= SHORTEST => vec![vec![text.to_string()]],
            _ => Vec::new(),
        },
        HirKind::Capture(group) => required(&group.sub),
        HirKind::Repetition(repeated) if repeated.min > 0 => required(&repeated.sub),
        HirKind::Concat(parts) => parts.iter().flat_map(required).collect(),
        HirKind::Alternation(branches) => {
            let mut choices = Vec::new();
            for branch in branches {
                match required(branch).into_iter().max_by_key(|choices| shortest(choices)) {
                    Some(best) => choices.extend(best),
                    None => return Vec::new(),
                }
            }
            if choices.len() > MOST_CHOICES { Vec::new() } else { vec![choices] }
        }
        _ => Vec::new(),
    }
}

/// Finds all the texts at once, whatever their case.
#[derive(Default)]
pub(super) struct Prefilter {
    literals: Option<AhoCorasick>,
    count: usize,
}

impl Prefilter {
    pub(super) fn new(literals: Literals) -> Prefilter {
        let count = literals.0.len();
        let mut texts = vec![String::new(); count];
        literals.0.into_iter().for_each(|(text, number)| texts[number] = text);
        let built = AhoCorasick::builder().match_kind(MatchKind::Standard).ascii_case_insensitive(true).build(texts);
        Prefilter { literals: built.ok(), count }
    }

    /// Which of the texts are there; all of them when that cannot be told.
    pub(super) fn scan(&self, text: &str) -> Vec<bool> {
        let Some(literals) = &self.literals else { return vec![true; self.count] };
        let mut found = vec![false; self.count];
        for literal in literals.find_overlapping_iter(text) {
            found[literal.pattern().as_usize()] = true;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(pattern: &str) -> Vec<Vec<String>> {
        let mut literals = Literals::default();
        let Needs(conditions) = Needs::of(pattern, &mut literals);
        let texts: HashMap<usize, String> = literals.0.into_iter().map(|(text, number)| (number, text)).collect();
        let text = |literal: &usize| texts[literal].clone();
        conditions.iter().map(|choices| choices.iter().map(text).collect()).collect()
    }

    #[test]
    fn what_patterns_need() {
        for (pattern, wanted) in [
            (r"(Firefox)/(\d+)\.(\d+)", vec![vec!["firefox"]]),
            (r"(?:Chrome|CriOS)/(\d+) (Mobile)", vec![vec!["mobile"], vec!["chrome", "crios"]]),
            (r"(Chrome|\d+)x", vec![]),
            (r"(abc)?(de)*(fgh)+", vec![vec!["fgh"]]),
            (r"(?=lookahead)", vec![]),
        ] {
            assert_eq!(needs(pattern), wanted, "{pattern}");
        }
    }

    #[test]
    fn texts_within_texts_are_found() {
        let prefilter = Prefilter::new(Literals([("android".into(), 0), ("roid".into(), 1), ("ios".into(), 2)].into()));
        assert_eq!(prefilter.scan("An ANDROID"), [true, true, false]);
    }
}
