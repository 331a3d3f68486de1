//! CEF's many ways to write a moment.

use tailrace_common::Timestamp;
use tailrace_common::datetime::{Locale, ParseContext, Pattern, Zone};

/// A moment without a year may lie so far in the future.
const AHEAD: i64 = 2 * 86_400;

/// Reads moments: milliseconds since the epoch, or `Jul 19 2017 10:50:21.127 CEST` with or without year, fraction and
/// zone.
#[derive(Debug)]
pub(super) struct Moments {
    locale: Locale,
    zone: Zone,
    plain: Pattern,
    zoned: Pattern,
}

impl Moments {
    /// Nothing when the patterns cannot be read, which are always the same.
    pub(super) fn new(locale: Locale, zone: Zone) -> Option<Moments> {
        let plain = Pattern::joda("MMM dd yyyy HH:mm:ss").ok()?;
        let zoned = Pattern::joda("MMM dd yyyy HH:mm:ss z").ok()?;
        Some(Moments { locale, zone, plain, zoned })
    }

    /// The moment that a text names; `zone` is what the device calls its own, where it does.
    pub(super) fn read(&self, text: &str, zone: Option<&str>, now: Timestamp) -> Option<Timestamp> {
        if text.starts_with(|first: char| matches!(first, '1'..='9')) {
            return of_millis(text);
        }
        let words: Vec<&str> = text.split(' ').collect();
        let (month, day) = (words.first()?, words.get(1).filter(|day| day.len() == 2)?);
        let has_year = words.get(2)?.bytes().all(|byte| byte.is_ascii_digit());
        let clock = words.get(if has_year { 3 } else { 2 })?;
        let rest = words.get(if has_year { 4.. } else { 3.. })?;
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        if !matches!(fraction.len(), 0 | 3 | 6 | 9) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
        let own = zone.map(Zone::named).transpose().ok()?;
        let zone = own.as_ref().unwrap_or(&self.zone);
        let in_year = |year: &str| {
            let context = ParseContext { zone, locale: self.locale, now };
            let text = format!("{month} {day} {year} {clock}");
            let named = rest.first().and_then(|name| Zone::named(name).ok());
            let mut moment = match (rest, named) {
                ([], _) => self.plain.parse_text(&text, &context),
                ([_], Some(named)) => self.plain.parse_text(&text, &ParseContext { zone: &named, ..context }),
                _ => self.zoned.parse_text(&format!("{text} {}", rest.join(" ")), &context),
            }?;
            moment.nanos = nanos;
            Some(moment)
        };
        if has_year {
            return in_year(words[2]);
        }
        // It happened lately; clocks may be ahead.
        let year = now.date().year;
        let near = |moment: &Timestamp| moment.secs <= now.secs + AHEAD;
        [year + 1, year, year - 1].iter().find_map(|year| in_year(&format!("{year:04}")).filter(near))
    }
}

/// Milliseconds, perhaps with a fraction.
fn of_millis(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut moment = Timestamp::from_millis(whole.parse().ok().filter(|millis| *millis < MOST_MILLIS)?);
    moment.nanos += format!("{fraction:0<6}").get(..6)?.parse::<u32>().ok()?;
    Some(moment)
}

/// The year 10000.
const MOST_MILLIS: i64 = 253_402_300_800_000;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_of_moments() {
        let moments = Moments::new(Locale::default(), Zone::Utc).unwrap();
        let now = Timestamp::parse_rfc3339("2024-01-05T12:00:00Z").unwrap();
        for (text, zone, wanted) in [
            ("1500464384997", None, "2017-07-19T11:39:44.997Z"),
            ("1500464384997.25", None, "2017-07-19T11:39:44.99725Z"),
            ("Jul 19 2017 10:50:21", None, "2017-07-19T10:50:21.000Z"),
            ("Jul 19 2017 10:50:21.127", Some("Asia/Tokyo"), "2017-07-19T01:50:21.127Z"),
            ("Jul 19 2017 10:50:21.127 EST", Some("Asia/Tokyo"), "2017-07-19T15:50:21.127Z"),
            ("Jul 19 2017 10:50:21 Europe/Berlin", None, "2017-07-19T08:50:21.000Z"),
            ("Jan 07 11:00:00", None, "2024-01-07T11:00:00.000Z"),
            ("Jan 08 11:00:00.123456", None, "2023-01-08T11:00:00.123456Z"),
        ] {
            let read = moments.read(text, zone, now).map(|moment| moment.to_string());
            assert_eq!(read.as_deref(), Some(wanted), "{text}");
        }
        for text in
            ["", "x", "Jul 9 2017 10:50:21", "Jul 19 2017", "Jul 19 2017 10:50:21.12", "12x", "9".repeat(30).as_str()]
        {
            assert_eq!(moments.read(text, None, now), None, "{text}");
        }
        assert_eq!(moments.read("Jul 19 2017 10:50:21", Some("Nowhere"), now), None);
    }
}
