//! Text to tree: the grammar of Logstash's `lscl_grammar.treetop`, by recursive descent with a limit of depth.

mod condition;
mod cursor;
mod literal;
mod structure;

use std::sync::Arc;

use super::ast::{Config, Source};
use super::diagnostic::{Diagnostic, Severity};
use cursor::Cursor;

/// How a text is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParseOptions {
    /// `config.support_escapes`: `\n`, `\t`, `\"` and the like in quoted text are processed.
    pub support_escapes: bool,
}

/// Parsers give up here; what went wrong stands in the diagnostics.
#[derive(Debug)]
struct Stop;

/// A part of the text read, or the end of this section's reading.
type Parsed<T> = Result<T, Stop>;

/// Reads one text. Sections that could be read are in the tree even when others could not.
pub fn parse(source: &Arc<Source>, options: ParseOptions) -> (Config, Vec<Diagnostic>) {
    let mut cursor = Cursor::new(source, options);
    let config = cursor.config();
    (config, cursor.into_diagnostics())
}

/// Whether any of the findings is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

#[cfg(test)]
mod tests;
