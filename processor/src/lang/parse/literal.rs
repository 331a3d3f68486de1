//! Values: words, text, numbers, lists, hashes and plugins.

use std::collections::HashSet;

use super::Parsed;
use super::cursor::Cursor;
use crate::lang::ast::{Literal, LiteralKind};
use crate::lang::diagnostic::Diagnostic;

impl<'s> Cursor<'s> {
    /// plugin / bareword / string / number / array / hash
    pub(super) fn value(&mut self) -> Parsed<Literal> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'[') => self.deeper(Self::array)?,
            Some(b'{') => self.deeper(Self::hash)?,
            Some(b'-' | b'0'..=b'9') if !self.names_plugin() => LiteralKind::Number(self.number()?),
            Some(b'"' | b'\'' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') => {
                if self.names_plugin() {
                    let plugin = self.deeper(Self::plugin)?;
                    LiteralKind::Plugin(Box::new(plugin))
                } else if matches!(self.peek(), Some(b'"' | b'\'')) {
                    LiteralKind::String(self.string()?)
                } else {
                    LiteralKind::Bareword(self.bareword()?)
                }
            }
            Some(b'$') => {
                return self.expected("a value", Some("put \"${NAME}\" into quotes"));
            }
            Some(b'/') => return self.expected("a value", Some("patterns in options are quoted text")),
            _ => return self.expected("a value: text in quotes, a word, a number, [...] or {...}", None),
        };
        Ok(Literal { kind, span: self.span(start) })
    }

    /// Whether a name and an opening brace stand here.
    fn names_plugin(&mut self) -> bool {
        let start = self.at;
        let named = match self.peek() {
            Some(b'"' | b'\'') => self.raw_string().is_some(),
            _ => !self.take_while(is_name).is_empty(),
        };
        let found = named && {
            self.blanks();
            self.peek() == Some(b'{')
        };
        self.at = start;
        found
    }

    /// `[A-Za-z_][A-Za-z0-9_]+`: at least two characters.
    fn bareword(&mut self) -> Parsed<String> {
        let start = self.at;
        if !self.peek().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
            return self.expected("a value", None);
        }
        let word = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_').to_string();
        if word.len() < 2 {
            let hint = "words without quotes have at least two letters; put it into quotes";
            return self.fail(self.span(start), format!("'{word}' is no value"), Some(hint));
        }
        if self.peek() == Some(b'-') {
            return self
                .expected("a blank", Some("words without quotes cannot have a dash; put the value into quotes"));
        }
        Ok(word)
    }

    /// Quoted text, without its quotes.
    pub(super) fn string(&mut self) -> Parsed<String> {
        let start = self.at;
        let escapes = self.options.support_escapes;
        match self.raw_string() {
            Some(text) if escapes => Ok(unescaped(text)),
            Some(text) => Ok(text.to_string()),
            None => {
                self.at = start + 1;
                let hint = "a backslash before the last quote keeps the text open";
                self.fail(self.span(start), "this quote is never closed".into(), Some(hint))
            }
        }
    }

    /// The text between quotes, as written; `None` (with the cursor anywhere) when the end is missing.
    fn raw_string(&mut self) -> Option<&'s str> {
        let quote = self.peek()?;
        let text = self.text;
        let bytes = text.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        loop {
            at += memchr::memchr2(quote, b'\\', &bytes[at..])?;
            if bytes[at] == quote {
                self.at = at + 1;
                return Some(&text[start..at]);
            }
            // A backslash hides a quote and nothing else.
            at += if bytes.get(at + 1) == Some(&quote) { 2 } else { 1 };
        }
    }

    /// `-?[0-9]+(\.[0-9]*)?`
    pub(super) fn number(&mut self) -> Parsed<String> {
        let start = self.at;
        self.take("-");
        if self.take_while(|byte| byte.is_ascii_digit()).is_empty() {
            return self.expected("a digit", None);
        }
        if self.take(".") {
            self.take_while(|byte| byte.is_ascii_digit());
        }
        Ok(self.text[start..self.at].to_string())
    }

    fn array(&mut self) -> Parsed<LiteralKind> {
        self.take("[");
        self.blanks();
        let mut items = Vec::new();
        if self.take("]") {
            return Ok(LiteralKind::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.blanks();
            if self.take("]") {
                return Ok(LiteralKind::Array(items));
            }
            if !self.take(",") {
                return self.expected("',' or ']'", Some("the items of a list are separated by commas"));
            }
            self.blanks();
            if self.peek() == Some(b']') {
                return self.expected("a value", Some("no comma may follow the last item of a list"));
            }
        }
    }

    fn hash(&mut self) -> Parsed<LiteralKind> {
        self.take("{");
        let mut entries = Vec::new();
        let mut names = HashSet::new();
        let mut separated = true;
        loop {
            separated |= self.blanks();
            if self.take("}") {
                return Ok(LiteralKind::Hash(entries));
            }
            if self.peek() == Some(b',') {
                return self
                    .expected("an entry or '}'", Some("the entries of a hash are separated by blanks, not by commas"));
            }
            if !separated {
                return self.expected("a blank or '}'", None);
            }
            let key = self.key()?;
            if !names.insert(key.span.text().to_string()) {
                let message = format!("the key {} is given twice", key.span.text());
                self.report(Diagnostic::error("duplicate-key", &key.span, message));
            }
            self.arrow()?;
            entries.push((key, self.value()?));
            separated = false;
        }
    }

    fn key(&mut self) -> Parsed<Literal> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"' | b'\'') => LiteralKind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => LiteralKind::Number(self.number()?),
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => LiteralKind::Bareword(self.bareword()?),
            _ => {
                return self
                    .expected("a key or '}'", Some("keys with other characters than letters and digits are quoted"));
            }
        };
        Ok(Literal { kind, span: self.span(start) })
    }

    /// ` => `
    pub(super) fn arrow(&mut self) -> Parsed<()> {
        self.blanks();
        if !self.take("=>") {
            let hint = matches!(self.peek(), Some(b'=' | b':')).then_some("options are written as: name => value");
            return self.expected("'=>'", hint);
        }
        self.blanks();
        Ok(())
    }
}

/// Characters of plugin and option names.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// `config.support_escapes` (`string_escape.rb`): unknown escapes stay as they are.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('0') => out.push('\0'),
            Some(quoted @ ('"' | '\'' | '\\')) => out.push(quoted),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}
