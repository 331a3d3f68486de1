//! Named patterns and the files they come from.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::standard;

/// A named pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) text: String,
    /// The file that it was read from and the line in it, from 1.
    pub(crate) source: Option<(Arc<str>, u32)>,
}

/// Patterns by name. Of several definitions of one name the last holds, as in Logstash.
#[derive(Debug, Clone, Default)]
pub struct PatternSet {
    definitions: HashMap<String, Definition>,
}

impl PatternSet {
    /// No patterns.
    pub fn empty() -> PatternSet {
        PatternSet::default()
    }

    /// The standard patterns with their old field names: `ecs_compatibility => disabled`.
    pub fn legacy() -> PatternSet {
        static SET: OnceLock<PatternSet> = OnceLock::new();
        SET.get_or_init(|| PatternSet::of_files(standard::LEGACY)).clone()
    }

    /// The standard patterns with the field names of the Elastic Common Schema:
    /// `ecs_compatibility => v1` and `v8`.
    pub fn ecs_v1() -> PatternSet {
        static SET: OnceLock<PatternSet> = OnceLock::new();
        SET.get_or_init(|| PatternSet::of_files(standard::ECS_V1)).clone()
    }

    fn of_files(files: &[(&str, &str)]) -> PatternSet {
        let mut set = PatternSet::empty();
        for (name, text) in files {
            set.add_text(name, text);
        }
        set
    }

    /// Adds a pattern.
    pub fn add(&mut self, name: &str, definition: &str) {
        let definition = Definition { text: definition.to_owned(), source: None };
        self.definitions.insert(name.to_owned(), definition);
    }

    /// Adds the patterns of a file: a name, blanks and the pattern on every line; lines that
    /// start with `#` and empty lines do not count. The file's name is for messages.
    pub fn add_text(&mut self, file_name: &str, text: &str) {
        let file: Arc<str> = Arc::from(file_name);
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_start();
            let Some((name, definition)) = line.split_once(char::is_whitespace) else { continue };
            if name.starts_with('#') {
                continue;
            }
            let definition =
                Definition { text: definition.trim_start().to_owned(), source: Some((Arc::clone(&file), number)) };
            self.definitions.insert(name.to_owned(), definition);
        }
    }

    /// The pattern of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.definitions.get(name).map(|definition| definition.text.as_str())
    }

    /// The file of a name's pattern and the line in it, from 1, when it was read from one.
    pub fn source(&self, name: &str) -> Option<(&str, u32)> {
        let (file, line) = self.definitions.get(name)?.source.as_ref()?;
        Some((file, *line))
    }

    /// The names, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.definitions.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The number of patterns.
    pub fn len(&self) -> usize {
        self.definitions.len()
    }

    /// Whether there are no patterns.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
    }

    pub(crate) fn definition(&self, name: &str) -> Option<&Definition> {
        self.definitions.get(name)
    }
}
