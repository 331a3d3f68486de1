//! The steps of the hot path one by one: `cargo bench --bench hot_path`. Figures stand in `benches/README.md`.
#![allow(clippy::unwrap_used)]

mod lines;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tailrace_agent::decode::{Decoder, Now, Output, RawLine};
use tailrace_agent::pipeline::{Flags, Span};
use tailrace_agent::tail::settings::{ContainerSettings, InputSettings, Parser};
use tailrace_common::json::{self, Numbers};
use tailrace_common::{Clock, Event, Str, Value};
use tailrace_processor::lang::ast::Source;
use tailrace_processor::lang::{ParseOptions, has_errors, parse};
use tailrace_processor::options::Ecs;
use tailrace_processor::plan::compile::compile_filters;
use tailrace_processor::plan::run::{FilterPlan, Worker};
use tailrace_processor::plugin::{BuildContext, Shared};

use lines::LINES;

/// One iteration is [`LINES`] events, so the throughput that criterion prints is in events.
fn throughput() -> Throughput {
    Throughput::Elements(LINES as u64)
}

fn parse_documents(texts: &[Str]) -> Vec<Event> {
    let now = Clock::System.now();
    texts
        .iter()
        .map(|text| match json::parse(text, Numbers::Float).unwrap() {
            Value::Object(fields) => Event::from_object(fields, now),
            other => panic!("not an object: {other:?}"),
        })
        .collect()
}

fn events(criterion: &mut Criterion) {
    let texts: Vec<Str> =
        lines::access().iter().enumerate().map(|(at, m)| Str::from(lines::document(m, at * 300))).collect();
    let mut group = criterion.benchmark_group("event");
    group.throughput(throughput());
    group.bench_function("from a Kafka record", |b| b.iter_with_large_drop(|| parse_documents(black_box(&texts))));
    let parsed = parse_documents(&texts);
    let mut out = Vec::with_capacity(1 << 20);
    group.bench_function("to JSON", |b| {
        b.iter(|| {
            out.clear();
            parsed.iter().for_each(|event| event.write_json(&mut out));
            out.len()
        });
    });
    group.finish();
}

/// The filters of a pipeline text.
fn plan(filters: &str) -> FilterPlan {
    let source = Arc::new(Source { name: "bench".to_owned(), text: format!("filter {{ {filters} }}") });
    let (config, mut diagnostics) = parse(&source, ParseOptions::default());
    let build = BuildContext {
        ecs: Ecs::V8,
        clock: Clock::default(),
        timezone: "UTC".to_owned(),
        expand: &|text| Ok(text.to_owned()),
        directory: PathBuf::from("."),
        shared: Shared::default(),
    };
    let plan = compile_filters(&config, &build, &mut diagnostics);
    assert!(!has_errors(&diagnostics), "{diagnostics:?}");
    plan
}

fn filters(criterion: &mut Criterion) {
    let access = lines::access();
    let json = lines::json();
    let java = lines::java();
    let dates: Vec<String> =
        access.iter().map(|line| line[line.find('[').unwrap() + 1..line.find(']').unwrap()].to_owned()).collect();
    let cases: &[(&str, &str, &[String])] = &[
        ("grok COMBINEDAPACHELOG", "grok { match => { message => '%{COMBINEDAPACHELOG}' } }", &access),
        ("json", "json { source => message target => doc }", &json),
        (
            "dissect",
            "dissect { mapping => { message => '%{date} %{time} %{level->} [%{thread}] %{logger} - %{text}' } }",
            &java,
        ),
        ("date", "date { match => [message, 'dd/MMM/yyyy:HH:mm:ss Z'] }", &dates),
        (
            "mutate rename, lowercase, convert",
            "mutate { rename => { message => text } lowercase => [text] add_field => { took => '12' } convert => { took => integer } }",
            &java,
        ),
    ];
    let mut group = criterion.benchmark_group("filter");
    group.throughput(throughput());
    for (name, text, lines) in cases {
        let plan = plan(text);
        let mut worker = Worker::default();
        let now = Clock::System.now();
        let batch: Vec<Event> = lines.iter().map(|line| Event::with_message(Str::from(line.as_str()), now)).collect();
        group.bench_function(*name, |b| {
            b.iter_batched(|| batch.clone(), |batch| plan.run(batch, &mut worker, now), BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// The container formats of the agent: one line to one entry.
fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(throughput());
    for (name, lines) in [("docker json-file", lines::docker()), ("cri", lines::cri())] {
        let mut text: Vec<u8> = Vec::new();
        let mut raw = Vec::new();
        for line in &lines {
            let start = text.len();
            text.extend_from_slice(line.as_bytes());
            let span = Span { start: start as u32, len: line.len() as u32 };
            raw.push(RawLine { text: span, start: start as u64, end: text.len() as u64, flags: Flags::default() });
        }
        let settings = InputSettings {
            parsers: vec![Parser::Container(ContainerSettings::default())],
            ..InputSettings::default()
        };
        let mut decoder = Decoder::new(Arc::new(settings));
        let now = Now { wall: Clock::System.now(), tick: Instant::now() };
        let (mut entries, mut older) = (Vec::with_capacity(LINES), Vec::new());
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || text.clone(),
                |text| {
                    entries.clear();
                    let mut out = Output { text, entries: &mut entries, older: &mut older };
                    raw.iter().for_each(|line| decoder.line(*line, now, &mut out));
                    assert_eq!(out.entries.len(), LINES);
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, events, filters, decoding);
criterion_main!(benches);
