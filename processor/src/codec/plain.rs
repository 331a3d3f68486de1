//! Codec `plain`: the text is the message.

use tailrace_common::{Event, Str, Timestamp};

use super::{Codec, CodecDefinition};
use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition =
    CodecDefinition { name: "plain", summary: "Takes the text as it is for the message.", text: true, build };

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let ecs = options.ecs().enabled();
    let format = options.template("format");
    options.finish()?;
    Ok(Box::new(Plain { format, keep_original: ecs }))
}

struct Plain {
    format: Option<Template>,
    keep_original: bool,
}

impl Codec for Plain {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        events.push(message(text, now, self.keep_original));
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        encode_text(event, self.format.as_ref(), out);
    }
}

/// An event with the text as message and, under ECS, as `[event][original]`.
pub(super) fn message(text: Str, now: Timestamp, keep_original: bool) -> Event {
    let mut event = Event::with_message(text.clone(), now);
    if keep_original {
        original(&mut event, text);
    }
    event
}

/// Sets `[event][original]` unless it is set.
pub(super) fn original(event: &mut Event, text: Str) {
    let path = tailrace_common::FieldPath::field("event").child("original");
    if event.get(&path).is_none() {
        // An `event` that is no map keeps what it is.
        let _unset = event.set(&path, text);
    }
}

/// By `format`, else as Logstash's `Event#to_s`: time, host and message.
pub(super) fn encode_text(event: &Event, format: Option<&Template>, out: &mut Vec<u8>) {
    match format {
        Some(format) => {
            let text = format.render_lenient(event);
            out.extend_from_slice(text.as_bytes());
        }
        None => {
            if let Some(moment) = event.timestamp() {
                moment.write_iso8601(out);
                out.push(b' ');
            }
            let text = Template::parse("%{host} %{message}").render_lenient(event);
            out.extend_from_slice(text.as_bytes());
        }
    }
}
