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
    let (value, rest) = match digits.split_first_chunk() {
        Some((eight, rest)) => (eight_digits(eight)?, rest),
        None => (0, digits),
    };
    let value = rest.iter().try_fold(value, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u32::from(digit))
    });
    Some(value? * scale)
}

/// The number that eight digits make, all at once.
fn eight_digits(text: &[u8; 8]) -> Option<u32> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    let word = u64::from_le_bytes(*text);
    // Digits have 3 in their upper half, and still do when 6 is added to them.
    if (word & HIGH) | ((word.wrapping_add(0x0606_0606_0606_0606) & HIGH) >> 4) != 0x3333_3333_3333_3333 {
        return None;
    }
    // The first digit stands lowest: neighbours are joined, then pairs, then fours.
    let word = word - ZEROS;
    let pairs = (word * 10 + (word >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    Some((fours * 10_000 + (fours >> 32)) as u32)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_at_once() {
        for number in (0..100_000_000u32).step_by(9973).chain([99_999_999, 12_345_678]) {
            let text = format!("{number:08}");
            assert_eq!(eight_digits(text.as_bytes().try_into().unwrap()), Some(number));
        }
        for at in 0..8 {
            for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
                let mut text = *b"12345678";
                text[at] = byte;
                assert_eq!(eight_digits(&text), None, "{byte} at {at}");
            }
        }
    }

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
