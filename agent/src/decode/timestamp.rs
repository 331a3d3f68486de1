//! RFC 3339 moments of container lines, on bytes and fast.

use tailrace_common::Timestamp;

/// The length of a moment to the second: `2026-11-23T09:15:00`.
const SECOND: usize = 19;

/// Reads moments, most of which lie in the same second as the one before: that is remembered.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    second: [u8; SECOND],
    secs: i64,
}

impl Moments {
    /// Reads `2026-11-23T09:15:00.000123456Z` or with an offset.
    pub fn read(&mut self, text: &[u8]) -> Option<Timestamp> {
        let (second, rest) = text.split_first_chunk::<SECOND>()?;
        if *second == self.second
            && let Some(nanos) = fraction(rest)
        {
            return Some(Timestamp { secs: self.secs, nanos });
        }
        let moment = Timestamp::parse_rfc3339(std::str::from_utf8(text).ok()?)?;
        if rest.ends_with(b"Z") {
            *self = Moments { second: *second, secs: moment.secs };
        }
        Some(moment)
    }
}

/// The nanoseconds of `.000123456Z`; up to nine digits.
fn fraction(rest: &[u8]) -> Option<u32> {
    const SCALE: [u32; 10] = [0, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1000, 100, 10, 1];
    let digits = rest.strip_prefix(b".")?.strip_suffix(b"Z")?;
    let scale = SCALE.get(digits.len()).filter(|scale| **scale > 0)?;
    let value = digits.iter().try_fold(0u32, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u32::from(digit))
    });
    Some(value? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_changes_nothing() {
        let mut moments = Moments::default();
        for text in [
            "2026-11-23T09:15:00.000123456Z",
            "2026-11-23T09:15:00.5Z",
            "2026-11-23T09:15:00Z",
            "2026-11-23T09:15:00.Z",
            "2026-11-23T09:15:00.12345678901Z",
            "2026-11-23T09:15:00.1x3Z",
            "2026-11-23T09:15:00.123+08:00",
            "2026-11-23T09:15:00.123Z",
            "2026-11-23T09:15:01.999999999Z",
            "2026-11-23T09:15:00.25Z",
            "2026-11-23T25:15:00.25Z",
            "2026-11-23T25:15:00.25Z",
            "2026",
        ] {
            assert_eq!(moments.read(text.as_bytes()), Timestamp::parse_rfc3339(text), "{text}");
        }
    }
}
