//! Codec `rubydebug`: events as the `awesome_print` gem shows a hash.

use tailrace_common::{Event, Object, Str, Timestamp, Value};

use super::plain::message;
use super::{Codec, CodecDefinition};
use crate::options::{Invalid, Options};
use crate::plan::text::ruby_inspect;
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition =
    CodecDefinition { name: "rubydebug", summary: "Prints events for people.", text: false, build };

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let metadata = options.boolean("metadata", false);
    options.finish()?;
    Ok(Box::new(RubyDebug { metadata }))
}

struct RubyDebug {
    metadata: bool,
}

impl Codec for RubyDebug {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        events.push(message(text, now, false));
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        let mut fields = event.fields().clone();
        if self.metadata && !event.metadata().is_empty() {
            fields.insert("@metadata", event.metadata().clone());
        }
        let mut text = String::with_capacity(512);
        hash(&fields, 4, &mut text);
        out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
    }
}

/// Deeper parts are shown on one line.
const DEEPEST: usize = 400;

/// A map: keys right-aligned to the longest, one entry a line.
fn hash(object: &Object, indent: usize, out: &mut String) {
    if object.is_empty() || indent > DEEPEST {
        out.push_str(&if object.is_empty() { "{}".into() } else { ruby_inspect(&Value::Object(object.clone())) });
        return;
    }
    let names: Vec<_> = object.keys().map(|name| ruby_inspect(&Value::String(name.clone()))).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    out.push_str("{\n");
    for (at, (name, value)) in names.iter().zip(object.values()).enumerate() {
        let padding = indent + longest - name.chars().count();
        out.extend(std::iter::repeat_n(' ', padding));
        out.push_str(name);
        out.push_str(" => ");
        shown(value, indent + 4, out);
        out.push_str(if at + 1 < names.len() { ",\n" } else { "\n" });
    }
    out.extend(std::iter::repeat_n(' ', indent - 4));
    out.push('}');
}

fn shown(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(object) => hash(object, indent, out),
        Value::Array(values) if !values.is_empty() && indent <= DEEPEST => {
            let width = (values.len() - 1).to_string().len();
            out.push_str("[\n");
            for (at, item) in values.iter().enumerate() {
                out.extend(std::iter::repeat_n(' ', indent));
                out.push_str(&format!("[{at:>width$}] "));
                shown(item, indent + 4, out);
                out.push_str(if at + 1 < values.len() { ",\n" } else { "\n" });
            }
            out.extend(std::iter::repeat_n(' ', indent - 4));
            out.push(']');
        }
        Value::Timestamp(moment) => out.push_str(&moment.to_string()),
        other => out.push_str(&ruby_inspect(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_awesome_print_shows_it() {
        let mut event = Event::with_message("a \"b\"".into(), Timestamp::from_millis(1_710_491_445_123));
        event.fields_mut().insert("tags", Value::Array(vec!["x".into(), "y".into()]));
        event.fields_mut().insert("host", [("name", "h1")].into_iter().collect::<Object>());
        let mut out = Vec::new();
        RubyDebug { metadata: false }.encode(&event, &mut out);
        let wanted = r#"{
    "@timestamp" => 2024-03-15T08:30:45.123Z,
      "@version" => "1",
       "message" => "a \"b\"",
          "tags" => [
        [0] "x",
        [1] "y"
    ],
          "host" => {
        "name" => "h1"
    }
}
"#;
        assert_eq!(String::from_utf8_lossy(&out), wanted);
    }
}
