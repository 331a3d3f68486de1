//! The first row of a text of comma-separated values, as Ruby's CSV reads it.

use tailrace_common::Str;

/// A row has at most so many values.
const VALUES_LIMIT: usize = 100_000;

/// What separates and quotes values.
pub(crate) struct Dialect {
    separator: String,
    /// The first character of the separator: it ends a value even where the rest of the separator does not follow.
    first: char,
    quote: char,
    /// Bytes at which a value may end.
    stops: [bool; 256],
}

/// A row that Ruby's CSV refuses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The values of a row; those between two separators without anything are missing.
pub(crate) type Row = Vec<Option<Str>>;

impl Dialect {
    /// Nothing when the separator is empty or the quote is not one character.
    pub(crate) fn new(separator: &str, quote: &str) -> Option<Dialect> {
        let first = separator.chars().next()?;
        let mut quotes = quote.chars();
        let quote = quotes.next().filter(|_| quotes.next().is_none())?;
        let mut stops = [false; 256];
        for stop in [first, quote, '\r', '\n'] {
            let mut buffer = [0; 4];
            stops[usize::from(stop.encode_utf8(&mut buffer).as_bytes()[0])] = true;
        }
        Some(Dialect { separator: separator.to_string(), first, quote, stops })
    }

    /// The first row; `None` for a text without anything in it.
    pub(crate) fn row(&self, text: &Str) -> Result<Option<Row>, Malformed> {
        let line_end = line_end(text);
        let mut row = Row::new();
        let mut at = 0;
        loop {
            let (value, end) = self.value(text, at)?;
            let rest = &text[end..];
            if rest.starts_with(&self.separator) {
                if row.len() == VALUES_LIMIT {
                    return Err(Malformed);
                }
                row.push(value);
                at = end + self.separator.len();
                continue;
            }
            if rest.starts_with(line_end) {
                if !row.is_empty() || value.is_some() {
                    row.push(value);
                }
                return Ok(Some(row));
            }
            if !rest.is_empty() {
                return Err(Malformed);
            }
            if row.is_empty() && value.is_none() {
                return Ok(None);
            }
            row.push(value);
            return Ok(Some(row));
        }
    }

    fn value(&self, text: &Str, start: usize) -> Result<(Option<Str>, usize), Malformed> {
        if text[start..].starts_with(self.quote) {
            return self.quoted(text, start).map(|(value, end)| (Some(value), end));
        }
        let mut end = self.unquoted_end(text, start);
        if end == start {
            return Ok((None, end));
        }
        if self.separator.len() > self.first.len_utf8() {
            // The beginning of a separator is part of the value when its rest does not follow.
            while !text[end..].starts_with(&self.separator) {
                let rest = &text[end..];
                let after = end + rest.len() - rest.trim_start_matches(self.first).len();
                if after == end {
                    break;
                }
                end = self.unquoted_end(text, after);
                if end == after {
                    break;
                }
            }
        }
        Ok((Some(text.slice(start..end)), end))
    }

    fn unquoted_end(&self, text: &str, start: usize) -> usize {
        let bytes = text.as_bytes();
        let mut at = start;
        while let Some(offset) = bytes[at..].iter().position(|byte| self.stops[usize::from(*byte)]) {
            at += offset;
            if text[at..].starts_with([self.first, self.quote, '\r', '\n']) {
                return at;
            }
            at += 1;
        }
        text.len()
    }

    /// A quoted value: two quotes in it stand for one.
    fn quoted(&self, text: &Str, start: usize) -> Result<(Str, usize), Malformed> {
        let width = self.quote.len_utf8();
        let run = |at: usize| {
            let rest = &text[at..];
            (rest.len() - rest.trim_start_matches(self.quote).len()) / width
        };
        let opening = run(start);
        let mut at = start + opening * width;
        if opening % 2 == 0 {
            return Ok((self.quote.to_string().repeat((opening - 2) / 2).into(), at));
        }
        let mut value = self.quote.to_string().repeat((opening - 1) / 2);
        loop {
            let segment = text[at..].find(self.quote).ok_or(Malformed)?;
            let quotes = run(at + segment);
            if value.is_empty() && quotes == 1 {
                return Ok((text.slice(at..at + segment), at + segment + width));
            }
            value.push_str(&text[at..at + segment]);
            at += segment + quotes * width;
            value.extend(std::iter::repeat_n(self.quote, quotes / 2));
            if quotes % 2 == 1 {
                return Ok((value.into(), at));
            }
        }
    }
}

/// How the first line of a text ends; that of the others must be the same.
fn line_end(text: &str) -> &'static str {
    match memchr::memchr2(b'\r', b'\n', text.as_bytes()) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(dialect: [&str; 2], text: &str) -> Result<Option<Vec<Option<String>>>, Malformed> {
        let dialect = Dialect::new(dialect[0], dialect[1]).ok_or(Malformed)?;
        let row = dialect.row(&Str::from(text))?;
        Ok(row.map(|row| row.into_iter().map(|value| value.map(String::from)).collect()))
    }

    #[test]
    fn rows_of_many_kinds() {
        for (text, expected) in [
            ("a,b", &[Some("a"), Some("b")][..]),
            (",a,,\"\",", &[None, Some("a"), None, Some(""), None]),
            ("\"a,\"\"b\"\"\nc\",\"\"\"\"", &[Some("a,\"b\"\nc"), Some("\"")]),
            ("a,b\r\nc,d", &[Some("a"), Some("b")]),
            ("\n", &[]),
            ("a\nb\"", &[Some("a")]),
            (" a , b ", &[Some(" a "), Some(" b ")]),
        ] {
            let expected: Vec<_> = expected.iter().map(|value| value.map(String::from)).collect();
            assert_eq!(row([",", "\""], text), Ok(Some(expected)), "{text:?}");
        }
        assert_eq!(row([",", "\""], ""), Ok(None));
    }

    #[test]
    fn rows_that_are_refused() {
        for text in ["a\"b", "\"a\"b", " \"a\"", "\"a", "a\rb\nc,\"d\r\"x", "\"a\r\nb\",c\nd"] {
            let first_line_fine = text == "a\rb\nc,\"d\r\"x";
            assert_eq!(row([",", "\""], text).is_err(), !first_line_fine, "{text:?}");
        }
        assert_eq!(row([",", "\""], &",".repeat(VALUES_LIMIT + 1)), Err(Malformed));
        assert_eq!(row(["", "\""], "a"), Err(Malformed));
        assert_eq!(row([",", "''"], "a"), Err(Malformed));
    }

    #[test]
    fn separators_of_several_characters() {
        for (text, expected) in [("a|b||c", Ok(2)), ("a|||b", Err(Malformed)), ("a|", Ok(1)), ("a||\"b||c\"", Ok(2))] {
            assert_eq!(row(["||", "\""], text).map(|row| row.map_or(0, |row| row.len())), expected, "{text}");
        }
        assert_eq!(row(["，", "“"], "“a，“，b、c").map(|row| row.map_or(0, |row| row.len())), Ok(2));
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(separator in "[,|é]{1,2}", quote in "[\"|é]", text in "[ab,|\"é\r\n]{0,16}") {
            row([&separator, &quote], &text).ok();
        }

        /// What is written by the rules is read back.
        #[test]
        fn quoted_values_come_back(values in prop::collection::vec("[ab,\"\r\n]{0,6}", 1..5)) {
            let quoted: Vec<_> = values.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect();
            let read = row([",", "\""], &quoted.join(","));
            prop_assert_eq!(read, Ok(Some(values.into_iter().map(Some).collect())));
        }
    }
}
