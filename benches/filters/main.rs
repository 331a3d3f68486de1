//! Filters one by one, events per second of CPU time:
//!
//! ```sh
//! cargo bench -p tailrace-processor --no-default-features --bench filters [-- NAME]
//! ```
//!
//! `allocations.rs` counts allocations, in a program of its own: to count them takes time. Figures stand in
//! `benches/README.md`. A row of the table in `rows.rs` is all that a filter needs.
#![allow(clippy::unwrap_used)]

mod configurations;
mod cpu;
mod documents;
mod plan;
mod rows;
mod services;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::Measurement;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tailrace_common::{Clock, Str};
use tailrace_processor::lang::ast::Source;
use tailrace_processor::lang::{ParseOptions, parse};
use tailrace_processor::plan::run::Worker;

use cpu::CpuTime;
use plan::{BATCH, compile, read_event};
use rows::ROWS;

fn filters(criterion: &mut Criterion<CpuTime>) {
    let now = Clock::System.now();
    let mut group = criterion.benchmark_group("filter");
    group.throughput(cpu::events(BATCH));
    for row in ROWS {
        let plan = compile(row.name, row.config);
        // Events as a decoder makes them; a copy would have no room for further fields.
        let batch = || (0..BATCH).map(|_| read_event(&row.event.into(), now)).collect::<Vec<_>>();
        let mut worker = Worker::default();
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
        let batch = || (0..BATCH).map(|_| read_event(&row.event.into(), now)).collect::<Vec<_>>();
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
    group.bench_function("JSON to event", |b| {
        b.iter(|| read_event(&text, now));
    });
    group.bench_function("JSON to event to JSON", |b| {
        b.iter(|| {
            out.clear();
            read_event(&text, now).write_json(&mut out);
        });
    });
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
