//! One pattern in both engines.

use std::fmt;

use onig::{MatchParam, Region, SearchOptions, Syntax};
use tailrace_grok::{Budget, Captures, Options, Regex, Scratch};

use super::onig_dialect;

/// The steps after which Oniguruma gives a text up. What it gives up is not compared.
const RETRIES: u32 = 20_000;
/// How long we may take for a pattern that is not linear.
const PATIENCE: Budget = Budget::millis(5000);

/// What both say of a quantifier after something that takes no text.
const INVALID_TARGET: &str = "target of repeat operator is invalid";

/// How many differences are shown.
const SHOWN: usize = 20;

/// A pattern, compiled by both.
pub(crate) struct Pair {
    name: String,
    ours: Regex,
    onig: onig::Regex,
    region: Region,
    scratch: Scratch,
    captures: Captures,
    carefully: Captures,
}

/// What came of comparing.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) compared: u64,
    matched: u64,
    given_up: u64,
    patterns: u64,
    /// Patterns that neither takes, or only we do where that is known.
    refused: u64,
    differences: Vec<String>,
    count: u64,
}

impl Pair {
    /// A standard pattern, which both must take.
    pub(crate) fn standard(name: &str, pattern: &str) -> Pair {
        let mut tally = Tally::default();
        let options = Options { multi_line: true, ..Options::default() };
        let pair = Pair::new(pattern, options, &mut tally).unwrap_or_else(|| panic!("{name}: {:?}", tally.differences));
        Pair { name: name.to_owned(), ..pair }
    }

    /// Compiles a pattern; nothing when one of the engines does not take it, which is a difference when the other does.
    pub(crate) fn new(pattern: &str, options: Options, tally: &mut Tally) -> Option<Pair> {
        tally.patterns += 1;
        let mut flags = onig::RegexOptions::REGEX_OPTION_NONE;
        flags.set(onig::RegexOptions::REGEX_OPTION_MULTILINE, options.multi_line);
        flags.set(onig::RegexOptions::REGEX_OPTION_IGNORECASE, options.ignore_case);
        flags.set(onig::RegexOptions::REGEX_OPTION_EXTEND, options.extended);
        let translated = onig_dialect::translate(pattern);
        let onig = onig::Regex::with_options(&translated, flags, Syntax::ruby());
        match (Regex::new(pattern, options), onig) {
            (Ok(ours), Ok(onig)) => Some(Pair {
                name: pattern.to_owned(),
                ours,
                onig,
                region: Region::new(),
                scratch: Scratch::default(),
                captures: Captures::new(),
                carefully: Captures::new(),
            }),
            (Err(_), Err(_)) => {
                tally.refused += 1;
                None
            }
            // What may be repeated among the things that take no text is not the same.
            (Ok(_), Err(error)) if error.description().starts_with(INVALID_TARGET) => {
                tally.refused += 1;
                None
            }
            (Err(error), Ok(_)) if error.message.contains("target of the repeat operator is invalid") => {
                tally.refused += 1;
                None
            }
            (Ok(_), Err(error)) => {
                tally.differs(format!("{pattern:?}: only Oniguruma refuses it ({})", error.description()));
                None
            }
            (Err(error), Ok(_)) => {
                tally.differs(format!("{pattern:?}: only we refuse it ({error})"));
                None
            }
        }
    }

    pub(crate) fn ours(&self) -> &Regex {
        &self.ours
    }

    /// Searches from `start` with both, and with our linear program when there is one.
    pub(crate) fn compare(&mut self, text: &str, start: usize, tally: &mut Tally) {
        let mut limits = MatchParam::default();
        limits.set_retry_limit_in_match(RETRIES);
        self.region.clear();
        let region = Some(&mut self.region);
        let none = SearchOptions::SEARCH_OPTION_NONE;
        let Ok(found) = self.onig.search_with_param(text, start, text.len(), none, region, limits) else {
            tally.given_up += 1;
            return;
        };
        let theirs: Captures = match found {
            Some(_) => (0..self.region.len()).map(|group| self.region.pos(group)).collect(),
            None => Captures::new(),
        };
        let (ours, scratch) = (&self.ours, &mut self.scratch);
        let text_bytes = text.as_bytes();
        // What is not linear may take for ever, where Oniguruma sees before that something is missing.
        let budget = if ours.is_linear() { Budget::UNLIMITED } else { PATIENCE };
        if ours.captures_at(text_bytes, start, &mut self.captures, scratch, budget).is_err() {
            tally.given_up += 1;
            return;
        }
        tally.compared += 1;
        tally.matched += u64::from(found.is_some());
        if self.captures != theirs {
            let captures = &self.captures;
            tally.differs(format!("{:?} on {text:?} from {start}:\n  ours {captures:?}\n  onig {theirs:?}", self.name));
        }
        if ours.captures_carefully(text_bytes, start, &mut self.carefully, scratch).is_some()
            && self.carefully != theirs
        {
            let captures = &self.carefully;
            tally.differs(format!(
                "{:?} on {text:?} from {start}, linear program:\n  ours {captures:?}\n  onig {theirs:?}",
                self.name
            ));
        }
    }
}

impl Tally {
    fn differs(&mut self, difference: String) {
        self.count += 1;
        if self.differences.len() < SHOWN {
            self.differences.push(difference);
        }
    }

    /// Adds what another thread counted.
    pub(crate) fn add(&mut self, other: Tally) {
        self.compared += other.compared;
        self.matched += other.matched;
        self.given_up += other.given_up;
        self.patterns += other.patterns;
        self.refused += other.refused;
        self.count += other.count;
        self.differences.extend(other.differences);
        self.differences.truncate(SHOWN);
    }

    /// Fails when anything differed.
    pub(crate) fn check(&self) {
        assert!(self.differences.is_empty(), "{self}\n{}", self.differences.join("\n"));
    }

    /// The same, or when so few comparisons say nothing.
    pub(crate) fn conclude(&self, least: u64) {
        self.check();
        assert!(self.compared >= least, "only {self}");
        assert!(self.matched * 5 > self.compared, "few matches: {self}");
        assert!(self.given_up * 20 < self.compared, "given up too often: {self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} comparisons, {} of them matches, {} given up; {} patterns, {} refused; {} differences",
            self.compared, self.matched, self.given_up, self.patterns, self.refused, self.count
        )
    }
}
