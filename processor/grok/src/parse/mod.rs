//! The parser of Ruby's (Oniguruma's) regular expressions.

mod class;
mod escape;
mod group;
mod quantifier;

use std::collections::HashMap;

use crate::ast::{Assert, Node};
use crate::charset::CharSet;
use crate::error::Error;
use crate::fold;
use crate::unicode::Range;

/// How deep groups may nest.
const MAX_DEPTH: u32 = 250;

/// How a pattern is to be read; `(?imx)` inside of the pattern changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    classes: Range,
    /// POSIX brackets (Unicode unless `(?a)`).
    posix: Range,
}

/// A parsed pattern.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) node: Node,
    /// Names by group number; index 0 is the whole match.
    pub(crate) names: Vec<Option<String>>,
}

/// Parses a pattern.
pub(crate) fn parse(pattern: &str, options: Options) -> Result<Parsed, Error> {
    let flags = Flags {
        ignore_case: options.ignore_case,
        multi_line: options.multi_line,
        extended: options.extended,
        classes: Range::Ascii,
        posix: Range::Unicode,
    };
    let (names, named) = group::scan_names(pattern, options.extended);
    let mut parser = Parser { pattern, pos: 0, flags, depth: 0, names: vec![None], named, groups_of: names };
    let node = parser.alternation()?;
    if parser.pos < pattern.len() {
        return Err(parser.error("unmatched close parenthesis"));
    }
    let parsed = Parsed { node, names: parser.names };
    group::check_references(&parsed)?;
    Ok(parsed)
}

pub(crate) struct Parser<'p> {
    pattern: &'p str,
    pos: usize,
    flags: Flags,
    depth: u32,
    /// Names of the groups opened so far.
    names: Vec<Option<String>>,
    /// Whether the pattern has named groups: then plain groups do not capture.
    named: bool,
    /// The numbers of all groups of a name, also of those further on; and under "" the count.
    groups_of: HashMap<String, Vec<u32>>,
}

impl Parser<'_> {
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
