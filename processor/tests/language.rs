//! The language and the event as a whole: examples that run, large texts, hostile events.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Clock, Event, Object, Str, Timestamp, Value};
use tailrace_processor::filters::FILTERS;
use tailrace_processor::lang::ast::Source;
use tailrace_processor::lang::diagnostic::Diagnostic;
use tailrace_processor::lang::lint::lint;
use tailrace_processor::lang::{ParseOptions, has_errors, parse};
use tailrace_processor::options::Ecs;
use tailrace_processor::plan::compile::compile_filters;
use tailrace_processor::plan::run::{FilterPlan, Worker};
use tailrace_processor::plugin::{BuildContext, Shared};
use tailrace_processor::tune::cases::rendered;

fn compile(name: &str, text: &str) -> Result<FilterPlan, String> {
    let (plan, findings) = findings(name, text);
    if has_errors(&findings) { Err(rendered(&findings)) } else { Ok(plan) }
}

fn findings(name: &str, text: &str) -> (FilterPlan, Vec<Diagnostic>) {
    let source = Arc::new(Source { name: name.into(), text: text.into() });
    let (config, mut findings) = parse(&source, ParseOptions::default());
    let expand = |text: &str| Ok(text.to_string());
    let build = BuildContext {
        ecs: Ecs::V8,
        clock: Clock::Frozen(Timestamp::EPOCH),
        timezone: "UTC".into(),
        expand: &expand,
        directory: PathBuf::from("."),
        shared: Shared::default(),
    };
    let plan = compile_filters(&config, &build, &mut findings);
    findings.extend(lint(&config));
    (plan, findings)
}

fn run(plan: &FilterPlan, event: Event) -> Vec<String> {
    let mut worker = Worker::default();
    let filtered = plan.run(vec![event], &mut worker, Timestamp::EPOCH);
    let written = filtered.events.iter().map(|event| {
        let mut out = Vec::new();
        event.write_json(&mut out);
        String::from_utf8(out).unwrap()
    });
    written.collect()
}

/// Some examples name servers or files that are not there: what matters is that the options are right.
#[test]
fn every_example_compiles_and_takes_an_event() {
    for filter in FILTERS {
        match compile(filter.name, filter.example) {
            Ok(plan) => {
                run(&plan, Event::with_message(Str::from("an ordinary line"), Timestamp::EPOCH));
            }
            Err(errors) => {
                let absent = errors.contains("does not exist") || errors.contains("cannot read");
                assert!(absent, "{}: {errors}", filter.name);
            }
        }
    }
}

/// A configuration as the large ones are: branches full of mutates, groks and dates.
fn large(lines: usize) -> String {
    let mut text = String::from("filter {\n");
    let mut written = 1;
    while written < lines {
        text.push_str(&format!(
            "  # part {written}\n  if [type] == \"t{written}\" and [level] in [\"warn\", \"error\"] {{\n    mutate {{\n      id => \"m{written}\"\n      rename => {{ \"[a][b{written}]\" => \"[c][d]\" }}\n      add_field => {{ \"[e][f]\" => \"%{{[g]}} and %{{h}}\" }}\n    }}\n    date {{ match => [\"time\", \"ISO8601\", \"yyyy-MM-dd HH:mm:ss\"] }}\n  }}\n",
        ));
        written += 9;
    }
    text.push_str("}\n");
    text
}

#[test]
fn large_configurations_compile() {
    let plan = compile("large.conf", &large(2_758)).unwrap();
    assert_eq!(plan.nodes().len(), 307);
}

#[test]
fn long_conditions_are_refused_before_they_nest_too_deeply() {
    let chain = |count: usize| format!("filter {{ if {}[a] {{ drop {{ }} }} }}", "[a] and ".repeat(count));
    assert!(compile("chain", &chain(400)).is_ok());
    assert!(compile("chain", &chain(100_000)).err().unwrap().contains("more than 500 operators"));
    let nested = format!("filter {{ {}drop {{ }}{} }}", "if [a] { ".repeat(100_000), " }".repeat(100_000));
    assert!(compile("nested", &nested).err().unwrap().contains("nested more than 100 deep"));
}

/// The text that a finding marks (nothing where the engine of regular expressions decides that), its code and its hint.
#[test]
fn findings_say_what_is_wrong_and_where() {
    for (filters, marked, code, hint) in [
        (r#"grok { match => { "m" => "a %{IPORHOTS:c}" } }"#, "%{IPORHOTS", "invalid-pattern", "%{IPORHOST}"),
        (r#"grok { match => { "m" => "a(b" } }"#, "", "invalid-pattern", ""),
        (
            r#"grok { match => { "m" => "%{X:x}" } pattern_definitions => { "X" => "%{NOPE}" } }"#,
            "%{NOPE",
            "invalid-pattern",
            "",
        ),
        (r#"grok { match => { "m" => "^(\w+\s?)*$" } }"#, r"(\w+\s?)*", "catastrophic-backtracking", "(?>"),
        (r#"mutate { gsub => ["a", "x[b", ""] }"#, "", "invalid-pattern", ""),
        (r#"mutate { convert => { "a" => "int" } }"#, r#"{ "a" => "int" }"#, "invalid-option", ""),
        (r#"mutate { renam => { "a" => "b" } }"#, "renam", "unknown-option", "'rename'"),
        (r#"mutate { remove => ["a"] }"#, r#"["a"]"#, "obsolete-option", "remove_field"),
        (r#"date { match => ["t", "ISO8601", "yyyy-MM-ddTHH"] }"#, "T", "invalid-pattern", ""),
        (r#"dissect { mapping => { "m" => "no field" } }"#, "no field", "invalid-pattern", ""),
        (r#"if [a] =~ /x(y/ { drop { } }"#, "", "invalid-condition", "Ruby"),
        (r#"if "a" in ["a", "b"] { drop { } }"#, r#""a" in ["a", "b"]"#, "never-taken", ""),
        (r#"muta { }"#, "muta", "unknown-plugin", "'mutate'"),
        (r#"ruby { code => "event.cancel" }"#, "ruby", "unknown-plugin", ""),
        (r#"drop { } mutate { }"#, "mutate", "never-taken", "'if'"),
    ] {
        let (_, found) = findings("a.conf", &format!("filter {{\n  {filters}\n}}"));
        let Some(first) = found.first() else { panic!("nothing is found in {filters}") };
        assert_eq!(first.code, code, "{filters}: {first:?}");
        assert!(marked.is_empty() || first.span.text() == marked, "{filters}: {first:?}");
        assert!(first.hint.as_deref().unwrap_or_default().contains(hint), "{filters}: {:?}", first.hint);
        assert_eq!(first.span.position().line, 2);
    }
}

/// Filters that touch everything that an event can hold.
const BUSY: &str = r#"filter {
    if [a] == "x" or "x" in [list] or ([huge] and [huge] >= 3) { mutate { add_tag => "in_%{list}" } }
    mutate {
        copy => { "deep" => "copy" }
        convert => { "nan" => "integer" "huge" => "float" "text" => "integer" }
        gsub => ["text", "x+", "y"]
        uppercase => ["text", "list"]
        split => { "text" => "," }
        join => { "list" => "," }
        add_field => { "all" => "%{deep} %{list} %{huge} %{[a[b]}" }
        remove_field => ["[deep][a]", "wide"]
    }
    json { source => "text" target => "t" }
    dissect { mapping => { "message" => "%{x} %{y}" } }
    date { match => ["message", "ISO8601", "UNIX", "UNIX_MS", "yyyy"] }
    grok { match => { "message" => "%{WORD:w} %{GREEDYDATA:g}" } }
}"#;

#[test]
fn events_of_any_shape_go_through() {
    let plan = compile("busy.conf", BUSY).unwrap();
    let deep = format!(r#"{{"deep":{}1{}}}"#, r#"{"a":"#.repeat(900), "}".repeat(900));
    let wide: Vec<String> = (0..10_000).map(|at| format!(r#""field{at}":{at}"#)).collect();
    for text in [
        deep,
        format!(r#"{{"wide":{{{}}}}}"#, wide.join(",")),
        format!("{{{}}}", wide.join(",")),
        format!(r#"{{"message":"{}"}}"#, "x ".repeat(1 << 20)),
        format!(r#"{{"text":"{}"}}"#, "x".repeat(1 << 21)),
        r#"{"huge":1e999,"nan":123456789012345678901234567890123456789012345678901234567890,"text":"\u0000\ud800"}"#
            .into(),
        r#"{"a[b]":1,"[x]":2,"":3,"@metadata":5,"tags":{"k":1},"@timestamp":[],"message":{"a":[null]}}"#.into(),
        r#"{"message":true,"list":[[[[]]],{"a":{"b":[1,"x"]}}],"text":["x,x",5,null,["x"]],"deep":[1]}"#.into(),
    ] {
        let Value::Object(fields) = json::parse(&Str::from(text), Numbers::Float).unwrap() else { panic!("no object") };
        for line in run(&plan, Event::from_object(fields, Timestamp::EPOCH)) {
            assert!(json::parse(&Str::from(line), Numbers::Float).is_ok());
        }
    }
    let mut odd = Object::new();
    for (name, number) in [("nan", f64::NAN), ("huge", f64::INFINITY), ("zero", -0.0)] {
        odd.insert(name, number);
    }
    assert_eq!(run(&plan, Event::from_object(odd, Timestamp::EPOCH)).len(), 1);
}

/// The names of fields come from events, too: what they make must not nest without end.
#[test]
fn references_from_events_nest_so_far_and_no_further() {
    let plan = compile("rename.conf", r#"filter { mutate { rename => { "a" => "%{path}" } } }"#).unwrap();
    for steps in [100, 100_000] {
        let mut fields = Object::new();
        fields.insert("a", 1);
        fields.insert("path", "[b]".repeat(steps));
        assert_eq!(run(&plan, Event::from_object(fields, Timestamp::EPOCH)).len(), 1);
    }
}
