//! Codec `line`: each line is a message.

use tailrace_common::{Event, Str, Timestamp};

use super::plain::{encode_text, message};
use super::{Codec, CodecDefinition, Framing};
use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition =
    CodecDefinition { name: "line", summary: "Takes each line for a message.", text: true, build };

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let keep_original = options.ecs().enabled();
    let format = options.template("format");
    let delimiter = options.string("delimiter").filter(|text| !text.is_empty()).unwrap_or_else(|| "\n".into());
    options.finish()?;
    Ok(Box::new(Line { format, delimiter, keep_original }))
}

struct Line {
    format: Option<Template>,
    delimiter: String,
    keep_original: bool,
}

impl Codec for Line {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        let whole = text.as_str();
        // The last line's end begins no further line; an empty line is an event.
        for line in whole.strip_suffix(self.delimiter.as_str()).unwrap_or(whole).split(self.delimiter.as_str()) {
            events.push(message(text.slice_ref(line), now, self.keep_original));
        }
    }

    fn framing(&self) -> Framing {
        Framing::Lines(self.delimiter.clone())
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        encode_text(event, self.format.as_ref(), out);
        out.extend_from_slice(self.delimiter.as_bytes());
    }
}
