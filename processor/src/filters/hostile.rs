//! Events that nobody expects, through the example of every filter that asks nobody.

use std::time::{Duration, Instant};

use super::FILTERS;
use super::testing::run_with;

/// Filters that look elsewhere, or wait.
const APART: [&str; 7] = ["dns", "elasticsearch", "geoip", "http", "memcached", "sleep", "translate"];

/// The fields that the examples read.
const FIELDS: [&str; 16] = [
    "message",
    "query",
    "level",
    "host",
    "size",
    "took",
    "user",
    "labels",
    "client",
    "city",
    "syslog_pri",
    "rows",
    "time",
    "url",
    "data",
    "tags",
];

fn hostile_values() -> Vec<String> {
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(900), close.repeat(900));
    vec![
        nested("[", "]"),
        nested("{\"a\":", "}"),
        "null".into(),
        "true".into(),
        "-0.0".into(),
        "1e400".into(),
        format!("-{}", "9".repeat(2000)),
        "\"\"".into(),
        "\"\\u0000\"".into(),
        "\"%{a %{+ %{[a] %zz %\"".into(),
        format!("\"{}\"", "=\\\" '(<[{,;:|\\u00e9\\n".repeat(1_000)),
        format!("\"{}\"", "a".repeat(50_000)),
        format!("\"{}\"", "<a b='".repeat(2_000)),
        "{\"a[b\":1,\"]\":2,\"\":3,\"c.d\":{\"e.f\":[\"g.h\"]}}".into(),
        format!("[{}]", vec!["\"x\",{\"y\":null}"; 500].join(",")),
    ]
}

#[test]
fn no_event_is_too_strange() {
    let mut events: Vec<String> = hostile_values()
        .iter()
        .map(|value| {
            let fields: Vec<_> = FIELDS.iter().map(|field| format!("\"{field}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        })
        .collect();
    let many: Vec<_> = (0..10_000).map(|at| format!("\"field.{at}\":\"a={at} b\"")).collect();
    events.push(format!("{{{}}}", many.join(",")));
    events.push("{\"a[b\":\"x\",\"[c]\":1,\"\":2,\"d.e\":3,\"%{x}\":4}".into());
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    for (name, filters) in examples() {
        let out = run_with("v8", filters, &events);
        assert!(out.is_ok(), "{name}: {out:?}");
    }
}

/// The filters that ask nobody, and what stands in the sections of their examples.
fn examples() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = FILTERS.iter().filter(|definition| !APART.contains(&definition.name));
    all.map(|definition| {
        let inner = definition.example.trim().strip_prefix("filter {").and_then(|rest| rest.strip_suffix('}'));
        (definition.name, inner.unwrap_or_else(|| panic!("{}: the example is no filter section", definition.name)))
    })
}

/// Texts of 20 MB in every field that an example reads; prints what took longer than a second, which a quadratic filter would by far.
#[test]
#[ignore = "long: scripts/test --long"]
fn long_texts_take_time_in_proportion() {
    const LENGTH: usize = 20 << 20;
    for part in ["a", "7", " ", "\\n", "a=b ", "=\\\" '(<[{,;:|\u{e9}\\n", "<a b='", "%{a}", "a.b,", "[{", "%41"] {
        let text = part.repeat(LENGTH / part.len());
        for (name, filters) in examples() {
            let read = FIELDS.iter().filter(|field| filters.contains(*field));
            let fields: Vec<_> = read.map(|field| format!("\"{field}\":\"{text}\"")).collect();
            let event = format!("{{{}}}", fields.join(","));
            let begun = Instant::now();
            let out = run_with("v8", filters, &[&event]);
            let took = begun.elapsed();
            assert!(out.is_ok(), "{name} of {part:?}");
            if took > Duration::from_secs(1) {
                println!("{name}, {} fields of {part:?}: {took:.1?}", fields.len());
            }
        }
    }
}
