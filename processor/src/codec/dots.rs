//! Codec `dots`: a dot for each event, to watch how fast they come.

use tailrace_common::{Event, Str, Timestamp};

use super::plain::message;
use super::{Codec, CodecDefinition};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition =
    CodecDefinition { name: "dots", summary: "Prints a dot for each event.", text: false, build };

fn build(options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    options.finish()?;
    Ok(Box::new(Dots))
}

struct Dots;

impl Codec for Dots {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        events.push(message(text, now, false));
    }

    fn encode(&self, _event: &Event, out: &mut Vec<u8>) {
        out.push(b'.');
    }
}
