#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tailrace_common::Clock;

use super::message::{Kind, reply};
use crate::filters::testing::{documents, event, findings, plan, shown};
use crate::plan::run::Worker;

/// A name server of our own: it knows `host.example` (10.0.0.1), `six.example` (::1) and the name of 10.0.0.1, is silent
/// about `slow.example`, and knows nothing else. With it the count of questions.
fn server() -> (String, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let question = &buffer[..length];
            counted.fetch_add(1, Ordering::SeqCst);
            let kind = question[length - 3];
            let has = |text: &[u8]| question.windows(text.len()).any(|window| window == text);
            let answer = match kind {
                _ if has(b"\x04slow") => continue,
                1 if has(b"\x04host\x07example") => reply(question, Kind::A, &[10, 0, 0, 1]),
                28 if has(b"\x03six") => reply(question, Kind::Aaaa, &std::net::Ipv6Addr::LOCALHOST.octets()),
                12 if has(b"\x011\x010\x010\x0210") => reply(question, Kind::Ptr, b"\x04host\x07example\x00"),
                _ => {
                    let mut nothing = question.to_vec();
                    nothing[2] |= 0x80;
                    // Of `six` there is no A, of all others nothing at all.
                    nothing[3] = if has(b"\x03six") { 0 } else { 3 };
                    nothing
                }
            };
            socket.send_to(&answer, from).unwrap();
        }
    });
    (address, asked)
}

fn looked_up(options: &str, events: &[&str]) -> Vec<serde_json::Value> {
    let (address, _) = server();
    let config = format!("dns {{ nameserver => \"{address}\" {options} add_tag => ok }}");
    documents(&config.replace("=> ok", "=> [\"ok\"]"), events, Clock::System).unwrap()
}

#[test]
fn names_and_addresses() {
    let events = [r#"{"h":"host.example"}"#, r#"{"h":["six.example"]}"#, r#"{"h":"10.0.0.9"}"#];
    let found = looked_up("resolve => \"[h]\" action => replace", &events);
    let fields: Vec<_> = found.iter().map(|document| (document["h"].clone(), document["tags"].clone())).collect();
    let ok = || json!(["ok"]);
    assert_eq!(fields, [(json!("10.0.0.1"), ok()), (json!(["::1"]), ok()), (json!("10.0.0.9"), ok())]);
    let found = looked_up("reverse => \"[a]\"", &[r#"{"a":"10.0.0.1"}"#, r#"{"a":["10.0.0.1"]}"#]);
    for document in found {
        assert_eq!(document["a"], json!(["10.0.0.1", "host.example"]));
    }
}

#[test]
fn what_cannot_be_looked_up_stays_and_is_not_decorated() {
    let events = [r#"{"h":"no.example"}"#, r#"{"h":["a","b"]}"#, r#"{"h":5}"#, r#"{"h":"bücher"}"#];
    for document in looked_up("resolve => \"[h]\" reverse => \"[h]\" action => replace", &events) {
        assert_eq!(document.get("tags"), None, "{document}");
    }
    let missing = looked_up("resolve => \"[h]\"", &["{}", r#"{"h":null}"#]);
    assert!(missing.iter().all(|document| document["tags"] == json!(["ok"])), "{missing:?}");
}

#[test]
fn a_reverse_may_need_what_a_resolve_found() {
    let found = looked_up("resolve => \"[h]\" reverse => \"[h]\" action => replace", &[r#"{"h":"host.example"}"#]);
    assert_eq!(found[0]["h"], json!("host.example"));
}

#[test]
fn a_silent_server_costs_a_batch_one_time_out() {
    let (address, asked) = server();
    let config = format!("dns {{ nameserver => [\"{address}\"] resolve => h timeout => 0.2 max_retries => 1 }}")
        .replace("=> h ", "=> \"h\" ");
    let plan = plan(&config, Clock::System).unwrap();
    let texts: Vec<String> = (0..100).map(|number| format!(r#"{{"h":"n{number}.slow.example"}}"#)).collect();
    let events = texts.iter().map(|text| event(text, Clock::System)).collect();
    let started = Instant::now();
    let events = plan.run(events, &mut Worker::default(), Clock::System.now()).events;
    let tagged = shown(&events).iter().filter(|document| document["tags"] == json!(["_dnstimeout"])).count();
    assert_eq!(tagged, 100);
    // One after the other they would take 40 seconds.
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(asked.load(Ordering::SeqCst) >= 100);
}

#[test]
fn hits_and_failures_are_kept_as_long_as_they_may() {
    let (address, asked) = server();
    let caches = "hit_cache_size => 10 hit_cache_ttl => 60 failed_cache_size => 10 failed_cache_ttl => 60";
    let config = format!("dns {{ nameserver => [\"{address}\"] resolve => \"h\" action => replace {caches} }}");
    let plan = plan(&config, Clock::System).unwrap();
    let mut questions = Vec::new();
    for seconds in [0, 59, 60] {
        let events = ["host.example", "no.example", "host.example"];
        let events = events.map(|name| event(&format!(r#"{{"h":"{name}"}}"#), Clock::System)).into();
        let now = tailrace_common::Timestamp::from_millis(seconds * 1000);
        let found = shown(&plan.run(events, &mut Worker::default(), now).events);
        assert_eq!((&found[0]["h"], &found[1]["h"]), (&json!("10.0.0.1"), &json!("no.example")));
        questions.push(asked.load(Ordering::SeqCst));
    }
    assert_eq!(questions, [2, 2, 4]);
}

#[test]
fn hosts_files_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts");
    std::fs::write(&file, "# comment\n192.0.2.7  box box.example # x\nnonsense\n").unwrap();
    let options =
        format!("hostsfile => \"{}\" resolve => \"[h]\" reverse => \"[a]\" action => replace", file.display());
    let found = looked_up(&options, &[r#"{"h":"box.example","a":"192.0.2.7"}"#]);
    assert_eq!((&found[0]["h"], &found[0]["a"]), (&json!("192.0.2.7"), &json!("box")));
}

#[test]
fn wrong_options_are_refused() {
    assert!(findings("dns { nameserver => [\"nope\"] }").contains("'nope' is no address of a name server"));
    assert!(findings("dns { action => add }").contains("'action' must be one of"));
    assert!(findings("dns { hostsfile => \"/nowhere\" }").contains("'/nowhere' does not exist"));
}
