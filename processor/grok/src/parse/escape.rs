//! Escapes outside and inside of classes.

use super::Parser;
use crate::ast::{Assert, Node};
use crate::charset::CharSet;
use crate::error::Error;
use crate::unicode::{self, Range};

impl Parser<'_> {
    /// What follows a backslash (at `start`) outside of a class.
    pub(super) fn escape(&mut self, start: usize) -> Result<Node, Error> {
        let Some(c) = self.peek() else {
            return Err(Error::new(start, "the pattern ends with a backslash"));
        };
        let ascii_words = self.flags.classes == Range::Ascii && self.flags.posix == Range::Ascii;
        let assert = match c {
            'A' => Some(Assert::TextStart),
            'z' => Some(Assert::TextEnd),
            'Z' => Some(Assert::TextEndOrNewline),
            'G' => Some(Assert::SearchStart),
            'b' => Some(Assert::WordBoundary(ascii_words)),
            'B' => Some(Assert::NotWordBoundary(ascii_words)),
            _ => None,
        };
        if let Some(assert) = assert {
            self.pos += 1;
            return Ok(Node::Assert(assert));
        }
        match c {
            'K' | 'X' | 'R' => {
                self.pos += 1;
                Ok(match c {
                    'K' => Node::Keep,
                    'X' => Node::Grapheme,
                    _ => newline(),
                })
            }
            'k' if self.rest().starts_with("k<") || self.rest().starts_with("k'") => {
                self.pos += 1;
                self.named_backref(start)
            }
            'g' if self.rest().starts_with("g<") || self.rest().starts_with("g'") => {
                self.pos += 1;
                self.call(start)
            }
            '1'..='9' => {
                if let Some(node) = self.numbered_backref(start)? {
                    return Ok(node);
                }
                self.escaped_text(start)
            }
            _ => match self.class_escape(start)? {
                Some(set) => Ok(Node::Set(set)),
                None => self.escaped_text(start),
            },
        }
    }

    fn escaped_text(&mut self, start: usize) -> Result<Node, Error> {
        let c = self.escaped_char(start)?;
        Ok(self.literal(c))
    }

    /// The class of `\w \W \d \D \s \S \h \H \p{...} \P{...}`, when one follows.
    pub(super) fn class_escape(&mut self, start: usize) -> Result<Option<CharSet>, Error> {
        let range = self.flags.classes;
        let Some(c) = self.peek() else {
            return Err(Error::new(start, "the pattern ends with a backslash"));
        };
        let set = match c.to_ascii_lowercase() {
            'w' => unicode::word(range),
            'd' => unicode::digit(range),
            's' => unicode::space(range),
            'h' => unicode::hex_digit(),
            'p' if self.rest()[1..].starts_with('{') => return self.property(start, c == 'P').map(Some),
            _ => return Ok(None),
        };
        self.pos += 1;
        Ok(Some(if c.is_ascii_uppercase() { set.negate() } else { set }))
    }

    fn property(&mut self, start: usize, mut negated: bool) -> Result<CharSet, Error> {
        self.pos += 2;
        if self.eat("^") {
            negated = !negated;
        }
        let Some(end) = self.rest().find('}') else {
            return Err(Error::new(start, "the property name has no end"));
        };
        let name = &self.rest()[..end];
        let Some(set) = unicode::property(name) else {
            return Err(Error::new(start, format!("unknown character property '{name}'")));
        };
        self.pos += end + 1;
        Ok(if negated { set.negate() } else { set })
    }

    /// The character of an escape that stands for one.
    pub(super) fn escaped_char(&mut self, start: usize) -> Result<char, Error> {
        let Some(c) = self.next() else {
            return Err(Error::new(start, "the pattern ends with a backslash"));
        };
        let code = match c {
            't' => 9,
            'n' => 10,
            'v' => 11,
            'f' => 12,
            'r' => 13,
            'a' => 7,
            'e' => 0x1B,
            'c' => return self.control(start),
            'C' if self.eat("-") => return self.control(start),
            'M' if self.rest().starts_with('-') => {
                return Err(Error::new(start, "'\\M-x' is no character of a UTF-8 text"));
            }
            'x' if self.eat("{") => {
                let code = self.digits(16, 8, start)?;
                if !self.eat("}") {
                    return Err(Error::new(start, "'\\x{' has no end"));
                }
                code
            }
            'x' | '0'..='7' => {
                self.pos -= 1;
                return self.bytes(start);
            }
            'u' => {
                let from = self.pos;
                let code = self.digits(16, 4, start)?;
                if self.pos - from < 4 {
                    return Err(Error::new(start, "'\\u' needs four hexadecimal digits"));
                }
                code
            }
            other => return Ok(other),
        };
        char::from_u32(code).ok_or_else(|| Error::new(start, format!("{code:#x} is no character")))
    }

    fn control(&mut self, start: usize) -> Result<char, Error> {
        let c = match self.next() {
            Some('\\') => {
                let at = self.pos;
                self.escaped_char(at)?
            }
            Some(c) => c,
            None => return Err(Error::new(start, "the control character is missing")),
        };
        let code = if c == '?' { 0x7F } else { c as u32 & 0x9F };
        char::from_u32(code).ok_or_else(|| Error::new(start, "no such control character"))
    }

    /// Up to `most` digits; none is 0, as in Oniguruma.
    fn digits(&mut self, radix: u32, most: usize, start: usize) -> Result<u32, Error> {
        let count = self.rest().chars().take(most).take_while(|c| c.is_digit(radix)).count();
        let digits = &self.rest()[..count];
        let code = if digits.is_empty() { Ok(0) } else { u32::from_str_radix(digits, radix) };
        let code = code.map_err(|_| Error::new(start, format!("'{digits}' is no character")))?;
        self.pos += count;
        Ok(code)
    }

    /// `\xE4\xB8\xAD` or `\344\270\255`: bytes that together are one character.
    fn bytes(&mut self, start: usize) -> Result<char, Error> {
        let mut bytes = vec![self.byte(start)?];
        let length = match bytes[0] {
            0..0x80 => 1,
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            _ => 4,
        };
        while bytes.len() < length && self.rest().starts_with('\\') && self.rest()[1..].starts_with(is_byte) {
            self.pos += 1;
            bytes.push(self.byte(start)?);
        }
        let text = std::str::from_utf8(&bytes).ok();
        text.and_then(|text| text.chars().next())
            .ok_or_else(|| Error::new(start, "the bytes of the escape are no UTF-8 character"))
    }

    /// A byte by its number, `xE4` or `344`.
    fn byte(&mut self, start: usize) -> Result<u8, Error> {
        let code = if self.eat("x") { self.digits(16, 2, start)? } else { self.digits(8, 3, start)? };
        u8::try_from(code).map_err(|_| Error::new(start, format!("{code:#o} is no byte")))
    }
}

/// Whether an escape of a byte starts so.
fn is_byte(c: char) -> bool {
    matches!(c, 'x' | '0'..='7')
}

/// `\R`: a line break, CR LF as one.
fn newline() -> Node {
    let single = CharSet::new(&[(10, 13), (0x85, 0x85), (0x2028, 0x2029)]);
    let pair = Node::Concat(vec![Node::Char('\r'), Node::Char('\n')]);
    Node::Atomic(Box::new(Node::Alternate(vec![pair, Node::Set(single)])))
}
