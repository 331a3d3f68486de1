//! `copy_fields`: values under another name too.

use std::sync::Arc;

use tailrace_common::Event;

use super::edit::{FromTo, Strictness, from_to};
use super::{Failure, Outcome, Processor};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct CopyFields {
    fields: Vec<FromTo>,
    strictness: Strictness,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    Some(Arc::new(CopyFields { fields: from_to(section, false), strictness: Strictness::read(section) }))
}

impl Processor for CopyFields {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        self.strictness.each(event, &self.fields, "Failed to copy fields in copy_fields processor", |event, item| {
            if item.to.get(event).is_some() {
                return Err(Failure(format!(
                    "target field {} already exists, drop or rename this field first",
                    item.to.name()
                )));
            }
            let Some(value) = self.strictness.value(&item.from, event)?.cloned() else { return Ok(()) };
            item.to.put(event, value)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn a_failure_undoes_all() {
        let copy = "- copy_fields: {fields: [{from: a, to: b.c}, {from: nope, to: x}]}";
        assert_eq!(
            changed(copy, r#"{"a":1}"#),
            json!({"a": 1, "error": {"message": "Failed to copy fields in copy_fields processor: could not fetch value for key: nope, Error: key not found"}})
        );
        let lenient = "- copy_fields: {fields: [{from: a, to: b.c}, {from: nope, to: x}], ignore_missing: true}";
        assert_eq!(changed(lenient, r#"{"a":1}"#), json!({"a": 1, "b": {"c": 1}}));
        let taken = "- copy_fields: {fields: [{from: a, to: b}], fail_on_error: false}";
        assert_eq!(changed(taken, r#"{"a":1,"b":2}"#), json!({"a": 1, "b": 2}));
    }
}
