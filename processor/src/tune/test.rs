//! `tailrace test`: runs golden cases.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::cases::{Case, Outcome};
use crate::lang::render::xml_escaped;

/// Run golden cases against the filters.
#[derive(Debug, Args)]
#[command(after_help = "\
A case is one JSON object a line:
  {\"id\":\"a-1\",\"config\":\"filter { mutate { uppercase => [\\\"a\\\"] } }\",\"in\":[{\"a\":\"x\"}],\"out\":[{\"a\":\"X\"}]}
Optional: group, ecs (disabled, v1, v8), error (the configuration must be refused), clock, timezone, env, settings.

Exit codes: 0 all passed, 1 some failed, 2 wrong usage.")]
pub struct TestArgs {
    /// Files with cases.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    cases: Vec<PathBuf>,
    /// Only cases whose id or group is this; an id may end in '*'.
    #[arg(long, value_name = "ID|GROUP")]
    filter: Option<String>,
    /// For people, one JSON object per case, or JUnit's XML.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Write what came out into the files as what must come out.
    #[arg(long)]
    update: bool,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A diff for each failure, counts last.
    Human,
    /// One object per case, counts last.
    Json,
    /// JUnit's XML.
    Junit,
}

/// A case with its result.
struct Ran {
    case: Case,
    outcome: Outcome,
    seconds: f64,
}

impl TestArgs {
    /// Runs the cases and prints what came of them.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut ran = Vec::new();
        for path in &self.cases {
            let results = self.run_file(path)?;
            if self.update {
                update(path, &results)?;
            }
            ran.extend(results);
        }
        if ran.is_empty() {
            bail!("no case is called '{}'", self.filter.unwrap_or_default());
        }
        let failed = ran.iter().filter(|ran| !ran.outcome.passed()).count();
        let mut out = io::BufWriter::new(io::stdout().lock());
        match self.format {
            Format::Human => print_human(&mut out, &ran, failed)?,
            Format::Json => print_json(&mut out, &ran, failed)?,
            Format::Junit => print_junit(&mut out, &ran, failed)?,
        }
        out.flush()?;
        Ok(ExitCode::from(u8::from(failed > 0 && !self.update)))
    }

    fn run_file(&self, path: &Path) -> anyhow::Result<Vec<Ran>> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read '{}'", path.display()))?;
        let mut results = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let case: Case = serde_json::from_str(line)
                .with_context(|| format!("{}:{}: this line is no case", path.display(), number + 1))?;
            if self.wants(&case) {
                let started = Instant::now();
                let outcome = case.run();
                results.push(Ran { case, outcome, seconds: started.elapsed().as_secs_f64() });
            }
        }
        Ok(results)
    }

    fn wants(&self, case: &Case) -> bool {
        self.filter.as_ref().is_none_or(|wanted| match wanted.strip_suffix('*') {
            Some(start) => case.id.starts_with(start),
            None => case.id == *wanted || case.group == *wanted,
        })
    }
}

/// Rewrites the lines of cases that came out differently.
fn update(path: &Path, results: &[Ran]) -> anyhow::Result<()> {
    let text = fs::read_to_string(path)?;
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut case: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let differs = results.iter().find(|ran| case["id"] == ran.case.id.as_str());
        match differs.map(|ran| &ran.outcome) {
            Some(Outcome::Differs { got, .. }) => {
                let events = got.iter().map(|event| serde_json::from_str(event)).collect::<Result<Vec<_>, _>>()?;
                case["out"] = serde_json::Value::Array(events);
                out.push_str(&case.to_string());
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    fs::write(path, out).with_context(|| format!("cannot write '{}'", path.display()))
}

fn print_human(out: &mut impl Write, ran: &[Ran], failed: usize) -> io::Result<()> {
    let colours = io::stdout().is_terminal();
    let paint = |code: &str, text: &str| if colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() };
    for Ran { case, outcome, .. } in ran {
        if outcome.passed() {
            continue;
        }
        writeln!(out, "{} {} {}", paint("1;31", "FAILED"), case.id, case.title.as_deref().unwrap_or_default())?;
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed(message) => writeln!(out, "{}", message.trim_end())?,
            Outcome::Differs { expected, got } => {
                expected
                    .iter()
                    .filter(|event| !got.contains(event))
                    .try_for_each(|event| writeln!(out, "{}", paint("31", &format!("- {event}"))))?;
                got.iter()
                    .filter(|event| !expected.contains(event))
                    .try_for_each(|event| writeln!(out, "{}", paint("32", &format!("+ {event}"))))?;
            }
        }
    }
    writeln!(out, "{} passed, {failed} failed", ran.len() - failed)
}

fn print_json(out: &mut impl Write, ran: &[Ran], failed: usize) -> io::Result<()> {
    for Ran { case, outcome, .. } in ran {
        let mut line = json!({ "id": case.id, "ok": outcome.passed() });
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed(message) => line["error"] = message.as_str().into(),
            Outcome::Differs { expected, got } => {
                line["diff"] = format!("- {}\n+ {}", expected.join("\n- "), got.join("\n+ ")).into();
                let events = got.iter().map(|event| serde_json::from_str(event)).collect::<Result<Vec<_>, _>>();
                line["got"] = serde_json::Value::Array(events.map_err(io::Error::other)?);
            }
        }
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{}", json!({ "passed": ran.len() - failed, "failed": failed }))
}

fn print_junit(out: &mut impl Write, ran: &[Ran], failed: usize) -> io::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuite name=\"tailrace\" tests=\"{}\" failures=\"{failed}\">", ran.len())?;
    for Ran { case, outcome, seconds } in ran {
        write!(
            out,
            "  <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.6}\"",
            xml_escaped(&case.group),
            xml_escaped(&case.id)
        )?;
        let message = match outcome {
            Outcome::Passed => {
                writeln!(out, "/>")?;
                continue;
            }
            Outcome::Failed(message) => message.clone(),
            Outcome::Differs { expected, got } => format!("- {}\n+ {}", expected.join("\n- "), got.join("\n+ ")),
        };
        writeln!(out, "><failure>{}</failure></testcase>", xml_escaped(&message))?;
    }
    writeln!(out, "</testsuite>")
}
