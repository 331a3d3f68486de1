//! `append`: values and the values of fields, as a list in one field.

use std::sync::Arc;

use tailrace_common::{Event, Value};

use super::edit::Strictness;
use super::{Failure, Field, Outcome, Processor};
use crate::config::section::Section;
use crate::config::value::value;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct Append {
    target: Field,
    fields: Vec<Field>,
    values: Vec<Value>,
    ignore_empty_values: bool,
    allow_duplicate: bool,
    strictness: Strictness,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let target = section.required("target_field");
    let values = section.get("values").and_then(|node| node.as_list()).unwrap_or_default();
    let append = Append {
        target: Field::new(target?),
        fields: section.texts("fields").iter().map(|name| Field::new(name)).collect(),
        values: values.iter().map(value).collect(),
        ignore_empty_values: section.boolean("ignore_empty_values", false),
        allow_duplicate: section.boolean("allow_duplicate", true),
        strictness: Strictness::read(section),
    };
    Some(Arc::new(append))
}

impl Append {
    fn values(&self, event: &Event) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut add = |value: &Value| match value {
            Value::Array(items) => all.extend(items.iter().cloned()),
            single => all.push(single.clone()),
        };
        if let Some(held) = self.target.get(event) {
            add(held);
        }
        for field in &self.fields {
            if let Some(value) = self.strictness.value(field, event)? {
                add(value);
            }
        }
        all.extend(self.values.iter().cloned());
        if self.ignore_empty_values {
            all.retain(|value| !value.is_null() && value.as_str() != Some(""));
        }
        if !self.allow_duplicate {
            let mut once: Vec<Value> = Vec::with_capacity(all.len());
            for value in all {
                if !once.contains(&value) {
                    once.push(value);
                }
            }
            all = once;
        }
        Ok(all)
    }
}

impl Processor for Append {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        self.strictness.each(event, &[()], "failed to append fields in append processor", |event, ()| {
            let values = self.values(event)?;
            self.target.put(event, values)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn values_are_joined_in_a_list() {
        let append = "- append: {target_field: all, fields: [a, b], values: [x, '', 7], ignore_empty_values: true, allow_duplicate: false}";
        assert_eq!(
            changed(append, r#"{"all":"first","a":1,"b":["x","y"]}"#),
            json!({"all": ["first", 1, "x", "y", 7], "a": 1, "b": ["x", "y"]})
        );
        assert_eq!(changed("- append: {target_field: t, fields: [no], ignore_missing: true}", "{}"), json!({"t": []}));
    }
}
