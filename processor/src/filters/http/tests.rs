#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use serde_json::json;
use tailrace_common::Clock;

use crate::filters::test_server::serve;
use crate::filters::testing::{documents, findings};

/// Tells what it was asked, as JSON.
fn echo() -> String {
    serve(|asked| {
        let told = json!({
            "line": asked.line, "body": asked.body, "type": asked.header("content-type"),
            "x": asked.header("x-id"), "auth": asked.header("authorization"),
        });
        Some(("200 OK\r\ncontent-type: application/json; charset=utf-8\r\nx-a: 1\r\nx-a: 2".into(), told.to_string()))
    })
}

fn asked(options: &str, event: &str) -> serde_json::Value {
    documents(&format!("http {{ {options} add_tag => [\"ok\"] }}"), &[event], Clock::System).unwrap().remove(0)
}

#[test]
fn what_is_sent_and_what_is_kept() {
    let address = echo();
    let options = format!(
        "url => \"http://{address}/h/%{{id}}\" verb => PUT headers => {{ \"x-id\" => \"%{{id}}\" }} query => {{ q => \"%{{id}} &\" }} body => {{ a => \"%{{id}}\" n => [1, 2] }} body_format => json user => uu password => pp"
    )
    .replace(" q =>", " \"q\" =>")
    .replace(" a =>", " \"a\" =>")
    .replace(" n =>", " \"n\" =>");
    let document = asked(&options, r#"{"id":7}"#);
    let body = &document["body"];
    assert_eq!(body["line"], json!("PUT /h/7?q=7+%26"));
    assert_eq!(body["body"], json!(r#"{"a":"7","n":[1,2]}"#));
    assert_eq!((&body["type"], &body["x"]), (&json!("application/json"), &json!("7")));
    assert_eq!(body["auth"], json!("Basic dXU6cHA="));
    assert_eq!((&document["headers"]["x-a"], &document["tags"]), (&json!(["1", "2"]), &json!(["ok"])));
}

#[test]
fn under_ecs_the_answer_goes_elsewhere() {
    let document = asked(&format!("url => \"http://{}/\" ecs_compatibility => v8 body => text", echo()), "{}");
    let body = &document["http"]["response"]["body"]["content"];
    assert_eq!((&body["body"], &body["type"]), (&json!("text"), &json!("text/plain")));
    assert!(document["@metadata"]["filter"]["http"]["response"]["headers"]["content-type"].is_string());
}

#[test]
fn answers_that_are_no_json() {
    let address = serve(|asked| match asked.line.as_str() {
        "GET /text" => Some(("200 OK\r\ncontent-type: text/plain".into(), "  hello\n".into())),
        "GET /broken" => Some(("200 OK\r\ncontent-type: application/json".into(), "{".into())),
        _ => Some(("503 Unavailable".into(), "no".into())),
    });
    let url =
        |path: &str| format!("url => \"http://{address}/{path}\" target_body => \"[b]\" target_headers => \"[h]\"");
    assert_eq!(asked(&url("text"), "{}")["b"], json!("hello"));
    let broken = asked(&url("broken"), "{}");
    assert_eq!((&broken["tags"], &broken["b"]), (&json!(["_jsonparsefailure", "ok"]), &json!(null)));
    let refused = asked(&url("else"), "{}");
    assert_eq!((&refused["tags"], &refused["h"]), (&json!(["_httprequestfailure"]), &json!(null)));
}

#[test]
fn a_slow_or_missing_service_costs_a_batch_one_time_out() {
    let silent = serve(|_| None);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for address in [silent, gone, "no url".into()] {
        let config = format!(
            "http {{ url => \"http://{address}/\" request_timeout => 0.3 automatic_retries => 0 tag_on_request_failure => [\"late\"] }}"
        );
        let started = Instant::now();
        let found = documents(&config, &["{}"; 50], Clock::System).unwrap();
        assert!(found.iter().all(|document| document["tags"] == json!(["late"])), "{address}");
        // One after the other they would take 15 seconds.
        assert!(started.elapsed() < Duration::from_secs(10), "{address}");
    }
}

#[test]
fn wrong_options_are_refused() {
    for (options, message) in [
        ("verb => GET", "missing required option 'url'"),
        ("url => \"http://a\" verb => OPTIONS", "'verb' must be one of"),
        ("url => \"http://a\" cacert => \"/x\"", "option 'cacert' of 'http' is obsolete"),
        ("url => \"http://a\" user => uu", "'user' and 'password' belong together"),
        ("url => \"http://a\" ssl_certificate_authorities => \"/nowhere\"", "'/nowhere' does not exist"),
    ] {
        let found = findings(&format!("http {{ {options} }}"));
        assert!(found.contains(message), "{options}: {found}");
    }
}
