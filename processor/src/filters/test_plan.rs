//! Running a filter by itself in its tests.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Clock, Event, Str, Value};

use crate::lang::ast::Source;
use crate::lang::diagnostic::Severity;
use crate::lang::{ParseOptions, parse};
use crate::options::Ecs;
use crate::plan::compile::compile_filters;
use crate::plan::run::{FilterPlan, Worker};
use crate::plugin::{BuildContext, Shared};
use crate::tune::cases::{document, rendered};

/// A plan of filters, as they stand inside `filter { }`, with ECS disabled; the findings when there are errors.
pub(crate) fn plan(filters: &str, clock: Clock) -> Result<FilterPlan, String> {
    let source = Arc::new(Source { name: "test".into(), text: format!("filter {{ {filters} }}") });
    let (config, mut findings) = parse(&source, ParseOptions::default());
    let build = BuildContext {
        ecs: Ecs::Disabled,
        clock,
        timezone: "UTC".into(),
        expand: &|text| Ok(text.to_string()),
        directory: PathBuf::from("."),
        shared: Shared::default(),
    };
    let plan = compile_filters(&config, &build, &mut findings);
    let broken = findings.iter().any(|finding| finding.severity == Severity::Error);
    if broken { Err(rendered(&findings)) } else { Ok(plan) }
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
