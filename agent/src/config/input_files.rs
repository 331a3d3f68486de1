//! `filebeat.config.inputs`: inputs in files of their own, read again when they change.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tailrace_common::yaml::{self, Kind, Node};

use super::section::{Report, Section};
use super::sources::Sources;
use super::variables::{self, Lookup};
use crate::discover::glob::{Found, Glob};

/// Where the files are, and whether they are looked at again.
#[derive(Clone, Debug)]
pub struct InputFiles {
    glob: Glob,
    /// `reload.period`, with `reload.enabled`.
    pub reload: Option<Duration>,
}

/// What a file looks like from outside: it has changed when this has.
pub type Signature = Vec<(PathBuf, Option<SystemTime>, u64)>;

impl InputFiles {
    /// Reads `filebeat.config.inputs`; a relative path is below `folder`.
    pub(super) fn read(filebeat: &Section<'_>, folder: &Path) -> Option<InputFiles> {
        let config = filebeat.section("config");
        if config.is_set("modules") {
            let modules = config.section("modules");
            modules.ignore_all();
            if modules.boolean("enabled", true) {
                config.notice("modules", "'filebeat.config.modules' has no effect: there are no modules here");
            }
        }
        let inputs = config.section("inputs");
        let enabled = inputs.boolean("enabled", true);
        let reload = inputs.section("reload");
        let period = reload.duration("period").unwrap_or(Duration::from_secs(10)).max(Duration::from_secs(1));
        let reload = reload.boolean("enabled", false).then_some(period);
        if !enabled || !config.is_set("inputs") {
            inputs.ignore(&["path"]);
            return None;
        }
        let path = folder.join(inputs.required("path")?);
        Some(InputFiles { glob: Glob::new(&path.to_string_lossy(), false), reload })
    }

    fn paths(&self) -> Vec<PathBuf> {
        let mut found = Found::default();
        self.glob.find(&mut found);
        let mut paths: Vec<PathBuf> = found.paths.into_iter().filter(|path| path.is_file()).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// What the files look like now.
    pub fn signature(&self) -> Signature {
        let look = |path: PathBuf| {
            let about = std::fs::metadata(&path).ok();
            let modified = about.as_ref().and_then(|about| about.modified().ok());
            (path, modified, about.map_or(0, |about| about.len()))
        };
        self.paths().into_iter().map(look).collect()
    }

    /// The inputs of all files, with their variables filled in.
    pub(super) fn inputs(&self, sources: &mut Sources, environment: Lookup<'_>, report: &Report) -> Vec<Node> {
        let mut inputs = Vec::new();
        for path in self.paths() {
            let parsed =
                std::fs::read_to_string(&path).map_err(|error| format!("cannot read it: {error}")).and_then(|text| {
                    let node = yaml::parse(&text).map_err(|error| error.to_string())?;
                    Ok((text, node))
                });
            match parsed {
                Ok((text, node)) => {
                    let mut node = node.expand_dots();
                    sources.add(&path, &text, &mut node);
                    variables::expand(&mut node, environment, report);
                    match node.kind {
                        Kind::List(items) => inputs.extend(items),
                        _ if node.is_null() => {}
                        _ => report.error(node.position, "a file of inputs must be a list of inputs", None),
                    }
                }
                Err(error) => {
                    let mut nothing = Node::empty_map(yaml::Position { line: 1, column: 1 });
                    sources.add(&path, "", &mut nothing);
                    report.error(nothing.position, error, None);
                }
            }
        }
        inputs
    }
}
