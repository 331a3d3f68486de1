//! ISO 8601 as Logstash's `ISO8601` takes it: Joda-Time's `dateTimeParser`, and four forms with a blank.

use std::sync::LazyLock;

use super::fields::{from_day_of_year, from_iso_week};
use super::pattern::Pattern;
use super::zone::{Zone, parse_offset};
use super::{Locale, ParseContext};
use crate::timestamp::{Date, Timestamp, valid_date};

/// Reads a date, a time, or both; fractions are cut to milliseconds.
pub fn parse_iso8601(text: &str, zone: &Zone) -> Option<Timestamp> {
    let usual = text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z');
    let moment = if usual { Timestamp::parse_rfc3339(text) } else { None };
    let moment = moment.or_else(|| parse_strict(text, zone)).or_else(|| parse_with_blank(text, zone));
    moment.map(Timestamp::truncated_to_millis)
}

/// Reads the `@timestamp` of a document as Logstash's Timestamp does: a date, a `T` and a time to the minute at least; UTC
/// where it names no zone. Nothing is cut off.
pub fn parse_event_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| {
        let bytes = text.as_bytes();
        let whole = bytes.len() >= 16 && bytes[10].eq_ignore_ascii_case(&b'T') && bytes[13] == b':';
        whole.then(|| parse_strict(text, &Zone::Utc)).flatten()
    })
}

/// The rest of a text.
struct Rest<'t>(&'t [u8]);

impl Rest<'_> {
    fn take(&mut self, wanted: u8) -> bool {
        let found = self.0.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&wanted));
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    /// Up to `most` digits, at least one.
    fn number(&mut self, most: usize) -> Option<u32> {
        let count = self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        let number = self.0[..count].iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
        self.0 = &self.0[count..];
        (count > 0).then_some(number)
    }

    fn digits_ahead(&self) -> usize {
        self.0.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }
}

fn parse_strict(text: &str, zone: &Zone) -> Option<Timestamp> {
    let mut rest = Rest(text.as_bytes());
    let date =
        if matches!(rest.0.first()?, b'T' | b't') { Date { year: 1970, month: 1, day: 1 } } else { date(&mut rest)? };
    let (mut second, mut nanos) = (0, 0);
    if rest.take(b'T') {
        if rest.0.first().is_some_and(u8::is_ascii_digit) {
            (second, nanos) = time(&mut rest)?;
        }
        if !rest.0.is_empty() {
            let offset = std::str::from_utf8(rest.0).ok()?;
            let (seconds, taken) = parse_offset(offset)?;
            if taken != offset.len() {
                return None;
            }
            return Zone::Fixed(seconds).moment(date, second, nanos);
        }
    }
    if rest.0.is_empty() { zone.moment(date, second, nanos) } else { None }
}

/// `2024`, `2024-03`, `2024-03-15`, `2024-075`, `2024-W11`, `2024-W11-5`.
fn date(rest: &mut Rest<'_>) -> Option<Date> {
    let negative = rest.take(b'-');
    if !negative {
        rest.take(b'+');
    }
    let year = i64::from(rest.number(9)?) * if negative { -1 } else { 1 };
    let mut date = Date { year, month: 1, day: 1 };
    if !rest.take(b'-') {
        return Some(date);
    }
    if rest.take(b'W') {
        let week = rest.number(2)?;
        let day = if rest.take(b'-') { rest.number(1)? } else { 1 };
        return from_iso_week(year, week, day);
    }
    if rest.digits_ahead() == 3 {
        return from_day_of_year(year, rest.number(3)?);
    }
    date.month = rest.number(2)?;
    if rest.take(b'-') {
        date.day = rest.number(2)?;
    }
    valid_date(date).then_some(date)
}

/// `08`, `08:30`, `08:30:45`, the last with a fraction: second of the day and nanoseconds.
fn time(rest: &mut Rest<'_>) -> Option<(u32, u32)> {
    let mut second = rest.number(2).filter(|hour| *hour <= 23)? * 3600;
    let mut unit = 3600;
    for next in [60, 1] {
        if !rest.take(b':') {
            break;
        }
        second += rest.number(2).filter(|value| *value <= 59)? * next;
        unit = next;
    }
    if !(rest.take(b'.') || rest.take(b',')) {
        return Some((second, 0));
    }
    let mut nanos = 0_u64;
    let mut digits = 0;
    while let Some(digit) = rest.0.first().filter(|byte| byte.is_ascii_digit()) {
        if digits < 9 {
            nanos = nanos * 10 + u64::from(digit - b'0');
            digits += 1;
        }
        rest.0 = &rest.0[1..];
    }
    if digits == 0 {
        return None;
    }
    // A fraction of an hour or a minute counts, too.
    let total = nanos * 10_u64.pow(9 - digits) * u64::from(unit);
    Some((second + (total / 1_000_000_000) as u32, (total % 1_000_000_000) as u32))
}

static WITH_BLANK: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let patterns =
        ["yyyy-MM-dd HH:mm:ss.SSSZ", "yyyy-MM-dd HH:mm:ss.SSS", "yyyy-MM-dd HH:mm:ss,SSSZ", "yyyy-MM-dd HH:mm:ss,SSS"];
    patterns.into_iter().filter_map(|pattern| Pattern::joda(pattern).ok()).collect()
});

fn parse_with_blank(text: &str, zone: &Zone) -> Option<Timestamp> {
    if !text.contains(' ') {
        return None;
    }
    let context = ParseContext { zone, locale: Locale::English, now: Timestamp::from_millis(0) };
    WITH_BLANK.iter().find_map(|pattern| pattern.parse_text(text, &context))
}

#[cfg(test)]
mod tests {
    use super::parse_event_time;

    #[test]
    fn times_of_documents() {
        for (text, printed) in [
            ("2024-03-15T08:30:45.123456789Z", Some("2024-03-15T08:30:45.123456789Z")),
            ("2024-03-15T08:30Z", Some("2024-03-15T08:30:00.000Z")),
            ("2024-03-15T08:30:45", Some("2024-03-15T08:30:45.000Z")),
            ("2024-03-15T08:30+05:30", Some("2024-03-15T03:00:00.000Z")),
            ("2024-03-15", None),
            ("2024-03-15T08", None),
            ("2024-03-15 08:30:45", None),
            ("yesterday at noon", None),
        ] {
            assert_eq!(parse_event_time(text).map(|moment| moment.to_string()).as_deref(), printed, "{text}");
        }
    }
}
