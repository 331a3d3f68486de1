//! `add_tags`: texts appended to the list `tags`, or another.

use std::sync::Arc;

use tailrace_common::{Event, Value};

use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct AddTags {
    target: Field,
    tags: Vec<Value>,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("tags");
    let target = Field::new(section.text("target").unwrap_or("tags"));
    Some(Arc::new(AddTags { target, tags: section.texts("tags").into_iter().map(Value::from).collect() }))
}

/// Appends texts to a list, which is made if it is missing.
pub(super) fn add_to(event: &mut Event, target: &Field, tags: &[Value]) -> Result<(), Failure> {
    let mut all = match target.get(event) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(held)) => held.clone(),
        Some(held @ Value::String(_)) => vec![held.clone()],
        Some(other) => return Err(Failure(format!("expected string array but got {}", super::field::go_type(other)))),
    };
    all.extend_from_slice(tags);
    target.put(event, all)
}

impl Processor for AddTags {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        add_to(event, &self.target, &self.tags).map(|()| Verdict::Keep)
    }

    fn is_per_file(&self) -> bool {
        !self.target.varies()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn tags_are_appended() {
        let tags = "- add_tags: {tags: [web, prod]}\n- add_tags: {target: environment.of, tags: [x]}";
        assert_eq!(
            changed(tags, r#"{"tags":["in"]}"#),
            json!({"tags": ["in", "web", "prod"], "environment": {"of": ["x"]}})
        );
    }
}
