//! A compiled regular expression.

use std::sync::OnceLock;

use memchr::memmem::Finder;

use crate::analysis::{self, Follow};
use crate::ast::{Assert, Node};
use crate::budget::{Budget, Halt, Meter};
use crate::compile::compile;
use crate::error::{Error, OutOfBudget};
use crate::parse::{Options, parse};
use crate::program::Program;
use crate::run::Stops;
use crate::simplify::simplify;
use crate::vm::{Machine, NONE, Scratch};

/// The places of the groups in the text, in bytes; the whole match first.
pub type Captures = Vec<Option<(usize, usize)>>;

/// The most memory that a careful match uses to remember where it was, in bits.
const MAX_MEMO_BITS: usize = 1 << 28;

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
#[derive(Debug)]
pub struct Regex {
    pattern: String,
    names: Vec<Option<String>>,
    node: Node,
    program: Program,
    /// The linear program, compiled when the fast one first turns out slow; `None` when the
    /// pattern has no such program.
    careful: OnceLock<Option<Program>>,
    search: Search,
}

/// Where a match can start and what its text must contain.
#[derive(Debug)]
struct Search {
    starts: Starts,
    first: [bool; 256],
    find_first: Option<Stops>,
    at_end: bool,
    /// The text that every match contains, the one least likely to be met.
    needed: Option<Finder<'static>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Starts {
    Anywhere,
    /// Only where the text starts.
    Text,
    /// Only where the search starts.
    Here,
    /// Only where a line starts.
    Line,
}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The pattern is no regular expression of Ruby's, or one of the few forms that are not
    /// supported (the absent operator, `\k<name+level>`), or too large.
    pub fn new(pattern: &str, options: Options) -> Result<Regex, Error> {
        Regex::with_groups(pattern, options, &|_| true)
    }

    /// Compiles a pattern of whose groups only those that `keep` wants are captured.
    pub(crate) fn with_groups(
        pattern: &str,
        options: Options,
        keep: &dyn Fn(Option<&str>) -> bool,
    ) -> Result<Regex, Error> {
        let parsed = parse(pattern, options)?;
        let used = |group: u32| {
            parsed.node.any(&|node| match node {
                Node::Backref(groups, _) | Node::Condition(groups, ..) => groups.contains(&group),
                Node::Call(called) => *called == group,
                _ => false,
            })
        };
        let wanted: Vec<bool> =
            (0u32..).zip(&parsed.names).map(|(group, name)| keep(name.as_deref()) || used(group)).collect();
        let node = simplify(parsed.node, &|group| wanted[group as usize]);
        let program = compile(&node, parsed.names.len(), false)?;
        let search = Search::new(&node);
        Ok(Regex { pattern: pattern.to_owned(), names: parsed.names, node, program, careful: OnceLock::new(), search })
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// The number of groups, the whole match counted.
    pub fn group_count(&self) -> usize {
        self.names.len()
    }

    /// The names of the groups by number. The first is the whole match, which has none.
    pub fn group_names(&self) -> &[Option<String>] {
        &self.names
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
        captures.clear();
        if !self.search_registers(text, start, scratch, budget)? {
            return Ok(false);
        }
        captures.extend((0..self.names.len()).map(|group| scratch.span(group)));
        Ok(true)
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
        steps
            .iter()
            .enumerate()
            .map(|(at, step)| {
                format!(
                    "{at:5} {}
",
                    step.text
                )
            })
            .collect()
    }

    pub(crate) fn compiled(&self) -> &Program {
        &self.program
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// Whether every match takes time proportional to the text.
    pub fn is_linear(&self) -> bool {
        self.careful_program().is_some()
    }

    fn careful_program(&self) -> Option<&Program> {
        let careful = self.careful.get_or_init(|| {
            let hidden = self.node.any(&|node| matches!(node, Node::Backref(..) | Node::Call(_) | Node::Condition(..)));
            if hidden {
                return None;
            }
            compile(&self.node, self.names.len(), true).ok()
        });
        careful.as_ref()
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
        if let Some(needed) = &self.search.needed
            && needed.find(&text[start..]).is_none()
        {
            return Ok(false);
        }
        let mut meter = Meter::new(budget, Some(text.len() as u64 * 16 + 4096));
        match self.search_with(&self.program, text, start, scratch, &mut meter) {
            Ok(found) => return Ok(found),
            Err(Halt::OutOfBudget) => return Err(OutOfBudget),
            Err(Halt::Slow) => {}
        }
        let fits = |program: &&Program| program.memos as usize * (text.len() + 1) <= MAX_MEMO_BITS;
        let program = self.careful_program().filter(fits).unwrap_or(&self.program);
        let mut meter = meter.without_hand_over();
        self.search_with(program, text, start, scratch, &mut meter).map_err(|_| OutOfBudget)
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
        let program = self.careful_program()?;
        let mut meter = Meter::new(Budget::UNLIMITED, None);
        let found = self.search_with(program, text, start, scratch, &mut meter).ok()?;
        captures.clear();
        if found {
            captures.extend((0..self.names.len()).map(|group| scratch.span(group)));
        }
        Some(found)
    }

    fn search_with(
        &self,
        program: &Program,
        text: &[u8],
        start: usize,
        scratch: &mut Scratch,
        meter: &mut Meter,
    ) -> Result<bool, Halt> {
        let mut machine = Machine::new(program, text, start, scratch);
        let mut at = start;
        while let Some(place) = self.search.candidate(text, start, at) {
            if machine.attempt(place, meter)? {
                return Ok(true);
            }
            meter.spent += 1;
            if place >= text.len() {
                break;
            }
            at = place + crate::utf8::decode(text, place).1;
        }
        Ok(false)
    }
}

impl Search {
    fn new(node: &Node) -> Search {
        let is = |wanted: Assert| analysis::starts_with(node, &|node| matches!(node, Node::Assert(a) if *a == wanted));
        let has_references = node.any(&|n| {
            matches!(n, Node::Backref(..) | Node::Condition(..) | Node::Call(_) | Node::Keep)
                || matches!(n, Node::Assert(Assert::SearchStart))
        });
        let starts = if is(Assert::TextStart) {
            Starts::Text
        } else if is(Assert::SearchStart) || (!has_references && analysis::starts_with_everything(node)) {
            Starts::Here
        } else if is(Assert::LineStart) {
            Starts::Line
        } else {
            Starts::Anywhere
        };
        let head = analysis::before(node, Follow { always: false, ..Follow::ALWAYS });
        let needed = analysis::required_literals(node);
        let needed = needed.into_iter().max_by_key(|text| rarity(text));
        Search {
            starts,
            first: std::array::from_fn(|byte| head.bytes.contains(byte as u8)),
            find_first: Stops::of(head.bytes.iter()).filter(|stops| *stops != Stops::Never),
            at_end: head.end,
            needed: needed.map(|text| Finder::new(&text).into_owned()),
        }
    }

    /// The next place from `at` on where a match may start.
    #[inline]
    fn candidate(&self, text: &[u8], start: usize, at: usize) -> Option<usize> {
        let mut at = at;
        match self.starts {
            Starts::Text => return (at == 0).then_some(0),
            Starts::Here => return (at == start).then_some(at),
            Starts::Line if at > 0 && text[at - 1] != b'\n' => {
                at += memchr::memchr(b'\n', &text[at..])? + 1;
            }
            Starts::Line | Starts::Anywhere => {}
        }
        if self.starts == Starts::Line {
            return Some(at);
        }
        let found = match self.find_first {
            Some(find) => find.first(&text[at..]),
            None => text[at..].iter().position(|&byte| self.first[usize::from(byte)]),
        };
        match found {
            Some(found) => Some(at + found),
            None => self.at_end.then_some(text.len()),
        }
    }
}

/// How unlikely a text is to be met by chance: long ones are, and signs more than letters.
pub(crate) fn rarity(text: &[u8]) -> usize {
    text.iter()
        .map(|byte| match byte {
            b' ' | b'e' | b'0' | b'1' => 1,
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b':' | b'/' => 2,
            _ => 3,
        })
        .sum()
}

impl Scratch {
    /// The place of a group after a search that matched.
    #[inline]
    pub(crate) fn span(&self, group: usize) -> Option<(usize, usize)> {
        let (start, end) = (self.registers[group * 2], self.registers[group * 2 + 1]);
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
