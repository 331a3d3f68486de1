//! `tailrace grok list`.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use tailrace_grok::{Budget, Grok, GrokOptions, PatternSet, Scratch};

use super::Definitions;
use crate::lang::render::Colours;

/// Texts of many kinds. The fewer of them a pattern matches whole, the more it says of a text that it does.
const PROBES: &[&str] = &[
    "",
    " ",
    "7",
    "42",
    "2026",
    "-1.5e3",
    "0x1f",
    "a",
    "INFO",
    "error",
    "user_1",
    "two words",
    "a longer line, with signs: [x] = \"y\"",
    "10.0.0.1",
    "fe80::1",
    "example.com",
    "example.com:443",
    "me@example.com",
    "00:1b:21:3c:4d:5e",
    "/var/log/syslog",
    "/a?b=c&d=e",
    "http://example.com/a?b=c",
    "C:\\Windows",
    "\"quoted\"",
    "12:34:56",
    "2026-11-24T08:30:01.123Z",
    "24/Nov/2026:08:30:01 +0000",
    "Nov 24 08:30:01",
    "Mon",
    "November",
    "com.example.Main",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "+01:00",
    "UTC",
    "kernel[12]",
    "urn:isbn:1",
];
/// How long one pattern may take for one text, in milliseconds.
const BUDGET: Budget = Budget::millis(100);

/// Find named patterns by a part of the name, or by a text that they match whole.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailrace grok list timestamp
  tailrace grok list '24/Nov/2026:08:30:01 +0000'

Patterns that match the text whole are sorted by how much that says: the ones that match few other texts come first.

Exit codes: 0 something was found, 1 nothing, 2 wrong usage.")]
pub(super) struct ListArgs {
    /// A part of the name, in any case, or a sample. Without it all patterns are listed.
    text: Option<String>,
    #[command(flatten)]
    definitions: Definitions,
}

impl ListArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let patterns = self.definitions.read()?;
        let colours = Colours(io::stdout().is_terminal());
        let mut out = io::BufWriter::new(io::stdout().lock());
        let Some(text) = self.text else {
            patterns.names().iter().try_for_each(|name| write_pattern(&mut out, name, &patterns, colours))?;
            out.flush()?;
            return Ok(ExitCode::SUCCESS);
        };
        let (named, matching) = (named(&patterns, &text), matching(&patterns, &text));
        for (title, names) in [("Names with", &named), ("Patterns that match whole", &matching)] {
            if !names.is_empty() {
                writeln!(out, "{}", colours.paint("1", &format!("{title} \"{text}\"")))?;
                names.iter().try_for_each(|name| write_pattern(&mut out, name, &patterns, colours))?;
            }
        }
        out.flush()?;
        if named.is_empty() && matching.is_empty() {
            eprintln!("no pattern is called \"{text}\" or matches it whole");
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write_pattern(out: &mut impl Write, name: &str, patterns: &PatternSet, colours: Colours) -> io::Result<()> {
    let place =
        patterns.source(name).map_or_else(|| "defined here".to_owned(), |(file, line)| format!("{file}:{line}"));
    let definition = patterns.get(name).unwrap_or_default();
    writeln!(out, "{} {} {definition}", colours.paint("1;32", name), colours.paint("2", &format!("({place})")))
}

/// The patterns with the text in their name.
fn named<'p>(patterns: &'p PatternSet, text: &str) -> Vec<&'p str> {
    let folded = text.to_lowercase();
    patterns.names().into_iter().filter(|name| !text.is_empty() && name.to_lowercase().contains(&folded)).collect()
}

/// The patterns that match the text from its first to its last character; those that say most first.
fn matching<'p>(patterns: &'p PatternSet, text: &str) -> Vec<&'p str> {
    let mut scratch = Scratch::default();
    let mut found = Vec::new();
    for name in patterns.names() {
        let whole = format!("\\A(?:%{{{name}}})\\z");
        let Ok(grok) = Grok::compile(patterns, &whole, &GrokOptions::default()) else { continue };
        let mut matches = |text: &str| grok.regex().is_match(text.as_bytes(), &mut scratch, BUDGET) == Ok(true);
        if matches(text) {
            let others = PROBES.iter().filter(|probe| matches(probe)).count();
            found.push((others, name));
        }
    }
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_that_says_most_comes_first() {
        let patterns = PatternSet::legacy();
        for (text, name) in [
            ("192.168.7.1", "IPV4"),
            ("03/Feb/2025:01:02:03 -0500", "HTTPDATE"),
            ("2025-02-03 01:02:03,456", "TIMESTAMP_ISO8601"),
            ("WARN", "LOGLEVEL"),
        ] {
            let found = matching(&patterns, text);
            let place = |name: &str| found.iter().position(|found| *found == name);
            assert!(place(name) < Some(8), "{text}: {found:?}");
            assert!(place(name).is_some() && place(name) < place("GREEDYDATA"), "{text}: {found:?}");
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        assert!(named(&PatternSet::legacy(), "apache").contains(&"COMBINEDAPACHELOG"));
        assert!(named(&PatternSet::legacy(), "").is_empty());
    }
}
