//! Lines as they look in production, the same in every run.

use fastrand::Rng;

/// How many different lines a benchmark goes through: enough that no branch predictor learns them by heart.
pub(crate) const LINES: usize = 1000;

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.14.1",
];
const PATHS: &[&str] = &[
    "/",
    "/api/v2/orders",
    "/static/js/main.8c1f0a.js",
    "/search?q=red+shoes&page=3",
    "/account/login",
    "/images/products/91823/large.webp",
];
const WORDS: &[&str] = &[
    "request",
    "completed",
    "for",
    "user",
    "payment",
    "timeout",
    "retrying",
    "upstream",
    "cache",
    "miss",
    "shipped",
    "order",
];

fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

fn many(seed: u64, line: impl Fn(&mut Rng) -> String) -> Vec<String> {
    let mut rng = Rng::with_seed(seed);
    (0..LINES).map(|_| line(&mut rng)).collect()
}

/// Combined access log lines, 250 bytes on average.
pub(crate) fn access() -> Vec<String> {
    many(1, |rng| {
        format!(
            "{}.{}.{}.{} - {} [{:02}/Nov/2026:{:02}:{:02}:{:02} +0000] \"{} {} HTTP/1.1\" {} {} \"https://shop.example.com{}\" \"{}\"",
            rng.u8(1..224),
            rng.u8(..),
            rng.u8(..),
            rng.u8(1..255),
            if rng.u8(..4) == 0 { "frank" } else { "-" },
            rng.u8(1..29),
            rng.u8(..24),
            rng.u8(..60),
            rng.u8(..60),
            pick(rng, &["GET", "GET", "GET", "POST", "PUT"]),
            pick(rng, PATHS),
            pick(rng, &["200", "200", "200", "304", "404", "500"]),
            rng.u32(..200_000),
            pick(rng, PATHS),
            pick(rng, AGENTS),
        )
    })
}

/// What a service writes that logs JSON, 230 bytes on average.
pub(crate) fn json() -> Vec<String> {
    many(2, |rng| {
        let words: Vec<&str> = (0..rng.usize(4..12)).map(|_| pick(rng, WORDS)).collect();
        serde_json::json!({
            "time": format!("2026-11-24T{:02}:{:02}:{:02}.{:03}Z", rng.u8(..24), rng.u8(..60), rng.u8(..60), rng.u16(..1000)),
            "level": pick(rng, &["info", "info", "warn", "error"]),
            "logger": "com.example.shop.OrderService",
            "msg": words.join(" "),
            "user": {"id": rng.u32(..), "name": "m\u{fc}ller"},
            "took_ms": rng.u32(..5000),
            "ratio": f64::from(rng.u32(..10_000)) / 1e4,
            "ok": rng.bool(),
        })
        .to_string()
    })
}

/// `time level [thread] logger: text`, for dissect, 130 bytes on average.
pub(crate) fn plain() -> Vec<String> {
    many(3, |rng| {
        let words: Vec<&str> = (0..rng.usize(4..14)).map(|_| pick(rng, WORDS)).collect();
        format!(
            "2026-11-24 {:02}:{:02}:{:02},{:03} {} [http-nio-8080-exec-{}] com.example.shop.OrderService: {}",
            rng.u8(..24),
            rng.u8(..60),
            rng.u8(..60),
            rng.u16(..1000),
            pick(rng, &["INFO", "WARN", "ERROR"]),
            rng.u8(1..200),
            words.join(" "),
        )
    })
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
