//! `move_fields`: the fields of one map to another.

use std::sync::Arc;

use tailrace_common::{Event, Value};

use super::rename::move_value;
use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct MoveFields {
    from: String,
    to: String,
    /// Names below `from`; none stands for all that there are.
    fields: Vec<String>,
    exclude: Vec<String>,
    ignore_missing: bool,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    Some(Arc::new(MoveFields {
        from: section.text_or_empty("from").unwrap_or_default().to_owned(),
        to: section.text_or_empty("to").unwrap_or_default().to_owned(),
        fields: section.texts("fields"),
        exclude: section.texts("exclude"),
        ignore_missing: section.boolean("ignore_missing", false),
    }))
}

impl MoveFields {
    fn names(&self, event: &Event) -> Result<Vec<String>, Failure> {
        if !self.fields.is_empty() {
            return Ok(self.fields.clone());
        }
        let parent = if self.from.is_empty() {
            event.fields()
        } else {
            match Field::new(&self.from).get(event) {
                Some(Value::Object(parent)) => parent,
                None if self.ignore_missing => return Ok(Vec::new()),
                _ => return Err(Failure(format!("'{}' is no map of fields", self.from))),
            }
        };
        Ok(parent.keys().filter(|name| *name != "@timestamp").map(ToString::to_string).collect())
    }
}

impl Processor for MoveFields {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        for name in self.names(event)? {
            if self.exclude.contains(&name) {
                continue;
            }
            let from = if self.from.is_empty() { name.clone() } else { format!("{}.{name}", self.from) };
            let from = Field::new(&from);
            if from.get(event).is_none() {
                if self.ignore_missing {
                    continue;
                }
                return Err(Failure(format!("could not move field '{}': key not found", from.name())));
            }
            move_value(event, &from, &Field::new(&format!("{}{name}", self.to)))?;
        }
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    /// `to` is put before the name as it is, so that it ends with a dot where it names a map.
    #[test]
    fn fields_move_to_another_map() {
        let all = "- move_fields: {from: app, to: rpc., fields: [method, elapsed]}";
        assert_eq!(
            changed(all, r#"{"app":{"method":"a","elapsed":100,"user_id":100}}"#),
            json!({"app": {"user_id": 100}, "rpc": {"method": "a", "elapsed": 100}})
        );
        let except = "- move_fields: {from: app, exclude: [x], to: app_}";
        assert_eq!(changed(except, r#"{"app":{"x":1,"y":2}}"#), json!({"app": {"x": 1}, "app_y": 2}));
    }
}
