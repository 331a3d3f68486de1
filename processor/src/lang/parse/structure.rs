//! Sections, plugins and branches.

use super::Parsed;
use super::cursor::Cursor;
use super::literal::is_name;
use crate::lang::ast::{Arm, Attribute, Branch, Config, Kind, Plugin, Section, Statement};

/// The names of sections.
const SECTIONS: [(&str, Kind); 3] = [("input", Kind::Input), ("filter", Kind::Filter), ("output", Kind::Output)];

impl Cursor<'_> {
    /// All sections. After a syntax error reading goes on at the next line that starts with a section.
    pub(super) fn config(&mut self) -> Config {
        let mut config = Config::default();
        loop {
            self.blanks();
            if self.rest().is_empty() {
                return config;
            }
            match self.section() {
                Ok(section) => config.sections.push(section),
                Err(_) => self.recover(),
            }
        }
    }

    fn recover(&mut self) {
        self.surface();
        while let Some(newline) = memchr::memchr(b'\n', self.rest().as_bytes()) {
            self.at += newline + 1;
            let starts =
                |name: &str| self.rest().strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('{'));
            if SECTIONS.iter().any(|(name, _)| starts(name)) {
                return;
            }
        }
        self.at = self.text.len();
    }

    fn section(&mut self) -> Parsed<Section> {
        let start = self.at;
        let Some((_, kind)) = SECTIONS.into_iter().find(|(name, _)| self.take(name)) else {
            let hint = if self.rest().starts_with('\u{feff}') {
                "the text starts with a byte order mark; save it without"
            } else if self.peek() == Some(b'}') {
                "there is one '}' too many before this"
            } else {
                "a configuration consists of input { }, filter { } and output { }"
            };
            return self.expected("'input', 'filter' or 'output'", Some(hint));
        };
        let body = self.block()?;
        Ok(Section { kind, body, span: self.span(start) })
    }

    /// `{ ... }` with plugins and branches.
    fn block(&mut self) -> Parsed<Vec<Statement>> {
        self.blanks();
        let open = self.at;
        if !self.take("{") {
            return self.expected("'{'", None);
        }
        let opening = self.span(open);
        let mut body = Vec::new();
        loop {
            self.blanks();
            if self.take("}") {
                return Ok(body);
            }
            if self.rest().is_empty() {
                let message = "this block is never closed".into();
                return self.fail(opening, message, Some("a '}' is missing"));
            }
            body.push(self.deeper(Self::statement)?);
        }
    }

    fn statement(&mut self) -> Parsed<Statement> {
        if self.starts_branch() {
            return self.branch().map(Statement::Branch);
        }
        for (wrong, hint) in [
            ("elsif", "write 'else if'"),
            ("elseif", "write 'else if'"),
            ("elif", "write 'else if'"),
            ("else", "'else' must follow the '}' of an 'if'"),
        ] {
            let word = self.rest().strip_prefix(wrong);
            if word.is_some_and(|rest| !rest.bytes().next().is_some_and(is_name)) {
                return self.expected("a plugin, 'if' or '}'", Some(hint));
            }
        }
        self.plugin().map(Statement::Plugin)
    }

    /// `if` and a condition, and not a plugin of that name.
    fn starts_branch(&self) -> bool {
        let Some(rest) = self.rest().strip_prefix("if") else { return false };
        if rest.bytes().next().is_some_and(is_name) {
            return false;
        }
        !rest.trim_start().starts_with('{')
    }

    fn branch(&mut self) -> Parsed<Branch> {
        let start = self.at;
        self.take("if");
        let mut arms = vec![self.arm()?];
        let mut otherwise = None;
        while otherwise.is_none() {
            let end = self.at;
            self.blanks();
            if !self.keyword("else") {
                self.at = end;
                break;
            }
            self.blanks();
            if self.keyword("if") {
                arms.push(self.arm()?);
            } else {
                otherwise = Some(self.block()?);
            }
        }
        Ok(Branch { arms, otherwise, span: self.span(start) })
    }

    /// Takes a word that no letter follows.
    fn keyword(&mut self, word: &str) -> bool {
        let whole = self.rest().strip_prefix(word).is_some_and(|rest| !rest.bytes().next().is_some_and(is_name));
        whole && self.take(word)
    }

    fn arm(&mut self) -> Parsed<Arm> {
        self.blanks();
        self.operators = 0;
        let condition = self.condition()?;
        self.blanks();
        if self.peek() != Some(b'{') {
            let rest = self.rest();
            let hint = match () {
                () if rest.starts_with("&&") => Some("write 'and'"),
                () if rest.starts_with("||") => Some("write 'or'"),
                () if rest.starts_with('=') => Some("values are compared with '=='"),
                () if rest.starts_with("AND") || rest.starts_with("OR") => Some("operators are written in lower case"),
                () => None,
            };
            return self.expected("'and', 'or' or '{'", hint);
        }
        Ok(Arm { condition, body: self.block()? })
    }

    /// `name { option => value ... }`
    pub(super) fn plugin(&mut self) -> Parsed<Plugin> {
        let start = self.at;
        let name = self.name("the name of a plugin")?;
        let name_span = self.span(start);
        self.blanks();
        if !self.take("{") {
            return self.expected(&format!("'{{' after '{name}'"), None);
        }
        let opening = self.span(start);
        let mut attributes = Vec::new();
        let mut separated = true;
        loop {
            separated |= self.blanks();
            if self.take("}") {
                return Ok(Plugin { name, name_span, attributes, span: self.span(start) });
            }
            if self.rest().is_empty() {
                return self.fail(opening, format!("'{name}' is never closed"), Some("a '}' is missing"));
            }
            if self.peek() == Some(b',') {
                return self.expected("an option or '}'", Some("options are separated by blanks, not by commas"));
            }
            if !separated {
                return self.expected("a blank or '}'", Some("options are separated by blanks"));
            }
            attributes.push(self.attribute()?);
            separated = false;
        }
    }

    fn attribute(&mut self) -> Parsed<Attribute> {
        let start = self.at;
        let name = self.name("an option or '}'")?;
        let name_span = self.span(start);
        self.arrow()?;
        let value = self.value()?;
        Ok(Attribute { name, name_span, value })
    }

    /// `[A-Za-z0-9_-]+` or quoted text.
    fn name(&mut self, what: &str) -> Parsed<String> {
        if matches!(self.peek(), Some(b'"' | b'\'')) {
            return self.string();
        }
        let name = self.take_while(is_name);
        if name.is_empty() {
            return self.expected(what, None);
        }
        Ok(name.to_string())
    }
}
