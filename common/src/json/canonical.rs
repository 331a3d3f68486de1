//! Telling maps that stand in a record just as we would write them: those need not be read before somebody asks.

use super::scan::plain_length;
use crate::object::marks;

/// Deeper maps are read at once.
const DEPTH_LIMIT: usize = 32;

/// The length of the map that begins here, if it is written as [`write_object`](super::write_object) writes it: no blanks,
/// no fractions, no escapes but the shortest, and surely no name twice.
pub(super) fn canonical_map(bytes: &[u8]) -> Option<usize> {
    let mut scanner = Scanner { bytes, at: 0 };
    scanner.map(DEPTH_LIMIT)?;
    Some(scanner.at)
}

struct Scanner<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Scanner<'_> {
    #[inline]
    fn take(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at)?;
        self.at += 1;
        Some(*byte)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn map(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        let mut seen = [0; 2];
        loop {
            if self.take()? != b'"' {
                return None;
            }
            let start = self.at;
            self.string()?;
            let marks = marks(&self.bytes[start..self.at - 1]);
            if seen[0] & marks[0] != 0 && seen[1] & marks[1] != 0 || self.take()? != b':' {
                return None;
            }
            seen = [seen[0] | marks[0], seen[1] | marks[1]];
            self.value(depth)?;
            match self.take()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth)?;
            match self.take()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.string()
            }
            b'{' => self.map(depth.checked_sub(1)?),
            b'[' => self.list(depth.checked_sub(1)?),
            b'0'..=b'9' | b'-' => self.whole_number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => None,
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    /// The rest of a string and the quote behind it.
    #[inline]
    fn string(&mut self) -> Option<()> {
        loop {
            self.at += plain_length(&self.bytes[self.at..]);
            match self.take()? {
                b'"' => return Some(()),
                b'\\' if matches!(self.take()?, b'"' | b'\\' | b'n' | b't' | b'r' | b'b' | b'f') => {}
                _ => return None,
            }
        }
    }

    /// A number of at most 18 digits without fraction and exponent.
    fn whole_number(&mut self) -> Option<()> {
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let start = self.at;
        self.at += self.bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let leading_zero = self.bytes.get(start) == Some(&b'0');
        let digits = self.at - start;
        let canonical = (1..=18).contains(&digits) && !(leading_zero && (negative || digits > 1));
        (canonical && !matches!(self.peek()?, b'.' | b'e' | b'E')).then_some(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::json::{Numbers, parse, write};
    use crate::value::Str;
    use proptest::prelude::*;

    #[test]
    fn only_what_is_written_as_we_write_is_left_unread() {
        for text in
            ["{}", r#"{"a":1}"#, r#"{"a":-17,"bc":[],"d":[true,null,{"e":"f\n\"\\"}]}"#, r#"{"longer name":"ü","":0}"#]
        {
            assert_eq!(canonical_map(format!("{text},").as_bytes()), Some(text.len()), "{text}");
        }
        for text in [
            r#"{ "a":1}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":1.5}"#,
            r#"{"a":1e5}"#,
            r#"{"a":-0}"#,
            r#"{"a":01}"#,
            r#"{"a":1234567890123456789}"#,
            r#"{"a":"\/"}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":1,}"#,
            r#"{"a":tru}"#,
            r#"{"a"}"#,
            "{\"a\":\"\u{1}\"}",
            r#"{"a":[1 ]}"#,
            r#"{"a":{"b":1}"#,
        ] {
            assert_eq!(canonical_map(text.as_bytes()), None, "{text}");
        }
        let deep = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        assert!(canonical_map(deep(30).as_bytes()).is_some());
        assert_eq!(canonical_map(deep(100_000).as_bytes()), None);
    }

    proptest! {
        /// What is left unread is written as if it had been read.
        #[test]
        fn reading_and_writing_changes_nothing(text in r#"\{("[ab]{0,2}":("([xü]|\\[nu/"])*"|-?[0-9]{1,3}|[0-9][.e][0-9]|true|\[\]|\{\}|null),?){0,4}\}"#) {
            if canonical_map(text.as_bytes()) == Some(text.len()) {
                let value = parse(&Str::from(text.as_str()), Numbers::Float).unwrap();
                let mut out = Vec::new();
                write(&value, &mut out);
                prop_assert_eq!(String::from_utf8(out).unwrap(), text);
            }
        }
    }
}
