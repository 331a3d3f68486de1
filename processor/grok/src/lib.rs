//! Placeholder.

/// Memory that a worker keeps between matches.
#[derive(Debug, Default)]
pub struct Scratch {}

/// How much work one match may take.
#[derive(Clone, Copy, Debug)]
pub struct Budget;

impl Budget {
    /// At most this many milliseconds.
    pub fn millis(_millis: u64) -> Budget {
        Budget
    }
}

/// A match took more work than its budget allowed.
#[derive(Clone, Copy, Debug)]
pub struct OutOfBudget;

/// How a pattern is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {}

/// A compiled regular expression.
#[derive(Debug)]
pub struct Regex(regex::bytes::Regex);

impl Regex {
    /// Compiles a pattern.
    pub fn new(pattern: &str, _options: Options) -> Result<Regex, regex::Error> {
        regex::bytes::Regex::new(pattern).map(Regex)
    }

    /// Whether the pattern is found in the text.
    pub fn is_match(&self, text: &[u8], _scratch: &mut Scratch, _budget: Budget) -> Result<bool, OutOfBudget> {
        Ok(self.0.is_match(text))
    }
}
