//! What stands in the way between agent and Elasticsearch, and what must come through all the same.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::elastic::elastic;
use crate::support::eventually;
use crate::support::kafka;
use crate::support::logs::{ContainerLog, Format};
use crate::support::proxy::Proxy;
use crate::support::reject::{Fault, Rejecter};
use crate::support::services::services;
use crate::support::stage::{PARTITIONS, Stage};

/// Writes numbered JSON records straight into the stage's topic.
fn produce_numbers(stage: &Stage, numbers: std::ops::Range<u64>) {
    let records: Vec<String> = numbers.map(|n| json!({"n": n, "message": format!("number {n}")}).to_string()).collect();
    kafka::produce(&stage.topic, records.iter().enumerate().map(|(at, r)| (at as i32 % PARTITIONS, r.as_bytes())));
}

fn indexed_numbers(stage: &Stage) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        elastic().documents(&stage.index).iter().map(|d| d.source["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn await_count(stage: &Stage, count: u64) {
    elastic().await_count(&stage.index, count);
}

#[test]
fn refused_and_lost_answers_are_tried_again() {
    let mut stage = Stage::new("refused");
    let faults = [
        Fault::Status(503),
        Fault::Status(429),
        Fault::Items { nth: 2, status: 429 },
        Fault::LoseAnswer,
        Fault::Items { nth: 1, status: 503 },
        Fault::Items { nth: 3, status: 429 },
        Fault::LoseAnswer,
        Fault::Status(502),
    ];
    let rejecter = Rejecter::start(services().elasticsearch(), faults);
    stage.elasticsearch = rejecter.url();
    stage.write_pipeline("");
    produce_numbers(&stage, 0..2000);
    let processor = stage.start_processor(&[]);
    await_count(&stage, 2000);
    eventually("every fault is met", || {
        produce_numbers(&stage, 0..0);
        (rejecter.faults_left() == 0).then_some(())
    });
    eventually("the offsets are committed", || {
        (kafka::committed(&stage.index, &stage.topic, PARTITIONS) == 2000).then_some(())
    });
    assert!(processor.stop().success());
    assert_eq!(indexed_numbers(&stage), (0..2000).collect::<Vec<_>>());
}

#[test]
fn rejected_documents_become_dead_letters_with_the_reason() {
    let stage = Stage::new("rejected");
    stage.write_pipeline("");
    produce_numbers(&stage, 0..100);
    let bad = json!({"n": "not a number", "message": "bad"}).to_string();
    kafka::produce(&stage.topic, [(0, bad.as_bytes())]);
    produce_numbers(&stage, 100..200);
    let processor = stage.start_processor(&[]);
    await_count(&stage, 200);
    let letters = eventually("the dead letter is written", || {
        let letters = dead_letters(&stage);
        (!letters.is_empty()).then_some(letters)
    });
    assert!(processor.stop().success());
    assert_eq!(letters.len(), 1, "{letters:?}");
    let text = letters[0].to_string();
    assert!(text.contains("document_parsing_exception") || text.contains("failed to parse field [n]"), "{text}");
    assert!(text.contains("not a number"), "{text}");
    assert_eq!(indexed_numbers(&stage), (0..200).collect::<Vec<_>>());
    assert_eq!(kafka::committed(&stage.index, &stage.topic, PARTITIONS), 201, "a dead letter is done with");
}

/// The dead letters of the stage's processor: lines of JSON below its data folder.
fn dead_letters(stage: &Stage) -> Vec<Value> {
    let mut letters = Vec::new();
    let mut folders = vec![stage.path().join("processor-data")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains("dead_letter") {
                let text = std::fs::read_to_string(path).unwrap();
                letters.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            }
        }
    }
    letters
}

#[test]
fn undecodable_record_is_kept_with_a_tag() {
    let stage = Stage::new("undecodable");
    stage.write_pipeline("");
    kafka::produce(&stage.topic, [(0, b"no json {".as_slice()), (1, br#"{"n": 1}"#)]);
    let processor = stage.start_processor(&[]);
    await_count(&stage, 2);
    assert!(processor.stop().success());
    let documents = elastic().documents(&stage.index);
    let kept = documents.iter().find(|d| d.source["message"] == "no json {").unwrap();
    assert_eq!(kept.source["tags"], json!(["_jsonparsefailure"]));
}

#[test]
fn kafka_and_elasticsearch_may_come_up_late() {
    let mut stage = Stage::new("late");
    let kafka_proxy = proxied_kafka();
    let elasticsearch = Proxy::start("127.0.0.1:0", services().elasticsearch().trim_start_matches("http://"));
    if let Some(proxy) = &kafka_proxy {
        proxy.refuse(true);
        stage.kafka = proxy.address();
    }
    elasticsearch.refuse(true);
    stage.elasticsearch = format!("http://{}", elasticsearch.address());
    stage.write_agent_config();
    stage.write_pipeline("grok { match => { \"message\" => \"^number %{INT:n:int}$\" } }");
    let mut log = ContainerLog::open(&stage.logs().join("a.log"), Format::Cri);
    (0..500).for_each(|n| log.line("stdout", &format!("number {n}")));
    log.flush();
    let mut agent = stage.start_agent(&[]);
    let mut processor = stage.start_processor(&[]);
    if let Some(proxy) = &kafka_proxy {
        eventually("both try to reach Kafka", || (proxy.accepted() >= 4).then_some(()));
        let address = proxy.address();
        eventually("both say which address they cannot reach", || {
            (agent.output().contains(&address) && processor.output().contains(&address)).then_some(())
        });
        proxy.refuse(false);
    }
    eventually("the processor tries to reach Elasticsearch", || (elasticsearch.accepted() >= 3).then_some(()));
    assert_eq!(elastic().count(&stage.index), 0);
    assert!(agent.is_running() && processor.is_running());
    elasticsearch.refuse(false);
    await_count(&stage, 500);
    assert!(agent.stop().success());
    assert!(processor.stop().success());
    assert_eq!(indexed_numbers(&stage), (0..500).collect::<Vec<_>>());
}

#[test]
fn connections_cut_in_the_middle_lose_nothing() {
    let Some(proxy) = proxied_kafka() else { return };
    let mut stage = Stage::new("cut");
    let elasticsearch = Proxy::start("127.0.0.1:0", services().elasticsearch().trim_start_matches("http://"));
    stage.kafka = proxy.address();
    stage.elasticsearch = format!("http://{}", elasticsearch.address());
    stage.write_agent_config();
    stage.write_pipeline("grok { match => { \"message\" => \"^number %{INT:n:int}$\" } }");
    let agent = stage.start_agent(&[]);
    let processor = stage.start_processor(&[]);
    let mut log = ContainerLog::open(&stage.logs().join("a.log"), Format::Docker);
    let mut number = 0;
    for round in 0..12 {
        for _ in 0..500 {
            log.line("stdout", &format!("number {number}"));
            number += 1;
        }
        log.flush();
        std::thread::sleep(Duration::from_millis(150));
        if round % 2 == 0 { proxy.cut() } else { elasticsearch.cut() }
    }
    await_count(&stage, number);
    assert!(agent.stop().success());
    assert!(processor.stop().success());
    assert_eq!(indexed_numbers(&stage), (0..number).collect::<Vec<_>>());
}

/// A proxy in front of Kafka's listener for proxies; only one test at a time may have it. Nothing where the servers have no such listener.
pub(crate) fn proxied_kafka() -> Option<KafkaProxy> {
    use std::sync::{Mutex, PoisonError};
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let Some((front, behind)) =
        services().fact("TAILRACE_TEST_KAFKA_PROXIED").and_then(|fact| fact.split(',').next()?.split_once('>'))
    else {
        eprintln!("skipped in part: TAILRACE_TEST_KAFKA_PROXIED is unset");
        return None;
    };
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    Some(KafkaProxy { proxy: Proxy::start(front, behind), _guard: guard })
}

pub(crate) struct KafkaProxy {
    proxy: Proxy,
    _guard: std::sync::MutexGuard<'static, ()>,
}

impl std::ops::Deref for KafkaProxy {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.proxy
    }
}
