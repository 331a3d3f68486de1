//! One pattern in both engines.

use std::fmt;

use onig::{MatchParam, Region, SearchOptions, Syntax};
use tailrace_grok::{Budget, Captures, Options, Regex, Scratch};

use super::guarded::Guarded;
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
    /// Whether it may refer to a group by a text in another case.
    refers_in_any_case: bool,
    ours: Regex,
    onig: onig::Regex,
    region: Region,
    scratch: Scratch,
    captures: Captures,
    carefully: Captures,
    natively: Captures,
    guarded: Guarded,
}

/// What came of comparing.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) compared: u64,
    matched: u64,
    given_up: u64,
    /// How many of them native code made too.
    natively: u64,
    /// Matches that Oniguruma's search goes past, though it takes them when it is put there.
    passed: u64,
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
                refers_in_any_case: refers(pattern) && (options.ignore_case || pattern.contains("(?i")),
                ours,
                onig,
                region: Region::new(),
                scratch: Scratch::default(),
                captures: Captures::new(),
                carefully: Captures::new(),
                natively: Captures::new(),
                guarded: Guarded::new(),
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
            // The library cuts octal numbers to a byte.
            (Err(error), Ok(_))
                if error.message.contains("target of the repeat operator is invalid")
                    || error.message.ends_with("is no byte") =>
            {
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

    /// Searches from `start` with both, and with our linear program and our native code when there are such.
    pub(crate) fn compare(&mut self, text: &str, start: usize, tally: &mut Tally) {
        // The library takes as many bytes as the group has.
        if self.refers_in_any_case && text.chars().any(has_case_of_another_length) {
            return;
        }
        let Ok(mut theirs) = self.onig(text, start, true) else {
            tally.given_up += 1;
            return;
        };
        let (ours, scratch) = (&self.ours, &mut self.scratch);
        let text_bytes = text.as_bytes();
        // What is not linear may take for ever, where Oniguruma sees before that something is missing.
        let budget = if ours.is_linear() { Budget::UNLIMITED } else { PATIENCE };
        if ours.captures_at(text_bytes, start, &mut self.captures, scratch, budget).is_err() {
            tally.given_up += 1;
            return;
        }
        if let Some(at) = earlier(&self.captures, &theirs) {
            match self.onig(text, at, false) {
                Ok(there) if there == self.captures => {
                    tally.passed += 1;
                    theirs = there;
                }
                Ok(_) => {}
                // At that place it takes too many retries to say.
                Err(_) => {
                    tally.given_up += 1;
                    return;
                }
            }
        }
        tally.compared += 1;
        tally.matched += u64::from(!theirs.is_empty());
        let place = format_args!("{:?} on {text:?} from {start}", self.name);
        if self.captures != theirs {
            tally.differs(format!("{place}:\n  ours {:?}\n  onig {theirs:?}", self.captures));
        }
        let carefully = &mut self.carefully;
        if self.ours.captures_carefully(text_bytes, start, carefully, &mut self.scratch).is_some()
            && *carefully != theirs
        {
            tally.differs(format!("{place}, linear program:\n  ours {carefully:?}\n  onig {theirs:?}"));
        }
        for at_end in [true, false] {
            let (natively, text) = (&mut self.natively, self.guarded.copy(text_bytes, at_end));
            if self.ours.captures_natively(text, start, natively, &mut self.scratch).is_some() {
                tally.natively += u64::from(at_end);
                if *natively != theirs {
                    tally.differs(format!("{place}, native code:\n  ours {natively:?}\n  onig {theirs:?}"));
                }
            }
        }
    }

    /// What the library finds at `start`, or in a search from there: nothing, or the places of the match and its groups.
    fn onig(&mut self, text: &str, start: usize, search: bool) -> Result<Captures, onig::Error> {
        let mut limits = MatchParam::default();
        limits.set_retry_limit_in_match(RETRIES);
        self.region.clear();
        let (region, none) = (Some(&mut self.region), SearchOptions::SEARCH_OPTION_NONE);
        let found = if search {
            self.onig.search_with_param(text, start, text.len(), none, region, limits)?
        } else {
            self.onig.match_with_param(text, start, none, region, limits)?
        };
        Ok(match found {
            Some(_) => (0..self.region.len()).map(|group| self.region.pos(group)).collect(),
            None => Captures::new(),
        })
    }
}

/// Whether a pattern has back-references.
fn refers(pattern: &str) -> bool {
    let mut escaped = pattern.split('\\').skip(1);
    escaped.any(|after| after.starts_with(|c: char| c == 'k' || c.is_ascii_digit()))
}

fn has_case_of_another_length(c: char) -> bool {
    c.to_lowercase().chain(c.to_uppercase()).any(|other| other.len_utf8() != c.len_utf8())
}

/// Where our match starts, when theirs starts behind it or there is none.
fn earlier(ours: &Captures, theirs: &Captures) -> Option<usize> {
    let start = |captures: &Captures| captures.first().copied().flatten().map(|(start, _)| start);
    start(ours).filter(|&at| start(theirs).is_none_or(|theirs| at < theirs))
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
        self.natively += other.natively;
        self.passed += other.passed;
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
        assert!(self.passed * 100 < self.compared, "gone past too often: {self}");
        let makes_code = cfg!(all(feature = "native", target_arch = "x86_64"));
        assert!(!makes_code || self.natively * 2 > self.compared, "few by native code: {self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} comparisons, {} of them matches, {} of these gone past by the library's search, {} given up, {} by native \
             code too; {} patterns, {} refused; {} differences",
            self.compared,
            self.matched,
            self.passed,
            self.given_up,
            self.natively,
            self.patterns,
            self.refused,
            self.count
        )
    }
}
