//! Filters one by one, events per second of CPU time and allocations per event:
//!
//! ```sh
//! cargo bench -p tailrace-processor --no-default-features --bench filters [-- NAME]
//! ```
//!
//! Figures stand in `benches/README.md`. A row of the table in `rows.rs` is all that a filter needs.
#![allow(clippy::unwrap_used)]

mod configurations;
mod cpu;
mod documents;
mod rows;
mod services;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::Measurement;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tailrace_common::json::{self, Numbers};
use tailrace_common::{Clock, Event, Str, Timestamp, Value};
use tailrace_processor::lang::ast::Source;
use tailrace_processor::lang::{ParseOptions, parse};
use tailrace_processor::options::Ecs;
use tailrace_processor::plan::compile::compile_filters;
use tailrace_processor::plan::run::{FilterPlan, Worker};
use tailrace_processor::plugin::{BuildContext, Shared};

use cpu::CpuTime;
use rows::ROWS;

/// Events of a batch.
const BATCH: usize = 125;

fn read_event(text: &str, now: Timestamp) -> Event {
    match json::parse(&Str::from(text), Numbers::Float).unwrap() {
        Value::Object(fields) => Event::from_object(fields, now),
        other => panic!("no object: {other:?}"),
    }
}

fn compile(name: &str, text: &str) -> FilterPlan {
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

/// Allocations per event, once the worker is warm.
fn allocations(plan: &FilterPlan, batch: impl Fn() -> Vec<Event>, worker: &mut Worker, now: Timestamp) -> f64 {
    drop(plan.run(batch(), worker, now));
    let events = batch();
    let mut filtered = None;
    let counted = allocation_counter::measure(|| filtered = Some(plan.run(events, worker, now)));
    counted.count_total as f64 / BATCH as f64
}

fn filters(criterion: &mut Criterion<CpuTime>) {
    let now = Clock::System.now();
    let mut group = criterion.benchmark_group("filter");
    group.throughput(cpu::events(BATCH));
    for row in ROWS {
        let plan = compile(row.name, row.config);
        // Events as a decoder makes them; a copy would have no room for further fields.
        let batch = || (0..BATCH).map(|_| read_event(row.event, now)).collect::<Vec<_>>();
        let mut worker = Worker::default();
        println!("{}: {:.2} allocations per event", row.name, allocations(&plan, batch, &mut worker, now));
        group.bench_function(row.name, |b| {
            b.iter_batched(batch, |events| plan.run(black_box(events), &mut worker, now), BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// Filters that look things up elsewhere.
fn lookups(criterion: &mut Criterion) {
    let now = Clock::System.now();
    let (rows, _database) = services::lookups();
    let mut group = criterion.benchmark_group("lookup");
    group.throughput(cpu::events(BATCH));
    for row in &rows {
        let plan = compile(row.name, &row.config);
        let mut worker = Worker::default();
        let batch = || (0..BATCH).map(|_| read_event(row.event, now)).collect::<Vec<_>>();
        let looked_up = plan.run(batch(), &mut worker, now).events;
        assert!(looked_up.iter().all(|event| event.fields().get("tags").is_none()), "{looked_up:?}");
        group.bench_function(row.name, |b| {
            b.iter_batched(batch, |events| plan.run(black_box(events), &mut worker, now), BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// JSON → event → JSON, with nothing between.
fn pass_through(criterion: &mut Criterion<CpuTime>) {
    let now = Clock::System.now();
    let text = Str::from(documents::ACCESS);
    let mut group = criterion.benchmark_group("event");
    group.throughput(cpu::events(1));
    let mut out = Vec::with_capacity(4096);
    let once = |out: &mut Vec<u8>| {
        out.clear();
        let Value::Object(fields) = json::parse(black_box(&text), Numbers::Float).unwrap() else { panic!("no object") };
        Event::from_object(fields, now).write_json(out);
    };
    once(&mut out);
    let counted = allocation_counter::measure(|| once(&mut out));
    println!("pass-through of {} B: {} allocations per event", text.len(), counted.count_total);
    group.bench_function("JSON to event", |b| {
        b.iter(|| match json::parse(black_box(&text), Numbers::Float).unwrap() {
            Value::Object(fields) => Event::from_object(fields, now),
            other => panic!("no object: {other:?}"),
        });
    });
    group.bench_function("JSON to event to JSON", |b| b.iter(|| once(&mut out)));
    group.finish();
}

/// Reading and compiling large configurations: time for the whole.
fn configurations(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("configuration");
    for lines in [2_758, 84_000] {
        let text = configurations::large(lines);
        let name = format!("{lines} lines, {} KB", text.len() / 1000);
        let source = Arc::new(Source { name: name.clone(), text: text.clone() });
        group
            .bench_function(format!("parse {name}"), |b| b.iter(|| parse(black_box(&source), ParseOptions::default())));
        if lines < 10_000 {
            group.bench_function(format!("parse and compile {name}"), |b| b.iter(|| compile(&name, &text)));
        }
    }
    group.finish();
}

fn settings<M: Measurement>(criterion: Criterion<M>) -> Criterion<M> {
    criterion
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args()
}

fn cpu_time() -> Criterion<CpuTime> {
    settings(Criterion::default().with_measurement(CpuTime))
}

criterion_group! { name = benches; config = cpu_time(); targets = filters, pass_through, configurations }
criterion_group! { name = wall_time; config = settings(Criterion::default()); targets = lookups }
criterion_main!(benches, wall_time);
