//! The parser of Ruby's (Oniguruma's) regular expressions.

mod class;
mod escape;
mod group;
mod quantifier;

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use crate::ast::{Assert, Node};
use crate::charset::CharSet;
use crate::error::Error;
use crate::fold;
use crate::unicode;

/// How deep groups may nest.
const MAX_DEPTH: u32 = 250;

/// How a pattern is to be read; `(?imx)` inside of the pattern changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Options {
    /// `i`: letters match in either case.
    pub ignore_case: bool,
    /// `m`: the dot matches a newline too. Logstash compiles its grok patterns so.
    pub multi_line: bool,
    /// `x`: blanks and `#` comments in the pattern do not count.
    pub extended: bool,
}

/// The options in force at a place of the pattern.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flags {
    ignore_case: bool,
    multi_line: bool,
    extended: bool,
    /// `\w \d \s \h` (ASCII unless `(?u)`).
    classes: unicode::Range,
    /// POSIX brackets (Unicode unless `(?a)`).
    posix: unicode::Range,
}

/// A parsed pattern.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) node: Node,
    /// Names by group number; index 0 is the whole match.
    pub(crate) names: Vec<Option<String>>,
    /// Whether there are back-references, calls or conditions.
    pub(crate) references: bool,
}

/// Parses a pattern.
pub(crate) fn parse(pattern: &str, options: Options) -> Result<Parsed, Error> {
    let groups = Rc::new(group::scan_groups(pattern, options.extended));
    let mut parser = Parser::new(pattern, groups, options);
    let node = parser.whole()?;
    let parsed = Parsed { node, names: parser.names, references: parser.references };
    if parsed.references {
        group::check_references(&parsed)?;
    }
    Ok(parsed)
}

/// The first of some parts of a pattern that cannot stand by itself (references may lead out of it), by its number, and
/// what is wrong with it at which place of the whole pattern.
pub(crate) fn wrong_part(
    pattern: &str,
    parts: impl Iterator<Item = Range<usize>>,
    options: Options,
) -> Option<(usize, Error)> {
    let groups = Rc::new(group::scan_groups(pattern, options.extended));
    let wrong = |(number, part): (usize, Range<usize>)| {
        let checked = Parser::new(&pattern[part.clone()], Rc::clone(&groups), options).whole();
        let error = checked.err()?;
        Some((number, Error { position: part.start + error.position, ..error }))
    };
    parts.enumerate().find_map(wrong)
}

pub(crate) struct Parser<'p> {
    pattern: &'p str,
    pos: usize,
    flags: Flags,
    depth: u32,
    /// Names of the groups opened so far.
    names: Vec<Option<String>>,
    groups: Rc<Groups>,
    references: bool,
}

/// The groups of a pattern, also those further on.
pub(crate) struct Groups {
    /// How many there are.
    count: u32,
    /// Whether there are named ones: then plain groups do not capture.
    named: bool,
    /// The numbers of all groups of a name.
    of_name: HashMap<String, Vec<u32>>,
}

impl<'p> Parser<'p> {
    fn new(pattern: &'p str, groups: Rc<Groups>, options: Options) -> Self {
        let flags = Flags {
            ignore_case: options.ignore_case,
            multi_line: options.multi_line,
            extended: options.extended,
            classes: unicode::Range::Ascii,
            posix: unicode::Range::Unicode,
        };
        Parser { pattern, pos: 0, flags, depth: 0, names: vec![None], groups, references: false }
    }

    fn whole(&mut self) -> Result<Node, Error> {
        let node = self.alternation()?;
        if self.pos < self.pattern.len() {
            return Err(self.error("unmatched close parenthesis"));
        }
        Ok(node)
    }

    fn error(&self, message: impl Into<String>) -> Error {
        Error::new(self.pos, message)
    }

    fn peek(&self) -> Option<char> {
        self.pattern[self.pos..].chars().next()
    }

    fn rest(&self) -> &str {
        &self.pattern[self.pos..]
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.pos += text.len();
        }
        found
    }

    /// Up to a closing parenthesis or the end, which it leaves.
    fn alternation(&mut self) -> Result<Node, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("groups nest deeper than {MAX_DEPTH}")));
        }
        let mut branches = vec![self.branch()?];
        while self.eat("|") {
            branches.push(self.branch()?);
        }
        self.depth -= 1;
        Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Alternate(branches) })
    }

    fn branch(&mut self) -> Result<Node, Error> {
        let mut nodes = Vec::new();
        while let Some(c) = self.peek() {
            if c == '|' || c == ')' {
                break;
            }
            if self.skip_blank(c) {
                continue;
            }
            if let Some(node) = self.element(c)? {
                nodes.push(self.quantified(node)?);
            }
        }
        Ok(fold::unfold(nodes))
    }

    /// Skips a blank or a comment of the extended syntax.
    fn skip_blank(&mut self, c: char) -> bool {
        if !self.flags.extended {
            return false;
        }
        if c == '#' {
            self.pos += self.rest().find('\n').map_or(self.rest().len(), |at| at + 1);
            return true;
        }
        let blank = matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0B' | '\x0C');
        if blank {
            self.pos += 1;
        }
        blank
    }

    /// One element without its quantifier; a comment and an option group are none.
    fn element(&mut self, c: char) -> Result<Option<Node>, Error> {
        let start = self.pos;
        match c {
            '(' => return self.group(),
            '*' | '+' | '?' => return Err(self.error("the target of the repeat operator is missing")),
            _ => {}
        }
        self.pos += c.len_utf8();
        let node = match c {
            '[' => self.class(start)?,
            '\\' => self.escape(start)?,
            '^' => Node::Assert(Assert::LineStart),
            '$' => Node::Assert(Assert::LineEnd),
            '.' if self.flags.multi_line => Node::Set(CharSet::any()),
            '.' => Node::Set(CharSet::any_but_newline()),
            '{' if self.interval_follows(start) => {
                return Err(Error::new(start, "the target of the repeat operator is missing"));
            }
            other => self.literal(other),
        };
        Ok(Some(node))
    }

    fn literal(&self, c: char) -> Node {
        if self.flags.ignore_case { Node::Folded(c) } else { Node::Char(c) }
    }
}
