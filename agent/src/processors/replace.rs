//! `replace`: regular expressions in texts.

use std::sync::Arc;

use tailrace_common::Event;

use super::edit::Strictness;
use super::field::{go_type, text_of};
use super::{Failure, Field, Outcome, Processor};
use crate::config::section::Section;
use crate::decode::Pattern;
use crate::document::to_text;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct Replace {
    fields: Vec<Item>,
    strictness: Strictness,
}

#[derive(Debug)]
struct Item {
    field: Field,
    pattern: Pattern,
    replacement: String,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("fields");
    let items = section.maps("fields");
    let fields = items.iter().filter_map(|item| {
        let (field, replacement) = (item.required("field"), item.text_or_empty("replacement"));
        if replacement.is_none() {
            item.require("replacement");
        }
        let pattern = item.pattern("pattern", true);
        Some(Item { field: Field::new(field?), pattern: pattern?, replacement: replacement?.to_owned() })
    });
    Some(Arc::new(Replace { fields: fields.collect(), strictness: Strictness::read(section) }))
}

impl Processor for Replace {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        self.strictness.each(event, &self.fields, "Failed to replace fields in processor", |event, item| {
            let Some(value) = self.strictness.value(&item.field, event)? else { return Ok(()) };
            let Some(text) = value.as_str() else {
                return Err(Failure(format!(
                    "key '{}' expected type string, but got {} with value '{}'",
                    item.field.name(),
                    go_type(value),
                    text_of(value)
                )));
            };
            let replaced = item.pattern.replace_all(text.as_bytes(), item.replacement.as_bytes());
            let replaced = to_text(&replaced);
            item.field.put(event, replaced)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn patterns_are_replaced() {
        let replace = r"- replace: {fields: [{field: a.path, pattern: '(\d+)/', replacement: '<$1>'}, {field: b, pattern: x, replacement: ''}]}";
        assert_eq!(
            changed(replace, r#"{"a":{"path":"/1/22/x"},"b":"xyx"}"#),
            json!({"a": {"path": "/<1><22>x"}, "b": "y"})
        );
        assert_eq!(
            changed(replace, r#"{"a":{"path":"/1/"},"b":7}"#),
            json!({"a": {"path": "/1/"}, "b": 7,
                   "error": {"message": "Failed to replace fields in processor: key 'b' expected type string, but got int64 with value '7'"}})
        );
    }
}
