//! Input `exec`: what a command prints, every so often. Off unless the operator allows commands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use super::cron::Schedule;
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
    let interval = options.number("interval");
    let schedule = options.string("schedule");
    if interval.is_some() && schedule.is_some() {
        options.error_at("schedule", "set either 'interval' or 'schedule'");
    }
    let times = match schedule.map(|text| Schedule::parse(&text, &build.timezone)) {
        Some(Ok(schedule)) => Times::At(schedule),
        Some(Err(message)) => {
            options.error_at("schedule", message);
            Times::Every(Duration::MAX)
        }
        None => {
            options.require("interval");
            Times::Every(Duration::from_secs_f64(interval.unwrap_or(60.0).clamp(0.001, 1e9)))
        }
    };
    let codec = codec::from_option(&mut options, build, "plain");
    must_be_allowed(&mut options);
    options.finish()?;
    let shape = Shape { command: Str::from(command.as_str()), codec: codec?, ecs, decoration };
    Ok(Box::new(Exec { command, times, shape: Arc::new(shape) }))
}

struct Exec {
    command: String,
    times: Times,
    shape: Arc<Shape>,
}

/// When the command runs.
enum Times {
    /// At once, and then so often.
    Every(Duration),
    At(Schedule),
}

impl Times {
    /// Waits before a run, of which the one before began at `last`; false when there is none.
    fn wait(&self, last: Option<Instant>, feed: &Feed) -> bool {
        match (self, last) {
            (Times::Every(_), None) => {}
            (Times::Every(interval), Some(last)) => feed.stop().sleep(interval.saturating_sub(last.elapsed())),
            (Times::At(schedule), _) => {
                let now = Timestamp::now();
                let Some(next) = schedule.next(now) else {
                    tracing::warn!("the schedule of the input 'exec' is never due");
                    return false;
                };
                let millis = next.as_millis().saturating_sub(now.as_millis());
                feed.stop().sleep(Duration::from_millis(u64::try_from(millis).unwrap_or_default()));
            }
        }
        !feed.stopping()
    }
}

struct Shape {
    command: Str,
    codec: Box<dyn Codec>,
    ecs: bool,
    decoration: InputDecoration,
}

impl Input for Exec {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let mut last = None;
        while self.times.wait(last, feed) {
            last = Some(Instant::now());
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
