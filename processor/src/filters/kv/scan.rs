//! Finding keys and values in a text.
//!
//! Logstash builds one regular expression and scans with it. So do we where separators are patterns and where the text
//! has backslashes; for the common case, a few separating characters and no backslash, the same matches are found by
//! looking for separators alone, in one pass.

use std::ops::Range;
use std::time::{Duration, Instant};

use tailrace_grok::{Budget, Options as RegexOptions, Regex, Scratch};

use super::class::Class;
use crate::options::Options;

/// One find: where its key and its value stand. The value is missing when it is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: Range<usize>,
    pub(super) value: Option<Range<usize>>,
}

/// The text took the regular expression too long.
pub(super) struct TimedOut;

pub(super) struct Scanner {
    /// Where the separators are single characters.
    plain: Option<PlainScanner>,
    regex: Box<Regex>,
    timeout: u64,
}

impl Scanner {
    /// Reads the options that say what separates keys and values.
    pub(super) fn read(options: &mut Options<'_>) -> Option<Scanner> {
        let field_split = options.string("field_split").unwrap_or_else(|| " ".into());
        let value_split = options.string("value_split").unwrap_or_else(|| "=".into());
        let field_pattern = options.string("field_split_pattern");
        let value_pattern = options.string("value_split_pattern");
        let brackets = options.boolean("include_brackets", true);
        let lenient = options.one_of("whitespace", &["lenient", "strict"], "lenient") == "lenient";
        let timeout = options.number("timeout_millis").map_or(30_000, |millis| millis.max(0.0) as u64);
        for (option, given) in [
            ("value_split", Some(&value_split)),
            ("field_split_pattern", field_pattern.as_ref()),
            ("value_split_pattern", value_pattern.as_ref()),
        ] {
            if given.is_some_and(String::is_empty) {
                options.error_at(option, format!("'{option}' must not be empty"));
                return None;
            }
        }
        let field = field_pattern.clone().unwrap_or_else(|| format!("[{field_split}]"));
        let value = value_pattern.clone().unwrap_or_else(|| format!("[{value_split}]"));
        compiled(options, if field_pattern.is_some() { "field_split_pattern" } else { "field_split" }, &field)?;
        compiled(options, if value_pattern.is_some() { "value_split_pattern" } else { "value_split" }, &value)?;
        let value = if lenient { format!("(?-mix: *)(?-mix:{value})(?-mix: *)") } else { format!("(?-mix:{value})") };
        let key = match (&field_pattern, &value_pattern) {
            (None, None) => until_class(&format!("{value_split}{field_split}")),
            _ => until_pattern(&format!("(?-mix:{value})|(?-mix:{field})")),
        };
        let mut values = vec![quoted("\"", "\""), quoted("'", "'")];
        if brackets {
            values.extend([quoted("\\(", "\\)"), quoted("\\[", "\\]"), quoted("<", ">")]);
        }
        values.push(match &field_pattern {
            Some(field) => until_pattern(&format!("(?-mix:{field})")),
            None => until_class(&field_split),
        });
        let values = values.join("|");
        let regex = compiled(options, "field_split", &format!("{key}{value}(?:{values})?(?:(?-mix:{field})|$)"))?;
        let plain = match (&field_pattern, &value_pattern) {
            (None, None) => PlainScanner::new(&field_split, &value_split, lenient, brackets),
            _ => None,
        };
        Some(Scanner { plain, regex, timeout })
    }

    /// Calls `found` for every pair, until it fails.
    pub(super) fn scan<E: From<TimedOut>>(
        &self,
        text: &str,
        scratch: &mut Scratch,
        mut found: impl FnMut(Pair) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.plain {
            Some(plain) if memchr::memchr(b'\\', text.as_bytes()).is_none() => {
                let mut pairs = plain.pairs(text.as_bytes());
                pairs.try_for_each(&mut found)
            }
            _ => self.scan_carefully(text, scratch, found),
        }
    }

    fn scan_carefully<E: From<TimedOut>>(
        &self,
        text: &str,
        scratch: &mut Scratch,
        mut found: impl FnMut(Pair) -> Result<(), E>,
    ) -> Result<(), E> {
        let started = Instant::now();
        let limit = Duration::from_millis(if self.timeout == 0 { u64::MAX } else { self.timeout });
        let mut matches = self.regex.find_iter(text.as_bytes(), scratch, Budget::millis(self.timeout));
        while let Some(captures) = matches.next_captures().map_err(|_| TimedOut)? {
            // The budget is that of one match; there may be many.
            if started.elapsed() >= limit {
                return Err(TimedOut.into());
            }
            let mut groups = captures.iter().skip(1);
            let key = groups.next().copied().flatten();
            let value = groups.copied().flatten().next();
            let range = |(start, end): (usize, usize)| start..end;
            if let Some(key) = key {
                found(Pair { key: range(key), value: value.map(range) })?;
            }
        }
        Ok(())
    }
}

fn compiled(options: &mut Options<'_>, option: &str, pattern: &str) -> Option<Box<Regex>> {
    let regex = Regex::new(pattern, RegexOptions::default());
    let report = |error| options.error_at(option, format!("invalid regular expression '{pattern}': {error}"));
    regex.map_err(report).ok().map(Box::new)
}

fn quoted(open: &str, close: &str) -> String {
    format!("{open}{}?{close}", until_class(close))
}

fn until_class(class: &str) -> String {
    format!("((?:\\\\.|[^{class}])+)")
}

fn until_pattern(pattern: &str) -> String {
    format!("((?:(?!{pattern})(?:\\\\.|.))+)")
}

/// Separators that are single ASCII characters.
struct PlainScanner {
    field: Class,
    value: Class,
    /// What a key ends at.
    either: Class,
    lenient: bool,
    /// What may stand around a value: pairs of opening and closing bytes.
    quotes: &'static [(u8, u8)],
}

const QUOTES: [(u8, u8); 5] = [(b'"', b'"'), (b'\'', b'\''), (b'(', b')'), (b'[', b']'), (b'<', b'>')];

impl PlainScanner {
    fn new(field_split: &str, value_split: &str, lenient: bool, brackets: bool) -> Option<PlainScanner> {
        let (field, value) = (Class::parse(field_split)?, Class::parse(value_split)?);
        // Put together to the class that ends keys they must not make a range.
        if value_split.ends_with('-') || field_split.starts_with('^') {
            return None;
        }
        let quotes = if brackets { &QUOTES[..] } else { &QUOTES[..2] };
        Some(PlainScanner { either: field.or(&value), field, value, lenient, quotes })
    }

    /// The pairs of a text without backslashes.
    fn pairs<'t>(&'t self, text: &'t [u8]) -> Pairs<'t> {
        Pairs { scanner: self, text, at: 0, closing: [None; 5] }
    }
}

struct Pairs<'t> {
    scanner: &'t PlainScanner,
    text: &'t [u8],
    at: usize,
    /// The last closing sign of each kind that was found, so that none is looked for twice.
    closing: [Option<usize>; 5],
}

impl Iterator for Pairs<'_> {
    type Item = Pair;

    fn next(&mut self) -> Option<Pair> {
        let (scanner, text) = (self.scanner, self.text);
        loop {
            let start = scanner.either.find_other(text, self.at);
            if start == text.len() {
                return None;
            }
            let end = scanner.either.find(text, start);
            if let Some(after) = self.after_splitter(end) {
                let (value, next) = self.value(self.without_blanks(after));
                self.at = next;
                return Some(Pair { key: start..end, value });
            }
            self.at = end;
        }
    }
}

impl Pairs<'_> {
    /// What follows blanks, where they do not count.
    fn without_blanks(&self, at: usize) -> usize {
        if !self.scanner.lenient {
            return at;
        }
        let blanks = self.text.get(at..).unwrap_or_default().iter().take_while(|byte| **byte == b' ');
        at + blanks.count()
    }

    /// The position behind the splitter that follows a key's end, if one does.
    fn after_splitter(&self, end: usize) -> Option<usize> {
        let at = self.without_blanks(end);
        let splits = |byte: &u8| self.scanner.value.contains(*byte);
        if self.text.get(at).is_some_and(splits) {
            return Some(at + 1);
        }
        // One of the blanks may be the splitter.
        (at > end && splits(&b' ')).then_some(at)
    }

    /// The value that begins here, and where the search goes on.
    fn value(&mut self, start: usize) -> (Option<Range<usize>>, usize) {
        if let Some(end) = self.quoted(start) {
            let inside = start + 1..end;
            return ((!inside.is_empty()).then_some(inside), self.after_field(end + 1));
        }
        let end = self.scanner.field.find(self.text, start);
        ((end > start).then_some(start..end), self.after_field(end))
    }

    /// Skips what ends a field, if it stands here.
    fn after_field(&self, at: usize) -> usize {
        at + usize::from(self.text.get(at).is_some_and(|byte| self.scanner.field.contains(*byte)))
    }

    /// Where the closing sign of a quoted value stands: after it the field or the line must end.
    fn quoted(&mut self, start: usize) -> Option<usize> {
        let open = self.text.get(start)?;
        let kind = self.scanner.quotes.iter().position(|(opening, _)| opening == open)?;
        let known = &mut self.closing[kind];
        let end = match *known {
            Some(end) if end > start => end,
            _ => {
                let rest = self.text.get(start + 1..).unwrap_or_default();
                let found = memchr::memchr(self.scanner.quotes[kind].1, rest);
                *known.insert(found.map_or(usize::MAX, |at| start + 1 + at))
            }
        };
        if end == usize::MAX {
            return None;
        }
        match self.text.get(end + 1) {
            None | Some(b'\n') => Some(end),
            Some(byte) => self.scanner.field.contains(*byte).then_some(end),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl From<TimedOut> for &'static str {
        fn from(_: TimedOut) -> &'static str {
            "timed out"
        }
    }

    /// A scanner of the options of a kv filter.
    fn scanner(options: &str) -> Scanner {
        use crate::lang::{ParseOptions, parse};
        use crate::options::Ecs;
        let text = format!("filter {{ kv {{ {options} }} }}");
        let (config, mut findings) =
            parse(&crate::lang::ast::Source { name: "test".into(), text }.into(), ParseOptions::default());
        let mut scanner = None;
        crate::plan::compile::each_plugin(&config.sections[0].body, &mut |plugin| {
            let mut options = Options::new(plugin, Ecs::V8, &|text| Ok(text.to_string()), &mut findings);
            scanner = Scanner::read(&mut options);
        });
        scanner.unwrap()
    }

    fn careful(scanner: &Scanner, text: &str) -> Vec<Pair> {
        let mut pairs = Vec::new();
        let scanned = scanner.scan_carefully(text, &mut Scratch::default(), |pair| {
            pairs.push(pair);
            Ok::<(), &'static str>(())
        });
        assert_eq!(scanned, Ok(()));
        pairs
    }

    const OPTIONS: [&str; 9] = [
        "",
        "whitespace => strict",
        "include_brackets => false",
        "field_split => \"&?\"",
        "field_split => \", \" whitespace => strict",
        "field_split => \"\n\" value_split => \" \"",
        "field_split => \",\" value_split => \":=\"",
        "field_split => \"|\" value_split => \" =\"",
        "field_split => \" =\" value_split => \"=\"",
    ];

    proptest! {
        /// Looking for separators alone finds what the regular expression finds.
        #[test]
        fn both_ways_agree(which in 0..OPTIONS.len(), text in "[ab=:,&|\"'()\\[\\]<> \nü]{0,24}") {
            let scanner = scanner(OPTIONS[which]);
            let plain: Vec<Pair> = scanner.plain.as_ref().unwrap().pairs(text.as_bytes()).collect();
            prop_assert_eq!(plain, careful(&scanner, &text), "{}: {:?}", OPTIONS[which], text);
        }
    }

    #[test]
    fn brackets_that_never_close_take_linear_time() {
        let scanner = scanner("");
        for text in ["a=( ".repeat(500_000), format!("{})x", "a=( ".repeat(500_000))] {
            assert_eq!(scanner.plain.as_ref().unwrap().pairs(text.as_bytes()).count(), 500_000);
        }
    }

    #[test]
    fn patterns_and_other_scripts_are_left_to_the_expression() {
        for options in ["field_split_pattern => \"::+\"", "value_split => \"：\"", "field_split => \"a-z\""] {
            assert!(scanner(options).plain.is_none(), "{options}");
        }
    }
}
