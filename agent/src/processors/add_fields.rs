//! `add_fields`: fixed fields, under `target`.

use std::sync::Arc;

use tailrace_common::{Event, Object, Value};

use super::{Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::config::value::fields;
use crate::document::deep_merge;
use crate::pipeline::FileMeta;

#[derive(Debug)]
pub(crate) struct AddFields {
    added: Object,
    metadata: Object,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("fields");
    let target = section.text_or_empty("target").unwrap_or("fields");
    Some(Arc::new(AddFields::new(target, fields(section, "fields"))))
}

impl AddFields {
    /// Adds `fields` under the key `target`, which may hold dots; an empty one is the root.
    pub(super) fn new(target: &str, fields: Object) -> AddFields {
        let mut added = if target.is_empty() { fields } else { [(target.to_owned(), fields)].into_iter().collect() };
        let metadata = match added.remove("@metadata") {
            Some(Value::Object(metadata)) => metadata,
            _ => Object::new(),
        };
        added.remove("@timestamp");
        AddFields { added, metadata }
    }
}

impl Processor for AddFields {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        deep_merge(event.fields_mut(), self.added.clone(), true);
        if !self.metadata.is_empty() {
            deep_merge(event.metadata_mut(), self.metadata.clone(), true);
        }
        Ok(Verdict::Keep)
    }

    fn is_per_file(&self) -> bool {
        !self.metadata.contains("_id") && !self.added.keys().any(|name| Field::new(name).varies() || name == "log")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn fields_go_under_their_target() {
        let added = "
- add_fields: {fields: {project: shop, build: 77}}
- add_fields: {target: '', fields: {service: {name: web}, 'dotted.key': v, '@metadata': {raw: 1}}}
- add_fields: {target: meta.deep, fields: {a: 1}}";
        assert_eq!(
            changed(added, r#"{"service":{"id":1}}"#),
            json!({"fields": {"project": "shop", "build": 77}, "service": {"id": 1, "name": "web"},
                   "dotted": {"key": "v"}, "meta.deep": {"a": 1}})
        );
    }
}
