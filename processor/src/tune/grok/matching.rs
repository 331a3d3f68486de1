//! `tailrace grok match`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use tailrace_common::{FieldPath, Object, Value, json};
use tailrace_grok::{Budget, GrokOptions, GrokSet, PatternSet, Scratch};

use super::reached::{Explorer, Reached};
use super::{Definitions, Given, read_patterns};
use crate::filters::grok::convert;
use crate::lang::render::Colours;

/// A longer line is cut.
const MAX_LINE: u64 = 16 << 20;
/// How much text is read at once, in bytes.
const CHUNK: usize = 1 << 20;
/// How much of a line is shown on each side of the place where it fails, in characters.
const SHOWN: usize = 40;

/// Match lines: captures as JSON, and for lines that miss how far they got.
#[derive(Debug, Args)]
#[command(
    override_usage = "tailrace grok match [OPTIONS] PATTERN [FILE]\n       tailrace grok match [OPTIONS] -f PATTERNS [FILE]",
    after_help = "\
Examples:
  tailrace grok match '%{COMBINEDAPACHELOG}' access.log > captures.jsonl
  tailrace grok match -f patterns.txt --pattern-file my-patterns/ --misses 100 < app.log

Captures go to standard output, one JSON object a line. Standard error says of lines that miss how far each pattern got, and at the end the share of lines that matched and the nanoseconds a line.

Exit codes: 0 all lines matched, 1 some did not or a pattern is wrong, 2 wrong usage."
)]
pub(super) struct MatchArgs {
    /// The pattern, as in grok's `match`, and the file; without a file, lines come from standard input.
    #[arg(value_name = "PATTERN|FILE", num_args = 0..=2)]
    arguments: Vec<String>,
    /// A file with patterns, one a line, tried in order.
    #[arg(short = 'f', long = "patterns", value_name = "PATTERNS")]
    patterns_file: Option<PathBuf>,
    #[command(flatten)]
    definitions: Definitions,
    /// Capture every reference under its pattern's name, also those without a field (`named_captures_only => false`).
    #[arg(long)]
    all_captures: bool,
    /// How long one pattern may take for one line (`timeout_millis`); 0 is no limit.
    #[arg(long, value_name = "MILLIS", default_value_t = 30_000)]
    timeout_millis: u64,
    /// Of how many lines that miss it is said why.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    misses: usize,
    /// Print no captures.
    #[arg(short, long)]
    quiet: bool,
}

/// A line's answer: the pattern and where its captures are in the chunk's list.
enum Answer {
    Hit(usize, std::ops::Range<usize>),
    Miss,
    TimedOut(usize),
}

/// Lines and what came of them, used again for each chunk.
#[derive(Default)]
struct Chunk {
    lines: Vec<String>,
    answers: Vec<Answer>,
    spans: Vec<Option<(usize, usize)>>,
}

/// What was counted.
#[derive(Default)]
struct Counts {
    lines: usize,
    /// By pattern.
    hits: Vec<usize>,
    timeouts: usize,
    explained: usize,
    spent: Duration,
}

impl MatchArgs {
    pub(super) fn run(mut self) -> anyhow::Result<ExitCode> {
        let colours = Colours(io::stderr().is_terminal());
        let patterns = self.definitions.read()?;
        let given = match &self.patterns_file {
            Some(file) => read_patterns(file)?,
            None if self.arguments.is_empty() => {
                eprintln!("error: give a PATTERN, or a file of patterns with -f");
                return Ok(ExitCode::from(2));
            }
            None => vec![Given { text: self.arguments.remove(0), place: None }],
        };
        if self.arguments.len() > 1 {
            bail!("one FILE at most, not '{}'", self.arguments[1]);
        }
        let options = GrokOptions { named_captures_only: !self.all_captures };
        let groks: anyhow::Result<Vec<_>> =
            given.iter().map(|given| given.compile(&patterns, options, colours)).collect();
        let set = GrokSet::new(groks?);
        let input: Box<dyn Read> = match self.arguments.first().map(String::as_str) {
            None | Some("-") => Box::new(io::stdin().lock()),
            Some(path) => Box::new(File::open(path).with_context(|| self.cannot_read())?),
        };
        self.lines(&set, &patterns, BufReader::with_capacity(CHUNK, input), colours)
    }

    fn cannot_read(&self) -> String {
        match self.arguments.first().map(String::as_str) {
            None | Some("-") => "cannot read standard input".to_owned(),
            Some(path) => format!("cannot read '{path}'"),
        }
    }

    fn lines(
        &self,
        set: &GrokSet,
        patterns: &PatternSet,
        mut input: BufReader<Box<dyn Read>>,
        colours: Colours,
    ) -> anyhow::Result<ExitCode> {
        let mut counts = Counts { hits: vec![0; set.groks().len()], ..Counts::default() };
        let (mut chunk, mut scratch) = (Chunk::default(), Scratch::default());
        let (mut explorer, paths) = (Explorer::new(patterns), paths(set));
        let budget = Budget::millis(self.timeout_millis);
        let mut out = BufWriter::new(io::stdout().lock());
        let mut report = BufWriter::new(io::stderr().lock());
        while chunk.read(&mut input).with_context(|| self.cannot_read())? {
            // What is made at the first match is not counted.
            if counts.lines == 0 {
                chunk.match_all(set, &mut scratch, budget);
            }
            let begun = Instant::now();
            chunk.match_all(set, &mut scratch, budget);
            counts.spent += begun.elapsed();
            for (line, answer) in chunk.lines.iter().zip(&chunk.answers) {
                counts.lines += 1;
                match answer {
                    Answer::Hit(pattern, range) => {
                        counts.hits[*pattern] += 1;
                        if !self.quiet {
                            write_captures(&mut out, line, &paths[*pattern], &chunk.spans[range.clone()])?;
                        }
                        continue;
                    }
                    Answer::Miss if counts.explained >= self.misses => continue,
                    Answer::Miss => {
                        writeln!(report, "{}", colours.paint("1;31", &format!("line {}: no match", counts.lines)))?;
                        for grok in set.groks() {
                            let reached = explorer.reached(grok.as_str(), line);
                            write_reached(&mut report, grok.as_str(), line, &reached, colours)?;
                        }
                    }
                    Answer::TimedOut(pattern) => {
                        counts.timeouts += 1;
                        let pattern = set.groks()[*pattern].as_str();
                        writeln!(report, "line {}: timed out in {pattern}", counts.lines)?;
                    }
                }
                counts.explained += 1;
            }
            out.flush()?;
            report.flush()?;
        }
        write_summary(&mut report, &counts, set, colours)?;
        report.flush()?;
        Ok(ExitCode::from(u8::from(counts.hits.iter().sum::<usize>() < counts.lines)))
    }
}

impl Chunk {
    /// Reads the lines that are there, at least one; false at the end. Bytes that are no text are replaced.
    fn read(&mut self, input: &mut BufReader<impl Read>) -> io::Result<bool> {
        self.lines.clear();
        let mut line = Vec::new();
        // A terminal's or a pipe's lines are answered before more are waited for.
        while self.lines.is_empty() || !input.buffer().is_empty() {
            line.clear();
            if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            self.lines.push(String::from_utf8_lossy(text).into_owned());
        }
        Ok(!self.lines.is_empty())
    }

    /// Nothing but matching: this is what is timed.
    fn match_all(&mut self, set: &GrokSet, scratch: &mut Scratch, budget: Budget) {
        self.answers.clear();
        self.spans.clear();
        let mut captures = Vec::new();
        for line in &self.lines {
            self.answers.push(match set.captures(line.as_bytes(), scratch, budget, &mut captures) {
                Ok(Some(pattern)) => {
                    let start = self.spans.len();
                    self.spans.extend_from_slice(&captures);
                    Answer::Hit(pattern, start..self.spans.len())
                }
                Ok(None) => Answer::Miss,
                Err((pattern, _)) => Answer::TimedOut(pattern),
            });
        }
    }
}

/// A field's place in the output and what its text becomes.
type Field = (FieldPath, tailrace_grok::Conversion);

/// The fields of every pattern.
fn paths(set: &GrokSet) -> Vec<Vec<Field>> {
    let field = |field: &tailrace_grok::GrokField| {
        let path = FieldPath::parse(&field.name).unwrap_or_else(|_| FieldPath::field(&field.name));
        (path, field.conversion)
    };
    set.groks().iter().map(|grok| grok.fields().iter().map(field).collect()).collect()
}

/// The fields that the filter would set, as it would set them: empty ones not, several of one name as a list.
fn captured(line: &str, fields: &[Field], spans: &[Option<(usize, usize)>]) -> Object {
    let mut object = Object::default();
    for ((path, conversion), span) in fields.iter().zip(spans) {
        let Some((start, end)) = span.filter(|(start, end)| end > start) else { continue };
        let value = convert(&line[start..end], *conversion);
        match path.get_mut_in(&mut object) {
            Some(Value::Array(values)) => values.push(value),
            Some(held) => *held = Value::Array(vec![std::mem::take(held), value]),
            // Where another field is in the way the filter leaves it out too.
            None => drop(path.set_in(&mut object, value)),
        }
    }
    object
}

fn write_captures(
    out: &mut impl Write,
    line: &str,
    fields: &[Field],
    spans: &[Option<(usize, usize)>],
) -> io::Result<()> {
    let mut text = Vec::new();
    json::write_object(&captured(line, fields, spans), &mut text);
    text.push(b'\n');
    out.write_all(&text)
}

fn write_reached(
    out: &mut impl Write,
    pattern: &str,
    line: &str,
    reached: &Reached,
    colours: Colours,
) -> io::Result<()> {
    writeln!(out, "  {pattern}")?;
    let end = match &reached.matched {
        Some(matched) => {
            let from = line[..matched.end].char_indices().rev().nth(SHOWN - 1).map_or(0, |(at, _)| at);
            let dots = if from.max(matched.start) > matched.start { "..." } else { "" };
            let text = &line[from.max(matched.start)..matched.end];
            writeln!(
                out,
                "    matched up to byte {}: {}",
                matched.end,
                colours.paint("32", &format!("'{dots}{text}'"))
            )?;
            matched.end
        }
        None => {
            writeln!(out, "    matched nothing")?;
            0
        }
    };
    let within = if reached.within.is_empty() { String::new() } else { format!(" in {}", reached.within.join(" > ")) };
    writeln!(out, "    then failed:  {}{within}", colours.paint("1;31", &format!("'{}'", reached.element)))?;
    let to = line[end..].char_indices().nth(SHOWN).map_or(line.len(), |(at, _)| end + at);
    let dots = if to < line.len() { "..." } else { "" };
    let there = &line[end..to];
    let there = if there.is_empty() { "the end of the line".to_owned() } else { format!("'{there}{dots}'") };
    writeln!(out, "    at the text:  {}", colours.paint("33", &there))
}

fn write_summary(out: &mut impl Write, counts: &Counts, set: &GrokSet, colours: Colours) -> io::Result<()> {
    let hits: usize = counts.hits.iter().sum();
    let (share, nanos) = match counts.lines {
        0 => (0.0, 0),
        lines => (hits as f64 * 100.0 / lines as f64, counts.spent.as_nanos() / lines as u128),
    };
    if counts.hits.len() > 1 {
        for (grok, hits) in set.groks().iter().zip(&counts.hits) {
            writeln!(out, "{hits:>8}  {}", grok.as_str())?;
        }
    }
    let unexplained = (counts.lines - hits).saturating_sub(counts.explained);
    if unexplained > 0 {
        writeln!(out, "{unexplained} more lines missed (--misses {} explains all)", counts.lines - hits)?;
    }
    let timeouts = if counts.timeouts > 0 { format!(", {} timed out", counts.timeouts) } else { String::new() };
    let summary = format!("{} lines, {hits} matched ({share:.1} %){timeouts}, {nanos} ns a line", counts.lines);
    writeln!(out, "{}", colours.paint("1", &summary))
}
