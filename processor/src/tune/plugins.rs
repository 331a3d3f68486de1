//! `tailrace plugins`: what there is and which options it takes, asked of the plugins themselves.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tailrace_common::Clock;
use tailrace_common::nearest::nearest;

use crate::charset::Charset;
use crate::codec::CODECS;
use crate::filters::FILTERS;
use crate::input::INPUTS;
use crate::lang::ast::{Plugin, Source, Span};
use crate::options::{Ecs, Known, Options};
use crate::output::OUTPUTS;
use crate::plan::decorate::Decoration;
use crate::plugin::{BuildContext, Shared};

/// List inputs, filters, outputs and codecs, or the options of one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailrace plugins
  tailrace plugins mutate
  tailrace plugins output/kafka
  tailrace plugins --markdown > docs/plugins.md

Exit codes: 0 done, 1 no such plugin, 2 wrong usage.")]
pub struct PluginsArgs {
    /// A plugin, or its kind and name.
    #[arg(value_name = "[KIND/]NAME")]
    name: Option<String>,
    /// Print all with their options as Markdown: the page docs/plugins.md.
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
}

/// A plugin as it is shown.
struct Shown {
    kind: &'static str,
    name: &'static str,
    summary: &'static str,
    example: Option<&'static str>,
    options: Vec<Known>,
}

impl PluginsArgs {
    /// Prints them.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let plugins = all();
        if self.markdown {
            markdown(&mut out, &plugins)?;
            out.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        let Some(wanted) = self.name else {
            list(&mut out, &plugins)?;
            return Ok(ExitCode::SUCCESS);
        };
        let is_wanted = |plugin: &&Shown| plugin.name == wanted || format!("{}/{}", plugin.kind, plugin.name) == wanted;
        let found: Vec<&Shown> = plugins.iter().filter(is_wanted).collect();
        if found.is_empty() {
            let near = nearest(&wanted, plugins.iter().map(|plugin| plugin.name));
            let near = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            eprintln!("error: there is no plugin '{wanted}'{near}");
            return Ok(ExitCode::FAILURE);
        }
        found.into_iter().try_for_each(|plugin| show(&mut out, plugin))?;
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn list(out: &mut impl Write, plugins: &[Shown]) -> io::Result<()> {
    let mut kind = "";
    for plugin in plugins {
        if plugin.kind != kind {
            kind = plugin.kind;
            writeln!(out, "{kind}")?;
        }
        writeln!(out, "  {:<18} {}", plugin.name, plugin.summary)?;
    }
    out.flush()
}

fn show(out: &mut impl Write, plugin: &Shown) -> io::Result<()> {
    writeln!(out, "{} {}: {}\n", plugin.kind, plugin.name, plugin.summary)?;
    if let Some(example) = plugin.example {
        writeln!(out, "  {}\n", example.replace('\n', "\n  "))?;
    }
    let width = plugin.options.iter().map(|option| option.name.len()).max().unwrap_or_default();
    for option in &plugin.options {
        writeln!(out, "  {}", format!("{:<width$}  {}", option.name, option.expected).trim_end())?;
    }
    writeln!(out)
}

/// A page of all plugins, by kind.
fn markdown(out: &mut impl Write, plugins: &[Shown]) -> io::Result<()> {
    writeln!(out, "# Plugins\n")?;
    writeln!(
        out,
        "All inputs, filters, outputs and codecs with their options, which mean what they mean in Logstash. The"
    )?;
    writeln!(
        out,
        "examples run as they stand. Left out are `id` and `enable_metric`, which all have, `add_field`, `tags` and"
    )?;
    writeln!(out, "`type` of inputs, and `add_field`, `remove_field`, `add_tag` and `remove_tag` of filters.")?;
    writeln!(out, "\nWritten by `tailrace plugins --markdown`.")?;
    let mut kind = "";
    for plugin in plugins {
        if plugin.kind != kind {
            kind = plugin.kind;
            writeln!(out, "\n## {}{}s", kind[..1].to_uppercase(), &kind[1..])?;
        }
        writeln!(out, "\n### {}\n\n{}", plugin.name, plugin.summary)?;
        if let Some(example) = plugin.example {
            writeln!(out, "\n    {}", example.replace('\n', "\n    "))?;
        }
        let options: Vec<&Known> = plugin.options.iter().filter(|option| !COMMON.contains(&option.name)).collect();
        if !options.is_empty() {
            writeln!(out, "\n| Option | Value |\n| --- | --- |")?;
        }
        for option in options {
            writeln!(out, "| `{}` | {} |", option.name, option.expected.replace('|', "\\|"))?;
        }
    }
    Ok(())
}

/// Options that all plugins of a kind have.
const COMMON: [&str; 11] = [
    "add_field",
    "add_tag",
    "enable_metric",
    "exclude_tags",
    "id",
    "periodic_flush",
    "remove_field",
    "remove_tag",
    "tags",
    "type",
    "workers",
];

/// Every plugin, asked for its options.
fn all() -> Vec<Shown> {
    let mut all = Vec::new();
    for known in INPUTS {
        let options = asked(known.name, |options, build| drop((known.build)(options, build)));
        all.push(Shown { kind: "input", name: known.name, summary: known.summary, example: None, options });
    }
    for known in FILTERS {
        let options = asked(known.name, |mut options, build| {
            Decoration::read(&mut options);
            drop((known.build)(options, build));
        });
        let example = Some(known.example);
        all.push(Shown { kind: "filter", name: known.name, summary: known.summary, example, options });
    }
    for known in OUTPUTS {
        let options = asked(known.name, |options, build| drop((known.build)(options, build)));
        all.push(Shown { kind: "output", name: known.name, summary: known.summary, example: None, options });
    }
    for known in CODECS {
        let options = asked(known.name, |mut options, build| {
            if known.text {
                Charset::read(&mut options);
            }
            drop((known.build)(options, build));
        });
        all.push(Shown { kind: "codec", name: known.name, summary: known.summary, example: None, options });
    }
    all
}

/// The options that a builder asks for when none is set, by name.
fn asked(name: &str, builder: impl FnOnce(Options<'_>, &BuildContext<'_>)) -> Vec<Known> {
    let source = Arc::new(Source { name: String::new(), text: String::new() });
    let span = Span { source, start: 0, end: 0 };
    let plugin = Plugin { name: name.into(), name_span: span.clone(), attributes: Vec::new(), span };
    let expand = |text: &str| Ok(text.to_string());
    let build = BuildContext {
        ecs: Ecs::default(),
        clock: Clock::System,
        timezone: "UTC".into(),
        expand: &expand,
        directory: PathBuf::from("."),
        shared: Shared::default(),
    };
    let (mut known, mut findings) = (Vec::new(), Vec::new());
    builder(Options::new(&plugin, build.ecs, &expand, &mut findings).listing(&mut known), &build);
    known.sort_by_key(|option: &Known| option.name);
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `TAILRACE_UPDATE=1 cargo test` writes the page anew.
    #[test]
    fn the_page_of_plugins_is_current() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/plugins.md");
        let mut written = Vec::new();
        assert!(markdown(&mut written, &all()).is_ok());
        let written = String::from_utf8_lossy(&written);
        if std::env::var_os("TAILRACE_UPDATE").is_some() {
            assert!(std::fs::write(page, written.as_bytes()).is_ok());
        }
        assert_eq!(std::fs::read_to_string(page).unwrap_or_default(), written, "see the comment of this test");
    }

    #[test]
    fn plugins_tell_their_options() {
        let plugins = all();
        let mutate = plugins.iter().find(|plugin| plugin.name == "mutate");
        let options = mutate.map(|plugin| plugin.options.as_slice()).unwrap_or_default();
        let expected = |name: &str| options.iter().find(|option| option.name == name).map(|option| &*option.expected);
        assert_eq!(expected("rename"), Some("a hash"));
        assert_eq!(expected("add_tag"), Some("a list"));
        assert_eq!(expected("enable_metric"), Some("true or false"));
        assert_eq!(expected("remove"), Some("obsolete: use 'remove_field'"));
        for plugin in plugins.iter().filter(|plugin| plugin.kind != "codec") {
            assert!(!plugin.options.is_empty(), "{} {} tells no option", plugin.kind, plugin.name);
        }
    }
}
