//! Schedules as cron writes them: `*/5 * * * *`, with seconds before them or a zone behind them where wanted.

use tailrace_common::Timestamp;
use tailrace_common::datetime::{SHORT_MONTHS, Zone};
use tailrace_common::timestamp::{civil_from_days, days_from_civil};

/// A date that comes around at all comes within so many days: 29 February, over a century without one.
const FARTHEST_DAYS: i64 = 9 * 366;

const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When something is due.
#[derive(Debug)]
pub(super) struct Schedule {
    seconds: Vec<u32>,
    minutes: Vec<u32>,
    hours: Vec<u32>,
    days: Vec<u32>,
    months: Vec<u32>,
    /// 0 is Sunday.
    weekdays: Vec<u32>,
    /// Whether a day counts when either its number or its weekday fits: both are given.
    either: bool,
    zone: Zone,
}

impl Schedule {
    /// Reads a schedule; `zone` is for those without one.
    ///
    /// # Errors
    /// A message.
    pub(super) fn parse(text: &str, zone: &str) -> Result<Schedule, String> {
        let text = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other => other,
        };
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let named = words.last().filter(|word| word.starts_with(char::is_alphabetic) && words.len() > 5);
        let is_weekday = |word: &str| WEEKDAYS.iter().any(|day| word.to_ascii_lowercase().starts_with(day));
        let zone = match named.copied().filter(|word| !is_weekday(word)) {
            Some(name) => {
                words.pop();
                name
            }
            None => zone,
        };
        let zone = Zone::named(zone).map_err(|error| error.to_string())?;
        if words.len() == 5 {
            words.insert(0, "0");
        }
        let [seconds, minutes, hours, days, months, weekdays] = words[..] else {
            return Err("a schedule has 5 fields (minute, hour, day, month, weekday), or 6 with seconds first".into());
        };
        let mut on_weekdays = field(weekdays, 0..=7, &WEEKDAYS, 0)?;
        on_weekdays.iter_mut().for_each(|day| *day %= 7);
        Ok(Schedule {
            seconds: field(seconds, 0..=59, &[], 0)?,
            minutes: field(minutes, 0..=59, &[], 0)?,
            hours: field(hours, 0..=23, &[], 0)?,
            days: field(days, 1..=31, &[], 0)?,
            months: field(months, 1..=12, &SHORT_MONTHS, 1)?,
            weekdays: on_weekdays,
            either: !days.starts_with('*') && !weekdays.starts_with('*'),
            zone,
        })
    }

    /// The first moment after `now` at which it is due; nothing when it never is.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        // No zone is a whole day behind UTC.
        let first = days_from_civil(now.date()) - 1;
        (first..first + FARTHEST_DAYS).filter(|day| self.is_on(*day)).find_map(|day| {
            let date = civil_from_days(day);
            let mut moments = self.hours.iter().flat_map(|hour| {
                self.minutes.iter().flat_map(move |minute| {
                    self.seconds
                        .iter()
                        .filter_map(move |second| self.zone.moment(date, hour * 3600 + minute * 60 + second, 0))
                })
            });
            moments.find(|moment| *moment > now)
        })
    }

    fn is_on(&self, day: i64) -> bool {
        let date = civil_from_days(day);
        // The first day of 1970 was a Thursday.
        let weekday = self.weekdays.contains(&((day + 4).rem_euclid(7) as u32));
        let number = self.days.contains(&date.day);
        self.months.contains(&date.month) && if self.either { number || weekday } else { number && weekday }
    }
}

/// The numbers that a field lists: `*`, `5`, `1-5`, `*/10`, `10-40/5`, `mon`, and several of these between commas.
fn field(text: &str, range: std::ops::RangeInclusive<u32>, names: &[&str], first: u32) -> Result<Vec<u32>, String> {
    let wrong = || format!("'{text}' is no field of a schedule from {} to {}", range.start(), range.end());
    let number = |word: &str| {
        let name = names.iter().position(|name| word.eq_ignore_ascii_case(name)).map(|at| at as u32 + first);
        name.or_else(|| word.parse().ok()).filter(|number| range.contains(number)).ok_or_else(wrong)
    };
    let mut all = Vec::new();
    for part in text.split(',') {
        let (span, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: usize = step.parse().ok().filter(|step| *step > 0).ok_or_else(wrong)?;
        let (from, to) = match span.split_once('-') {
            _ if span == "*" => (*range.start(), *range.end()),
            Some((from, to)) => (number(from)?, number(to)?),
            None if part.contains('/') => (number(span)?, *range.end()),
            None => (number(span)?, number(span)?),
        };
        if from > to {
            return Err(wrong());
        }
        all.extend((from..=to).step_by(step));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_schedule_is_too_strange(text in "[0-9*/,a-z@ -]{0,24}", now in 0..4_000_000_000_i64) {
            if let Ok(schedule) = Schedule::parse(&text, "Europe/Berlin") {
                let now = Timestamp::from_millis(now * 1000);
                prop_assert!(schedule.next(now).is_none_or(|next| next > now));
            }
        }
    }

    #[test]
    fn the_next_moment() {
        for (schedule, now, next) in [
            ("*/5 * * * *", "2024-03-15T08:31:00Z", "2024-03-15T08:35:00.000Z"),
            ("*/5 * * * *", "2024-03-15T08:35:00Z", "2024-03-15T08:40:00.000Z"),
            ("30 0 8 * * *", "2024-03-15T08:31:00Z", "2024-03-16T08:00:30.000Z"),
            ("0 6 * * mon-fri", "2024-03-15T08:31:00Z", "2024-03-18T06:00:00.000Z"),
            ("0 0 29 feb *", "2024-03-15T08:31:00Z", "2028-02-29T00:00:00.000Z"),
            ("0 0 1 * 0", "2024-03-15T08:31:00Z", "2024-03-17T00:00:00.000Z"),
            ("0 0 * * 7", "2024-03-15T08:31:00Z", "2024-03-17T00:00:00.000Z"),
            ("0 9 * * * Asia/Tokyo", "2024-03-15T08:31:00Z", "2024-03-16T00:00:00.000Z"),
            ("0 5-20/6,7 * * * America/New_York", "2024-03-15T08:31:00Z", "2024-03-15T09:00:00.000Z"),
            ("@daily", "2024-03-15T08:31:00Z", "2024-03-16T00:00:00.000Z"),
        ] {
            let moment = Schedule::parse(schedule, "UTC").unwrap().next(Timestamp::parse_rfc3339(now).unwrap());
            assert_eq!(moment.unwrap().to_string(), next, "{schedule}");
        }
        let never = Schedule::parse("0 0 31 2 *", "UTC").unwrap();
        assert_eq!(never.next(Timestamp::now()), None);
    }

    #[test]
    fn what_is_no_schedule() {
        for text in ["", "* * * *", "60 * * * *", "5-1 * * * *", "*/0 * * * *", "x * * * *", "* * * * * Nowhere/City"] {
            assert!(Schedule::parse(text, "UTC").is_err(), "{text}");
        }
    }
}
