//! Filter `json_encode`: a field as JSON text.

use tailrace_common::{Event, FieldPath, Value, json};

use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "json_encode",
    summary: "Writes a field as JSON text, in its place or into a target.",
    example: "filter { json_encode { source => \"labels\" target => \"labels_text\" } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    options.require("source");
    let source = options.field("source");
    let target = options.field("target").or_else(|| source.clone());
    let tags = options.tags("tag_on_failure", "_jsongeneratefailure");
    options.finish()?;
    Ok(Box::new(JsonEncode { source: source.ok_or(Invalid)?, target: target.ok_or(Invalid)?, tags }))
}

struct JsonEncode {
    source: FieldPath,
    target: FieldPath,
    tags: Vec<String>,
}

impl Filter for JsonEncode {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let mut text = Vec::with_capacity(64);
        // A field that is not there is null, and Logstash writes it.
        json::write(event.get(&self.source).unwrap_or(&Value::Null), &mut text);
        let text = String::from_utf8(text).unwrap_or_default();
        match event.set(&self.target, text) {
            Ok(()) => context.matched(event),
            Err(_) => context.failed(event, &self.tags),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::check;

    #[test]
    fn values_become_text() {
        for (config, event, expected) in [
            ("source => \"a\"", r#"{"a":{"b":[1,2.0,null,"x\"y"]}}"#, r#"{"a":"{\"b\":[1,2.0,null,\"x\\\"y\"]}"}"#),
            ("source => \"a\" target => \"[o][t]\"", r#"{"a":"x"}"#, r#"{"a":"x","o":{"t":"\"x\""}}"#),
            ("source => \"a\"", r#"{}"#, r#"{"a":"null"}"#),
            ("source => \"a\" target => \"[a][b]\"", r#"{"a":1}"#, r#"{"a":1,"tags":["_jsongeneratefailure"]}"#),
            ("source => \"@timestamp\" target => \"t\"", r#"{}"#, r#"{"t":"\"2024-03-15T08:30:45.123Z\""}"#),
        ] {
            check(&format!("json_encode {{ {config} }}"), event, &[expected]);
        }
    }
}
