//! `drop_fields`: fields, by name or by `/pattern/`.

use std::sync::Arc;

use tailrace_common::{Event, Object, Value};

use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::decode::Pattern;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct DropFields {
    fields: Vec<Field>,
    patterns: Vec<Pattern>,
    ignore_missing: bool,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("fields");
    let (fields, patterns) = names_and_patterns(section);
    let droppable = fields.into_iter().filter(|field| !matches!(field.name(), "@timestamp" | "@metadata" | "type"));
    Some(Arc::new(DropFields {
        fields: droppable.collect(),
        patterns,
        ignore_missing: section.boolean("ignore_missing", false),
    }))
}

/// `fields`: names, and regular expressions between slashes.
pub(super) fn names_and_patterns(section: &Section<'_>) -> (Vec<Field>, Vec<Pattern>) {
    let (mut fields, mut patterns) = (Vec::new(), Vec::new());
    for name in section.texts("fields") {
        let pattern = name.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        match pattern.map(Pattern::new) {
            None => fields.push(Field::new(&name)),
            Some(Ok(pattern)) => patterns.push(pattern),
            Some(Err(error)) => section.error("fields", format!("'{name}': {error}"), None),
        }
    }
    (fields, patterns)
}

/// The full names of all fields that match.
pub(super) fn matching(object: &Object, patterns: &[Pattern]) -> Vec<Field> {
    let mut found = Vec::new();
    let mut open: Vec<(String, &Object)> = vec![(String::new(), object)];
    while let Some((prefix, object)) = open.pop() {
        for (name, value) in object {
            let name = format!("{prefix}{name}");
            if Pattern::any(patterns, name.as_bytes()) {
                found.push(Field::new(&name));
            } else if let Value::Object(inner) = value {
                open.push((format!("{name}."), inner));
            }
        }
    }
    found
}

impl Processor for DropFields {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let mut missing = None;
        for field in &self.fields {
            if field.remove(event).is_none() && !self.ignore_missing {
                missing.get_or_insert_with(|| field.name());
            }
        }
        if !self.patterns.is_empty() {
            for field in matching(event.fields(), &self.patterns) {
                field.remove(event);
            }
        }
        match missing {
            Some(name) => Err(Failure(format!("failed to drop field [{name}]: key not found"))),
            None => Ok(Verdict::Keep),
        }
    }

    fn is_per_file(&self) -> bool {
        self.patterns.is_empty() && !self.fields.iter().any(Field::varies)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn fields_go_by_name_and_pattern() {
        let drop = "- drop_fields: {fields: [a, b.c, '/^x.*y$/', '@timestamp', nope], ignore_missing: true}";
        assert_eq!(
            changed(drop, r#"{"a":1,"b":{"c":2,"d":3},"x":{"any":4,"z":5},"xy":6}"#),
            json!({"b": {"d": 3}, "x": {"z": 5}})
        );
    }
}
