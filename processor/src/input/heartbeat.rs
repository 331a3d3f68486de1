//! Input `heartbeat`: an event every so often, to see that the pipeline lives.

use std::sync::Arc;
use std::time::Duration;

use tailrace_common::{Event, FieldPath, Str, Timestamp, Value};

use super::stdin::host_name;
use super::{Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "heartbeat", summary: "Makes an event every so often.", build };

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let ecs = options.ecs().enabled();
    let interval = options.number("interval").unwrap_or(60.0).max(0.001);
    let count = options.integer("count").unwrap_or(-1);
    let message = options.string("message").unwrap_or_else(|| "ok".into());
    let sequence = options.one_of("sequence", &["none", "epoch", "sequence"], "");
    options.ignored("threads", "one thread is enough");
    options.ignored("codec", "the event has one field");
    options.finish()?;
    let clock = if ecs { FieldPath::field("event").child("sequence") } else { FieldPath::field("clock") };
    let host = if ecs { FieldPath::field("host").child("name") } else { FieldPath::field("host") };
    // A message of this name asks for the number, as of old.
    let beat = match (sequence, message.as_str()) {
        ("epoch", _) | ("", "epoch") => Beat::Epoch,
        ("sequence", _) | ("", "sequence") => Beat::Sequence,
        _ => Beat::Message(Str::from(message)),
    };
    let shape = Arc::new(Shape { beat, clock, host, decoration });
    Ok(Box::new(Heartbeat { interval: Duration::from_secs_f64(interval.min(1e9)), count, shape }))
}

struct Heartbeat {
    interval: Duration,
    /// Negative for ever.
    count: i64,
    shape: Arc<Shape>,
}

struct Shape {
    beat: Beat,
    clock: FieldPath,
    host: FieldPath,
    decoration: InputDecoration,
}

enum Beat {
    Message(Str),
    Epoch,
    Sequence,
}

impl Shape {
    fn event(&self, number: i64, now: Timestamp) -> Event {
        let mut event = Event::new(now);
        let number = match &self.beat {
            Beat::Message(text) => {
                event.fields_mut().insert("message", text.clone());
                None
            }
            Beat::Epoch => Some(now.secs),
            Beat::Sequence => Some(number),
        };
        // Nothing stands in the way in a new event.
        let _unset = number.map(|number| event.set(&self.clock, Value::Int(number)));
        let _unset = event.set(&self.host, host_name());
        self.decoration.apply(&mut event);
        event
    }
}

impl Input for Heartbeat {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let mut number = 0;
        while !feed.stopping() && (self.count < 0 || number < self.count) {
            let shape = self.shape.clone();
            if feed.send_free(1, move |now| vec![shape.event(number, now)]).is_err() {
                break;
            }
            number += 1;
            if number != self.count {
                feed.stop().sleep(self.interval);
            }
        }
        Ok(())
    }
}
