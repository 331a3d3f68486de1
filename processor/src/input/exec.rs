//! Input `exec`: what a command prints, every so often. Off unless the operator allows commands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use super::stdin::host_name;
use super::{Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::codec::{self, Codec, decode_pieces};
use crate::command::{Ran, must_be_allowed, run};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: InputDefinition = InputDefinition {
    name: "exec",
    summary: "Takes what a command prints, every so often; off unless it is allowed.",
    build,
};

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let ecs = options.ecs().enabled();
    let command = options.required_string("command");
    if options.string("schedule").is_some() {
        options.error_at(
            "schedule",
            "'schedule' is not supported; set 'interval' in seconds, or let cron run the command",
        );
    } else {
        options.require("interval");
    }
    let interval = options.number("interval").unwrap_or(60.0).clamp(0.001, 1e9);
    let codec = codec::from_option(&mut options, build, "plain");
    must_be_allowed(&mut options);
    options.finish()?;
    let shape = Shape { command: Str::from(command.as_str()), codec: codec?, ecs, decoration };
    Ok(Box::new(Exec { command, interval: Duration::from_secs_f64(interval), shape: Arc::new(shape) }))
}

struct Exec {
    command: String,
    interval: Duration,
    shape: Arc<Shape>,
}

struct Shape {
    command: Str,
    codec: Box<dyn Codec>,
    ecs: bool,
    decoration: InputDecoration,
}

impl Input for Exec {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        while !feed.stopping() {
            let started = Instant::now();
            match run(&self.command) {
                Err(error) => tracing::error!(command = self.command, %error, "cannot run the command"),
                Ok(ran) if ran.printed.is_empty() => {}
                Ok(ran) => {
                    let shape = self.shape.clone();
                    if feed.send_free(1, move |now| shape.events(ran, now)).is_err() {
                        break;
                    }
                }
            }
            feed.stop().sleep(self.interval.saturating_sub(started.elapsed()));
        }
        Ok(())
    }
}

impl Shape {
    fn events(&self, mut ran: Ran, now: Timestamp) -> Vec<Event> {
        let printed = std::mem::take(&mut ran.printed);
        let length = printed.len();
        decode_pieces(&*self.codec, printed, std::slice::from_ref(&(0..length)), now, |_, events| {
            events.iter_mut().for_each(|event| self.describe(event, &ran));
        })
    }

    /// What ran, where, for how long, and how it ended.
    fn describe(&self, event: &mut Event, ran: &Ran) {
        let code = ran.code.map_or(Value::Null, Value::from);
        let set = |event: &mut Event, path: &[&str], value: Value| {
            let mut keys = path.iter();
            let first = keys.next().copied().unwrap_or_default();
            let path = keys.fold(FieldPath::field(first), |path, key| path.child(key));
            // What the codec has set stays.
            if event.get(&path).is_none() {
                let _no_place = event.set(&path, value);
            }
        };
        if self.ecs {
            set(event, &["host", "name"], host_name().into());
            set(event, &["process", "command_line"], self.command.clone().into());
            set(event, &["process", "exit_code"], code);
            let nanos = i64::try_from(ran.took.as_nanos()).unwrap_or(i64::MAX);
            let elapsed: Object = [("elapsed_time", nanos)].into_iter().collect();
            let process: Object = [("process", elapsed)].into_iter().collect();
            let exec: Object = [("exec", process)].into_iter().collect();
            event.metadata_mut().insert("input", exec);
        } else {
            set(event, &["host"], host_name().into());
            set(event, &["command"], self.command.clone().into());
            event.metadata_mut().insert("duration", ran.took.as_secs_f64());
            event.metadata_mut().insert("exit_status", code);
        }
        self.decoration.apply(event);
    }
}
