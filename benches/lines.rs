//! What lines of logs are made of, for all benchmarks: as they look in production, the same in every run.

use fastrand::Rng;

/// How many lines a row has: enough that no branch predictor learns them by heart.
pub(crate) const LINES: usize = 1000;

pub(crate) const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.14.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
];
pub(crate) const PATHS: &[&str] = &[
    "/",
    "/api/v2/orders",
    "/static/js/main.8c1f0a.js",
    "/search?q=red+shoes&page=3&sort=price,asc",
    "/account/login",
    "/images/products/91823/large.webp",
    "/%E4%B8%AD%E6%96%87/index.html",
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
    "in",
    "ms",
    "from",
    "[shard-3]",
    "id=91823",
    "10.2.3.4:5432",
    "status=200",
    "\"quoted text\"",
    "100%",
];
const LOGGERS: &[&str] = &[
    "com.example.shop.OrderService",
    "org.springframework.web.servlet.DispatcherServlet",
    "org.apache.kafka.clients.consumer.internals.ConsumerCoordinator",
    "c.e.s.PaymentGateway$Retry",
];

/// One of several.
pub(crate) fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

/// Some words with blanks between them.
pub(crate) fn words(rng: &mut Rng, least: usize, most: usize) -> String {
    let words: Vec<&str> = (0..rng.usize(least..=most)).map(|_| pick(rng, WORDS)).collect();
    words.join(" ")
}

/// An address.
pub(crate) fn ipv4(rng: &mut Rng) -> String {
    format!("{}.{}.{}.{}", rng.u8(1..224), rng.u8(..), rng.u8(..), rng.u8(1..255))
}

/// A time of day.
pub(crate) fn clock(rng: &mut Rng) -> String {
    format!("{:02}:{:02}:{:02}", rng.u8(..24), rng.u8(..60), rng.u8(..60))
}

/// A combined access log line.
pub(crate) fn access_line(rng: &mut Rng) -> String {
    format!(
        "{} - {} [{:02}/Nov/2026:{} +0000] \"{} {} HTTP/1.1\" {} {} \"https://shop.example.com{}\" \"{}\"",
        ipv4(rng),
        pick(rng, &["-", "-", "-", "frank", "maria.k"]),
        rng.u8(1..29),
        clock(rng),
        pick(rng, &["GET", "GET", "GET", "POST", "PUT"]),
        pick(rng, PATHS),
        pick(rng, &["200", "200", "200", "304", "404", "500"]),
        rng.u32(..200_000),
        pick(rng, PATHS),
        pick(rng, AGENTS),
    )
}

/// A line of a service written in Java.
pub(crate) fn java_line(rng: &mut Rng) -> String {
    format!(
        "2026-11-{:02} {},{:03} {:5} [{}-{}] {} - {}",
        rng.u8(1..29),
        clock(rng),
        rng.u16(..1000),
        pick(rng, &["INFO", "INFO", "DEBUG", "WARN", "ERROR"]),
        pick(rng, &["http-nio-8080-exec", "pool-3-thread", "scheduling"]),
        rng.u8(1..200),
        pick(rng, LOGGERS),
        words(rng, 4, 16),
    )
}
