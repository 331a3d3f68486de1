//! Input `beats` by its own wire, into the embedded index.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use tailrace_common::lumberjack::{Decoder, Frame, Limits, write_compressed, write_json, write_window};
use tailrace_processor::index::{LocalIndex, SearchRequest};

use crate::support::{connect, eventually, free_port, start, start_with};

/// A sender; what it was told is kept until it is asked for.
struct Sender {
    stream: TcpStream,
    decoder: Decoder,
}

impl Sender {
    fn connect(port: u16) -> Sender {
        Sender { stream: connect(port), decoder: Decoder::new(Limits::default()) }
    }

    fn send(&mut self, documents: &[String], compressed: bool) {
        let (mut head, mut frames) = (Vec::new(), Vec::new());
        write_window(documents.len() as u32, &mut head);
        for (at, document) in documents.iter().enumerate() {
            write_json(at as u32 + 1, document.as_bytes(), &mut frames);
        }
        if compressed {
            write_compressed(&frames, 3, &mut head);
        } else {
            head.extend_from_slice(&frames);
        }
        self.stream.write_all(&head).unwrap();
    }

    /// Waits until a window of that many events is acknowledged.
    fn await_ack(&mut self, wanted: u32) {
        loop {
            while let Some(frame) = self.decoder.frame().unwrap() {
                if frame == Frame::Ack(wanted) {
                    return;
                }
            }
            let mut bytes = [0; 64];
            let length = self.stream.read(&mut bytes).unwrap();
            assert!(length > 0, "closed before the acknowledgement");
            self.decoder.push(&bytes[..length]);
        }
    }
}

fn documents(range: std::ops::Range<u32>) -> Vec<String> {
    let document = |n| {
        format!(
            r#"{{"@timestamp":"2024-03-15T08:30:45.123Z","message":"line {n} 登录","log":{{"offset":{n}}},"@metadata":{{"beat":"filebeat","_id":"id-{n}"}}}}"#
        )
    };
    range.map(document).collect()
}

#[test]
fn acknowledged_events_can_be_found_and_repeated_ones_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let (port, path) = (free_port(), folder.path().join("index"));
    let config =
        format!("input {{ beats {{ port => {port} }} }} output {{ local {{ path => \"{}\" }} }}", path.display());
    let running = start(&config, folder.path());
    let mut sender = Sender::connect(port);
    sender.send(&documents(0..2500), true);
    sender.send(&documents(2500..2600), false);
    sender.await_ack(2500);
    sender.await_ack(100);
    sender.send(&documents(2000..2100), true);
    sender.await_ack(100);
    running.stop();
    assert!(running.join());

    let index = LocalIndex::open(&path).unwrap();
    assert_eq!(index.count(), 2600);
    let request = SearchRequest { query: "log.offset:7 登录".into(), limit: 10, ..SearchRequest::default() };
    let answer = index.search(&request).unwrap();
    let hit: serde_json::Value = serde_json::from_str(answer.hits[0].document.get()).unwrap();
    assert_eq!((answer.total, answer.hits[0].id.as_str()), (1, "id-7"));
    assert_eq!(hit["@timestamp"], "2024-03-15T08:30:45.123Z");
    assert_eq!(hit["tags"], serde_json::json!(["beats_input_codec_plain_applied"]));
    assert_eq!(hit["event"]["original"], "line 7 登录");
}

#[test]
fn strangers_do_not_disturb() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = format!("input {{ beats {{ port => {port} }} }} output {{ null {{ }} }}");
    let running = start(&config, folder.path());
    let mut stranger = connect(port);
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    // The connection is closed, politely or not.
    let closed = stranger.read_to_end(&mut rest);
    assert!(rest.is_empty(), "{closed:?}");
    let mut sender = Sender::connect(port);
    sender.send(&documents(0..3), false);
    sender.await_ack(3);
    running.stop();
    assert!(running.join());
}

#[test]
fn what_cannot_be_delivered_is_not_acknowledged_and_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (port, nobody) = (free_port(), free_port());
    let config = format!(
        "input {{ beats {{ port => {port} }} }} output {{ tcp {{ host => \"127.0.0.1\" port => {nobody} reconnect_interval => 0.1 }} }}"
    );
    let running = start_with(&config, folder.path(), &Arc::default(), Duration::from_millis(500));
    let mut sender = Sender::connect(port);
    sender.send(&documents(0..10), false);
    eventually("the events are received", || (running.stats().received == 10).then_some(()));
    running.stop();
    assert!(!running.join(), "not everything was delivered");
    let mut told = Vec::new();
    let closed = sender.stream.read_to_end(&mut told);
    assert!(!told.ends_with(&10_u32.to_be_bytes()), "{closed:?}: {told:?}");
}
