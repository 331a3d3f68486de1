//! Calendar arithmetic: weeks, days of a year.

use crate::timestamp::{Date, civil_from_days, days_from_civil};

/// Monday is 1.
pub(super) fn day_of_week(date: Date) -> u32 {
    // The first of January 1970 was a Thursday.
    (days_from_civil(date) + 3).rem_euclid(7) as u32 + 1
}

/// The first of January is 1.
pub(super) fn day_of_year(date: Date) -> u32 {
    let first = Date { month: 1, day: 1, ..date };
    (days_from_civil(date) - days_from_civil(first)) as u32 + 1
}

/// A date by its day in the year.
pub(super) fn from_day_of_year(year: i64, day: u32) -> Option<Date> {
    let date = civil_from_days(days_from_civil(Date { year, month: 1, day: 1 }) + i64::from(day) - 1);
    (day >= 1 && date.year == year).then_some(date)
}

/// ISO 8601's week-based year and week.
pub(super) fn iso_week(date: Date) -> (i64, u32) {
    // The Thursday of a week decides its year.
    let thursday = civil_from_days(days_from_civil(date) + 4 - i64::from(day_of_week(date)));
    (thursday.year, (day_of_year(thursday) - 1) / 7 + 1)
}

/// The week-based year and week of the United States: weeks begin on Sunday, the first holds the first of January.
pub(super) fn us_week(date: Date) -> (i64, u32) {
    let sunday = days_from_civil(date) - i64::from(day_of_week(date) % 7);
    let saturday = civil_from_days(sunday + 6);
    let first = Date { year: saturday.year, month: 1, day: 1 };
    let first_sunday = days_from_civil(first) - i64::from(day_of_week(first) % 7);
    (saturday.year, ((sunday - first_sunday) / 7) as u32 + 1)
}

/// A date by ISO 8601's week-based year, week and day.
pub(super) fn from_iso_week(year: i64, week: u32, day: u32) -> Option<Date> {
    // The fourth of January is always in the first week.
    let fourth = Date { year, month: 1, day: 4 };
    let monday = days_from_civil(fourth) - i64::from(day_of_week(fourth)) + 1 + (i64::from(week) - 1) * 7;
    let legal = (1..=53).contains(&week) && (1..=7).contains(&day) && iso_week(civil_from_days(monday)).0 == year;
    legal.then(|| civil_from_days(monday + i64::from(day) - 1))
}

/// The day of a week in the week of a date.
pub(super) fn with_day_of_week(date: Date, day: u32) -> Date {
    civil_from_days(days_from_civil(date) - i64::from(day_of_week(date)) + i64::from(day))
}
