//! Filter `json`: reads a field as JSON.

use tailrace_common::datetime::parse_event_time;
use tailrace_common::json::{self, Numbers};
use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use crate::options::{Invalid, Options};
use crate::plan::text::ruby_to_s;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "json",
    summary: "Reads a field as JSON into the event, or into a target.",
    example: "filter { json { source => \"message\" target => \"app\" } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    options.require("source");
    let source = options.field("source");
    let target = options.field("target");
    let skip_invalid = options.boolean("skip_on_invalid_json", false);
    let tags = options.tags("tag_on_failure", "_jsonparsefailure");
    // ECS changes no names here; Logstash only logs a hint about `target`.
    options.ecs();
    options.finish()?;
    Ok(Box::new(Json { source: source.ok_or(Invalid)?, target, skip_invalid, tags }))
}

struct Json {
    source: FieldPath,
    target: Option<FieldPath>,
    skip_invalid: bool,
    tags: Vec<String>,
}

impl Filter for Json {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let text = match event.get(&self.source) {
            None | Some(Value::Null) => return,
            Some(Value::String(text)) => text.clone(),
            // Logstash hands `to_s` of anything else to its parser.
            Some(other) => Str::from(ruby_to_s(other)),
        };
        let without_mark = text.strip_prefix('\u{feff}').unwrap_or_else(|| text.clone());
        // Most often the fields can be read to where they stay.
        let merged = match self.target {
            None => json::parse_into(&without_mark, Numbers::Decimal, event.fields_mut(), FieldPath::is_plain_name),
            Some(_) => Ok(false),
        };
        match merged {
            Ok(true) => return context.matched(event),
            Ok(false) => {}
            Err(_) => return self.failed(event, context),
        }
        match json::parse(&without_mark, Numbers::Decimal) {
            Err(_) => self.failed(event, context),
            Ok(value) => self.store(value, event, context),
        }
    }
}

impl Json {
    fn failed(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        if !self.skip_invalid {
            context.failed(event, &self.tags);
        }
    }

    fn store(&self, value: Value, event: &mut Event, context: &mut FilterContext<'_>) {
        let stored = match (&self.target, value) {
            (Some(target), value) => event.set(target, value).is_ok(),
            (None, Value::Object(fields)) => merge(fields, event, context.now),
            // What is no map cannot be the event.
            (None, _) => false,
        };
        if stored {
            context.matched(event);
        } else if !(self.skip_invalid && self.target.is_none()) {
            context.failed(event, &self.tags);
        }
    }
}

/// Sets each field of a document in the event, `@timestamp` last: it must be a time, else the event gets the current
/// one, and a tag. A name that is no field reference stops the merging; what came before it stays.
fn merge(mut fields: Object, event: &mut Event, now: Timestamp) -> bool {
    let moment = fields.remove("@timestamp");
    for (name, value) in fields {
        // Most names are no more than that.
        if FieldPath::is_plain_name(&name) {
            event.fields_mut().insert(name, value);
            continue;
        }
        let Ok(path) = FieldPath::parse(&name) else { return false };
        if event.set(&path, value).is_err() {
            return false;
        }
    }
    match moment {
        None | Some(Value::Null | Value::Bool(false)) => {}
        Some(moment) => set_timestamp(&moment, event, now),
    }
    true
}

fn set_timestamp(value: &Value, event: &mut Event, now: Timestamp) {
    match value.as_str().and_then(parse_event_time) {
        Some(moment) => event.set_timestamp(moment),
        None => {
            event.set_timestamp(now);
            event.tag("_timestampparsefailure");
            event.fields_mut().insert("_@timestamp", ruby_to_s(value));
        }
    }
}
