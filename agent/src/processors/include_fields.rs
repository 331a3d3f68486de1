//! `include_fields`: all fields but these go; `@timestamp` and `@metadata` stay.

use std::sync::Arc;

use tailrace_common::{Event, Object};

use super::drop_fields::{matching, names_and_patterns};
use super::{Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::decode::Pattern;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct IncludeFields {
    fields: Vec<Field>,
    patterns: Vec<Pattern>,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("fields");
    let (mut fields, patterns) = names_and_patterns(section);
    fields.retain(|field| !field.name().starts_with("@metadata"));
    // Filebeat keeps the field `type` too.
    fields.extend([Field::new("@timestamp"), Field::new("type")]);
    Some(Arc::new(IncludeFields { fields, patterns }))
}

impl Processor for IncludeFields {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let by_pattern = if self.patterns.is_empty() { Vec::new() } else { matching(event.fields(), &self.patterns) };
        let mut kept = Event::bare(Object::with_capacity(self.fields.len()));
        for field in self.fields.iter().chain(&by_pattern) {
            if let Some(value) = field.get(event) {
                field.put(&mut kept, value.clone())?;
            }
        }
        *event.fields_mut() = std::mem::take(kept.fields_mut());
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn only_what_is_named_stays() {
        let keep = "- include_fields: {fields: [a.b, nope, '/^x/']}";
        assert_eq!(
            changed(keep, r#"{"a":{"b":1,"c":2},"d":3,"x1":4,"type":"t"}"#),
            json!({"a": {"b": 1}, "type": "t", "x1": 4})
        );
    }
}
