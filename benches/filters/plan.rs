//! What both benches of filters run: a configuration's filters and events for them.

use std::hint::black_box;
use std::path::PathBuf;

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Clock, Event, Str, Timestamp, Value};
use tailrace_processor::lang::ast::Source;
use tailrace_processor::lang::{ParseOptions, parse};
use tailrace_processor::options::Ecs;
use tailrace_processor::plan::compile::compile_filters;
use tailrace_processor::plan::run::FilterPlan;
use tailrace_processor::plugin::{BuildContext, Shared};

/// Events of a batch.
pub(crate) const BATCH: usize = 125;

/// An event as the json codec makes it.
pub(crate) fn read_event(text: &Str, now: Timestamp) -> Event {
    match json::parse(black_box(text), Numbers::Float).unwrap() {
        Value::Object(fields) => Event::from_object(fields, now),
        other => panic!("no object: {other:?}"),
    }
}

/// The filters of a configuration.
pub(crate) fn compile(name: &str, text: &str) -> FilterPlan {
    let source = Source { name: name.into(), text: text.into() };
    let (config, mut findings) = parse(&source.into(), ParseOptions::default());
    let expand = |text: &str| Ok(text.to_string());
    let build = BuildContext {
        ecs: Ecs::Disabled,
        clock: Clock::System,
        timezone: "UTC".into(),
        expand: &expand,
        directory: PathBuf::from("."),
        shared: Shared::default(),
    };
    let plan = compile_filters(&config, &build, &mut findings);
    assert!(findings.is_empty(), "{name}: {findings:?}");
    plan
}
