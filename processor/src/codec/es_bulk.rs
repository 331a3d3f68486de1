//! Codec `es_bulk`: the body of an Elasticsearch bulk request; each document with its action in `[@metadata][codec]...`.

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Event, FieldPath, Str, Timestamp, Value};

use super::plain::message;
use super::{Codec, CodecDefinition};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition =
    CodecDefinition { name: "es_bulk", summary: "Reads the body of a bulk request.", text: false, build };

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let ecs = options.ecs().enabled();
    let target = options.field("target");
    options.finish()?;
    let metadata = FieldPath::metadata();
    let action = if ecs { metadata.child("codec").child("es_bulk") } else { metadata };
    Ok(Box::new(EsBulk { target, action, keep_original: ecs }))
}

struct EsBulk {
    target: Option<FieldPath>,
    /// Where the action line goes.
    action: FieldPath,
    keep_original: bool,
}

impl Codec for EsBulk {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        let mut action: Option<Value> = None;
        for line in text.as_str().split('\n').filter(|line| !line.trim().is_empty()) {
            let parsed = json::parse(&text.slice_ref(line), Numbers::Float);
            let Ok(Value::Object(object)) = parsed else {
                let mut event = message(text.slice_ref(line), now, self.keep_original);
                event.tag("_jsonparsefailure");
                events.push(event);
                action = None;
                continue;
            };
            let Some(held) = action.take() else {
                let deletes = object.contains("delete");
                let details = flattened(object);
                // An action without a document is an event of its own.
                if deletes {
                    events.push(self.event(Value::Null, details, now))
                } else {
                    action = Some(details)
                }
                continue;
            };
            events.push(self.event(Value::Object(object), held, now));
        }
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        event.write_json(out);
        out.push(b'\n');
    }
}

/// `{"index":{"_id":"1"}}` as `{"action":"index","_id":"1"}`.
fn flattened(object: tailrace_common::Object) -> Value {
    let mut details = tailrace_common::Object::new();
    if let Some((name, value)) = object.into_iter().next() {
        details.insert("action", name);
        if let Value::Object(inner) = value {
            inner.into_iter().for_each(|(name, value)| drop(details.insert(name, value)));
        }
    }
    Value::Object(details)
}

impl EsBulk {
    fn event(&self, document: Value, action: Value, now: Timestamp) -> Event {
        let mut event = match document {
            Value::Object(fields) => super::event_of(fields, self.target.as_ref(), now),
            _ => Event::new(now),
        };
        let _unset = event.set(&self.action, action);
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_documents() {
        let codec = EsBulk { target: None, action: FieldPath::metadata(), keep_original: false };
        let mut events = Vec::new();
        let text = "{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\n{\"delete\":{\"_id\":\"2\"}}\n{\"create\":{}}\n{\"a\":2}\n";
        codec.decode(text.into(), Timestamp::EPOCH, &mut events);
        let seen: Vec<_> = events
            .iter()
            .map(|event| (event.metadata().get("action"), event.metadata().get("_id"), event.fields().get("a")))
            .collect();
        let (index, delete, create) = ("index".into(), "delete".into(), "create".into());
        assert_eq!(
            seen,
            [
                (Some(&index), Some(&"1".into()), Some(&Value::Int(1))),
                (Some(&delete), Some(&"2".into()), None),
                (Some(&create), None, Some(&Value::Int(2))),
            ]
        );
    }
}
