//! Input `generator`: the same lines over and over, for tests and measurements.

use std::sync::Arc;

use tailrace_common::{FieldPath, Str, Value};

use super::{Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::codec::{self, Codec};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "generator", summary: "Makes events of the same lines, over and over.", build };

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let ecs = options.ecs().enabled();
    let codec = codec::from_option(&mut options, build, "plain");
    let mut lines = options.strings("lines");
    let message = options.string("message").unwrap_or_else(|| "Hello world!".into());
    let count = options.integer("count").unwrap_or(0).max(0) as u64;
    options.ignored("threads", "one thread keeps the workers busy");
    options.finish()?;
    if lines.is_empty() {
        lines.push(message);
    }
    let sequence = if ecs { FieldPath::field("event").child("sequence") } else { FieldPath::field("sequence") };
    let lines = lines.into_iter().map(Str::from).collect();
    Ok(Box::new(Generator { count, context: Arc::new(Context { codec: codec?, decoration, lines, sequence }) }))
}

struct Generator {
    /// How often all lines are given out; 0 for ever.
    count: u64,
    context: Arc<Context>,
}

struct Context {
    codec: Box<dyn Codec>,
    decoration: InputDecoration,
    lines: Vec<Str>,
    sequence: FieldPath,
}

impl Input for Generator {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let lines = self.context.lines.len() as u64;
        let total = if self.count == 0 { u64::MAX } else { self.count.saturating_mul(lines) };
        let mut next = 0;
        while next < total && !feed.stopping() {
            let numbers = next..total.min(next + feed.batch_size as u64);
            next = numbers.end;
            let context = self.context.clone();
            let count = (numbers.end - numbers.start) as usize;
            let sent = feed.send_free(count, move |now| {
                let mut events = Vec::with_capacity(count);
                for number in numbers {
                    let from = events.len();
                    context.codec.decode(context.lines[(number % lines) as usize].clone(), now, &mut events);
                    for event in &mut events[from..] {
                        // Nothing stands in the way in an event just made, or it keeps what it is.
                        let _unset = event.set(&context.sequence, Value::Int((number / lines) as i64));
                        context.decoration.apply(event);
                    }
                }
                events
            });
            if sent.is_err() {
                break;
            }
        }
        Ok(())
    }
}
