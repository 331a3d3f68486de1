//! Codecs `json` and `json_lines`: documents, one per text or one per line.

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use super::plain::{message, original};
use super::{Codec, CodecDefinition, Framing};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition = CodecDefinition {
    name: "json",
    summary: "Reads JSON documents; a list makes several events.",
    text: true,
    build: build_json,
};

pub(super) const LINES_DEFINITION: CodecDefinition = CodecDefinition {
    name: "json_lines",
    summary: "Reads and writes one JSON document per line.",
    text: true,
    build: build_lines,
};

fn build_json(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let keep_original = options.ecs().enabled();
    let target = options.field("target");
    options.finish()?;
    Ok(Box::new(Json { target, keep_original, lines: None }))
}

fn build_lines(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let keep_original = options.ecs().enabled();
    let target = options.field("target");
    let delimiter = options.string("delimiter").filter(|text| !text.is_empty()).unwrap_or_else(|| "\n".into());
    options.ignored("decode_size_limit_bytes", "inputs limit the size of a record");
    options.finish()?;
    Ok(Box::new(Json { target, keep_original, lines: Some(delimiter) }))
}

struct Json {
    target: Option<FieldPath>,
    keep_original: bool,
    /// The delimiter, for `json_lines`.
    lines: Option<String>,
}

impl Codec for Json {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        match &self.lines {
            Some(delimiter) => {
                for line in text.as_str().split(delimiter.as_str()).filter(|line| !line.trim().is_empty()) {
                    self.document(text.slice_ref(line), now, events);
                }
            }
            None => self.document(text, now, events),
        }
    }

    fn framing(&self) -> Framing {
        Framing::Lines(self.lines.clone().unwrap_or_else(|| "\n".into()))
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        event.write_json(out);
        if let Some(delimiter) = &self.lines {
            out.extend_from_slice(delimiter.as_bytes());
        }
    }
}

impl Json {
    fn document(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        if text.as_str().trim().is_empty() {
            return;
        }
        match json::parse(&text, Numbers::Float) {
            Ok(Value::Object(fields)) => events.push(self.event(fields, Some(text), now)),
            Ok(Value::Array(values)) if values.iter().all(|value| matches!(value, Value::Object(_))) => {
                // The text is the original of an event by itself only.
                let original = Some(text).filter(|_| values.len() == 1);
                for value in values {
                    if let Value::Object(fields) = value {
                        events.push(self.event(fields, original.clone(), now));
                    }
                }
            }
            // Logstash: what is no document becomes the message of a tagged event.
            Ok(_) | Err(_) => {
                let mut event = message(text, now, self.keep_original);
                event.tag("_jsonparsefailure");
                events.push(event);
            }
        }
    }

    fn event(&self, fields: Object, text: Option<Str>, now: Timestamp) -> Event {
        let mut event = super::event_of(fields, self.target.as_ref(), now);
        if let Some(text) = text.filter(|_| self.keep_original && self.lines.is_none()) {
            original(&mut event, text);
        }
        event
    }
}
