//! From a container's log file to a searchable document: every field of every document.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use crate::support::elastic::elastic;
use crate::support::kafka;
use crate::support::logs::{ContainerLog, Format, time_of};
use crate::support::stage::{PARTITIONS, Stage};

/// A line of a log file and the event that it must become.
struct Expected {
    file: &'static str,
    offset: u64,
    message: String,
    stream: &'static str,
    time: String,
}

/// Writes both kinds of log files; returns what must come out.
fn write_logs(stage: &Stage) -> Vec<Expected> {
    let mut all = Vec::new();
    for (file, format) in [("docker.log", Format::Docker), ("cri.log", Format::Cri)] {
        let path = stage.logs().join(file);
        let mut log = ContainerLog::open(&path, format);
        let texts = [
            "plain words",
            "级别=错误 找不到文件 🗂",
            r#"{"json": "stays text", "n": 1}"#,
            "quotes \" and \\ and \ttab",
            "  spaces around  ",
        ];
        let mut number = 0;
        for round in 0..40 {
            for text in texts {
                let stream = if round % 2 == 0 { "stdout" } else { "stderr" };
                log.flush();
                let offset = std::fs::metadata(&path).unwrap().size();
                let message = format!("{text} #{round}");
                log.line(stream, &message);
                all.push(Expected { file, offset, message, stream, time: time_of(number) });
                number += 1;
            }
        }
        log.flush();
        let offset = std::fs::metadata(&path).unwrap().size();
        log.pieces("stdout", &["a line that ", "the runtime has ", "cut in three"]);
        let message = "a line that the runtime has cut in three".to_owned();
        all.push(Expected { file, offset, message, stream: "stdout", time: time_of(number) });
        log.flush();
    }
    all
}

/// The document of a line, without what is different in every run.
fn document_of(stage: &Stage, line: &Expected) -> Value {
    let path = stage.logs().join(line.file);
    // The milliseconds; what is finer is cut, as Filebeat does.
    let timestamp = format!("{}Z", &line.time[..23]);
    json!({
        "@timestamp": timestamp,
        "message": line.message,
        "stream": line.stream,
        "log": {"offset": line.offset, "file": {"path": path}},
        "input": {"type": "container"},
        "ecs": {"version": "8.0.0"},
    })
}

/// Takes out what a run makes up, after checking its form.
fn strip(mut document: Value) -> Value {
    let agent = document["agent"].take();
    assert_eq!(agent["type"], "filebeat", "{agent}");
    for key in ["id", "ephemeral_id", "name", "version"] {
        assert!(agent[key].as_str().is_some_and(|v| !v.is_empty()), "agent.{key}: {agent}");
    }
    let host = document["host"].take();
    assert_eq!(host["name"], agent["name"]);
    let fields = document.as_object_mut().unwrap();
    fields.remove("agent");
    fields.remove("host");
    document
}

fn by_line(documents: impl IntoIterator<Item = Value>) -> BTreeMap<(String, u64), Value> {
    let mut map = BTreeMap::new();
    for document in documents {
        let key =
            (document["log"]["file"]["path"].as_str().unwrap().to_owned(), document["log"]["offset"].as_u64().unwrap());
        let before = map.insert(key, document);
        assert!(before.is_none(), "twice: {before:?}");
    }
    map
}

#[test]
fn container_logs_become_documents() {
    let stage = Stage::new("container");
    let lines = write_logs(&stage);
    stage.write_agent_config();
    stage.write_pipeline("");
    let status = stage.start_agent(&["--once"]).wait();
    assert!(status.success(), "{status}");

    // What the agent has sent: Filebeat's documents, with the id that makes re-sent lines one document.
    let records = kafka::read_topic(&stage.topic);
    assert_eq!(records.len(), lines.len());
    let mut ids = Vec::new();
    let sent = by_line(records.iter().map(|record| {
        let mut document = record.json();
        let metadata = document.as_object_mut().unwrap().remove("@metadata").unwrap();
        assert_eq!((&metadata["beat"], &metadata["type"]), (&json!("filebeat"), &json!("_doc")));
        ids.push(metadata["_id"].as_str().unwrap().to_owned());
        strip(document)
    }));
    let expected = by_line(lines.iter().map(|line| document_of(&stage, line)));
    assert_same(&sent, &expected);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), lines.len(), "ids are unique");

    // What the processor has indexed: the same documents with Logstash's version field, under those ids.
    let processor = stage.start_processor(&[]);
    elastic().await_count(&stage.index, lines.len() as u64);
    assert!(processor.stop().success());
    let documents = elastic().documents(&stage.index);
    let mut indexed_ids: Vec<String> = documents.iter().map(|d| d.id.clone()).collect();
    indexed_ids.sort_unstable();
    assert_eq!(indexed_ids, ids);
    let indexed = by_line(documents.into_iter().map(|document| {
        let mut source = strip(document.source);
        let fields = source.as_object_mut().unwrap();
        assert_eq!(fields.remove("@version"), Some(json!("1")));
        // The Kafka input's json codec keeps the record's text here, as Logstash does from version 8 on.
        fields.remove("event");
        source
    }));
    assert_same(&indexed, &expected);

    // The offsets are committed up to the end: nothing is read again.
    assert_eq!(kafka::committed(&stage.index, &stage.topic, PARTITIONS), lines.len() as i64);
}

fn assert_same(found: &BTreeMap<(String, u64), Value>, expected: &BTreeMap<(String, u64), Value>) {
    for (key, document) in expected {
        assert_eq!(found.get(key), Some(document), "{key:?}");
    }
    assert_eq!(found.len(), expected.len());
}
