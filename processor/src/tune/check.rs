//! `tailrace check`: reads configurations as the processor would and reports everything that is wrong.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::lang::ast::Config;
use crate::lang::diagnostic::{Diagnostic, Severity};
use crate::lang::{ParseOptions, has_errors, parse, render};
use crate::options::Ecs;
use crate::pipeline::{Pipeline, PipelineSettings};
use crate::settings::{files, variables};

/// Check pipeline configurations: every error at once, with its place.
#[derive(Debug, Args)]
#[command(after_help = "\
Each FILE is read on its own and all are checked together, as one pipeline.

Exit codes: 0 no errors (there may be warnings), 1 errors, 2 wrong usage.")]
pub struct CheckArgs {
    /// Files, folders or globs.
    #[arg(value_name = "FILE|DIR|GLOB", required = true)]
    files: Vec<String>,
    /// For people, JSON, GitHub's annotations or JUnit's XML.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Only read the text; do not look at plugins and options.
    #[arg(long)]
    syntax: bool,
    /// `pipeline.ecs_compatibility`: disabled, v1 or v8.
    #[arg(long, default_value = "v8", value_parser = parse_ecs)]
    ecs: Ecs,
    /// `config.support_escapes`: process escapes such as \n in quoted text.
    #[arg(long)]
    support_escapes: bool,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With the line and a caret.
    Human,
    /// One object per finding; with --syntax one per file.
    Json,
    /// Annotations of a pull request.
    Github,
    /// JUnit's XML, one test case per file.
    Junit,
}

fn parse_ecs(text: &str) -> Result<Ecs, String> {
    Ecs::parse(text).ok_or_else(|| "must be disabled, v1 or v8".into())
}

/// What was found in one file.
struct Checked {
    file: PathBuf,
    findings: Vec<Diagnostic>,
}

impl CheckArgs {
    /// Checks and prints.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut checked = Vec::new();
        let mut config = Config::default();
        for address in &self.files {
            for file in files::find(address)? {
                let source = files::read(&file)?;
                let (part, findings) = parse(&source, ParseOptions { support_escapes: self.support_escapes });
                config.sections.extend(part.sections);
                checked.push(Checked { file, findings });
            }
        }
        if !self.syntax {
            for finding in self.registration(&config) {
                let name = Path::new(&finding.span.source.name);
                if let Some(file) = checked.iter_mut().find(|checked| checked.file == name) {
                    file.findings.push(finding);
                }
            }
        }
        for file in &mut checked {
            file.findings.sort_by_key(|finding| finding.span.start);
        }
        self.print(&checked)?;
        let failed = checked.iter().any(|checked| has_errors(&checked.findings));
        Ok(ExitCode::from(u8::from(failed)))
    }

    /// What the plugins say to their options.
    fn registration(&self, config: &Config) -> Vec<Diagnostic> {
        let expand = |text: &str| variables::expand(text, &variables::environment);
        let settings = PipelineSettings { ecs: self.ecs, ..PipelineSettings::default() };
        let mut findings = Vec::new();
        Pipeline::compile(config, &settings, &expand, &mut findings);
        findings
    }

    fn print(&self, checked: &[Checked]) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let findings = || checked.iter().flat_map(|checked| &checked.findings);
        match self.format {
            Format::Human => {
                let colours = render::Colours(io::stdout().is_terminal());
                findings().try_for_each(|finding| writeln!(out, "{}", render::human(finding, colours)))?;
                let errors = findings().filter(|finding| finding.severity == Severity::Error).count();
                let warnings = findings().count() - errors;
                writeln!(out, "{} files, {errors} errors, {warnings} warnings", checked.len())?;
            }
            Format::Json if self.syntax => {
                checked.iter().try_for_each(|file| writeln!(out, "{}", syntax_json(file)))?
            }
            Format::Json => findings().try_for_each(|finding| writeln!(out, "{}", render::json(finding)))?,
            Format::Github => findings().try_for_each(|finding| writeln!(out, "{}", render::github(finding)))?,
            Format::Junit => write!(
                out,
                "{}",
                render::junit(checked.iter().map(|file| (file.file.as_path(), file.findings.as_slice())))
            )?,
        }
        out.flush()
    }
}

fn syntax_json(checked: &Checked) -> serde_json::Value {
    let errors = checked.findings.iter().filter(|finding| finding.severity == Severity::Error).map(|finding| {
        let position = finding.span.position();
        json!({ "line": position.line, "column": position.column, "message": finding.message })
    });
    let errors: Vec<_> = errors.collect();
    json!({ "file": checked.file, "ok": errors.is_empty(), "errors": errors })
}
