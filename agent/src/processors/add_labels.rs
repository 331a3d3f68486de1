//! `add_labels`: fixed texts under `labels`, with flat names.

use std::sync::Arc;

use tailrace_common::{Object, Value};

use super::Processor;
use super::add_fields::AddFields;
use super::field::text_of;
use crate::config::section::Section;
use crate::config::value::fields;

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("labels");
    Some(Arc::new(AddFields::new("labels", flat(&fields(section, "labels")))))
}

/// Maps and lists become dotted names, all values text.
fn flat(labels: &Object) -> Object {
    let mut flat = Object::new();
    let mut open: Vec<(String, &Value)> = labels.iter().map(|(name, value)| (name.to_string(), value)).collect();
    while let Some((name, value)) = open.pop() {
        match value {
            Value::Object(inner) => open.extend(inner.iter().map(|(key, value)| (format!("{name}.{key}"), value))),
            Value::Array(items) => {
                open.extend(items.iter().enumerate().map(|(number, value)| (format!("{name}.{number}"), value)));
            }
            scalar => drop(flat.insert(name, text_of(scalar))),
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn labels_are_flat_texts() {
        let labels = "- add_labels: {labels: {number: 1, with.dots: t, array: [do, {f: m}], on: true}}";
        assert_eq!(
            changed(labels, "{}"),
            json!({"labels": {"number": "1", "with.dots": "t", "array.0": "do", "array.1.f": "m", "on": "true"}})
        );
    }
}
