//! What the targets share: a filter section run over one event.

use std::path::PathBuf;
use std::sync::Arc;

use tailrace_common::{Clock, Event, Str, Timestamp};
use tailrace_processor::lang::ast::Source;
use tailrace_processor::lang::{ParseOptions, parse};
use tailrace_processor::options::Ecs;
use tailrace_processor::plan::compile::compile_filters;
use tailrace_processor::plan::run::Worker;
use tailrace_processor::plugin::{BuildContext, Shared};

/// Runs filters over an event with this message; nothing when they do not compile.
pub fn run_filters(filters: &str, message: &str) {
    let source = Arc::new(Source { name: "fuzz".to_owned(), text: format!("filter {{ {filters} }}") });
    let (config, mut diagnostics) = parse(&source, ParseOptions::default());
    let build = BuildContext {
        ecs: Ecs::V8,
        clock: Clock::default(),
        timezone: "UTC".to_owned(),
        expand: &|text| Ok(text.to_owned()),
        directory: PathBuf::from("."),
        shared: Shared::default(),
    };
    if !diagnostics.is_empty() {
        return;
    }
    let plan = compile_filters(&config, &build, &mut diagnostics);
    if diagnostics.is_empty() {
        let now = Timestamp::from_millis(1_700_000_000_123);
        plan.run(vec![Event::with_message(Str::from(message), now)], &mut Worker::default(), now);
    }
}

/// A text as a string of the pipeline language, when it can be one.
pub fn quoted(text: &str) -> Option<String> {
    let quote = ['"', '\''].into_iter().find(|quote| !text.contains(*quote) && !text.ends_with('\\'))?;
    Some(format!("{quote}{text}{quote}"))
}
