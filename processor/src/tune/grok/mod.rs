//! `tailrace grok`: patterns tried on lines, explained and looked up.

pub mod elements;
mod explain;
mod list;
mod matching;
pub mod reached;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use tailrace_common::nearest::nearest;
use tailrace_grok::{Grok, GrokError, GrokOptions, Origin, PatternSet};

use crate::lang::render::Colours;
use crate::options::Ecs;
use crate::settings::files::{self, FilesError};

/// Try grok patterns on lines, explain them, look them up.
#[derive(Debug, Args)]
pub struct GrokArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Match lines: captures as JSON, and for lines that miss how far they got.
    Match(matching::MatchArgs),
    /// Show a pattern written out, its fields, its program and its worst case.
    Explain(explain::ExplainArgs),
    /// Find named patterns by a part of the name, or by a text that they match whole.
    List(list::ListArgs),
}

impl GrokArgs {
    /// Does what was asked.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Match(args) => args.run(),
            Command::Explain(args) => args.run(),
            Command::List(args) => args.run(),
        }
    }
}

/// Which named patterns there are.
#[derive(Debug, Args)]
struct Definitions {
    /// Files or folders with named patterns: a name, a blank and the pattern on each line (`patterns_dir`).
    #[arg(long = "pattern-file", value_name = "FILE|DIR")]
    pattern_files: Vec<String>,
    /// A named pattern (`pattern_definitions`).
    #[arg(short = 'd', long = "define", value_name = "NAME=PATTERN", value_parser = parse_definition)]
    definitions: Vec<(String, String)>,
    /// The standard patterns: disabled for the old field names, v1 and v8 for those of ECS.
    #[arg(long, default_value = "v8", value_parser = super::ecs_mode)]
    ecs: Ecs,
}

impl Definitions {
    /// The standard patterns, those of files over them, those given here over all.
    fn read(&self) -> anyhow::Result<PatternSet> {
        let mut patterns = if self.ecs.enabled() { PatternSet::ecs_v1() } else { PatternSet::legacy() };
        for address in &self.pattern_files {
            for file in files::find(address).map_err(unreadable)? {
                let source = files::read(&file).map_err(unreadable)?;
                patterns.add_text(&source.name, &source.text);
            }
        }
        self.definitions.iter().for_each(|(name, pattern)| patterns.add(name, pattern));
        Ok(patterns)
    }
}

fn parse_definition(text: &str) -> Result<(String, String), String> {
    let (name, pattern) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("must be NAME=PATTERN")?;
    Ok((name.to_owned(), pattern.to_owned()))
}

/// A pattern and where it was given.
struct Given {
    text: String,
    /// File and line, when it was read from one.
    place: Option<(PathBuf, usize)>,
}

impl Given {
    fn compile(&self, patterns: &PatternSet, options: GrokOptions, colours: Colours) -> anyhow::Result<Grok> {
        Grok::compile(patterns, &self.text, &options).map_err(|error| self.error(&error, patterns, colours))
    }

    /// The error with its place and the text there, and a caret below it.
    fn error(&self, error: &GrokError, patterns: &PatternSet, colours: Colours) -> anyhow::Error {
        let (message, origin) = match error {
            GrokError::Undefined { name, origin } => (format!("pattern %{{{name}}} is not defined"), Some(origin)),
            GrokError::Recursive { name, origin } => (format!("pattern %{{{name}}} refers to itself"), Some(origin)),
            GrokError::Syntax { message, origin } => (message.clone(), Some(origin)),
            GrokError::TooLarge => (error.to_string(), None),
        };
        let mut text = message;
        if let Some(origin) = origin {
            text.push_str(&self.excerpt(origin, patterns, colours));
        }
        if let GrokError::Undefined { name, .. } = error
            && let Some(like) = nearest(name, patterns.names())
        {
            text.push_str(&format!("\n  {} did you mean %{{{like}}}?", colours.paint("1;34", "= hint:")));
        }
        anyhow!(text)
    }

    fn excerpt(&self, origin: &Origin, patterns: &PatternSet, colours: Colours) -> String {
        let (pattern, place) = match (&origin.pattern, &origin.file, &self.place) {
            (Some(name), Some((file, line)), _) => (patterns.get(name), format!("{file}:{line}, pattern {name}")),
            (Some(name), None, _) => (patterns.get(name), format!("pattern {name}")),
            (None, _, Some((file, line))) => (Some(self.text.as_str()), format!("{}:{line}", file.display())),
            (None, _, None) => (Some(self.text.as_str()), "the pattern".to_owned()),
        };
        let mut text = format!("\n  {} {place}, byte {}", colours.paint("1;34", "-->"), origin.position);
        // A definition in place is not in the set; then its place has to do.
        if let Some(pattern) = pattern.filter(|pattern| origin.position <= pattern.len()) {
            let at = pattern.floor_char_boundary(origin.position);
            let from = pattern[..at].char_indices().rev().nth(59).map_or(0, |(at, _)| at);
            let to = pattern[at..].char_indices().nth(40).map_or(pattern.len(), |(more, _)| at + more);
            let blanks = " ".repeat(pattern[from..at].chars().count());
            let bar = colours.paint("1;34", "|");
            let caret = colours.paint("1;31", "^");
            text.push_str(&format!("\n   {bar} {}\n   {bar} {blanks}{caret}", &pattern[from..to]));
        }
        text
    }
}

fn unreadable(error: FilesError) -> anyhow::Error {
    match error {
        FilesError::NotFound(address) => anyhow!("no pattern file found at '{address}'"),
        // Its text names the cause already.
        other => anyhow!("{other}"),
    }
}

/// The patterns of a file, one a line; empty lines and those that start with `#` do not count.
fn read_patterns(file: &Path) -> anyhow::Result<Vec<Given>> {
    let source = files::read(file).map_err(unreadable)?;
    let lines = source.text.lines().enumerate();
    let given: Vec<Given> = lines
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|(at, line)| Given { text: line.to_owned(), place: Some((file.to_path_buf(), at + 1)) })
        .collect();
    (!given.is_empty()).then_some(given).with_context(|| format!("no pattern in '{}'", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(pattern: &str, patterns: &PatternSet) -> String {
        let given = Given { text: pattern.to_owned(), place: None };
        given.compile(patterns, GrokOptions::default(), Colours(false)).unwrap_err().to_string()
    }

    #[test]
    fn errors_show_the_place_inside_of_the_pattern() {
        let shown = error("%{INT:a} (b", &PatternSet::legacy());
        assert!(shown.contains("the pattern, byte"), "{shown}");
        assert!(shown.contains("| %{INT:a} (b\n"), "{shown}");
    }

    #[test]
    fn errors_of_named_patterns_show_file_and_line() {
        let mut patterns = PatternSet::legacy();
        patterns.add_text("mine", "# a comment\nMINE [a-\u{e9}]+ *+[\n");
        let shown = error("x %{MINE}", &patterns);
        assert!(shown.contains("--> mine:2, pattern MINE, byte"), "{shown}");
    }

    #[test]
    fn an_unknown_name_has_a_suggestion() {
        let shown = error("%{NUMBR:a}", &PatternSet::legacy());
        assert!(shown.starts_with("pattern %{NUMBR} is not defined"), "{shown}");
        assert!(shown.ends_with("did you mean %{NUMBER}?"), "{shown}");
    }
}
