//! A compiled regular expression.

use std::sync::{Arc, OnceLock};

use crate::analysis;
use crate::ast::Node;
use crate::budget::{Budget, Halt, Meter};
use crate::compiled::Compiled;
use crate::error::{Error, OutOfBudget};
use crate::intern::{Groups, Key, interned};
use crate::parse::{Options, parse};
use crate::program::Program;
use crate::simplify::simplify;
use crate::vm::{NONE, Scratch};

/// The places of the groups in the text, in bytes; the whole match first.
pub type Captures = Vec<Option<(usize, usize)>>;

/// A regular expression in Ruby's syntax with Ruby's (Oniguruma's) meaning.
///
/// ```
/// use tailrace_grok::{Budget, Options, Regex, Scratch};
///
/// let regex = Regex::new(r"(?<name>\w+)=(?<value>\d+)", Options::default())?;
/// let (mut scratch, mut captures) = (Scratch::default(), Vec::new());
/// let text = b"size=42";
/// assert!(regex.captures_at(text, 0, &mut captures, &mut scratch, Budget::UNLIMITED)?);
/// assert_eq!(captures, [Some((0, 7)), Some((0, 4)), Some((5, 7))]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Regex(Arc<Shared>);

/// What all regular expressions of one pattern share.
#[derive(Debug)]
pub(crate) struct Shared {
    key: Key,
    names: Vec<Option<String>>,
    /// As it was parsed.
    parsed: Node,
    /// Whether a group is captured.
    wanted: Vec<bool>,
    /// Made when the pattern is first used, as many of a configuration never are; `None` when it is too large, which
    /// was found out before.
    compiled: OnceLock<Option<Box<Compiled>>>,
}

/// Larger patterns are compiled at once, to know whether they can be: a node takes far fewer than fifty operations, and
/// a program may have 400,000.
const MAX_LATE: u64 = 8192;

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The pattern is no regular expression of Ruby's, or one of the few forms that are not
    /// supported (the absent operator, `\k<name+level>`), or too large.
    pub fn new(pattern: &str, options: Options) -> Result<Regex, Error> {
        Regex::with_groups(pattern, options, Groups::All)
    }

    /// Compiles a pattern of whose groups only some are captured. Equal ones that are in use share what is compiled.
    pub(crate) fn with_groups(pattern: &str, options: Options, groups: Groups) -> Result<Regex, Error> {
        interned(Key { pattern: pattern.to_owned(), options, groups }, Shared::new).map(Regex)
    }

    fn compiled(&self) -> Option<&Compiled> {
        self.0.compiled.get_or_init(|| self.0.compile().ok().map(Box::new)).as_deref()
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.0.key.pattern
    }

    /// The number of groups, the whole match counted.
    pub fn group_count(&self) -> usize {
        self.0.names.len()
    }

    /// The names of the groups by number. The first is the whole match, which has none.
    pub fn group_names(&self) -> &[Option<String>] {
        &self.0.names
    }

    /// Whether the pattern matches somewhere in the text.
    ///
    /// # Errors
    /// The match took longer than its budget.
    pub fn is_match(&self, text: &[u8], scratch: &mut Scratch, budget: Budget) -> Result<bool, OutOfBudget> {
        self.search_registers(text, 0, scratch, budget)
    }

    /// Finds the first match at or after `start` and the places of its groups.
    ///
    /// # Errors
    /// The match took longer than its budget.
    pub fn captures_at(
        &self,
        text: &[u8],
        start: usize,
        captures: &mut Captures,
        scratch: &mut Scratch,
        budget: Budget,
    ) -> Result<bool, OutOfBudget> {
        let found = self.search_registers(text, start, scratch, budget)?;
        self.take_captures(found, captures, scratch);
        Ok(found)
    }

    /// All matches, as Ruby's `gsub` finds them: without overlap, and after an empty match the
    /// search goes on one character further.
    pub fn find_iter<'r, 't, 's>(
        &'r self,
        text: &'t [u8],
        scratch: &'s mut Scratch,
        budget: Budget,
    ) -> Matches<'r, 't, 's> {
        Matches { regex: self, text, scratch, budget, next: Some(0), captures: Vec::new() }
    }

    /// The compiled program, an operation a line.
    pub fn program(&self) -> String {
        let steps = self.listing();
        steps.iter().enumerate().map(|(at, step)| format!("{at:5} {}\n", step.text)).collect()
    }

    pub(crate) fn compiled_program(&self) -> Option<&Program> {
        self.compiled().map(Compiled::program)
    }

    pub(crate) fn node(&self) -> &Node {
        &self.0.parsed
    }

    /// Whether every match takes time proportional to the text.
    pub fn is_linear(&self) -> bool {
        self.careful_program().is_some()
    }

    fn careful_program(&self) -> Option<&Program> {
        self.compiled()?.careful()
    }

    /// Searches; the registers of `scratch` hold the groups then.
    pub(crate) fn search_registers(
        &self,
        text: &[u8],
        start: usize,
        scratch: &mut Scratch,
        budget: Budget,
    ) -> Result<bool, OutOfBudget> {
        if start > text.len() {
            return Ok(false);
        }
        // Places are kept in 32 bits.
        if text.len() >= NONE as usize {
            return Err(OutOfBudget);
        }
        let Some(compiled) = self.compiled() else { return Err(OutOfBudget) };
        let mut meter = Meter::for_text(budget, text);
        match compiled.quickly(text, start, scratch, &mut meter) {
            Ok(found) => return Ok(found),
            Err(Halt::OutOfBudget) => return Err(OutOfBudget),
            Err(Halt::Slow | Halt::NoRoom) => {}
        }
        let mut meter = meter.without_hand_over();
        compiled.carefully(text, start, scratch, &mut meter).map_err(|_| OutOfBudget)
    }

    /// Searches with the careful program, for tests.
    #[doc(hidden)]
    pub fn captures_carefully(
        &self,
        text: &[u8],
        start: usize,
        captures: &mut Captures,
        scratch: &mut Scratch,
    ) -> Option<bool> {
        let compiled = self.compiled()?;
        compiled.careful()?;
        let mut meter = Meter::new(Budget::UNLIMITED, None);
        let found = compiled.carefully(text, start, scratch, &mut meter).ok()?;
        self.take_captures(found, captures, scratch);
        Some(found)
    }

    /// Searches with native code from the first time on, for tests; nothing when there is none, or when it gives up.
    #[doc(hidden)]
    pub fn captures_natively(
        &self,
        text: &[u8],
        start: usize,
        captures: &mut Captures,
        scratch: &mut Scratch,
    ) -> Option<bool> {
        let mut meter = Meter::for_text(Budget::UNLIMITED, text);
        let found = self.compiled()?.natively(text, start, scratch, &mut meter)?.ok()?;
        self.take_captures(found, captures, scratch);
        Some(found)
    }

    fn take_captures(&self, found: bool, captures: &mut Captures, scratch: &Scratch) {
        captures.clear();
        if found {
            captures.extend((0..self.0.names.len()).map(|group| scratch.span(group)));
        }
    }
}

impl Shared {
    pub(crate) fn new(key: Key) -> Result<Shared, Error> {
        let parsed = parse(&key.pattern, key.options)?;
        let mut wanted: Vec<bool> =
            parsed.names.iter().map(|name| key.groups == Groups::All || name.is_some()).collect();
        if parsed.references {
            parsed.node.visit(&mut |node| match node {
                Node::Backref(groups, _) | Node::Condition(groups, ..) => {
                    groups.iter().for_each(|&group| wanted[group as usize] = true);
                }
                Node::Call(group) => wanted[*group as usize] = true,
                _ => {}
            });
        }
        let shared = Shared { key, names: parsed.names, parsed: parsed.node, wanted, compiled: OnceLock::new() };
        if analysis::size(&shared.parsed) > MAX_LATE {
            let compiled = shared.compile()?;
            shared.compiled.get_or_init(|| Some(Box::new(compiled)));
        }
        Ok(shared)
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    fn compile(&self) -> Result<Compiled, Error> {
        let node = simplify(self.parsed.clone(), &|group| self.wanted[group as usize]);
        Compiled::new(node, self.names.len())
    }
}

impl Scratch {
    /// The place of a group after a search that matched.
    #[inline]
    pub(crate) fn span(&self, group: usize) -> Option<(usize, usize)> {
        let &[start, end] = self.registers.get(group * 2..group * 2 + 2)?.first_chunk()?;
        (start != NONE && end != NONE).then_some((start as usize, end as usize))
    }
}

/// The matches of [`Regex::find_iter`].
#[derive(Debug)]
pub struct Matches<'r, 't, 's> {
    regex: &'r Regex,
    text: &'t [u8],
    scratch: &'s mut Scratch,
    budget: Budget,
    next: Option<usize>,
    captures: Captures,
}

impl Matches<'_, '_, '_> {
    /// The groups of the next match.
    ///
    /// # Errors
    /// The match took longer than its budget. The search is over then.
    pub fn next_captures(&mut self) -> Result<Option<&Captures>, OutOfBudget> {
        let Some(from) = self.next.take() else { return Ok(None) };
        let found = self.regex.captures_at(self.text, from, &mut self.captures, self.scratch, self.budget)?;
        let Some(&Some((start, end))) = self.captures.first().filter(|_| found) else {
            return Ok(None);
        };
        self.next = if end > start {
            Some(end)
        } else {
            // One character on; after the end of the text there is none.
            (end < self.text.len()).then(|| end + crate::utf8::decode(self.text, end).1)
        };
        Ok(Some(&self.captures))
    }
}

impl Iterator for Matches<'_, '_, '_> {
    type Item = Result<(usize, usize), OutOfBudget>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_captures() {
            Ok(captures) => captures?.first().copied().flatten().map(Ok),
            Err(error) => Some(Err(error)),
        }
    }
}
