//! From a grok pattern to a regular expression: `%{NAME:field}` written out.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use thiserror::Error as ThisError;

use crate::error::Error;
use crate::parse::{Options, wrong_part};
use crate::pattern_set::PatternSet;

/// How many references one pattern may come to (as in Logstash's grok library).
const MAX_REFERENCES: usize = 10_000;
/// How long the written-out pattern may be, in bytes.
const MAX_LENGTH: usize = 4 << 20;

/// A grok pattern that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum GrokError {
    /// A reference to a pattern that is not defined.
    #[error("pattern %{{{name}}} not defined (in {origin})")]
    Undefined {
        /// The name.
        name: String,
        /// Where the reference is.
        origin: Origin,
    },
    /// A pattern that refers to itself.
    #[error("pattern %{{{name}}} refers to itself (in {origin})")]
    Recursive {
        /// The name.
        name: String,
        /// Where the reference is.
        origin: Origin,
    },
    /// More references than a pattern may have.
    #[error("the pattern refers to other patterns too often")]
    TooLarge,
    /// The regular expression is wrong.
    #[error("{message} (in {origin})")]
    Syntax {
        /// What is wrong.
        message: String,
        /// Where.
        origin: Origin,
    },
}

/// A place in the pattern or in one that it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The name of the pattern; `None` for the one that was given.
    pub pattern: Option<String>,
    /// The file and line of a named pattern that was read from a file.
    pub file: Option<(String, u32)>,
    /// The byte inside of that pattern's text.
    pub position: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.pattern, &self.file) {
            (Some(name), Some((file, line))) => {
                write!(f, "pattern {name} at '{file}' line {line}, byte {}", self.position)
            }
            (Some(name), None) => write!(f, "pattern {name}, byte {}", self.position),
            _ => write!(f, "the pattern, byte {}", self.position),
        }
    }
}

/// A pattern written out.
#[derive(Debug)]
pub(crate) struct Expanded {
    pub(crate) regex: String,
    /// Where the parts of `regex` come from.
    pieces: Vec<Piece>,
    /// The named patterns that are written out there, those inside of others before these.
    named: Vec<Named>,
    /// The texts that it is made of; the first is the pattern that was given.
    sources: Vec<Source>,
}

/// A part of the written-out pattern.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Its first byte.
    start: usize,
    source: usize,
    /// The same byte in the source.
    position: usize,
}

/// Where a named pattern is written out.
#[derive(Debug)]
struct Named {
    place: Range<usize>,
    source: usize,
    /// How long its own text is.
    length: usize,
}

/// A pattern's name and the file that it was read from.
#[derive(Debug, Clone, PartialEq)]
struct Source {
    pattern: Option<String>,
    file: Option<(Arc<str>, u32)>,
}

impl Expanded {
    /// Where a byte of the regular expression comes from.
    fn origin(&self, position: usize) -> Origin {
        let after = self.pieces.partition_point(|piece| piece.start <= position);
        match after.checked_sub(1).and_then(|index| self.pieces.get(index)) {
            Some(piece) => self.origin_in(piece.source, piece.position + (position - piece.start)),
            None => self.origin_in(0, position),
        }
    }

    fn origin_in(&self, source: usize, position: usize) -> Origin {
        let Source { pattern, file } = &self.sources[source];
        let file = file.as_ref().map(|(file, line)| (file.to_string(), *line));
        Origin { pattern: pattern.clone(), file, position }
    }

    /// The error with its place. A named pattern that is wrong by itself, such as one that leaves a group open, is where
    /// the error is, wherever it was noticed.
    pub(crate) fn error(&self, error: Error, options: Options) -> GrokError {
        let places = self.named.iter().map(|named| named.place.clone());
        match wrong_part(&self.regex, places, options) {
            Some((number, error)) => {
                let named = &self.named[number];
                let at_end = error.position >= named.place.end;
                let origin =
                    if at_end { self.origin_in(named.source, named.length) } else { self.origin(error.position) };
                GrokError::Syntax { message: error.message, origin }
            }
            None => GrokError::Syntax { message: error.message, origin: self.origin(error.position) },
        }
    }
}

/// Writes out a pattern. References without a field become plain groups, or groups of the
/// pattern's name when `capture_all`.
pub(crate) fn expand(patterns: &PatternSet, pattern: &str, capture_all: bool) -> Result<Expanded, GrokError> {
    let given = Source { pattern: None, file: None };
    let mut expander = Expander {
        patterns,
        local: HashMap::new(),
        capture_all,
        references: 0,
        open: Vec::new(),
        expanded: Expanded { regex: String::new(), pieces: Vec::new(), named: Vec::new(), sources: vec![given] },
    };
    expander.text(pattern, 0)?;
    Ok(expander.expanded)
}

struct Expander<'a> {
    patterns: &'a PatternSet,
    /// Patterns defined in place: `%{NAME=definition}`.
    local: HashMap<String, Rc<str>>,
    capture_all: bool,
    references: usize,
    /// The sources of the patterns around the current one.
    open: Vec<usize>,
    expanded: Expanded,
}

impl Expander<'_> {
    fn text(&mut self, text: &str, source: usize) -> Result<(), GrokError> {
        let mut from = 0;
        let mut search = 0;
        while let Some(found) = text[search..].find("%{") {
            let start = search + found;
            match read_reference(&text[start..]) {
                Some(reference) => {
                    self.piece(&text[from..start], from, source);
                    self.piece("", start, source);
                    self.reference(&reference, start, source)?;
                    self.piece(")", start, source);
                    from = start + reference.length;
                    search = from;
                }
                None => search = start + 2,
            }
        }
        self.piece(&text[from..], from, source);
        Ok(())
    }

    fn piece(&mut self, text: &str, position: usize, source: usize) {
        self.expanded.pieces.push(Piece { start: self.expanded.regex.len(), source, position });
        self.expanded.regex.push_str(text);
    }

    /// Writes out a reference at `position` of a source, but for the parenthesis that closes it.
    fn reference(&mut self, reference: &Reference<'_>, position: usize, source: usize) -> Result<(), GrokError> {
        let name = reference.name;
        let origin = |expanded: &Expanded| expanded.origin_in(source, position);
        self.references += 1;
        if self.references > MAX_REFERENCES || self.expanded.regex.len() > MAX_LENGTH {
            return Err(GrokError::TooLarge);
        }
        if let Some(definition) = reference.definition {
            self.local.insert(name.to_owned(), Rc::from(definition));
        }
        let is_open = |&open: &usize| self.expanded.sources[open].pattern.as_deref() == Some(name);
        if self.open.iter().any(is_open) || self.open.len() > 200 {
            return Err(GrokError::Recursive { name: name.to_owned(), origin: origin(&self.expanded) });
        }
        let local = self.local.get(name).cloned();
        let (text, file) = match (&local, self.patterns.definition(name)) {
            (Some(text), _) => (&**text, None),
            (None, Some(definition)) => (definition.text.as_str(), definition.source.clone()),
            (None, None) => {
                return Err(GrokError::Undefined { name: name.to_owned(), origin: origin(&self.expanded) });
            }
        };
        let regex = &mut self.expanded.regex;
        match reference.field {
            Some(field) => regex.extend(["(?<", name, ":", field, ">"]),
            None if self.capture_all => regex.extend(["(?<", name, ">"]),
            None => regex.push_str("(?:"),
        }
        let start = regex.len();
        let inside = self.source(Source { pattern: Some(name.to_owned()), file });
        self.open.push(inside);
        self.text(text, inside)?;
        self.open.pop();
        let place = start..self.expanded.regex.len();
        self.expanded.named.push(Named { place, source: inside, length: text.len() });
        Ok(())
    }

    /// The number of a source.
    fn source(&mut self, source: Source) -> usize {
        let sources = &mut self.expanded.sources;
        sources.iter().position(|known| *known == source).unwrap_or_else(|| {
            sources.push(source);
            sources.len() - 1
        })
    }
}

/// `%{NAME:field=definition}`
struct Reference<'t> {
    name: &'t str,
    field: Option<&'t str>,
    definition: Option<&'t str>,
    /// With the brackets, in bytes.
    length: usize,
}

/// Reads a reference at the start of the text, by the rules of Logstash's grok library: names of
/// `[A-z0-9]`, and what follows before the closing brace does not count.
fn read_reference(text: &str) -> Option<Reference<'_>> {
    let inner = &text[2..];
    let in_name = |c: char| ('A'..='z').contains(&c) || c.is_ascii_digit();
    let in_field = |c: char| in_name(c) || matches!(c, '@' | '.' | ':' | '-');
    let name = &inner[..inner.find(|c| !in_name(c)).unwrap_or(inner.len())];
    // `\` is between `A` and `z`, but no name has it and it would hide an escape.
    if name.is_empty() {
        return None;
    }
    let mut at = name.len();
    let mut field = None;
    if let Some(rest) = inner[at..].strip_prefix(':') {
        let length = rest.find(|c| !in_field(c)).unwrap_or(rest.len());
        if length > 0 {
            field = Some(&rest[..length]);
            at += 1 + length;
        }
    }
    let mut definition = None;
    if inner[at..].starts_with('=')
        && let Some(length) = definition_length(&inner[at + 1..])
    {
        definition = Some(&inner[at + 1..at + 1 + length]);
        at += 1 + length;
    }
    let close = inner[at..].find('}')?;
    Some(Reference { name, field, definition, length: 2 + at + close + 1 })
}

/// How far a definition in place reaches: braces in it are balanced.
fn definition_length(text: &str) -> Option<usize> {
    let (mut depth, mut escaped) = (0u32, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' if depth == 0 => return (at > 0).then_some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
