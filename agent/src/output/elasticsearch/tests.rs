#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use super::*;
use crate::document::Codec;
use crate::output::testing::{batch, documents};
use crate::pipeline::{Acks, FileMeta};

/// A server that gives these answers in turn; the bodies of the requests come back.
fn serve(answers: Vec<(u16, &'static str)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let run = move || {
        let mut bodies = Vec::new();
        for (status, answer) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim().to_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            bodies.push(String::from_utf8(body).unwrap());
            let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
        bodies
    };
    (address, std::thread::spawn(run))
}

fn output(host: String, data: &std::path::Path) -> Elasticsearch {
    let settings = ElasticsearchSettings {
        hosts: vec![host],
        authorization: None,
        headers: Vec::new(),
        parameters: Vec::new(),
        index: Format::parse("logs-%{[fields.env]:dev}").unwrap(),
        pipeline: None,
        bulk_max_size: 10,
        timeout: Duration::from_secs(30),
        backoff: (Duration::from_millis(1), Duration::from_millis(5)),
        compression_level: 0,
        tls: TlsSettings::default(),
    };
    Elasticsearch::new(&settings, Arc::default(), Arc::new(Rejected::new(data)), Arc::default()).unwrap()
}

#[test]
fn documents_are_created_once_and_none_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let mixed = r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":429}},
        {"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"bad"}}}]}"#;
    let there = r#"{"errors":true,"items":[{"create":{"status":409}}]}"#;
    let (host, server) = serve(vec![(503, "busy"), (200, mixed), (200, there)]);
    let mut output = output(host, data.path());
    let (file, acks) = (Arc::new(FileMeta::unknown()), Acks::new());
    let batch = batch(&["one", "two", "three"], &file, &acks);
    output.publish(batch, &mut documents(&file, Codec::Source));
    assert_eq!(acks.total_outstanding(), 1);
    output.close(Instant::now());
    assert_eq!(acks.total_outstanding(), 0);
    let bodies = server.join().unwrap();
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[1].lines().count(), 6);
    let action: serde_json::Value = serde_json::from_str(bodies[1].lines().next().unwrap()).unwrap();
    assert_eq!(
        (action["create"]["_index"].as_str(), action["create"]["_id"].as_str().map(str::len)),
        (Some("logs-dev"), Some(22))
    );
    let source: serde_json::Value = serde_json::from_str(bodies[2].lines().nth(1).unwrap()).unwrap();
    assert_eq!((source["message"].as_str(), source.get("@metadata")), (Some("two"), None));
    let kept = std::fs::read_to_string(data.path().join("rejected.ndjson")).unwrap();
    assert!(kept.contains("document_parsing_exception: bad") && kept.contains("three"), "{kept}");
    let counted = (output.stats.acknowledged.load(Ordering::Relaxed), output.stats.rejected.load(Ordering::Relaxed));
    assert_eq!(counted, (2, 1));
}

#[test]
fn a_request_that_is_too_large_is_halved() {
    let data = tempfile::tempdir().unwrap();
    let one = r#"{"items":[{"create":{"status":201}}]}"#;
    let (host, server) = serve(vec![(413, ""), (200, one), (413, "")]);
    let mut output = output(host, data.path());
    let (file, acks) = (Arc::new(FileMeta::unknown()), Acks::new());
    output.publish(batch(&["one", "two"], &file, &acks), &mut documents(&file, Codec::Source));
    output.close(Instant::now());
    assert_eq!(server.join().unwrap().iter().map(|body| body.lines().count()).collect::<Vec<_>>(), [4, 2, 2]);
    assert_eq!(acks.total_outstanding(), 0);
    assert!(std::fs::read_to_string(data.path().join("rejected.ndjson")).unwrap().contains("too large"));
}

/// What is not delivered when the agent stops is read again.
#[test]
fn a_stop_acknowledges_nothing_that_is_not_there() {
    let data = tempfile::tempdir().unwrap();
    let mut output = output("http://127.0.0.1:1".into(), data.path());
    let (file, acks) = (Arc::new(FileMeta::unknown()), Acks::new());
    output.publish(batch(&["one"], &file, &acks), &mut documents(&file, Codec::Source));
    output.stop.store(true, Ordering::Relaxed);
    output.close(Instant::now());
    assert_eq!(acks.total_outstanding(), 1);
}
