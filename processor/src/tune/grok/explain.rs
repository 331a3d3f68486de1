//! `tailrace grok explain`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use tailrace_grok::{Budget, Conversion, Grok, GrokOptions, PatternSet, Scratch};

use super::{Definitions, Given};
use crate::lang::render::Colours;

/// How many texts are made up in the search for one that matches.
const TRIES: usize = 200;
/// How many of them are shown.
const EXAMPLES: usize = 3;

/// Show a pattern written out, its fields, its program and its worst case.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: tailrace grok explain '%{IP:client} %{NUMBER:bytes:int}'

Exit codes: 0 done, 1 the pattern is wrong, 2 wrong usage.")]
pub(super) struct ExplainArgs {
    /// The pattern, as in grok's `match`.
    pattern: String,
    #[command(flatten)]
    definitions: Definitions,
}

impl ExplainArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let colours = Colours(io::stdout().is_terminal());
        let patterns = self.definitions.read()?;
        let given = Given { text: self.pattern, place: None };
        let grok = given.compile(&patterns, GrokOptions::default(), Colours(io::stderr().is_terminal()))?;
        io::stdout().lock().write_all(explain(&grok, &patterns, colours).as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// All that there is to say of a pattern.
fn explain(grok: &Grok, patterns: &PatternSet, colours: Colours) -> String {
    let mut out = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        // Writing to a String cannot fail.
        let _infallible = writeln!(out, "{}", colours.paint("1", title));
        lines.iter().for_each(|line| {
            let _infallible = writeln!(out, "  {line}");
        });
    };
    section("Pattern", vec![grok.as_str().to_owned()]);
    section("Made of", references(grok, patterns));
    section("Written out", vec![grok.expanded().to_owned()]);
    section("Fields", fields(grok));
    section("Matches, for example", examples(grok));
    let steps = grok.regex().listing();
    let width = steps.len().to_string().len();
    let listed = steps.iter().enumerate().map(|(at, step)| {
        let mark = if step.keeps_way_back { colours.paint("33", "*") } else { " ".to_owned() };
        format!("{at:width$} {mark} {}", step.text)
    });
    section("Program", listed.collect());
    section("Backtracking", backtracking(grok));
    section("Worst case", vec![worst_case(grok).to_owned()]);
    out
}

/// The named patterns that the pattern refers to, each once, and where they are defined.
fn references(grok: &Grok, patterns: &PatternSet) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    let mut texts = vec![grok.as_str()];
    while let Some(text) = texts.pop() {
        for piece in text.split("%{").skip(1) {
            let name = &piece[..piece.find([':', '=', '}']).unwrap_or(piece.len())];
            if !names.contains(&name)
                && let Some(definition) = patterns.get(name)
            {
                names.push(name);
                texts.push(definition);
            }
        }
    }
    let line = |name: &&str| match patterns.source(name) {
        Some((file, line)) => format!("{name} ({file}:{line}): {}", patterns.get(name).unwrap_or_default()),
        None => format!("{name}: {}", patterns.get(name).unwrap_or_default()),
    };
    names.iter().map(line).collect()
}

fn fields(grok: &Grok) -> Vec<String> {
    let line = |field: &tailrace_grok::GrokField| {
        let kind = match field.conversion {
            Conversion::None => "text",
            Conversion::Int => "integer",
            Conversion::Float => "float",
        };
        format!("{}: {kind}", field.name)
    };
    if grok.fields().is_empty() { vec!["none".to_owned()] } else { grok.fields().iter().map(line).collect() }
}

/// Texts made up after the pattern that it does match; the same for the same pattern.
fn examples(grok: &Grok) -> Vec<String> {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut choose = |ways: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as usize % ways.max(1)
    };
    let mut scratch = Scratch::default();
    let mut found: Vec<String> = Vec::new();
    for _ in 0..TRIES {
        let text = grok.regex().sample(&mut choose);
        let Ok(text) = String::from_utf8(text) else { continue };
        let matches = grok.regex().is_match(text.as_bytes(), &mut scratch, Budget::millis(100));
        if matches == Ok(true) && text.len() < 400 && !found.contains(&text) {
            found.push(text);
        }
        if found.len() == EXAMPLES {
            break;
        }
    }
    if found.is_empty() {
        return vec![format!("none of {TRIES} texts that were made up after it")];
    }
    found.iter().map(|text| text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")).collect()
}

fn backtracking(grok: &Grok) -> Vec<String> {
    let steps = grok.regex().listing();
    let marked: Vec<String> =
        (0..steps.len()).filter(|&at| steps[at].keeps_way_back).map(|at| at.to_string()).collect();
    if marked.is_empty() {
        return vec!["none: what is read is never given back".to_owned()];
    }
    vec![format!(
        "{} of {} steps, marked * above, may be come back to: {}",
        marked.len(),
        steps.len(),
        marked.join(", ")
    )]
}

fn worst_case(grok: &Grok) -> &'static str {
    if grok.regex().is_linear() {
        "proportional to the length of the text: a match that takes long for its text goes on with a program that tries no place twice"
    } else {
        "back-references, calls or conditions: can grow faster than the text and ends at timeout_millis"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(pattern: &str) -> String {
        let patterns = PatternSet::legacy();
        let grok = Grok::compile(&patterns, pattern, &GrokOptions::default()).unwrap();
        explain(&grok, &patterns, Colours(false))
    }

    #[test]
    fn says_what_a_pattern_is_made_of_and_how_it_ends() {
        let text = explained("%{INT:n:int} %{WORD:word}");
        for part in
            ["INT (grok-patterns:", "  n: integer\n  word: text\n", "Written out\n  (?<INT:n:int>", "proportional"]
        {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        assert!(!text.contains("none of 200"), "{text}");
    }

    #[test]
    fn warns_of_back_references() {
        assert!(explained(r"(?<a>\w+)*\k<a>").contains("timeout_millis"));
    }
}
