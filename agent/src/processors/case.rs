//! `lowercase`, `uppercase`: the names of fields in one case.

use std::sync::Arc;

use tailrace_common::{Event, Object};

use super::edit::Strictness;
use super::{Failure, Outcome, Processor};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct Case {
    fields: Vec<String>,
    upper: bool,
    /// `alter_full_field`: all keys of the path, else the last alone.
    full: bool,
    strictness: Strictness,
}

pub(super) fn read_lowercase(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    read(section, false)
}

pub(super) fn read_uppercase(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    read(section, true)
}

fn read(section: &Section<'_>, upper: bool) -> Option<Arc<dyn Processor>> {
    section.require("fields");
    let mut fields = section.texts("fields");
    // What every document must have keeps its name.
    fields.retain(|name| {
        let name = name.to_lowercase();
        !["@timestamp", "@metadata"].iter().any(|fixed| name == *fixed || name.starts_with(&format!("{fixed}.")))
    });
    let full = section.boolean("alter_full_field", true);
    Some(Arc::new(Case { fields, upper, full, strictness: Strictness::read(section) }))
}

impl Case {
    fn alter(&self, fields: &mut Object, name: &str) -> Result<(), Failure> {
        let mut object = fields;
        let mut levels = name.split('.').peekable();
        while let Some(level) = levels.next() {
            let last = levels.peek().is_none();
            let wanted = level.to_lowercase();
            let found = object.keys().find(|key| key.as_str().to_lowercase() == wanted).cloned();
            let key = found.ok_or_else(|| Failure("key not found".to_owned()))?;
            let altered = match (self.full || last, self.upper) {
                (false, _) => key.as_str().to_owned(),
                (true, true) => key.as_str().to_uppercase(),
                (true, false) => key.as_str().to_lowercase(),
            };
            if altered != key.as_str() {
                if object.contains(&altered) {
                    return Err(Failure(format!("key '{altered}' already exists")));
                }
                if let Some(value) = object.remove(&key) {
                    object.insert(altered.clone(), value);
                }
            }
            if last {
                return Ok(());
            }
            let inner = object.get_mut(&altered).and_then(|value| value.as_object_mut());
            object = inner.ok_or_else(|| Failure("key not found".to_owned()))?;
        }
        Ok(())
    }
}

impl Processor for Case {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        self.strictness.each(event, &self.fields, "", |event, name| match self.alter(event.fields_mut(), name) {
            Err(Failure(reason)) if self.strictness.ignore_missing && reason == "key not found" => Ok(()),
            result => result,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn names_change_their_case() {
        let event = r#"{"Field1":"X","Outer":{"Inner":1}}"#;
        assert_eq!(
            changed("- lowercase: {fields: [FIELD1, Outer.Inner]}", event),
            json!({"field1": "X", "outer": {"inner": 1}})
        );
        assert_eq!(
            changed("- uppercase: {fields: [Outer.Inner, nope], alter_full_field: false, ignore_missing: true}", event),
            json!({"Field1": "X", "Outer": {"INNER": 1}})
        );
        assert_eq!(changed("- lowercase: {fields: [nope]}", "{}"), json!({"error": {"message": "key not found"}}));
    }
}
