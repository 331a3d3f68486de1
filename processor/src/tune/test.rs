//! `tailrace test`: runs golden cases and suites of logstash-filter-verifier.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use tailrace_common::{Clock, Timestamp};

use super::cases::{Case, Outcome};
use super::coverage::Coverage;
use super::report::{self, Format, Ran};
use super::runner::{Prepared, RunnerSettings};
use super::suite::Suite;
use crate::options::Ecs;

/// Run golden cases, or suites of logstash-filter-verifier, against the filters.
#[derive(Debug, Args)]
#[command(after_help = "\
A case is one JSON object a line:
  {\"id\":\"a-1\",\"config\":\"filter { mutate { uppercase => [\\\"a\\\"] } }\",\"in\":[{\"a\":\"x\"}],\"out\":[{\"a\":\"X\"}]}
Optional: group, ecs (disabled, v1, v8), error (the configuration must be refused), clock, timezone, env, settings.

Examples:
  tailrace test --cases cases.jsonl --filter grok
  tailrace test -p conf.d --clock 2024-03-15T08:30:00Z suites/*.json suites/*.yml

Exit codes: 0 all passed, 1 some failed, 2 wrong usage.")]
pub struct TestArgs {
    /// Files with cases.
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "pipeline", conflicts_with = "pipeline")]
    cases: Vec<PathBuf>,
    /// The pipeline that suites are run against: files, folders or globs.
    #[arg(short = 'p', long, value_name = "FILE|DIR|GLOB", requires = "suites")]
    pipeline: Vec<String>,
    /// Suites of logstash-filter-verifier, JSON or YAML; with --pipeline.
    #[arg(value_name = "SUITE", requires = "pipeline")]
    suites: Vec<PathBuf>,
    /// Only cases whose id or group is this; an id may end in '*'.
    #[arg(long, value_name = "ID|GROUP")]
    filter: Option<String>,
    /// For people, one JSON object per case, or JUnit's XML.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Write what came out into the files of cases as what must come out.
    #[arg(long, requires = "cases")]
    update: bool,
    /// What "now" is for suites, in RFC 3339, so that dates without a year stay put.
    #[arg(long, value_name = "TIME", value_parser = clock, conflicts_with = "cases")]
    clock: Option<Clock>,
    /// `pipeline.ecs_compatibility` for suites: disabled, v1 or v8.
    #[arg(long, default_value = "v8", value_parser = super::ecs_mode, conflicts_with = "cases")]
    ecs: Ecs,
    /// Also print which branches and filters no event of the suites reached.
    #[arg(long, conflicts_with = "cases")]
    coverage: bool,
    /// `config.support_escapes` for suites.
    #[arg(long, conflicts_with = "cases")]
    support_escapes: bool,
}

fn clock(text: &str) -> Result<Clock, String> {
    Timestamp::parse_rfc3339(text).map(Clock::Frozen).ok_or_else(|| format!("'{text}' is no time in RFC 3339"))
}

impl TestArgs {
    /// Runs the cases and prints what came of them.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut ran = Vec::new();
        let mut coverage = Coverage::default();
        for path in &self.cases {
            let results = self.run_file(path)?;
            if self.update {
                update(path, &results)?;
            }
            ran.extend(results);
        }
        if !self.suites.is_empty() {
            let settings = RunnerSettings {
                clock: self.clock.unwrap_or(Clock::System),
                ecs: self.ecs,
                support_escapes: self.support_escapes,
            };
            let prepared = Prepared::load(&self.pipeline, settings).map_err(|error| anyhow!(error))?;
            for path in &self.suites {
                ran.extend(self.run_suite(path, &prepared, &mut coverage)?);
            }
        }
        if ran.is_empty() {
            bail!("no case is called '{}'", self.filter.unwrap_or_default());
        }
        let failed = ran.iter().filter(|ran| !ran.outcome.passed()).count();
        let mut out = io::BufWriter::new(io::stdout().lock());
        report::print(self.format, &mut out, &ran, failed)?;
        if self.coverage {
            coverage.print(&mut io::stderr().lock())?;
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
            if self.wants(&case.id, &case.group) {
                let started = Instant::now();
                let outcome = case.run();
                let seconds = started.elapsed().as_secs_f64();
                results.push(Ran { id: case.id, group: case.group, title: case.title, outcome, seconds });
            }
        }
        Ok(results)
    }

    /// Every suite starts with filters that have seen nothing.
    fn run_suite(&self, path: &Path, prepared: &Prepared, coverage: &mut Coverage) -> anyhow::Result<Vec<Ran>> {
        let group = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read '{group}'"))?;
        let suite = Suite::parse(path, &text).with_context(|| format!("cannot read '{group}'"))?;
        let started = Instant::now();
        let mut runner = prepared.runner(&suite).map_err(|error| anyhow!("{group}: {error}"))?;
        let outcomes = suite.run(&mut runner);
        coverage.add(runner.plan());
        let seconds = started.elapsed().as_secs_f64() / outcomes.len().max(1) as f64;
        let ran = outcomes.into_iter().enumerate().map(|(at, (title, outcome))| {
            let id = format!("{group}:{}", at + 1);
            Ran { id, group: group.clone(), title, outcome, seconds }
        });
        Ok(ran.filter(|ran| self.wants(&ran.id, &ran.group)).collect())
    }

    fn wants(&self, id: &str, group: &str) -> bool {
        self.filter.as_ref().is_none_or(|wanted| match wanted.strip_suffix('*') {
            Some(start) => id.starts_with(start),
            None => id == wanted || group == wanted,
        })
    }
}

/// Rewrites the lines of cases that came out differently.
fn update(path: &Path, results: &[Ran]) -> anyhow::Result<()> {
    let text = fs::read_to_string(path)?;
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut case: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let differs = results.iter().find(|ran| case["id"] == ran.id.as_str());
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
