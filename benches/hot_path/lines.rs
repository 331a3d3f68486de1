//! The lines and documents that go through the hot path.

use fastrand::Rng;

#[path = "../lines.rs"]
mod made;

use made::{access_line, java_line, pick, words};

pub(crate) use made::LINES;

fn many(seed: u64, line: impl Fn(&mut Rng) -> String) -> Vec<String> {
    let mut rng = Rng::with_seed(seed);
    (0..LINES).map(|_| line(&mut rng)).collect()
}

/// Combined access log lines, 250 bytes on average.
pub(crate) fn access() -> Vec<String> {
    many(1, access_line)
}

/// What a service writes that logs JSON, 230 bytes on average.
pub(crate) fn json() -> Vec<String> {
    many(2, |rng| {
        serde_json::json!({
            "time": format!("2026-11-24T{:02}:{:02}:{:02}.{:03}Z", rng.u8(..24), rng.u8(..60), rng.u8(..60), rng.u16(..1000)),
            "level": pick(rng, &["info", "info", "warn", "error"]),
            "logger": "com.example.shop.OrderService",
            "msg": words(rng, 4, 12),
            "user": {"id": rng.u32(..), "name": "m\u{fc}ller"},
            "took_ms": rng.u32(..5000),
            "ratio": f64::from(rng.u32(..10_000)) / 1e4,
            "ok": rng.bool(),
        })
        .to_string()
    })
}

/// A service's log lines, for dissect.
pub(crate) fn java() -> Vec<String> {
    many(3, java_line)
}

/// Filebeat's document around a message: what a record in Kafka holds.
pub(crate) fn document(message: &str, offset: usize) -> String {
    serde_json::json!({
        "@timestamp": "2026-11-24T08:30:01.123Z",
        "@metadata": {"beat": "filebeat", "type": "_doc", "version": "9.5.1", "_id": format!("c2hvcC1vcmRlcnM{offset:012}")},
        "message": message,
        "stream": "stdout",
        "log": {"offset": offset, "file": {"path": "/var/log/containers/orders-7d9c6b5f4-x2x7q_shop_orders-0123456789abcdef.log"}},
        "input": {"type": "container"},
        "ecs": {"version": "8.0.0"},
        "host": {"name": "node-17"},
        "agent": {"type": "filebeat", "version": "9.5.1", "name": "node-17", "id": "6ff14ac5-9d3e-4b8a-b0a4-3c1f1e0a7d55", "ephemeral_id": "85624209-1f0e-4a6b-9d57-0d8f7c5e2b11"},
    })
    .to_string()
}

/// Access log lines as docker's json-file driver writes them.
pub(crate) fn docker() -> Vec<String> {
    let wrap = |(at, line): (usize, String)| {
        let log = serde_json::to_string(&format!("{line}\n")).unwrap_or_default();
        format!(r#"{{"log":{log},"stream":"stdout","time":"2026-11-24T08:30:45.{:09}Z"}}"#, at * 997)
    };
    access().into_iter().enumerate().map(wrap).collect()
}

/// Access log lines as containerd writes them.
pub(crate) fn cri() -> Vec<String> {
    let wrap = |(at, line): (usize, String)| format!("2026-11-24T08:30:45.{:09}Z stdout F {line}", at * 997);
    access().into_iter().enumerate().map(wrap).collect()
}
