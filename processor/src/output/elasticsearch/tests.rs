#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use tailrace_common::json::{Numbers, parse as parse_json};
use tailrace_common::{Event, Str, Timestamp};

use super::bulk::{Encoder, Request};
use super::settings::{Connection, Flavour, Secret};
use crate::lang::diagnostic::Severity;
use crate::options::{Options, testing};

/// What is read of a plugin's options; the messages of the errors.
fn read<T>(name: &str, written: &str, read: impl Fn(&mut Options<'_>) -> T) -> (Option<T>, Vec<String>) {
    let (found, findings) = testing::read(name, written, read);
    let errors = findings.into_iter().filter(|finding| finding.severity == Severity::Error);
    (found, errors.map(|finding| finding.message).collect())
}

/// The lines of the bulk request that an event becomes.
fn lines(written: &str, event: &str) -> Result<Vec<Value>, String> {
    let (encoder, errors) = read("elasticsearch", written, |options| Encoder::read(options, Flavour::Elasticsearch));
    assert!(errors.is_empty(), "{errors:?}");
    let mut fields = parse_json(&Str::from(event), Numbers::Float).unwrap();
    let event = Event::from_object(std::mem::take(fields.as_object_mut().unwrap()), Timestamp::EPOCH);
    let mut request = Request::default();
    encoder.unwrap().encode(&event, &mut request)?;
    let text = String::from_utf8(request.body).unwrap();
    Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn updates_by_document_and_by_script() {
    let event = r#"{"id":"7","n":1}"#;
    let update = "index => idx action => update document_id => \"%{id}\"";
    let action = json!({ "update": { "_index": "idx", "_id": "7", "retry_on_conflict": 1 } });
    let got = lines(&format!("{update} upsert => '{{\"n\":0}}'"), event).unwrap();
    assert_eq!((&got[0], &got[1]["upsert"], &got[1]["doc"]["n"]), (&action, &json!({ "n": 0 }), &json!(1)));
    let got = lines(&format!("{update} doc_as_upsert => true retry_on_conflict => 3"), event).unwrap();
    assert_eq!((&got[0]["update"]["retry_on_conflict"], &got[1]["doc_as_upsert"]), (&json!(3), &json!(true)));
    let got = lines(&format!("{update} script => \"ctx._source.n += params.event.n\" scripted_upsert => true"), event);
    let update_line = got.unwrap().remove(1);
    assert_eq!(update_line["script"]["source"], "ctx._source.n += params.event.n");
    assert_eq!(update_line["script"]["params"]["event"]["n"], 1);
    assert_eq!((&update_line["scripted_upsert"], &update_line["upsert"]), (&json!(true), &json!({})));
    let got = lines(&format!("{update} script => stored script_type => indexed script_var_name => ev"), event);
    let script = got.unwrap().remove(1)["script"].take();
    assert_eq!(
        (&script["id"], &script["params"]["ev"]["id"], script.get("lang")),
        (&json!("stored"), &json!("7"), None)
    );
    assert!(lines(&format!("{update} upsert => \"no json\""), event).unwrap_err().contains("'upsert' is no JSON"));
}

#[test]
fn families_are_routed_by_the_parent() {
    let event = r#"{"kind":"answer","question":"q1"}"#;
    let got = lines("index => idx join_field => kind parent => \"%{question}\"", event).unwrap();
    assert_eq!(got[0]["create"]["routing"], "q1");
    assert_eq!(got[1]["kind"], json!({ "name": "answer", "parent": "q1" }));
}

#[test]
fn what_events_say_of_themselves_counts_where_the_plugin_is_silent() {
    let event = r#"{"@metadata":{"_ingest_document":{"index":"own","id":"5","routing":"r","version":"2"},"target_ingest_pipeline":"p"}}"#;
    let got = lines("data_stream => false", event).unwrap();
    let own = json!({ "_index": "own", "_id": "5", "routing": "r", "version": "2", "pipeline": "p" });
    assert_eq!(got[0], json!({ "create": own }));
    let got = lines("index => idx document_id => \"1\" pipeline => \"\"", event).unwrap();
    assert_eq!((&got[0]["index"]["_index"], &got[0]["index"]["_id"]), (&json!("idx"), &json!("1")));
    assert_eq!(got[0]["index"].get("pipeline"), None);
}

#[test]
fn streams_by_default_and_not_beside_what_ends_them() {
    assert_eq!(lines("", "{}").unwrap()[0]["create"]["_index"], "logs-generic-default");
    assert_eq!(lines("routing => rr action => create", "{}").unwrap()[0]["create"]["_index"], "logs-generic-default");
    assert_eq!(lines("version_type => external", "{}").unwrap()[0]["create"]["_index"], "ecs-logstash-1970.01.01");
    let encoder = |written: &str| {
        read("elasticsearch", written, |options| drop(Encoder::read(options, Flavour::Elasticsearch))).1
    };
    for (written, message) in [
        ("data_stream => true index => idx", "'index' cannot be combined with data_stream => true"),
        ("data_stream => true action => index", "'action' cannot be combined with data_stream => true"),
        ("data_stream => false data_stream_sync_fields => true", "'data_stream_sync_fields' needs data_stream => true"),
        ("parent => xx", "'parent' needs 'join_field'"),
        ("doc_as_upsert => true scripted_upsert => true", "'doc_as_upsert' and 'scripted_upsert' exclude each other"),
    ] {
        assert_eq!(encoder(written), [message], "{written}");
    }
}

#[test]
fn connections_of_both_flavours() {
    let connection = |name: &str, flavour: Flavour, written: &str| {
        let (connection, errors) = read(name, written, |options| Connection::read(options, flavour));
        (connection.unwrap(), errors)
    };
    let cloud = "cloud_id => \"l:Zm91bmQuaW8kYWJjJA==\" cloud_auth => \"u:p\" proxy => \"http://proxy:3128\"";
    let (elastic, errors) = connection("elasticsearch", Flavour::Elasticsearch, cloud);
    assert_eq!((errors.as_slice(), elastic.hosts.as_slice()), (&[][..], &["https://abc.found.io:443".to_string()][..]));
    assert!(matches!(&elastic.credentials, Some(Secret::Basic(user, password)) if user == "u" && password == "p"));
    let old = "hosts => [\"a\"] ssl => true ssl_certificate_verification => false auth_type => { type => basic user => uu password => pp }";
    let (open, errors) = connection("opensearch", Flavour::OpenSearch, old);
    assert_eq!((errors.as_slice(), open.hosts.as_slice()), (&[][..], &["https://a:9200".to_string()][..]));
    assert!(!open.verify && open.credentials.is_some());
    let (_, errors) =
        connection("elasticsearch", Flavour::Elasticsearch, "ssl => true ssl_truststore_path => \"x.jks\"");
    assert_eq!(errors.len(), 2, "{errors:?}");
    let wrong = "hosts => aa cloud_id => \"l:Zm91bmQuaW8kYWJjJA==\" user => uu password => pp cloud_auth => \"u:p\"";
    assert_eq!(connection("elasticsearch", Flavour::Elasticsearch, wrong).1.len(), 3);
}
