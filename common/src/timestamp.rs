//! A moment in UTC with nanosecond precision, as events carry it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in UTC. Wider than 64-bit nanoseconds, because Logstash's years run past 2262.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z, negative before it.
    pub secs: i64,
    /// Nanoseconds within the second, 0 to 999,999,999.
    pub nanos: u32,
}

/// A calendar date of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// Astronomical year: 0 is 1 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

const SECS_PER_DAY: i64 = 86_400;

impl From<Timestamp> for SystemTime {
    fn from(moment: Timestamp) -> SystemTime {
        let whole = Duration::from_secs(moment.secs.unsigned_abs());
        let second = if moment.secs < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
        second.unwrap_or(UNIX_EPOCH) + Duration::from_nanos(moment.nanos.into())
    }
}

impl Timestamp {
    /// The start of 1970.
    pub const EPOCH: Timestamp = Timestamp { secs: 0, nanos: 0 };

    /// The clock of the machine. On hot paths take the time once per batch, from [`crate::clock::Clock`].
    pub fn now() -> Timestamp {
        SystemTime::now().into()
    }

    /// From milliseconds since the epoch.
    pub fn from_millis(millis: i64) -> Timestamp {
        Timestamp { secs: millis.div_euclid(1000), nanos: millis.rem_euclid(1000) as u32 * 1_000_000 }
    }

    /// Milliseconds since the epoch, the rest cut off; saturates at the ends of 64 bits.
    pub fn as_millis(&self) -> i64 {
        self.secs.saturating_mul(1000).saturating_add(i64::from(self.nanos / 1_000_000))
    }

    /// The same moment without what is finer than a millisecond.
    pub fn truncated_to_millis(self) -> Timestamp {
        Timestamp { nanos: self.nanos / 1_000_000 * 1_000_000, ..self }
    }

    /// From a date and a time of day in UTC.
    pub fn from_civil(date: Date, hour: u32, minute: u32, second: u32, nanos: u32) -> Timestamp {
        let day_secs = i64::from(hour * 3600 + minute * 60 + second);
        Timestamp { secs: days_from_civil(date).saturating_mul(SECS_PER_DAY).saturating_add(day_secs), nanos }
    }

    /// The date in UTC.
    pub fn date(&self) -> Date {
        civil_from_days(self.secs.div_euclid(SECS_PER_DAY))
    }

    /// Seconds since midnight UTC.
    pub fn second_of_day(&self) -> u32 {
        self.secs.rem_euclid(SECS_PER_DAY) as u32
    }

    /// Parses RFC 3339 (`2024-03-15T08:30:45.123Z`, any number of fraction digits, `Z` or an offset).
    ///
    /// This is the fast path for documents; the date filter's many formats live in `datetime`.
    pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
        let bytes = text.as_bytes();
        if bytes.len() < 20 || bytes[4] != b'-' || bytes[7] != b'-' || bytes[13] != b':' || bytes[16] != b':' {
            return None;
        }
        if !matches!(bytes[10], b'T' | b't') {
            return None;
        }
        let date =
            Date { year: i64::from(digits(&bytes[0..4])?), month: digits(&bytes[5..7])?, day: digits(&bytes[8..10])? };
        let (hour, minute, second) = (digits(&bytes[11..13])?, digits(&bytes[14..16])?, digits(&bytes[17..19])?);
        if !valid_date(date) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (nanos, zone) = fraction(&bytes[19..])?;
        let offset = offset_secs(zone)?;
        let mut moment = Timestamp::from_civil(date, hour, minute, second, nanos);
        moment.secs -= offset;
        Some(moment)
    }

    /// Appends `2024-03-15T08:30:45.123Z`: three fraction digits, more only when they are not zero (as Logstash 8).
    pub fn write_iso8601(&self, out: &mut Vec<u8>) {
        let date = self.date();
        if (0..=9999).contains(&date.year) && self.nanos.is_multiple_of(1_000_000) {
            out.extend_from_slice(&self.usual_text(date));
            return;
        }
        let mut digits = [0; 9];
        let mut nanos = self.nanos;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (nanos % 10) as u8;
            nanos /= 10;
        }
        let used = digits.iter().rposition(|digit| *digit != b'0').map_or(3, |last| (last + 1).max(3));
        self.write_to_the_second(out);
        out.push(b'.');
        out.extend_from_slice(&digits[..used]);
        out.push(b'Z');
    }

    /// The text of a year of four digits, to the millisecond.
    fn usual_text(&self, date: Date) -> [u8; 24] {
        let second = self.second_of_day();
        let millis = self.nanos / 1_000_000;
        let year = date.year as u32;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (at, value) in [
            (0, year / 100),
            (2, year % 100),
            (5, date.month),
            (8, date.day),
            (11, second / 3600),
            (14, second / 60 % 60),
            (17, second % 60),
            (21, millis % 100),
        ] {
            text[at] = b'0' + (value / 10) as u8;
            text[at + 1] = b'0' + (value % 10) as u8;
        }
        text[20] = b'0' + (millis / 100) as u8;
        text
    }

    /// Appends `2024-03-15T08:30:45.123Z` with exactly three fraction digits, the rest cut off (as Filebeat).
    pub fn write_iso8601_millis(&self, out: &mut Vec<u8>) {
        self.truncated_to_millis().write_iso8601(out);
    }

    fn write_to_the_second(&self, out: &mut Vec<u8>) {
        let date = self.date();
        let second = self.second_of_day();
        if (0..=9999).contains(&date.year) {
            two(out, (date.year / 100) as u32);
            two(out, (date.year % 100) as u32);
        } else {
            out.push(if date.year < 0 { b'-' } else { b'+' });
            out.extend_from_slice(format!("{:04}", date.year.unsigned_abs()).as_bytes());
        }
        for (separator, value) in
            [(b'-', date.month), (b'-', date.day), (b'T', second / 3600), (b':', second / 60 % 60), (b':', second % 60)]
        {
            out.push(separator);
            two(out, value);
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(32);
        self.write_iso8601(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Timestamp {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Timestamp { secs: after.as_secs() as i64, nanos: after.subsec_nanos() },
            Err(before) => Timestamp::EPOCH - before.duration(),
        }
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        let nanos = self.nanos + duration.subsec_nanos();
        let secs = self.secs.saturating_add_unsigned(duration.as_secs() + u64::from(nanos / 1_000_000_000));
        Timestamp { secs, nanos: nanos % 1_000_000_000 }
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, duration: Duration) -> Timestamp {
        let borrow = u32::from(self.nanos < duration.subsec_nanos());
        Timestamp {
            secs: self.secs.saturating_sub_unsigned(duration.as_secs() + u64::from(borrow)),
            nanos: self.nanos + borrow * 1_000_000_000 - duration.subsec_nanos(),
        }
    }
}

/// Days since 1970-01-01 of a date (Howard Hinnant's algorithm over eras of 400 years).
pub fn days_from_civil(date: Date) -> i64 {
    let year = if date.month <= 2 { date.year - 1 } else { date.year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((date.month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(date.day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date that lies `days` after 1970-01-01.
pub fn civil_from_days(days: i64) -> Date {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    Date { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
}

/// How many days a month has.
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Whether the date exists.
pub fn valid_date(date: Date) -> bool {
    (1..=12).contains(&date.month) && date.day >= 1 && date.day <= days_in_month(date.year, date.month)
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

/// `.123…` as nanoseconds, and what follows it.
fn fraction(rest: &[u8]) -> Option<(u32, &[u8])> {
    let [b'.' | b',', tail @ ..] = rest else { return Some((0, rest)) };
    let length = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let kept = length.min(9);
    let nanos = digits(&tail[..kept])? * 10_u32.pow(9 - kept as u32);
    Some((nanos, &tail[length..]))
}

fn offset_secs(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone {
        [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        5 if rest[2] == b':' => (digits(&rest[..2])?, digits(&rest[3..])?),
        4 => (digits(&rest[..2])?, digits(&rest[2..])?),
        2 => (digits(rest)?, 0),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

fn two(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&[b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parses() {
        for (text, printed) in [
            ("2024-03-15T08:30:45.123Z", "2024-03-15T08:30:45.123Z"),
            ("2024-03-15T08:30:45Z", "2024-03-15T08:30:45.000Z"),
            ("2024-03-15T08:30:45.123456789Z", "2024-03-15T08:30:45.123456789Z"),
            ("2024-03-15T08:30:45.1234Z", "2024-03-15T08:30:45.1234Z"),
            ("2024-03-15T08:30:45.5+08:00", "2024-03-15T00:30:45.500Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
            ("2000-02-29T00:00:00-0130", "2000-02-29T01:30:00.000Z"),
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text).unwrap().to_string(), printed, "{text}");
        }
    }

    #[test]
    fn rejects_what_is_no_moment() {
        for text in ["", "2024-03-15", "2024-02-30T00:00:00Z", "2024-03-15T24:00:00Z", "2024-03-15T08:30:45.Z", "x"] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn dates_and_days_agree_over_four_centuries() {
        for days in (-200_000..200_000).step_by(13) {
            assert_eq!(days_from_civil(civil_from_days(days)), days);
        }
        let far = Timestamp::from_civil(Date { year: 12024, month: 3, day: 15 }, 0, 0, 0, 0);
        assert_eq!(far.to_string(), "+12024-03-15T00:00:00.000Z");
    }

    #[test]
    fn arithmetic_carries_over_the_second() {
        let moment = Timestamp { secs: 1, nanos: 900_000_000 };
        assert_eq!(moment + Duration::from_millis(200), Timestamp { secs: 2, nanos: 100_000_000 });
        assert_eq!(Timestamp::EPOCH - Duration::from_millis(1), Timestamp::from_millis(-1));
    }
}
