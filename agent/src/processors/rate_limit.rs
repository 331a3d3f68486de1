//! `rate_limit`: events beyond so many a second, minute or hour are dropped and counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tailrace_common::Event;

use super::field::text_of;
use super::{Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

/// More keys than these are not told apart: the buckets that are full anyway are forgotten.
const MOST_BUCKETS: usize = 10_000;

#[derive(Debug)]
struct RateLimit {
    fields: Vec<Field>,
    /// Events a second.
    rate: f64,
    burst: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
    dropped: AtomicU64,
}

/// Tokens for events: so many were there at that moment.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let limit = section.required("limit").and_then(|text| {
        let limit = parse_limit(text);
        if limit.is_none() {
            let hint = Some("for example: 10000/m".to_owned());
            section.error("limit", format!("'{text}' is no limit: a number, '/', and s, m or h"), hint);
        }
        limit
    });
    let algorithm = section.section("algorithm");
    let bucket = algorithm.section("token_bucket");
    let multiplier = bucket.float("burst_multiplier").unwrap_or(1.0);
    if multiplier < 1.0 {
        bucket.error("burst_multiplier", "'burst_multiplier' must be 1 or more", None);
    }
    let fields = section.texts("fields");
    let (count, per) = limit?;
    Some(Arc::new(RateLimit {
        fields: fields.iter().map(|name| Field::new(name)).collect(),
        rate: count / per.as_secs_f64(),
        burst: (count * multiplier).max(1.0),
        buckets: Mutex::default(),
        dropped: AtomicU64::new(0),
    }))
}

/// `10/s`, `0.5/m`, `100/h`
fn parse_limit(text: &str) -> Option<(f64, Duration)> {
    let (count, unit) = text.split_once('/')?;
    let per = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let count: f64 = count.trim().parse().ok()?;
    (count.is_finite() && count > 0.0).then(|| (count, Duration::from_secs(per)))
}

impl RateLimit {
    fn allows(&self, key: String, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_BUCKETS && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| self.refilled(*bucket, now) < self.burst);
            if buckets.len() >= MOST_BUCKETS {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { tokens: self.burst, at: now });
        let tokens = self.refilled(*bucket, now);
        let allowed = tokens >= 1.0;
        *bucket = Bucket { tokens: if allowed { tokens - 1.0 } else { tokens }, at: now };
        allowed
    }

    fn refilled(&self, bucket: Bucket, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + passed * self.rate).min(self.burst)
    }
}

impl Processor for RateLimit {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let values = self.fields.iter().map(|field| field.get(event).map(text_of).unwrap_or_default());
        let key = values.collect::<Vec<_>>().join("\u{0}");
        if self.allows(key, Instant::now()) {
            return Ok(Verdict::Keep);
        }
        if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(rate = self.rate, "'rate_limit' drops events");
        }
        Ok(Verdict::Drop)
    }
}

impl Drop for RateLimit {
    fn drop(&mut self) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, rate = self.rate, "'rate_limit' has dropped events");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processors::read::tests::{problems, run};

    #[test]
    fn what_is_beyond_the_limit_is_dropped() {
        let limit =
            RateLimit { fields: vec![], rate: 2.0, burst: 3.0, buckets: Mutex::default(), dropped: AtomicU64::new(0) };
        let start = Instant::now();
        let allowed = |key: &str, millis: u64| limit.allows(key.to_owned(), start + Duration::from_millis(millis));
        assert_eq!([0, 0, 0, 0].map(|at| allowed("a", at)), [true, true, true, false]);
        assert!(allowed("b", 0));
        assert_eq!([400, 500, 600].map(|at| allowed("a", at)), [false, true, false]);
        assert_eq!([9000; 4].map(|at| allowed("a", at)), [true, true, true, false]);
    }

    #[test]
    fn buckets_are_bounded() {
        let limit =
            RateLimit { fields: vec![], rate: 1.0, burst: 2.0, buckets: Mutex::default(), dropped: AtomicU64::new(0) };
        let now = Instant::now();
        for number in 0..MOST_BUCKETS * 2 {
            limit.allows(number.to_string(), now);
        }
        assert!(limit.buckets.lock().is_ok_and(|buckets| buckets.len() <= MOST_BUCKETS));
    }

    #[test]
    fn limits_are_read() {
        let yaml = "- rate_limit: {limit: 1/h, fields: [a]}";
        assert_eq!(run(yaml, "{}").0, Verdict::Keep);
        assert_eq!(problems("- rate_limit: {limit: 10/d}").len(), 1);
        assert_eq!(problems("- rate_limit: {limit: 1/s, algorithm.token_bucket.burst_multiplier: 0.5}").len(), 1);
    }
}
