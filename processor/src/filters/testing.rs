//! Running filters in their tests as a pipeline would.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Clock, Event, Str, Timestamp, Value};

use crate::lang::ast::Source;
use crate::lang::{ParseOptions, has_errors, parse};
use crate::options::Ecs;
use crate::plan::compile::compile_filters;
use crate::plan::run::{FilterPlan, Worker};
use crate::plugin::{BuildContext, Shared};
use crate::settings::variables;
use crate::tune::cases::{document, rendered};

/// A plan of filters, as they stand inside `filter { }`, without ECS; the findings when there are errors.
pub(crate) fn plan(filters: &str, clock: Clock) -> Result<FilterPlan, String> {
    plan_with(Ecs::Disabled, filters, clock)
}

fn plan_with(ecs: Ecs, filters: &str, clock: Clock) -> Result<FilterPlan, String> {
    let source = Arc::new(Source { name: "test".into(), text: format!("filter {{ {filters} }}") });
    let (config, mut findings) = parse(&source, ParseOptions::default());
    let build = BuildContext {
        ecs,
        clock,
        timezone: "UTC".into(),
        expand: &|text| variables::expand(text, &|_| None),
        directory: PathBuf::from("."),
        shared: Shared::default(),
    };
    let plan = compile_filters(&config, &build, &mut findings);
    if has_errors(&findings) { Err(rendered(&findings)) } else { Ok(plan) }
}

/// Why filters are refused.
pub(crate) fn findings(filters: &str) -> String {
    plan(filters, Clock::System).err().unwrap_or_default()
}

/// An event of a JSON text.
pub(crate) fn event(text: &str, clock: Clock) -> Event {
    match json::parse(&Str::from(text), Numbers::Float) {
        Ok(Value::Object(fields)) => Event::from_object(fields, clock.now()),
        other => panic!("no object: {other:?}"),
    }
}

/// What events look like when they are written, without `@version`; `@metadata` stands with them unless it is empty.
pub(crate) fn shown(events: &[Event]) -> Vec<serde_json::Value> {
    let shown = events.iter().map(|event| {
        let mut document: serde_json::Value = serde_json::from_str(&document(event)).unwrap();
        document.as_object_mut().unwrap().remove("@version");
        document
    });
    shown.collect()
}

/// The documents that come out for these events, as one batch.
pub(crate) fn documents(filters: &str, events: &[&str], clock: Clock) -> Result<Vec<serde_json::Value>, String> {
    let plan = plan(filters, clock)?;
    let events = events.iter().map(|text| event(text, clock)).collect();
    Ok(shown(&plan.run(events, &mut Worker::default(), clock.now()).events))
}

/// What comes out of filters up to their end, one document an event, without ECS and at one moment.
pub(super) fn run(filters: &str, events: &[&str]) -> Vec<String> {
    run_with("disabled", filters, events).unwrap_or_else(|findings| panic!("{findings}"))
}

/// The same with a mode of ECS; the findings where the configuration is refused.
pub(super) fn run_with(ecs: &str, filters: &str, events: &[&str]) -> Result<Vec<String>, String> {
    let clock = Clock::Frozen(Timestamp::parse_rfc3339("2024-03-15T08:30:45.123Z").unwrap());
    let plan = plan_with(Ecs::parse(ecs).unwrap(), filters, clock)?;
    let events = events.iter().map(|text| event(text, clock)).collect();
    let mut worker = Worker::default();
    let mut filtered = plan.run(events, &mut worker, clock.now()).events;
    filtered.extend(plan.flush(true, &mut worker, clock.now()).events);
    Ok(filtered.iter().map(document).collect())
}

/// Asserts that one event becomes others, fields in any order; `@timestamp` and `@version` are left out where they are
/// not named.
pub(super) fn check(filters: &str, event: &str, expected: &[&str]) {
    check_all(filters, &[event], expected);
}

/// The same with several events.
pub(super) fn check_all(filters: &str, events: &[&str], expected: &[&str]) {
    let got = run(filters, events);
    let read =
        |text: &str| json::parse(&Str::from(text), Numbers::Float).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(got.len(), expected.len(), "{filters}: {got:?}");
    for (got, expected) in got.iter().zip(expected) {
        let (mut shown, expected) = (read(got), read(expected));
        for unnamed in ["@timestamp", "@version"] {
            if let (Some(shown), Some(named)) = (shown.as_object_mut(), expected.as_object())
                && !named.contains(unnamed)
            {
                shown.remove(unnamed);
            }
        }
        assert_eq!(shown, expected, "{filters}");
    }
}
