//! Where a configuration comes from: files, the built-in text, `-E`. Lines of all sources are numbered through, so that a
//! line tells its source.

use std::path::{Path, PathBuf};

use tailrace_common::yaml::{Key, Node, Position};

use super::variables::place;

/// The sources so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// Each with its first line.
    starts: Vec<(usize, PathBuf)>,
    lines: usize,
}

impl Sources {
    /// Numbers the lines of one more source on.
    pub(super) fn add(&mut self, name: &Path, text: &str, node: &mut Node) {
        let shift = self.open(name, text.lines().count());
        place(node, &mut |position| position.line += shift);
    }

    /// The same for a setting of the command line.
    pub(super) fn add_setting(&mut self, setting: &str, key: &mut Key, node: &mut Node) {
        let shift = self.open(Path::new(&format!("-E {setting}")), 1);
        key.position.line += shift;
        place(node, &mut |position| position.line += shift);
    }

    fn open(&mut self, name: &Path, lines: usize) -> usize {
        let shift = self.lines;
        self.starts.push((shift, name.to_owned()));
        // Errors may stand behind the last line.
        self.lines += lines + 2;
        shift
    }

    /// The source of a place, and the place in it.
    pub(crate) fn find(&self, position: Position) -> (PathBuf, Position) {
        let at = self.starts.partition_point(|(start, _)| *start < position.line).saturating_sub(1);
        match self.starts.get(at) {
            Some((start, name)) => {
                (name.clone(), Position { line: position.line.saturating_sub(*start), column: position.column })
            }
            None => (PathBuf::new(), position),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tailrace_common::yaml;

    use super::*;

    #[test]
    fn a_line_tells_its_file() {
        let mut sources = Sources::default();
        for (name, text) in [("a.yml", "x: 1\ny: 2\n"), ("b.yml", "x: 1"), ("c.yml", "\n\nz: 3")] {
            let mut node = yaml::parse(text).unwrap();
            sources.add(Path::new(name), text, &mut node);
            let (key, _) = node.as_map().unwrap().last().unwrap();
            let (found, position) = sources.find(key.position);
            let wanted = text.lines().position(|line| line.starts_with(&key.text)).unwrap() + 1;
            assert_eq!((found.to_str(), position.line), (Some(name), wanted));
        }
    }
}
