//! Pipelines that send to one another.

use std::collections::BTreeSet;
use std::sync::Arc;

use tailrace_processor::delivery::Bus;
use tailrace_processor::index::{LocalIndex, SearchRequest};

use crate::support::start_on;

#[test]
fn events_go_from_pipeline_to_pipeline_and_end_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let bus = Arc::new(Bus::default());
    bus.set_starting(true);
    let begin = "input { generator { lines => [\"a\", \"b\"] count => 500 } }
        output { if [message] == \"a\" { pipeline { send_to => [\"as\"] } } else { pipeline { send_to => \"rest\" } } }";
    let begin = start_on(begin, folder.path(), &bus);
    let forward = "input { pipeline { address => \"as\" } } output { pipeline { send_to => \"rest\" } }";
    let forward = start_on(forward, folder.path(), &bus);
    let end = format!(
        "input {{ pipeline {{ address => \"rest\" add_field => {{ \"via\" => \"pipeline\" }} }} }} output {{ local {{ path => \"{}\" }} }}",
        path.display()
    );
    let end = start_on(&end, folder.path(), &bus);
    bus.set_starting(false);
    assert!(begin.join() && forward.join() && end.join());
    let index = LocalIndex::open(&path).unwrap();
    let request = SearchRequest { query: "via:pipeline".into(), limit: 1000, ..SearchRequest::default() };
    let answer = index.search(&request).unwrap();
    let seen: BTreeSet<(String, i64)> = answer
        .hits
        .iter()
        .map(|hit| {
            let document: serde_json::Value = serde_json::from_str(hit.document.get()).unwrap();
            (document["message"].as_str().unwrap().into(), document["event"]["sequence"].as_i64().unwrap())
        })
        .collect();
    let wanted = ["a", "b"].iter().flat_map(|line| (0..500).map(|number| (line.to_string(), number))).collect();
    assert_eq!(seen, wanted);
}
