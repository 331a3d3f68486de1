//! `extract_array`: items of a list as fields.

use std::sync::Arc;

use tailrace_common::{Event, Value};

use super::field::go_type;
use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::{Section, fold_dots};
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct ExtractArray {
    field: Field,
    mappings: Vec<(Field, usize)>,
    ignore_missing: bool,
    omit_empty: bool,
    overwrite_keys: bool,
    fail_on_error: bool,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let field = section.required("field");
    section.require("mappings");
    let mut mappings = Vec::new();
    for (name, node) in section.get("mappings").map(fold_dots).unwrap_or_default() {
        match node.as_i64().and_then(|index| usize::try_from(index).ok()) {
            Some(index) => mappings.push((Field::new(&name), index)),
            None => {
                let message = format!("'{}.{name}' must be a whole number from 0", section.name("mappings"));
                section.report().error(node.position, message, None);
            }
        }
    }
    mappings.sort_by_key(|(_, index)| *index);
    let extract = ExtractArray {
        field: Field::new(field.unwrap_or_default()),
        mappings,
        ignore_missing: section.boolean("ignore_missing", false),
        omit_empty: section.boolean("omit_empty", false),
        overwrite_keys: section.boolean("overwrite_keys", false),
        fail_on_error: section.boolean("fail_on_error", true),
    };
    field.map(|_| -> Arc<dyn Processor> { Arc::new(extract) })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

impl ExtractArray {
    fn extract(&self, event: &mut Event, items: &[Value]) -> Result<(), Failure> {
        for (to, index) in &self.mappings {
            let put = match items.get(*index) {
                None => Err(Failure(format!(
                    "index {index} exceeds length of {} when processing mapping for field {}",
                    items.len(),
                    to.name()
                ))),
                Some(item) if self.omit_empty && is_empty(item) => Ok(()),
                Some(_) if !self.overwrite_keys && to.get(event).is_some() => Err(Failure(format!(
                    "target field {} already has a value. Set the overwrite_keys flag or drop/rename the field first",
                    to.name()
                ))),
                Some(item) => to.put(event, item.clone()),
            };
            if self.fail_on_error {
                put?;
            }
        }
        Ok(())
    }
}

impl Processor for ExtractArray {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let items = match self.field.get(event) {
            Some(Value::Array(items)) => items.clone(),
            None if self.ignore_missing => return Ok(Verdict::Keep),
            None => {
                return Err(Failure(format!("could not fetch value for field {}: key not found", self.field.name())));
            }
            Some(_) if !self.fail_on_error => return Ok(Verdict::Keep),
            Some(other) => {
                let (name, kind) = (self.field.name(), go_type(other));
                return Err(Failure(format!("unsupported type for field {name}: got: {kind} needed: array")));
            }
        };
        let backup = (self.fail_on_error && self.mappings.len() > 1).then(|| event.clone());
        if let Err(failure) = self.extract(event, &items) {
            if let Some(backup) = backup {
                *event = backup;
            }
            return Err(failure);
        }
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn items_become_fields() {
        let extract = "- extract_array: {field: a, mappings: {x.one: 0, y: 2}, omit_empty: true}";
        assert_eq!(changed(extract, r#"{"a":["p","q",""]}"#), json!({"a": ["p", "q", ""], "x": {"one": "p"}}));
        assert_eq!(changed(extract, r#"{"a":["p"]}"#), json!({"a": ["p"]}));
    }
}
