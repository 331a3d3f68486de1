#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tailrace_common::Clock;

use crate::filters::test_server::serve;
use crate::filters::testing::{documents, findings};

type Requests = Arc<Mutex<Vec<(String, String)>>>;

/// Finds so many documents, and remembers what it was asked.
fn cluster(hits: usize) -> (String, Requests) {
    let requests = Requests::default();
    let asked_for = requests.clone();
    let address = serve(move |asked| {
        asked_for.lock().unwrap().push((asked.line.clone(), asked.body.clone()));
        let hits: Vec<_> = (0..hits)
            .map(|number| json!({ "_index": "i", "_id": number.to_string(), "_source": { "a": { "b": number }, "c": "x" } }))
            .collect();
        let found = json!({
            "_shards": { "total": 1 }, "hits": { "total": { "value": hits.len(), "relation": "eq" }, "hits": hits },
            "aggregations": if asked.body.contains("aggs") { json!({ "mean": { "value": 1.5 } }) } else { json!({}) },
        });
        Some(("200 OK".into(), found.to_string()))
    });
    (address, requests)
}

fn looked_up(options: &str, event: &str) -> serde_json::Value {
    documents(&format!("elasticsearch {{ {options} add_tag => [\"ok\"] }}"), &[event], Clock::System).unwrap().remove(0)
}

#[test]
fn fields_of_the_document_found() {
    let (address, requests) = cluster(1);
    let options = format!(
        "hosts => [\"{address}\"] index => \"logs-%{{k}}\" query => \"id:%{{k}}\" fields => {{ \"[a][b]\" => \"[n][m]\" \"c\" => \"d\" \"gone\" => \"e\" }} docinfo_fields => {{ \"_id\" => \"doc\" }}"
    );
    let document = looked_up(&options, r#"{"k":"7"}"#);
    assert_eq!(requests.lock().unwrap()[0].0, "GET /logs-7/_search?q=id%3A7&size=1&sort=%40timestamp%3Adesc");
    assert_eq!((&document["n"]["m"], &document["d"], &document["doc"]), (&json!(0), &json!("x"), &json!("0")));
    assert_eq!(document.get("e"), Some(&json!(null)));
    assert_eq!((&document["@metadata"]["total_hits"], &document["tags"]), (&json!(1), &json!(["ok"])));
}

#[test]
fn several_documents_make_lists() {
    let (address, requests) = cluster(2);
    let options = format!(
        "hosts => \"{address}\" query => \"*\" result_size => 2 enable_sort => false target => \"[t]\" fields => {{ \"[a][b]\" => \"n\" }}"
    );
    assert_eq!(looked_up(&options, "{}")["t"]["n"], json!([0, 1]));
    assert_eq!(requests.lock().unwrap()[0].0, "GET /_search?q=*&size=2");
}

#[test]
fn nothing_found_is_no_match() {
    let (address, _) = cluster(0);
    let document = looked_up(&format!("hosts => \"{address}\" query => \"*\" fields => {{ \"c\" => \"d\" }}"), "{}");
    assert_eq!((document.get("tags"), document.get("d")), (None, None));
    assert_eq!(document["@metadata"]["total_hits"], json!(0));
}

#[test]
fn a_template_of_the_query_dsl() {
    let (address, requests) = cluster(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("query.json");
    std::fs::write(&file, r#"{"query":{"term":{"id":"%{k}"}},"aggs":{}}"#).unwrap();
    let options = format!(
        "hosts => \"{address}\" query_template => \"{}\" aggregation_fields => {{ \"mean\" => \"m\" }}",
        file.display()
    );
    let document = looked_up(&options, r#"{"k":5}"#);
    let (line, body) = requests.lock().unwrap()[0].clone();
    assert_eq!((line.as_str(), body.as_str()), ("POST /_search", r#"{"query":{"term":{"id":"5"}},"aggs":{}}"#));
    assert_eq!((&document["m"], &document["tags"]), (&json!({ "value": 1.5 }), &json!(["ok"])));
}

#[test]
fn failures_are_tagged_and_tried_again_as_told() {
    let tries = Arc::new(Mutex::new(0));
    let counted = tries.clone();
    let address = serve(move |_| {
        *counted.lock().unwrap() += 1;
        Some(("503 Unavailable".into(), "{}".into()))
    });
    let document = looked_up(&format!("hosts => \"{address}\" query => \"*\" retry_on_failure => 2"), "{}");
    assert_eq!((&document["tags"], *tries.lock().unwrap()), (&json!(["_elasticsearch_lookup_failure"]), 3));
    let shards = serve(|_| Some(("200 OK".into(), r#"{"_shards":{"failures":[{}]},"hits":{"hits":[]}}"#.into())));
    let document = looked_up(&format!("hosts => \"{shards}\" query => \"*\" tag_on_failure => [\"bad\"]"), "{}");
    assert_eq!(document["tags"], json!(["bad"]));
}

#[test]
fn a_cluster_that_is_gone_costs_a_batch_little() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!("elasticsearch {{ hosts => \"{gone}\" query => \"*\" }}");
    let started = Instant::now();
    let found = documents(&config, &["{}"; 50], Clock::System).unwrap();
    assert!(found.iter().all(|document| document["tags"] == json!(["_elasticsearch_lookup_failure"])));
    assert!(started.elapsed() < Duration::from_secs(30));
}

/// Answers each query with a table, and remembers what it was asked.
fn table(columns: &[(&str, &str)], rows: serde_json::Value) -> (String, Requests) {
    let requests = Requests::default();
    let asked_for = requests.clone();
    let columns: Vec<_> = columns.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
    let found = json!({ "took": 1, "is_partial": false, "columns": columns, "values": rows }).to_string();
    let address = serve(move |asked| {
        asked_for.lock().unwrap().push((asked.line.clone(), asked.body.clone()));
        Some(("200 OK".into(), found.clone()))
    });
    (address, requests)
}

const COLUMNS: [(&str, &str); 6] = [
    ("when", "date"),
    ("status.code", "integer"),
    ("status.desc", "keyword"),
    ("name.keyword", "keyword"),
    ("name", "text"),
    ("share", "double"),
];

#[test]
fn the_first_row_of_a_table_goes_to_the_event() {
    let rows = json!([
        ["2025-04-10T12:00:00.000Z", 200, null, "n", "N", 0.5],
        ["2025-04-10T12:05:00.000Z", 403, "no", "m", "M", 1.5]
    ]);
    let (address, requests) = table(&COLUMNS, rows);
    let options = format!(
        "hosts => \"{address}\" query_type => esql query => \"FROM x | WHERE id == ?id AND k == ?k AND n == ?n\"
         query_params => {{ \"id\" => \"[a][id]\" \"k\" => \"fixed\" \"n\" => 7 }}"
    );
    let document = looked_up(&options, r#"{"a":{"id":[1,"x"]},"status":{"old":true}}"#);
    let (line, body) = requests.lock().unwrap()[0].clone();
    assert_eq!(line, "POST /_query?format=json&drop_null_columns=true");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["params"], json!([{ "id": [1, "x"] }, { "k": "fixed" }, { "n": 7 }]));
    assert_eq!(body["query"], "FROM x | WHERE id == ?id AND k == ?k AND n == ?n");
    assert_eq!(document["when"], "2025-04-10T12:00:00.000Z");
    // Nulls make no field, and what lies below another column has no place beside it.
    assert_eq!(document["status"], json!({ "old": true, "code": 200 }));
    assert_eq!((&document["name"], &document["share"]), (&json!("N"), &json!(0.5)));
    assert_eq!((&document["@metadata"]["total_values"], &document["tags"]), (&json!(2), &json!(["ok"])));
}

#[test]
fn all_rows_of_a_table_go_to_the_target() {
    let rows = json!([[["2025-04-10T12:00:00Z"], 200, "yes", "n", "N", 0.5], [null, null, null, "m", null, null]]);
    let (address, _) = table(&COLUMNS, rows);
    let esql = format!("hosts => \"{address}\" query_type => esql query => \"FROM x\"");
    let row = json!({ "when": ["2025-04-10T12:00:00.000Z"], "status": { "code": 200, "desc": "yes" }, "name": "N", "share": 0.5 });
    let document = looked_up(&format!("{esql} target => \"[t][rows]\" query_params => [{{ \"unused\" => 1 }}]"), "{}");
    assert_eq!(document["t"]["rows"], json!([row, null]));
    assert_eq!(looked_up(&format!("{esql} target => \"t\""), r#"{"t":1}"#)["t"], json!([row, null]));
}

#[test]
fn a_table_without_rows_is_a_match_and_one_without_place_a_failure() {
    let esql = |address: &str| format!("hosts => \"{address}\" query_type => esql query => \"FROM x\"");
    let (empty, _) = table(&COLUMNS, json!([]));
    let document = looked_up(&esql(&empty), "{}");
    assert_eq!((&document["tags"], document["@metadata"].get("total_values")), (&json!(["ok"]), None));
    for (columns, row) in [
        ([("a.b", "long")], json!([1])),
        ([("@timestamp", "keyword")], json!(["x"])),
        ([("when", "date")], json!(["x"])),
        ([("[", "long")], json!([1])),
    ] {
        let (address, _) = table(&columns, json!([row]));
        let document = looked_up(&esql(&address), r#"{"a":"text"}"#);
        assert_eq!(document["tags"], json!(["_elasticsearch_lookup_failure"]), "{columns:?}");
    }
    let refused = serve(|_| Some(("400 Bad Request".into(), r#"{"error":"Unknown index [x]"}"#.into())));
    assert_eq!(looked_up(&esql(&refused), "{}")["tags"], json!(["_elasticsearch_lookup_failure"]));
}

#[test]
fn wrong_options_are_refused() {
    for (options, message) in [
        ("", "set 'query' or 'query_template'"),
        ("query => \"*\" query_template => \"/etc/hostname\"", "set either 'query' or 'query_template'"),
        ("query => \"*\" query_params => { \"a\" => 1 }", "'query_params' needs query_type => esql"),
        ("query_type => esql", "missing required option 'query' for 'elasticsearch'"),
        ("query_type => esql query => \"FROM a\" index => bb", "'index' cannot be used with query_type => esql"),
        ("query_type => esql query => \"FROM a | WHERE b == ?c\"", "'?c', which 'query_params' does not give"),
        ("query_type => esql query => \"FROM a\" query_params => { \"1c\" => 2 }", "'1c' is no name of a parameter"),
        ("query_type => esql query => \"FROM a\" query_params => [\"c\"]", "a list of hashes with one entry each"),
        ("query_type => esql query => \"FROM a\" query_params => { \"c\" => \"[d]]\" }", "[d]]"),
        ("query => \"*\" hosts => \"ftp://a\"", "'ftp://a' is no address"),
        ("query => \"*\" fields => { \"a\" => \"[b\" }", "[b"),
        ("query => \"*\" ca_file => \"/x\"", "option 'ca_file' of 'elasticsearch' is obsolete"),
    ] {
        let found = findings(&format!("elasticsearch {{ {options} }}"));
        assert!(found.contains(message), "{options}: {found}");
    }
}
