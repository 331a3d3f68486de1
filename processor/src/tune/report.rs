//! Results of tests, for people and for machines.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde_json::json;

use super::cases::Outcome;
use crate::lang::render::xml_escaped;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A diff for each failure, counts last.
    Human,
    /// One object per case, counts last.
    Json,
    /// JUnit's XML.
    Junit,
}

/// A case with its result.
#[derive(Debug)]
pub struct Ran {
    /// Its name.
    pub id: String,
    /// What it belongs to: a group of cases, a file.
    pub group: String,
    /// In words.
    pub title: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub seconds: f64,
}

/// Prints results, counts last.
///
/// # Errors
/// Those of writing.
pub fn print(format: Format, out: &mut impl Write, ran: &[Ran], failed: usize) -> io::Result<()> {
    match format {
        Format::Human => print_human(out, ran, failed),
        Format::Json => print_json(out, ran, failed),
        Format::Junit => print_junit(out, ran, failed),
    }
}

fn print_human(out: &mut impl Write, ran: &[Ran], failed: usize) -> io::Result<()> {
    let colours = io::stdout().is_terminal();
    let paint = |code: &str, text: &str| if colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() };
    for Ran { id, title, outcome, .. } in ran {
        if outcome.passed() {
            continue;
        }
        writeln!(out, "{} {} {}", paint("1;31", "FAILED"), id, title.as_deref().unwrap_or_default())?;
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
    for Ran { id, outcome, .. } in ran {
        let mut line = json!({ "id": id, "ok": outcome.passed() });
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
    for Ran { id, group, outcome, seconds, .. } in ran {
        write!(
            out,
            "  <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.6}\"",
            xml_escaped(group),
            xml_escaped(id)
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
