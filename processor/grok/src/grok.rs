//! Compiled grok patterns.

use crate::budget::Budget;
use crate::error::OutOfBudget;
use crate::expand::{Expanded, GrokError, expand};
use crate::intern::Groups;
use crate::parse::Options;
use crate::pattern_set::PatternSet;
use crate::regex::Regex;
use crate::vm::Scratch;

/// How a grok pattern is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrokOptions {
    /// Whether only references with a field are captured (grok's `named_captures_only`); else
    /// `%{WORD}` sets the field `WORD`.
    pub named_captures_only: bool,
}

impl Default for GrokOptions {
    fn default() -> Self {
        GrokOptions { named_captures_only: true }
    }
}

/// What a captured text becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// It stays a text.
    None,
    /// An integer, read as Ruby's `to_i` does.
    Int,
    /// A floating point number, read as Ruby's `to_f` does.
    Float,
}

/// A field that a pattern captures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrokField {
    /// The name as it is written: `client` or `[source][ip]`.
    pub name: String,
    /// What the text becomes.
    pub conversion: Conversion,
}

/// A compiled grok pattern.
///
/// ```
/// use tailrace_grok::{Budget, Grok, GrokOptions, PatternSet, Scratch};
///
/// let patterns = PatternSet::legacy();
/// let grok = Grok::compile(&patterns, "%{IP:client} %{NUMBER:bytes:int}", &GrokOptions::default())?;
/// let (mut scratch, mut spans) = (Scratch::default(), Vec::new());
/// assert!(grok.captures(b"10.0.0.1 512", &mut scratch, Budget::UNLIMITED, &mut spans)?);
/// assert_eq!(grok.fields()[1].name, "bytes");
/// assert_eq!(spans, [Some((0, 8)), Some((9, 12))]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Grok {
    pattern: String,
    expanded: Expanded,
    regex: Regex,
    fields: Vec<GrokField>,
    /// The group of every field.
    groups: Vec<usize>,
}

impl Grok {
    /// Compiles a pattern with the names of a set. The dot matches newlines, as in Logstash.
    ///
    /// # Errors
    /// A name is not defined or refers to itself, or the regular expression is wrong; the error
    /// says where, back to the pattern file.
    pub fn compile(patterns: &PatternSet, pattern: &str, options: &GrokOptions) -> Result<Grok, GrokError> {
        let expanded = expand(patterns, pattern, !options.named_captures_only)?;
        let multi_line = Options { multi_line: true, ..Options::default() };
        let regex = Regex::with_groups(&expanded.regex, multi_line, Groups::Named)
            .map_err(|error| expanded.error(error, multi_line))?;
        let (fields, groups) = fields_of(regex.group_names());
        Ok(Grok { pattern: pattern.to_owned(), expanded, regex, fields, groups })
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// The regular expression that it stands for.
    pub fn expanded(&self) -> &str {
        &self.expanded.regex
    }

    /// The regular expression, compiled.
    pub fn regex(&self) -> &Regex {
        &self.regex
    }

    /// The fields, in the order in which Logstash sets them: by first mention of their name. A
    /// field that is captured in several places is there several times.
    pub fn fields(&self) -> &[GrokField] {
        &self.fields
    }

    /// Whether a text matches. Until the next match with `scratch`, [`Grok::span`] has the places of the fields.
    ///
    /// # Errors
    /// The match took longer than its budget.
    pub fn find(&self, text: &[u8], scratch: &mut Scratch, budget: Budget) -> Result<bool, OutOfBudget> {
        self.regex.search_registers(text, 0, scratch, budget)
    }

    /// Where the last match of this pattern with `scratch` has the field, by its place in [`Grok::fields`]; `None`
    /// where its group took no part.
    pub fn span(&self, field: usize, scratch: &Scratch) -> Option<(usize, usize)> {
        scratch.span(*self.groups.get(field)?)
    }

    /// Matches a text. `captures` gets the span of every field, `None` where its group took no
    /// part; it is left empty when the text does not match.
    ///
    /// # Errors
    /// The match took longer than its budget.
    pub fn captures(
        &self,
        text: &[u8],
        scratch: &mut Scratch,
        budget: Budget,
        captures: &mut Vec<Option<(usize, usize)>>,
    ) -> Result<bool, OutOfBudget> {
        captures.clear();
        if !self.regex.search_registers(text, 0, scratch, budget)? {
            return Ok(false);
        }
        captures.extend(self.groups.iter().map(|&group| scratch.span(group)));
        Ok(true)
    }
}

/// The fields of a pattern's groups and the groups' numbers, grouped by the groups' full names.
fn fields_of(names: &[Option<String>]) -> (Vec<GrokField>, Vec<usize>) {
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (group, name) in names.iter().enumerate() {
        if name.is_some() {
            let first = names.iter().position(|other| other == name).unwrap_or(group);
            order.push((first, group));
        }
    }
    order.sort_unstable();
    let fields = order.iter().map(|&(first, group)| {
        let field = field_of(names[group].as_deref().unwrap_or(""));
        // Of several groups of one name and type Logstash converts the first and leaves the others text.
        if group == first { field } else { GrokField { conversion: Conversion::None, ..field } }
    });
    (fields.collect(), order.iter().map(|&(_, group)| group).collect())
}

/// `NUMBER:bytes:int` is the field `bytes`; a name without a colon is the field itself.
fn field_of(name: &str) -> GrokField {
    let mut parts = name.split(':');
    let pattern = parts.next().unwrap_or_default();
    let field = parts.next().filter(|field| !field.is_empty()).unwrap_or(pattern);
    let conversion = match parts.next() {
        Some("int") => Conversion::Int,
        Some("float") => Conversion::Float,
        _ => Conversion::None,
    };
    GrokField { name: field.to_owned(), conversion }
}
