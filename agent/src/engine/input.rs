//! One input, compiled.

use std::sync::Arc;

use crate::discover::glob::Glob;
use crate::tail::lines::LineFormat;
use crate::tail::settings::{InputSettings, StreamChoice};

/// One input, compiled.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) settings: Arc<InputSettings>,
    pub(super) globs: Vec<Glob>,
    /// How the lines of files end; the second for those whose byte order mark says big endian.
    lines: [LineFormat; 2],
    /// What its files are called by in the registry.
    pub(super) scope: String,
    /// Whether it was scanned before: files found later are new ones.
    pub(super) scanned: bool,
}

impl Input {
    pub(super) fn new(settings: Arc<InputSettings>) -> Input {
        let paths = if settings.kind.reads_files() { settings.paths.as_slice() } else { &[] };
        let stream = match settings.stream() {
            StreamChoice::All => "",
            StreamChoice::Stdout => "/stdout",
            StreamChoice::Stderr => "/stderr",
        };
        Input {
            globs: paths.iter().map(|path| Glob::new(path, settings.recursive_glob)).collect(),
            lines: [false, true]
                .map(|big| LineFormat::for_byte_order(settings.encoding, settings.line_terminator, big)),
            scope: format!("{}{stream}", settings.id),
            scanned: false,
            settings,
        }
    }
}

impl Input {
    /// How the lines of a file end.
    pub(super) fn lines(&self, big_endian: bool) -> &LineFormat {
        &self.lines[usize::from(big_endian)]
    }
}
