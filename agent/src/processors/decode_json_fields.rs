//! `decode_json_fields`: texts that are JSON become what they stand for.

use std::sync::Arc;

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Event, Object, Str, Value};

use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::decode::{gojson, ndjson};
use crate::document::{expand, write_keys};
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct DecodeJson {
    fields: Vec<Field>,
    /// `None`: each field's own place.
    target: Option<Target>,
    max_depth: usize,
    process_array: bool,
    overwrite_keys: bool,
    expand_keys: bool,
    add_error_key: bool,
    document_id: Option<Field>,
}

#[derive(Debug)]
enum Target {
    Root,
    Field(Field),
}

/// Texts within texts are decoded no deeper.
const DEEPEST: usize = 32;

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("fields");
    let target = section
        .text_or_empty("target")
        .map(|target| if target.is_empty() { Target::Root } else { Target::Field(Field::new(target)) });
    let max_depth = section.count("max_depth").unwrap_or(1);
    if !(1..=DEEPEST).contains(&max_depth) {
        section.error("max_depth", format!("'max_depth' must be from 1 to {DEEPEST}"), None);
    }
    Some(Arc::new(DecodeJson {
        fields: section.texts("fields").iter().map(|name| Field::new(name)).collect(),
        target,
        max_depth,
        process_array: section.boolean("process_array", false),
        overwrite_keys: section.boolean("overwrite_keys", false),
        expand_keys: section.boolean("expand_keys", false),
        add_error_key: section.boolean("add_error_key", false),
        document_id: section.text("document_id").map(Field::new),
    }))
}

/// The one value of a text. Numbers that are in no map stay text, as Filebeat leaves them.
fn decode(text: &str) -> Result<Value, String> {
    let end = gojson::first_value(text.as_bytes())?;
    match text.as_bytes()[end..].iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => {}
        Some(b']' | b'}') => {
            let found = char::from(text.as_bytes()[end..].trim_ascii_start()[0]);
            return Err(format!("invalid character '{found}' looking for beginning of value"));
        }
        Some(_) => return Err("multiple json elements found".to_owned()),
    }
    let mut value = json::parse(&Str::from(text), Numbers::Float).map_err(|error| error.to_string())?;
    match &mut value {
        number @ (Value::Int(_) | Value::Float(_) | Value::BigInt(_) | Value::Decimal(_)) => {
            *number = Value::from(text.trim());
        }
        other => ndjson::as_go(other),
    }
    Ok(value)
}

/// Decodes texts within a decoded value, too. The depth, which the configuration bounds, bounds the recursion.
fn deepen(value: &mut Value, depth: usize, arrays: bool) {
    if depth <= 1 {
        return;
    }
    let decode_one = |value: &mut Value| {
        let Value::String(text) = &*value else { return };
        let trimmed = text.trim();
        let structured = (trimmed.starts_with('{') && trimmed.ends_with('}'))
            || (trimmed.starts_with('[') && trimmed.ends_with(']'));
        if structured && let Ok(mut inner) = decode(text) {
            if matches!(inner, Value::Array(_)) && !arrays && depth > 2 {
                return;
            }
            deepen(&mut inner, depth - 1, arrays);
            *value = inner;
        }
    };
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| decode_one(value)),
        Value::Array(items) if arrays => items.iter_mut().for_each(decode_one),
        _ => {}
    }
}

impl DecodeJson {
    fn field(&self, event: &mut Event, field: &Field) -> Result<(), Failure> {
        let Some(text) = field.get(event).and_then(Value::as_str).map(Str::from) else { return Ok(()) };
        let mut value = match decode(&text) {
            Ok(value) => value,
            Err(reason) => {
                let reason = format!("parsing input as JSON: {reason}");
                if self.add_error_key {
                    let error: Object =
                        [("message", reason.as_str()), ("data", &text), ("field", field.name()), ("type", "json")]
                            .into_iter()
                            .collect();
                    event.fields_mut().insert("error", error);
                }
                return Err(Failure(reason));
            }
        };
        deepen(&mut value, self.max_depth, self.process_array);
        if let (Some(id), Value::Object(decoded)) = (&self.document_id, &mut value) {
            let mut decoded_event = Event::bare(std::mem::take(decoded));
            if let Some(Value::String(id)) = id.remove(&mut decoded_event) {
                event.metadata_mut().insert("_id", id);
            }
            *decoded = std::mem::take(decoded_event.fields_mut());
        }
        if let (true, Value::Object(decoded)) = (self.expand_keys, &mut value) {
            *decoded = expand(std::mem::take(decoded));
        }
        match (&self.target, value) {
            (None, value) => field.put(event, value),
            (Some(Target::Field(target)), value) => target.put(event, value),
            (Some(Target::Root), Value::Object(decoded)) => {
                write_keys(decoded, self.overwrite_keys, self.add_error_key, event);
                Ok(())
            }
            (Some(Target::Root), _) => Err(Failure("failed to add target to root".to_owned())),
        }
    }
}

impl Processor for DecodeJson {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let mut failure = None;
        for field in &self.fields {
            if let Err(reason) = self.field(event, field) {
                failure = Some(reason);
            }
        }
        failure.map_or(Ok(Verdict::Keep), Err)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::{changed, run};

    #[test]
    fn json_takes_its_texts_place() {
        let decode = "- decode_json_fields: {fields: [m], add_error_key: true}";
        assert_eq!(changed(decode, r#"{"m":"{\"a\":{\"b\":1.0}}"}"#), json!({"m": {"a": {"b": 1}}}));
        assert_eq!(changed(decode, r#"{"m":" 7 "}"#), json!({"m": "7"}));
        assert_eq!(
            changed(decode, r#"{"m":"{\"a\":1} {}"}"#),
            json!({"m": "{\"a\":1} {}", "error": {"message": "parsing input as JSON: multiple json elements found", "data": "{\"a\":1} {}", "field": "m", "type": "json"}})
        );
        assert_eq!(changed(decode, r#"{"n":1}"#), json!({"n": 1}));
    }

    #[test]
    fn json_goes_to_the_root_or_elsewhere() {
        let root = "- decode_json_fields: {fields: [m], target: '', document_id: id}";
        let (_, event) = run(root, r#"{"m":"{\"a\":2,\"b\":3,\"id\":\"x\"}","a":1}"#);
        assert_eq!(
            crate::processors::field::tests::fields_of(&event),
            json!({"m": "{\"a\":2,\"b\":3,\"id\":\"x\"}", "a": 1, "b": 3})
        );
        assert_eq!(event.metadata().get("_id"), Some(&"x".into()));
        let target = "- decode_json_fields: {fields: [m], target: t.u, expand_keys: true, overwrite_keys: true}";
        assert_eq!(changed(target, r#"{"m":"{\"a.b\":1}"}"#)["t"], json!({"u": {"a": {"b": 1}}}));
    }

    #[test]
    fn texts_within_are_decoded_as_deep_as_asked() {
        let deep =
            |depth: u8| format!("- decode_json_fields: {{fields: [m], max_depth: {depth}, process_array: true}}");
        let event = r#"{"m":"{\"s\":\"{\\\"t\\\":\\\"[1]\\\"}\"}"}"#;
        assert_eq!(changed(&deep(1), event)["m"], json!({"s": "{\"t\":\"[1]\"}"}));
        assert_eq!(changed(&deep(2), event)["m"], json!({"s": {"t": "[1]"}}));
        assert_eq!(changed(&deep(3), event)["m"], json!({"s": {"t": [1]}}));
    }
}
