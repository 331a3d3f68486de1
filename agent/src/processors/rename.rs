//! `rename`: fields under another name.

use std::sync::Arc;

use tailrace_common::Event;

use super::edit::{FromTo, Strictness, from_to};
use super::{Failure, Field, Outcome, Processor};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct Rename {
    fields: Vec<FromTo>,
    strictness: Strictness,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    Some(Arc::new(Rename { fields: from_to(section, false), strictness: Strictness::read(section) }))
}

/// Takes a value from one place to another; if it does not fit there it goes back.
pub(super) fn move_value(event: &mut Event, from: &Field, to: &Field) -> Result<(), Failure> {
    let value = from.remove(event);
    let value = value.ok_or_else(|| Failure(format!("could not delete key: {}, Error: key not found", from.name())))?;
    let moved = to.put(event, value.clone());
    if moved.is_err() {
        from.put(event, value)?;
    }
    moved.map_err(|failure| Failure(format!("could not put value: {}: {failure}", to.name())))
}

impl Processor for Rename {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        self.strictness.each(event, &self.fields, "Failed to rename fields in processor", |event, item| {
            if item.to.get(event).is_some() {
                return Err(Failure(format!(
                    "target field {} already exists, drop or rename this field first",
                    item.to.name()
                )));
            }
            match self.strictness.value(&item.from, event)? {
                Some(_) => move_value(event, &item.from, &item.to),
                None => Ok(()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn fields_are_renamed_or_left() {
        let rename = "- rename: {fields: [{from: a.b, to: c}, {from: nope, to: x}], ignore_missing: true}";
        assert_eq!(changed(rename, r#"{"a":{"b":1}}"#), json!({"a": {}, "c": 1}));
        let into_itself = "- rename: {fields: [{from: a, to: a.name}]}";
        assert_eq!(changed(into_itself, r#"{"a":1}"#), json!({"a": {"name": 1}}));
        let taken = "- rename: {fields: [{from: a, to: b}]}";
        assert_eq!(
            changed(taken, r#"{"a":1,"b":2}"#),
            json!({"a": 1, "b": 2, "error": {"message": "Failed to rename fields in processor: target field b already exists, drop or rename this field first"}})
        );
    }
}
