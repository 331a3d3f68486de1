//! Values of another type: `integer`, `float`, `boolean`, `date`, `date_time`.

use tailrace_common::datetime::{Locale, ParseContext, Pattern, Zone, short_month};
use tailrace_common::timestamp::{Date, valid_date};
use tailrace_common::{Str, Timestamp, Value};

use crate::filters::mutate::strings::stripped;
use crate::filters::ruby;

/// What a column is converted to.
#[derive(Clone)]
pub(crate) enum Conversion {
    Integer,
    Float,
    Boolean,
    /// At midnight in this zone.
    Date(Zone),
    DateTime,
}

/// A missing value cannot be true or false.
pub(crate) struct NoValue;

impl Conversion {
    /// The names, for messages.
    pub(crate) const NAMES: &'static str = "integer, float, boolean, date, date_time";

    pub(crate) fn named(name: &str, zone: &Zone) -> Option<Conversion> {
        Some(match name {
            "integer" => Conversion::Integer,
            "float" => Conversion::Float,
            "boolean" => Conversion::Boolean,
            "date" => Conversion::Date(zone.clone()),
            "date_time" => Conversion::DateTime,
            _ => return None,
        })
    }

    /// What cannot be converted stays the text it is.
    pub(crate) fn of(&self, value: Option<Str>) -> Result<Value, NoValue> {
        let text = match (value, self) {
            (Some(text), _) => text,
            (None, Conversion::Boolean) => return Err(NoValue),
            (None, _) => return Ok(Value::Null),
        };
        let converted = match self {
            Conversion::Integer => ruby::integer(&text),
            Conversion::Float => ruby::float(&text).map(Value::Float),
            Conversion::Boolean => {
                let word = stripped(&text).to_lowercase();
                Some(match word.as_str() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    _ => word.into(),
                })
            }
            Conversion::Date(zone) => date(&text, zone).map(Value::Timestamp),
            Conversion::DateTime => date_time(&text).map(Value::Timestamp),
        };
        Ok(converted.unwrap_or(Value::String(text)))
    }
}

/// `2017-06-01`, `Jun 1, 2017`, `Thursday, June 1 2017`.
fn date(text: &str, zone: &Zone) -> Option<Timestamp> {
    let date = iso_date(text).or_else(|| {
        let words = words(text)?;
        let [month, day, year] = words.as_slice() else { return None };
        written_date(month, day, year)
    })?;
    let context = ParseContext { zone, locale: Locale::default(), now: Timestamp::EPOCH };
    let midnight = format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
    Pattern::joda("yyyy-MM-dd").ok()?.parse_text(&midnight, &context)
}

/// `2001-02-03 04:05:06`, `2001-02-03T04:05:06.789+01:00`, `Feb 3 04:05:06 2001`; in UTC where no zone is given.
fn date_time(text: &str) -> Option<Timestamp> {
    if let Some(words) = words(text) {
        let [month, day, time, year] = words.as_slice() else { return None };
        return at_time(written_date(month, day, year)?, time, 0);
    }
    let (day, rest) = text.split_at_checked(10)?;
    let day = iso_date(day)?;
    if rest.is_empty() {
        return Some(Timestamp::from_civil(day, 0, 0, 0, 0));
    }
    if let Some(time) = rest.strip_prefix(' ') {
        return (time.len() == 8).then(|| at_time(day, time, 0))?;
    }
    let time = rest.strip_prefix('T')?;
    if time.len() == 5 {
        return at_time(day, &format!("{time}:00"), 0);
    }
    let (time, rest) = time.split_at_checked(8)?;
    let (nanos, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            let kept = &fraction[..digits.min(9)];
            (kept.parse::<u32>().ok()? * 10_u32.pow(9 - kept.len() as u32), &fraction[digits..])
        }
    };
    let offset = match zone {
        "" | "Z" | " UTC" | " GMT" => 0,
        zone => offset(zone)?,
    };
    let mut moment = at_time(day, time, nanos)?;
    moment.secs -= offset;
    Some(moment)
}

/// The words of a written date, a weekday before it and commas left out; nothing when it begins with a digit.
fn words(text: &str) -> Option<Vec<&str>> {
    if !text.starts_with(|first: char| first.is_alphabetic()) {
        return None;
    }
    let mut words: Vec<&str> = text.split_whitespace().map(|word| word.trim_end_matches(',')).collect();
    if words.get(1).is_some_and(|word| word.starts_with(|first: char| first.is_alphabetic())) {
        words.remove(0);
    }
    Some(words)
}

fn iso_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let date = Date {
        year: i64::from(digits(text.get(..4)?)?),
        month: digits(text.get(5..7)?)?,
        day: digits(text.get(8..)?)?,
    };
    valid_date(date).then_some(date)
}

fn written_date(month: &str, day: &str, year: &str) -> Option<Date> {
    let month = short_month(month.get(..3)?.as_bytes())?;
    let century = match (year.len(), digits(year)?) {
        (2, short) if short < 69 => 2000,
        (2, _) => 1900,
        _ => 0,
    };
    let date = Date { year: i64::from(digits(year)? + century), month, day: digits(day)? };
    valid_date(date).then_some(date)
}

fn at_time(date: Date, time: &str, nanos: u32) -> Option<Timestamp> {
    let mut parts = time.split(':');
    let (hour, minute, second) = (digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?);
    let exists = parts.next().is_none() && hour < 24 && minute < 60 && second < 60;
    exists.then(|| Timestamp::from_civil(date, hour, minute, second, nanos))
}

/// `+01:30` in seconds.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * i64::from(digits(hours)? * 3600 + digits(minutes)? * 60))
}

fn digits(text: &str) -> Option<u32> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_their_forms() {
        for (text, read) in [
            ("2017-06-01", Some("2017-06-01T00:00:00.000Z")),
            ("Jun 1, 2017", Some("2017-06-01T00:00:00.000Z")),
            ("Thursday, June 1 17", Some("2017-06-01T00:00:00.000Z")),
            ("2017-02-30", None),
            ("yesterday", None),
            ("1 June 2017", None),
        ] {
            assert_eq!(date(text, &Zone::Utc).map(|moment| moment.to_string()).as_deref(), read, "{text}");
        }
        for (text, read) in [
            ("2001-02-03 04:05:06", Some("2001-02-03T04:05:06.000Z")),
            ("2001-02-03T04:05", Some("2001-02-03T04:05:00.000Z")),
            ("2001-02-03T04:05:06.5+01:30", Some("2001-02-03T02:35:06.500Z")),
            ("2001-02-03T04:05:06 GMT", Some("2001-02-03T04:05:06.000Z")),
            ("Feb 3 04:05:06 2001", Some("2001-02-03T04:05:06.000Z")),
            ("2001-02-03", Some("2001-02-03T00:00:00.000Z")),
            ("2001-02-03 24:05:06", None),
            ("2001-02-03é", None),
            ("", None),
        ] {
            assert_eq!(date_time(text).map(|moment| moment.to_string()).as_deref(), read, "{text}");
        }
    }
}
