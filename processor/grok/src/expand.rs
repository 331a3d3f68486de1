//! From a grok pattern to a regular expression: `%{NAME:field}` written out.

use std::collections::HashMap;
use std::fmt;

use thiserror::Error as ThisError;

use crate::error::Error;
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
    /// Where the parts of `regex` come from, by their first byte.
    pieces: Vec<(usize, Origin)>,
}

impl Expanded {
    /// Where a byte of the regular expression comes from.
    pub(crate) fn origin(&self, position: usize) -> Origin {
        let after = self.pieces.partition_point(|(start, _)| *start <= position);
        match after.checked_sub(1).and_then(|index| self.pieces.get(index)) {
            Some((start, origin)) => Origin { position: origin.position + (position - start), ..origin.clone() },
            None => Origin { pattern: None, file: None, position },
        }
    }

    pub(crate) fn error(&self, error: Error) -> GrokError {
        GrokError::Syntax { message: error.message, origin: self.origin(error.position) }
    }
}

/// Writes out a pattern. References without a field become plain groups, or groups of the
/// pattern's name when `capture_all`.
pub(crate) fn expand(patterns: &PatternSet, pattern: &str, capture_all: bool) -> Result<Expanded, GrokError> {
    let mut expander = Expander {
        patterns,
        local: HashMap::new(),
        capture_all,
        references: 0,
        open: Vec::new(),
        expanded: Expanded { regex: String::new(), pieces: Vec::new() },
    };
    let origin = Origin { pattern: None, file: None, position: 0 };
    expander.text(pattern, &origin)?;
    Ok(expander.expanded)
}

struct Expander<'a> {
    patterns: &'a PatternSet,
    /// Patterns defined in place: `%{NAME=definition}`.
    local: HashMap<String, String>,
    capture_all: bool,
    references: usize,
    /// The patterns around the current one.
    open: Vec<String>,
    expanded: Expanded,
}

impl Expander<'_> {
    fn text(&mut self, text: &str, origin: &Origin) -> Result<(), GrokError> {
        let mut from = 0;
        let mut search = 0;
        while let Some(found) = text[search..].find("%{") {
            let start = search + found;
            match read_reference(&text[start..]) {
                Some(reference) => {
                    self.piece(&text[from..start], from, origin);
                    let at = Origin { position: start, ..origin.clone() };
                    from = start + reference.length;
                    search = from;
                    self.reference(&reference, &at)?;
                }
                None => search = start + 2,
            }
        }
        self.piece(&text[from..], from, origin);
        Ok(())
    }

    fn piece(&mut self, text: &str, from: usize, origin: &Origin) {
        let at = Origin { position: from, ..origin.clone() };
        self.expanded.pieces.push((self.expanded.regex.len(), at));
        self.expanded.regex.push_str(text);
    }

    fn reference(&mut self, reference: &Reference<'_>, at: &Origin) -> Result<(), GrokError> {
        let name = reference.name;
        self.references += 1;
        if self.references > MAX_REFERENCES || self.expanded.regex.len() > MAX_LENGTH {
            return Err(GrokError::TooLarge);
        }
        if let Some(definition) = reference.definition {
            self.local.insert(name.to_owned(), definition.to_owned());
        }
        if self.open.iter().any(|open| open == name) || self.open.len() > 200 {
            return Err(GrokError::Recursive { name: name.to_owned(), origin: at.clone() });
        }
        let (text, file) = match (self.local.get(name), self.patterns.definition(name)) {
            (Some(text), _) => (text.clone(), None),
            (None, Some(definition)) => {
                let file = definition.source.as_ref().map(|(file, line)| (file.to_string(), *line));
                (definition.text.clone(), file)
            }
            (None, None) => {
                return Err(GrokError::Undefined { name: name.to_owned(), origin: at.clone() });
            }
        };
        self.expanded.pieces.push((self.expanded.regex.len(), at.clone()));
        match reference.field {
            Some(field) => {
                self.expanded.regex.push_str("(?<");
                self.expanded.regex.push_str(name);
                self.expanded.regex.push(':');
                self.expanded.regex.push_str(field);
                self.expanded.regex.push('>');
            }
            None if self.capture_all => {
                self.expanded.regex.push_str("(?<");
                self.expanded.regex.push_str(name);
                self.expanded.regex.push('>');
            }
            None => self.expanded.regex.push_str("(?:"),
        }
        self.open.push(name.to_owned());
        let inside = Origin { pattern: Some(name.to_owned()), file, position: 0 };
        self.text(&text, &inside)?;
        self.open.pop();
        self.expanded.pieces.push((self.expanded.regex.len(), at.clone()));
        self.expanded.regex.push(')');
        Ok(())
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
