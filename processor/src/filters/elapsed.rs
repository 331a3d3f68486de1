//! Filter `elapsed`: the time between the event that starts a task and the one that ends it.

use std::sync::{Mutex, PoisonError};

use tailrace_common::{Event, FieldPath, Timestamp, Value};

use crate::lookup::{Ordered, host_name};
use crate::options::{Invalid, Options};
use crate::plan::text::ruby_to_s;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "elapsed",
    summary: "The time between the event that starts a task and the one that ends it.",
    example: "filter { elapsed { start_tag => \"started\" end_tag => \"ended\" unique_id_field => \"task\" timeout => 600 } }",
    build,
};

/// Tasks that are remembered; beyond it the oldest count as expired.
const MOST_TASKS: usize = 1_000_000;
/// Seconds between two flushes.
const FLUSH_SECONDS: i64 = 5;

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let start = options.required_string("start_tag");
    let end = options.required_string("end_tag");
    options.require("unique_id_field");
    let id = options.field("unique_id_field");
    let timeout = options.number("timeout").unwrap_or(1800.0);
    let new_event = options.boolean("new_event_on_match", false);
    let keep_last = options.one_of("keep_start_event", &["first", "last"], "first") == "last";
    options.finish()?;
    Ok(Box::new(Elapsed {
        start,
        end,
        id: id.ok_or(Invalid)?,
        timeout,
        new_event,
        keep_last,
        tasks: Mutex::new(Ordered::new(MOST_TASKS)),
    }))
}

struct Elapsed {
    start: String,
    end: String,
    id: FieldPath,
    timeout: f64,
    new_event: bool,
    keep_last: bool,
    tasks: Mutex<Ordered<Start>>,
}

/// What is kept of an event that starts a task.
struct Start {
    id: Value,
    moment: Option<Timestamp>,
    /// Seconds by flushes.
    age: i64,
}

impl Filter for Elapsed {
    fn sequential(&self) -> bool {
        true
    }

    fn flushes(&self) -> bool {
        true
    }

    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let id = match event.get(&self.id) {
            None | Some(Value::Null) => return,
            Some(id) => id.clone(),
        };
        // Types are told apart, as Ruby's hashes do.
        let key = format!("{}:{}", id.type_name(), ruby_to_s(&id));
        if tagged(event, &self.start) {
            context.matched(event);
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            if self.keep_last || tasks.get_mut(&key).is_none() {
                let start = Start { id, moment: event.timestamp(), age: 0 };
                if let Some((_, displaced)) = tasks.insert(&key, start) {
                    self.expired(displaced, context);
                }
            }
        } else if tagged(event, &self.end) {
            context.matched(event);
            let started = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            let Some(started) = started else {
                event.tag("elapsed_end_without_start");
                return;
            };
            let seconds = seconds_between(started.moment, event.timestamp());
            if self.new_event {
                let mut found = Event::new(context.now);
                found.fields_mut().insert("host", host_name());
                self.describe(&mut found, seconds.into(), started);
                found.tag("elapsed_match");
                context.matched(&mut found);
                context.emit(found);
            } else {
                self.describe(event, seconds.into(), started);
                event.tag("elapsed_match");
            }
        }
    }

    fn flush(&self, _last: bool, context: &mut FilterContext<'_>) {
        let expired = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take_if(|start| {
            start.age += FLUSH_SECONDS;
            start.age as f64 >= self.timeout
        });
        for (_, start) in expired {
            self.expired(start, context);
        }
    }
}

impl Elapsed {
    fn expired(&self, start: Start, context: &mut FilterContext<'_>) {
        let mut event = Event::new(context.now);
        event.fields_mut().insert("host", host_name());
        let age = start.age;
        self.describe(&mut event, age.into(), start);
        event.tag("elapsed_expired_error");
        context.matched(&mut event);
        context.emit(event);
    }

    fn describe(&self, event: &mut Event, elapsed: Value, start: Start) {
        event.tag("elapsed");
        event.fields_mut().insert("elapsed_time", elapsed);
        // Of an event that bears the id already there is a place for it.
        let _no_place = event.set(&self.id, start.id);
        if let Some(moment) = start.moment {
            event.fields_mut().insert("elapsed_timestamp_start", moment);
        }
    }
}

/// As Ruby's `include?`: an element of a list, a part of a text.
fn tagged(event: &Event, tag: &str) -> bool {
    match event.fields().get("tags") {
        Some(Value::String(text)) => text.contains(tag),
        _ => event.has_tag(tag),
    }
}

fn seconds_between(start: Option<Timestamp>, end: Option<Timestamp>) -> f64 {
    let (Some(start), Some(end)) = (start, end) else { return 0.0 };
    (end.secs - start.secs) as f64 + (f64::from(end.nanos) - f64::from(start.nanos)) / 1e9
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;
    use tailrace_common::Clock;

    use crate::filters::testing::{documents, event, plan, shown};
    use crate::plan::run::Worker;

    const START: &str = r#"{"id":7,"tags":["ss"],"@timestamp":"2024-01-01T00:00:00Z"}"#;
    const END: &str = r#"{"id":7,"tags":["ee"],"@timestamp":"2024-01-01T00:00:01.500Z"}"#;
    const OPTIONS: &str = "start_tag => ss end_tag => ee unique_id_field => id timeout => 10";

    #[test]
    fn the_end_event_bears_the_time() {
        let documents = documents(&format!("elapsed {{ {OPTIONS} }}"), &[START, END, END], Clock::System).unwrap();
        let [start, end, without] = documents.as_slice() else { panic!("{documents:?}") };
        assert_eq!(start["tags"], json!(["ss"]));
        assert_eq!(end["tags"], json!(["ee", "elapsed", "elapsed_match"]));
        assert_eq!(
            (&end["elapsed_time"], &end["elapsed_timestamp_start"]),
            (&json!(1.5), &json!("2024-01-01T00:00:00.000Z"))
        );
        assert_eq!(without["tags"], json!(["ee", "elapsed_end_without_start"]));
    }

    #[test]
    fn a_new_event_bears_the_time() {
        let config = format!("elapsed {{ {OPTIONS} new_event_on_match => true add_tag => matched }}");
        let documents = documents(&config, &[START, END], Clock::System).unwrap();
        let tags: Vec<_> = documents.iter().map(|document| document["tags"].clone()).collect();
        assert_eq!(
            tags,
            [json!(["ss", "matched"]), json!(["ee", "matched"]), json!(["elapsed", "elapsed_match", "matched"])]
        );
        assert_eq!((&documents[2]["id"], &documents[2]["elapsed_time"]), (&json!(7), &json!(1.5)));
    }

    #[test]
    fn the_last_start_may_count() {
        let late = r#"{"id":7,"tags":["ss"],"@timestamp":"2024-01-01T00:00:01Z"}"#;
        for (keep, seconds) in [("first", 1.5), ("last", 0.5)] {
            let config = format!("elapsed {{ {OPTIONS} keep_start_event => {keep} }}");
            let documents = documents(&config, &[START, late, END], Clock::System).unwrap();
            assert_eq!(documents[2]["elapsed_time"], json!(seconds));
        }
    }

    #[test]
    fn a_task_without_end_expires() {
        let plan = plan(&format!("elapsed {{ {OPTIONS} }}"), Clock::System).unwrap();
        let mut worker = Worker::default();
        let now = Clock::System.now();
        plan.run(vec![event(START, Clock::System)], &mut worker, now);
        assert!(plan.flush(false, &mut worker, now).events.is_empty());
        let expired = shown(&plan.flush(false, &mut worker, now).events);
        assert_eq!(expired.len(), 1);
        assert_eq!(
            (&expired[0]["tags"], &expired[0]["elapsed_time"], &expired[0]["id"]),
            (&json!(["elapsed", "elapsed_expired_error"]), &json!(10), &json!(7))
        );
        assert!(plan.flush(false, &mut worker, now).events.is_empty());
    }
}
