#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tailrace_common::Clock;

use super::with_port;
use crate::filters::testing::{documents, findings};

type Held = Arc<Mutex<HashMap<String, (String, Vec<u8>)>>>;

/// A server of our own with the two commands that are used.
fn server() -> (String, Held) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let held = Held::default();
    let shared = held.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let held = shared.clone();
            std::thread::spawn(move || serve(stream.unwrap(), &held));
        }
    });
    (address, held)
}

fn serve(stream: std::net::TcpStream, held: &Held) {
    let mut writing = stream.try_clone().unwrap();
    let mut reading = BufReader::new(stream);
    let mut line = String::new();
    while reading.read_line(&mut line).is_ok_and(|length| length > 0) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["get", key] => {
                if let Some((flags, bytes)) = held.lock().unwrap().get(*key) {
                    write!(writing, "VALUE {key} {flags} {}\r\n", bytes.len()).unwrap();
                    writing.write_all(bytes).unwrap();
                    writing.write_all(b"\r\n").unwrap();
                }
                writing.write_all(b"END\r\n").unwrap();
            }
            ["set", key, flags, _, length] => {
                let mut bytes = vec![0; length.parse::<usize>().unwrap() + 2];
                reading.read_exact(&mut bytes).unwrap();
                bytes.truncate(bytes.len() - 2);
                held.lock().unwrap().insert(key.to_string(), (flags.to_string(), bytes));
                writing.write_all(b"STORED\r\n").unwrap();
            }
            _ => writing.write_all(b"ERROR\r\n").unwrap(),
        }
        line.clear();
    }
}

#[test]
fn values_are_set_and_got() {
    let (address, held) = server();
    let config = format!(
        "memcached {{ hosts => \"{address}\" namespace => n set => {{ \"[v]\" => \"k:%{{id}}\" }} get => {{ \"k:%{{other}}\" => \"[got][it]\" }} add_tag => [\"ok\"] }}"
    )
    .replace("=> n ", "=> \"n\" ");
    let events = [
        r#"{"id":1,"v":"text","other":1}"#,
        r#"{"id":2,"v":{"a":[1,2.5,null]},"other":1}"#,
        r#"{"other":2}"#,
        r#"{"other":3}"#,
    ];
    let found = documents(&config, &events, Clock::System).unwrap();
    let got: Vec<_> = found.iter().map(|document| (document["got"]["it"].clone(), document["tags"].clone())).collect();
    let ok = || json!(["ok"]);
    assert_eq!(
        got,
        [
            (json!("text"), ok()),
            (json!("text"), ok()),
            (json!({ "a": [1, 2.5, null] }), ok()),
            (json!(null), json!(null)),
        ]
    );
    assert_eq!(held.lock().unwrap()["n:k:1"], ("0".to_string(), b"text".to_vec()), "text is for everyone to read");
}

#[test]
fn a_miss_may_be_kept() {
    let (address, held) = server();
    let config = format!(
        "memcached {{ hosts => [\"{address}\"] get => {{ \"k\" => \"v\" }} lru_cache_ttl => 60 }} if [v] {{ }}"
    );
    let plan = crate::filters::testing::plan(&config, Clock::System).unwrap();
    let mut worker = crate::plan::run::Worker::default();
    for wanted in [json!(null), json!(null), json!("new")] {
        let event = crate::filters::testing::event("{}", Clock::System);
        let late = if wanted.is_null() { 0 } else { 61_000 };
        let now = tailrace_common::Timestamp::from_millis(late);
        let found = crate::filters::testing::shown(&plan.run(vec![event], &mut worker, now).events);
        assert_eq!(found[0]["v"], wanted);
        held.lock().unwrap().insert("k".into(), ("0".into(), b"new".to_vec()));
    }
}

#[test]
fn servers_that_are_not_there_or_silent_cost_a_batch_one_time_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), gone] {
        let config = format!("memcached {{ hosts => [\"{address}\"] get => {{ \"k%{{n}}\" => \"v\" }} }}");
        let events = [r#"{"n":1}"#; 50];
        let started = Instant::now();
        let found = documents(&config, &events, Clock::System).unwrap();
        assert!(found.iter().all(|document| document["tags"] == json!(["_memcached_failure"])));
        // One after the other they would take 50 seconds.
        assert!(started.elapsed() < Duration::from_secs(25));
    }
}

#[test]
fn keys_that_no_server_takes_are_failures() {
    let (address, _) = server();
    let config =
        format!("memcached {{ hosts => [\"{address}\"] get => {{ \"%{{k}}\" => \"v\" }} tag_on_failure => \"bad\" }}");
    let found = documents(&config, &[r#"{"k":"a b"}"#, r#"{"k":"ab"}"#], Clock::System).unwrap();
    assert_eq!((&found[0]["tags"], &found[1]["tags"]), (&json!(["bad"]), &json!(null)));
}

#[test]
fn hosts_get_a_port() {
    for (host, wanted) in [
        ("localhost", "localhost:11211"),
        ("a.b:1", "a.b:1"),
        ("127.0.0.1", "127.0.0.1:11211"),
        ("::1", "[::1]:11211"),
        ("[::1]", "[::1]:11211"),
        ("[::1]:2", "[::1]:2"),
    ] {
        assert_eq!(with_port(host), wanted);
    }
    assert!(findings("memcached { hosts => [] }").contains("'hosts' must name a server"));
    assert!(findings("memcached { ttl => -1 }").contains("'ttl' must not be negative"));
}
