//! `tailrace check`: reads configurations as the processor would and reports everything that is wrong.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::lang::ast::Config;
use crate::lang::diagnostic::{Diagnostic, Severity};
use crate::lang::lint::lint;
use crate::lang::{ParseOptions, has_errors, parse, render};
use crate::options::Ecs;
use crate::pipeline::{Pipeline, PipelineSettings};
use crate::settings::files::{self, FilesError};
use crate::settings::yaml::{self, Instance, ProcessSettings, SettingsError, Source};

/// Check pipeline configurations: every error at once, with its place.
#[derive(Debug, Args)]
#[command(after_help = "\
Each FILE is read on its own and all are checked together, as one pipeline; with --path.settings the pipelines of
pipelines.yml are checked one by one, with their settings. Everything is checked that the processor needs to start:
plugins, options, patterns, files. Warnings tell what is legal and yet surprising.

Examples:
  tailrace check /etc/logstash/conf.d
  tailrace check --path.settings /etc/logstash
  tailrace check --syntax --format json 'conf.d/*.conf'

Exit codes: 0 no errors (there may be warnings), 1 errors, 2 wrong usage or nothing to read.")]
pub struct CheckArgs {
    /// Files, folders or globs.
    #[arg(value_name = "FILE|DIR|GLOB", required_unless_present = "settings")]
    files: Vec<String>,
    /// Folder of logstash.yml and pipelines.yml.
    #[arg(long = "path.settings", value_name = "DIR", conflicts_with = "files")]
    settings: Option<PathBuf>,
    /// For people, JSON, GitHub's annotations or JUnit's XML.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Only read the text; do not look at plugins and options.
    #[arg(long)]
    syntax: bool,
    /// Errors only.
    #[arg(long)]
    no_warnings: bool,
    /// `pipeline.ecs_compatibility`: disabled, v1 or v8 [default: v8, or what logstash.yml says].
    #[arg(long, value_parser = super::ecs_mode)]
    ecs: Option<Ecs>,
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

/// What was found in one file.
struct Checked {
    file: PathBuf,
    findings: Vec<Diagnostic>,
}

impl CheckArgs {
    /// Checks and prints.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let colours = render::Colours(io::stdout().is_terminal());
        let mut out = io::BufWriter::new(io::stdout().lock());
        let code = self.check(&mut out, colours)?;
        out.flush()?;
        Ok(ExitCode::from(code))
    }

    /// Checks, prints, and hands back the exit code.
    fn check(&self, out: &mut impl Write, colours: render::Colours) -> io::Result<u8> {
        let instances = match self.instances() {
            Ok(instances) => instances,
            Err(error) => {
                eprintln!("{error}");
                return Ok(1);
            }
        };
        let mut checked = Vec::new();
        for instance in &instances {
            match self.instance(instance) {
                Ok(files) => checked.extend(files),
                Err(error) => {
                    eprintln!("error: {error}");
                    return Ok(2);
                }
            }
        }
        if self.no_warnings {
            let error = |finding: &Diagnostic| finding.severity == Severity::Error;
            checked.iter_mut().for_each(|file| file.findings.retain(error));
        }
        self.print(&checked, out, colours)?;
        let failed = checked.iter().any(|checked| has_errors(&checked.findings));
        Ok(u8::from(failed))
    }

    /// The files given, as one pipeline, or those of the settings.
    fn instances(&self) -> Result<Vec<Instance>, SettingsError> {
        let mut process = ProcessSettings::new(PipelineSettings::default());
        if let Some(folder) = &self.settings {
            process = process.read(folder)?;
        }
        process.defaults.settings.ecs = self.ecs.unwrap_or(process.defaults.settings.ecs);
        process.defaults.support_escapes |= self.support_escapes;
        match &self.settings {
            Some(folder) if process.defaults.source.is_none() => yaml::read_pipelines(folder, &process.defaults),
            Some(_) => Ok(vec![process.defaults]),
            None => {
                process.defaults.source = Some(Source::Files(self.files.clone()));
                Ok(vec![process.defaults])
            }
        }
    }

    /// Checks one pipeline; findings by file.
    fn instance(&self, instance: &Instance) -> Result<Vec<Checked>, FilesError> {
        let options = ParseOptions { support_escapes: instance.support_escapes };
        let mut checked: Vec<Checked> = Vec::new();
        let mut config = Config::default();
        match &instance.source {
            Some(Source::Files(addresses)) => {
                for address in addresses {
                    for source in files::sources(address)? {
                        let (part, findings) = parse(&source, options);
                        config.sections.extend(part.sections);
                        checked.push(Checked { file: source.name.clone().into(), findings });
                    }
                }
            }
            Some(Source::Text(text)) => {
                let (part, findings) = files::from_string(text, options);
                config = part;
                checked.push(Checked { file: files::CONFIG_STRING.into(), findings });
            }
            None => {}
        }
        if !self.syntax {
            for finding in registration(&config, instance) {
                let name = Path::new(&finding.span.source.name);
                match checked.iter_mut().position(|checked| checked.file == name) {
                    Some(at) => checked[at].findings.push(finding),
                    None => checked.push(Checked { file: name.into(), findings: vec![finding] }),
                }
            }
        }
        for file in &mut checked {
            file.findings.sort_by_key(|finding| finding.span.start);
        }
        Ok(checked)
    }

    fn print(&self, checked: &[Checked], out: &mut impl Write, colours: render::Colours) -> io::Result<()> {
        let findings = || checked.iter().flat_map(|checked| &checked.findings);
        match self.format {
            Format::Human => {
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
        Ok(())
    }
}

/// What the plugins say to their options, and what is surprising.
fn registration(config: &Config, instance: &Instance) -> Vec<Diagnostic> {
    let expand = |text: &str| instance.keystore.expand(text);
    let mut findings = lint(config);
    Pipeline::compile(config, &instance.settings, &expand, &mut findings);
    findings
}

fn syntax_json(checked: &Checked) -> serde_json::Value {
    let errors = checked.findings.iter().filter(|finding| finding.severity == Severity::Error).map(|finding| {
        let position = finding.span.position();
        json!({ "line": position.line, "column": position.column, "message": finding.message })
    });
    let errors: Vec<_> = errors.collect();
    json!({ "file": checked.file, "ok": errors.is_empty(), "errors": errors })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        check: CheckArgs,
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    /// Exit code and output of a command in which `DIR` stands for the folder.
    fn checked(folder: &tempfile::TempDir, arguments: &str) -> (u8, String) {
        let path = folder.path().display().to_string();
        let arguments = arguments.split(' ').map(|word| word.replace("DIR", &path));
        let command = Command::try_parse_from(std::iter::once("check".to_string()).chain(arguments)).unwrap();
        let mut out = Vec::new();
        let code = command.check.check(&mut out, render::Colours(false)).unwrap();
        (code, String::from_utf8(out).unwrap().replace(&path, "DIR"))
    }

    #[test]
    fn each_format_says_where() {
        let folder = folder(&[
            ("1.conf", "filter {\n  mutate { foo => 1 }\n}"),
            ("2.conf", "filter { drop { } }"),
            ("3.conf", "filter { drop }"),
        ]);
        let (code, human) = checked(&folder, "DIR");
        assert_eq!(code, 1);
        assert!(
            human.contains("error[unknown-option]: unknown option 'foo' for 'mutate'\n  --> DIR/1.conf:2:12\n"),
            "{human}"
        );
        assert!(human.ends_with("3 files, 2 errors, 0 warnings\n"), "{human}");
        let (_, json) = checked(&folder, "DIR --format json");
        let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!((&first["file"], &first["line"], &first["column"]), (&"DIR/1.conf".into(), &2.into(), &12.into()));
        let (_, github) = checked(&folder, "DIR --format github");
        assert!(github.starts_with("::error file=DIR/1.conf,line=2,col=12,title=unknown-option::"), "{github}");
        let (_, junit) = checked(&folder, "DIR --format junit");
        assert!(junit.contains("<testsuite name=\"tailrace check\" tests=\"3\" failures=\"2\">"), "{junit}");
        assert!(junit.contains("<testcase classname=\"check\" name=\"DIR/2.conf\"></testcase>"), "{junit}");
        let (code, syntax) = checked(&folder, "DIR --syntax --format json");
        let files: Vec<serde_json::Value> = syntax.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let ok: Vec<bool> = files.iter().map(|file| file["ok"].as_bool().unwrap()).collect();
        assert_eq!((code, ok), (1, vec![true, true, false]));
        assert_eq!((&files[2]["errors"][0]["line"], &files[2]["errors"][0]["column"]), (&1.into(), &15.into()));
    }

    #[test]
    fn settings_hold_for_their_pipelines() {
        let folder = folder(&[
            ("logstash.yml", "pipeline.ecs_compatibility: disabled\nconfig.support_escapes: true\n"),
            (
                "pipelines.yml",
                "- pipeline.id: a\n  path.config: DIR/a.conf\n- pipeline.id: b\n  pipeline.ecs_compatibility: v8\n  path.config: DIR/b.conf\n- pipeline.id: c\n  config.string: 'filter { geo { } }'\n",
            ),
            ("a.conf", "filter { json { source => \"a\\\"\" } }"),
            ("b.conf", "filter { json { source => \"b\" id => \"x\" } json { source => \"b\" id => \"x\" } }"),
        ]);
        let path = folder.path().join("pipelines.yml");
        let text = std::fs::read_to_string(&path).unwrap().replace("DIR", &folder.path().display().to_string());
        std::fs::write(&path, text).unwrap();
        let (code, github) = checked(&folder, "--path.settings DIR --format github --no-warnings");
        let titles: Vec<&str> =
            github.lines().map(|line| line.split("title=").nth(1).unwrap().split("::").next().unwrap()).collect();
        assert_eq!((code, titles), (1, vec!["duplicate-id", "unknown-plugin"]), "{github}");
        assert!(github.contains("file=DIR/b.conf,"), "{github}");
    }

    #[test]
    fn nothing_to_read_is_wrong_usage() {
        let folder = folder(&[]);
        assert_eq!(checked(&folder, "DIR/none.conf").0, 2);
        assert_eq!(checked(&folder, "--path.settings DIR").0, 1);
    }
}
