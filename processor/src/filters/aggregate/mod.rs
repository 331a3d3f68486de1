//! Filter `aggregate`: maps that outlive the events of one task, and events made of them when the task is over.
//!
//! Its options that hold Ruby code (`code`, `timeout_code`) are refused, as the ruby filter is; all others work.

mod maps;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use self::maps::{Element, Eviction, Tasks};
use crate::lang::diagnostic::Diagnostic;
use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "aggregate",
    summary: "Keeps a map for each task over its events, and makes an event of it when the task is over.",
    example: "filter { aggregate { task_id => \"%{[session][id]}\" push_map_as_event_on_timeout => true timeout => 120 timeout_task_id_field => \"[session][id]\" timeout_tags => [\"session_over\"] } }",
    build,
};

/// The options that say what becomes of maps; per pattern of `task_id` they stand in one filter only.
const TIMEOUT_OPTIONS: [&str; 8] = [
    "timeout",
    "inactivity_timeout",
    "timeout_code",
    "push_map_as_event_on_timeout",
    "push_previous_map_as_event",
    "timeout_timestamp_field",
    "timeout_task_id_field",
    "timeout_tags",
];

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    refuse_code(&mut options);
    let pattern = options.required_string("task_id");
    if options.is_set("task_id") && !pattern.contains("%{") {
        options.error_at("task_id", format!("'task_id' must contain a field such as %{{field}}, this is '{pattern}'"));
    }
    let action = match options.one_of("map_action", &["create_or_update", "create", "update"], "create_or_update") {
        "create" => Action::Create,
        "update" => Action::Update,
        _ => Action::CreateOrUpdate,
    };
    let end_of_task = options.boolean("end_of_task", false);
    let push_previous = options.boolean("push_previous_map_as_event", false);
    let clock_field = options.field("timeout_timestamp_field");
    let timeout = options.number("timeout");
    let eviction = Eviction {
        timeout,
        inactivity: options.number("inactivity_timeout"),
        push: options.boolean("push_map_as_event_on_timeout", false) || push_previous,
        id_field: options.field("timeout_task_id_field"),
        tags: options.strings("timeout_tags").iter().map(|tag| Template::parse(tag)).collect(),
    };
    let tasks: Arc<Mutex<Tasks>> = build.shared.get("aggregate");
    let mut held = lock(&tasks);
    held.see_timeout(timeout);
    let evicts = TIMEOUT_OPTIONS.iter().any(|option| options.is_set(option));
    if evicts && held.has_eviction(&pattern) {
        let message = format!(
            "another filter sets time-outs for the tasks '{pattern}'; only one may: {}",
            TIMEOUT_OPTIONS.join(", ")
        );
        options.error_at("task_id", message);
    }
    if eviction.inactivity > held.default_timeout.or(timeout)
        && eviction.inactivity.is_some()
        && held.default_timeout.is_some()
    {
        options.error_at("inactivity_timeout", "'inactivity_timeout' must be lower than 'timeout'");
    }
    let clock_given = clock_field.is_some();
    held.maps_of(&pattern, evicts.then_some(eviction), clock_given);
    if let Some(path) = options.string("aggregate_maps_path") {
        let path = build.directory.join(PathBuf::from(path));
        if let Err(message) = held.keep_at(path) {
            options.error_at("aggregate_maps_path", message);
        }
    }
    drop(held);
    options.finish()?;
    Ok(Box::new(Aggregate {
        id: Template::parse(&pattern),
        pattern: pattern.into(),
        action,
        end_of_task,
        push_previous,
        clock_field,
        evicts,
        tasks,
    }))
}

fn refuse_code(options: &mut Options<'_>) {
    for option in ["code", "timeout_code"] {
        if options.string(option).is_some() {
            let span = options.span_of(option);
            let message = format!("'{option}' of 'aggregate' is ruby code, which is not supported");
            let hint = "the other options of aggregate, and elapsed, metrics and throttle, work without code";
            options.report(Diagnostic::error("ruby-code", &span, message).with_hint(hint));
        }
    }
}

fn lock(tasks: &Mutex<Tasks>) -> MutexGuard<'_, Tasks> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `map_action`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Update,
    CreateOrUpdate,
}

struct Aggregate {
    id: Template,
    /// `task_id` as written: filters with the same pattern share their maps.
    pattern: Str,
    action: Action,
    end_of_task: bool,
    push_previous: bool,
    /// `timeout_timestamp_field`.
    clock_field: Option<FieldPath>,
    /// Whether this filter evicts; else the first of the pattern does.
    evicts: bool,
    tasks: Arc<Mutex<Tasks>>,
}

impl Filter for Aggregate {
    fn sequential(&self) -> bool {
        true
    }

    fn flushes(&self) -> bool {
        true
    }

    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let Ok(id) = self.id.render(event) else {
            context.failed(event, &["_aggregateexception"]);
            return;
        };
        if id == self.pattern {
            return;
        }
        let now = context.now;
        let moment = self.clock_field.as_ref().map_or(Some(now), |field| match event.get(field) {
            Some(Value::Timestamp(moment)) => Some(*moment),
            _ => event.timestamp(),
        });
        let moment = moment.unwrap_or(now);
        let mut made = Vec::new();
        let seen = lock(&self.tasks).see(&self.pattern, |maps| {
            if self.clock_field.is_some() {
                made.extend(maps.expired_at(&id, moment, now));
            }
            match maps.elements.get_mut(&id) {
                None if self.action == Action::Update => return false,
                Some(_) if self.action == Action::Create => return false,
                None => {
                    if self.push_previous
                        && let Some((id, element)) = maps.elements.pop_first()
                    {
                        made.push(maps.event(&id, element.map, now));
                    }
                    made.extend(maps.insert(&id, Element::new(moment, now), now));
                }
                Some(element) => (element.seen, element.seen_clock) = (moment, now),
            }
            if self.end_of_task {
                maps.elements.remove(&id);
            }
            true
        });
        if seen {
            context.matched(event);
        }
        made.into_iter().for_each(|event| context.emit(event));
    }

    fn flush(&self, last: bool, context: &mut FilterContext<'_>) {
        let now = context.now;
        let mut tasks = lock(&self.tasks);
        if !tasks.may_evict(&self.pattern, self.evicts) {
            return;
        }
        let default_timeout = tasks.default_timeout;
        let push_previous = last && self.push_previous;
        let mut made = Vec::new();
        tasks.see(&self.pattern, |maps| {
            made = maps.expired(default_timeout, now);
            if push_previous && let Some((id, element)) = maps.elements.pop_first() {
                made.push(maps.event(&id, element.map, now));
            }
            true
        });
        if last {
            tasks.save();
        }
        drop(tasks);
        for mut event in made {
            if last {
                event.tag("_aggregatefinalflush");
            }
            context.emit(event);
        }
    }
}

/// An event of a map.
fn event_of(map: Object, now: Timestamp) -> Event {
    Event::from_object(map, now)
}

#[cfg(test)]
mod tests;
