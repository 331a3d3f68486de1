#![allow(clippy::unwrap_used)]

use serde_json::json;
use tailrace_common::{Clock, Timestamp};

use crate::filters::testing::{documents, event, findings, plan, shown};
use crate::plan::run::Worker;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_millis(secs * 1000)
}

#[test]
fn ruby_code_is_refused_with_its_place() {
    let found = findings("aggregate {\n task_id => \"%{t}\"\n code => \"map['a'] = 1\" }");
    assert!(found.contains("'code' of 'aggregate' is ruby code") && found.contains("test:3:10"), "{found}");
    let found = findings("aggregate { task_id => tt timeout_code => \"x\" }");
    assert!(found.contains("must contain a field") && found.contains("'timeout_code'"), "{found}");
}

#[test]
fn time_outs_stand_in_one_filter_of_a_pattern() {
    let one = "aggregate { task_id => \"%{t}\" timeout => 5 }";
    assert!(findings(&format!("{one} {one}")).contains("another filter sets time-outs"));
    assert_eq!(findings(&format!("{one} aggregate {{ task_id => \"%{{t}}\" }}")), "");
    assert!(
        findings("aggregate { task_id => \"%{t}\" timeout => 5 inactivity_timeout => 6 }").contains("must be lower")
    );
}

#[test]
fn the_previous_map_becomes_an_event() {
    let config = "aggregate { task_id => \"%{t}\" push_previous_map_as_event => true timeout_task_id_field => id timeout_tags => over add_tag => seen }";
    let events = [r#"{"t":"a"}"#, r#"{"t":"a"}"#, "{}", r#"{"t":"b"}"#];
    let documents = documents(config, &events, Clock::System).unwrap();
    let shapes: Vec<_> = documents
        .iter()
        .map(|document| (document["t"].clone(), document["id"].clone(), document["tags"].clone()))
        .collect();
    assert_eq!(
        shapes,
        [
            (json!("a"), json!(null), json!(["seen"])),
            (json!("a"), json!(null), json!(["seen"])),
            (json!(null), json!(null), json!(null)),
            (json!("b"), json!(null), json!(["seen"])),
            (json!(null), json!("a"), json!(["over"])),
        ]
    );
}

#[test]
fn maps_expire_by_age_and_by_silence() {
    for (options, flushes) in [("timeout => 100", [0, 0, 1]), ("timeout => 100 inactivity_timeout => 10", [0, 1, 0])] {
        let config = format!("aggregate {{ task_id => \"%{{t}}\" push_map_as_event_on_timeout => true {options} }}");
        let plan = plan(&config, Clock::System).unwrap();
        let mut worker = Worker::default();
        plan.run(vec![event(r#"{"t":"a"}"#, Clock::System)], &mut worker, at(0));
        let made = [10, 50, 101].map(|second| plan.flush(false, &mut worker, at(second)).events.len());
        assert_eq!(made, flushes, "{options}");
    }
}

#[test]
fn the_actions_and_the_end_of_a_task() {
    let start = "if [s] == \"start\" { aggregate { task_id => \"%{t}\" map_action => create add_tag => created } }";
    let step = "if [s] == \"step\" { aggregate { task_id => \"%{t}\" map_action => update add_tag => updated } }";
    let end = "if [s] == \"end\" { aggregate { task_id => \"%{t}\" map_action => update end_of_task => true add_tag => ended } }";
    let events = ["step", "start", "start", "step", "end", "step"].map(|s| format!(r#"{{"t":"a","s":"{s}"}}"#));
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let documents = documents(&format!("{start} {step} {end}"), &events, Clock::System).unwrap();
    let tags: Vec<_> = documents.iter().map(|document| document["tags"].clone()).collect();
    assert_eq!(tags, [json!(null), json!(["created"]), json!(null), json!(["updated"]), json!(["ended"]), json!(null)]);
}

#[test]
fn events_may_tell_the_time() {
    let config = "aggregate { task_id => \"%{t}\" timeout => 60 push_map_as_event_on_timeout => true timeout_timestamp_field => \"@timestamp\" timeout_task_id_field => id }";
    let events =
        [r#"{"t":"a","@timestamp":"2020-01-01T00:00:00Z"}"#, r#"{"t":"a","@timestamp":"2020-01-01T00:01:01Z"}"#];
    let documents = documents(config, &events, Clock::System).unwrap();
    assert_eq!((documents.len(), &documents[2]["id"]), (3, &json!("a")));
}

#[test]
fn the_last_flush_keeps_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("maps");
    let config = format!(
        "aggregate {{ task_id => \"%{{t}}\" timeout => 100 push_map_as_event_on_timeout => true timeout_task_id_field => id aggregate_maps_path => \"{}\" }}",
        path.display()
    );
    let mut worker = Worker::default();
    let first = plan(&config, Clock::System).unwrap();
    first.run(vec![event(r#"{"t":"a"}"#, Clock::System)], &mut worker, at(0));
    assert!(first.flush(true, &mut worker, at(1)).events.is_empty());
    let second = plan(&config, Clock::System).unwrap();
    assert!(!path.exists(), "it has been taken over");
    let expired = shown(&second.flush(true, &mut worker, at(101)).events);
    assert_eq!(
        (expired.len(), &expired[0]["id"], &expired[0]["tags"]),
        (1, &json!("a"), &json!(["_aggregatefinalflush"]))
    );
    std::fs::write(&path, "[broken").unwrap();
    assert!(findings(&config).contains("cannot read"));
}
