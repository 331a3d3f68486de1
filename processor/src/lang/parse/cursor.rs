//! The place in the text, the small tokens, and the making of errors.

use std::sync::Arc;

use super::{ParseOptions, Parsed, Stop};
use crate::lang::ast::{Source, Span};
use crate::lang::diagnostic::Diagnostic;

/// Brackets, blocks and parentheses nest at most this deep.
const DEEPEST: usize = 100;

/// A place in a text.
pub(super) struct Cursor<'s> {
    source: &'s Arc<Source>,
    pub(super) text: &'s str,
    pub(super) at: usize,
    pub(super) options: ParseOptions,
    depth: usize,
    /// Operators of the condition at hand.
    pub(super) operators: usize,
    diagnostics: Vec<Diagnostic>,
}

impl<'s> Cursor<'s> {
    pub(super) fn new(source: &'s Arc<Source>, options: ParseOptions) -> Cursor<'s> {
        Cursor { source, text: &source.text, at: 0, options, depth: 0, operators: 0, diagnostics: Vec::new() }
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'s str {
        &self.text[self.at..]
    }

    /// The next byte.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes `token` if it stands here.
    pub(super) fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes all bytes that `wanted` accepts; ASCII only.
    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'s str {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// Skips blanks and comments; says whether there were blanks or a comment.
    pub(super) fn blanks(&mut self) -> bool {
        let start = self.at;
        loop {
            self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            if self.peek() != Some(b'#') {
                return self.at > start;
            }
            self.at += memchr::memchr(b'\n', self.rest().as_bytes()).unwrap_or(self.rest().len());
        }
    }

    /// From `start` to here.
    pub(super) fn span(&self, start: usize) -> Span {
        Span { source: self.source.clone(), start, end: self.at }
    }

    /// The character at a place, for an error there; nothing at the end.
    fn here(&self, at: usize) -> Span {
        let length = self.text[at..].chars().next().map_or(0, char::len_utf8);
        Span { source: self.source.clone(), start: at, end: at + length }
    }

    /// Records a finding and goes on.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Records that something else was expected here.
    pub(super) fn expected<T>(&mut self, what: &str, hint: Option<&str>) -> Parsed<T> {
        let found = self
            .rest()
            .chars()
            .next()
            .map_or_else(|| "the end of the text".into(), |found| format!("'{}'", found.escape_default()));
        let message = format!("expected {what}, found {found}");
        self.fail(self.here(self.at), message, hint)
    }

    /// Records a syntax error.
    pub(super) fn fail<T>(&mut self, span: Span, message: String, hint: Option<&str>) -> Parsed<T> {
        let diagnostic = Diagnostic::error("syntax", &span, message);
        self.report(match hint {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        });
        Err(Stop)
    }

    /// Runs `inner` one level deeper.
    pub(super) fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEEPEST {
            let message = format!("nested more than {DEEPEST} deep");
            return self.fail(self.here(self.at), message, None);
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// After an error: the level that reading goes on with.
    pub(super) fn surface(&mut self) {
        self.depth = 0;
    }
}
