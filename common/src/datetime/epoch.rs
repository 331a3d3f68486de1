//! Seconds, milliseconds and TAI64N labels.

use crate::timestamp::Timestamp;

/// Logstash takes seconds up to what 32 bits hold.
const LAST_SECOND: i64 = i32::MAX as i64;

/// `1710491445`, `1710491445.123`: seconds since 1970 (format `UNIX`); fractions are cut to milliseconds.
pub fn parse_unix(text: &str) -> Option<Timestamp> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (unsigned, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let seconds: i64 = whole.parse().ok().filter(|seconds| *seconds <= LAST_SECOND)?;
    let mut millis = 0;
    for at in 0..3 {
        millis = millis * 10 + fraction.as_bytes().get(at).map_or(0, |digit| i64::from(digit - b'0'));
    }
    let total = seconds * 1000 + millis;
    Some(Timestamp::from_millis(if negative { -total } else { total }))
}

/// `1710491445123`: milliseconds since 1970 (format `UNIX_MS`).
pub fn parse_unix_millis(text: &str) -> Option<Timestamp> {
    let legal = text.strip_prefix(['-', '+']).unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit());
    let millis: i64 = text.parse().ok().filter(|_| legal)?;
    // Dates beyond the year 200,000 are no dates of a log.
    (millis.unsigned_abs() < 6_000_000_000_000_000).then(|| Timestamp::from_millis(millis))
}

/// `@4000000050d506482dbdf024`: a TAI64N label, with or without its `@`.
pub fn parse_tai64n(text: &str) -> Option<Timestamp> {
    let digits = text.strip_prefix('@').unwrap_or(text);
    if digits.len() != 24 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let label = u64::from_str_radix(&digits[..16], 16).ok()?;
    let nanos = u32::from_str_radix(&digits[16..], 16).ok()?;
    // TAI began ten seconds ahead of UTC; Logstash counts no leap seconds since.
    let seconds = i64::try_from(label.checked_sub(1 << 62)?).ok()? - 10;
    (nanos < 1_000_000_000 && seconds < 1 << 40).then(|| Timestamp { secs: seconds, nanos }.truncated_to_millis())
}
