//! Text to moments by a pattern, as Joda-Time parses.

use super::ParseContext;
use super::fields::{from_day_of_year, from_iso_week, with_day_of_week};
use super::locale::{match_name, starts_with_ignoring_case};
use super::pattern::{Field, Item, Pattern};
use super::usual::parse_usual;
use super::zone::{Zone, parse_abbreviation, parse_name, parse_offset};
use crate::timestamp::{Date, Timestamp, valid_date};

/// What a text said.
#[derive(Default)]
struct Said {
    year: Option<i64>,
    week_year: Option<i64>,
    week: Option<u32>,
    day_of_week: Option<u32>,
    day_of_year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    before_christ: bool,
    afternoon: Option<bool>,
    /// 0 to 11.
    half_hour: Option<u32>,
    hour: Option<u32>,
    minute: Option<u32>,
    second: Option<u32>,
    nanos: Option<u32>,
    zone: Option<Zone>,
}

impl Pattern {
    /// Reads a text that follows the pattern from its first character to its last.
    pub fn parse_text(&self, text: &str, context: &ParseContext<'_>) -> Option<Timestamp> {
        parse_usual(&self.items, text, context).or_else(|| self.parse_slowly(text, context))
    }

    /// Reads all that a pattern may take.
    pub(super) fn parse_slowly(&self, text: &str, context: &ParseContext<'_>) -> Option<Timestamp> {
        let mut said = Said::default();
        let mut rest = text;
        for item in &self.items {
            let taken = match item {
                Item::Literal(literal) if rest.as_bytes().starts_with(literal.as_bytes()) => literal.len(),
                Item::Literal(literal) => starts_with_ignoring_case(rest, literal)?,
                Item::Field { field, width, tight } => said.take(*field, *width, *tight, rest, context)?,
            };
            rest = &rest[taken..];
        }
        if rest.is_empty() { said.moment(context) } else { None }
    }
}

impl Said {
    /// Reads one field at the start of the text; the bytes taken.
    fn take(
        &mut self,
        field: Field,
        width: usize,
        tight: bool,
        text: &str,
        context: &ParseContext<'_>,
    ) -> Option<usize> {
        match field {
            Field::Month if width >= 3 => {
                let (month, taken) = context.locale.month(text)?;
                self.month = Some(month as u32 + 1);
                return Some(taken);
            }
            Field::DayOfWeekName => {
                let (day, taken) = context.locale.weekday(text)?;
                self.day_of_week = Some(day as u32 + 1);
                return Some(taken);
            }
            Field::HalfOfDay => {
                let (half, taken) =
                    match_name(&context.locale.names().halves, text).or_else(|| match_name(&["AM", "PM"], text))?;
                self.afternoon = Some(half == 1);
                return Some(taken);
            }
            Field::Era => {
                let (era, taken) = match_name(&["AD|CE", "BC|BCE"], text)?;
                self.before_christ = era == 1;
                return Some(taken);
            }
            Field::ZoneName => return self.take_zone(parse_abbreviation(text)?),
            Field::ZoneId => return self.take_zone(parse_name(text)?),
            Field::Offset if width >= 3 => return self.take_zone(parse_name(text)?),
            Field::Offset | Field::OffsetOrZ | Field::OffsetIso => {
                let (seconds, taken) = parse_offset(text)?;
                return self.take_zone((if seconds == 0 { Zone::Utc } else { Zone::Fixed(seconds) }, taken));
            }
            Field::Fraction => return self.take_fraction(width, text),
            Field::Year | Field::YearOfEra | Field::WeekYear | Field::Century => {
                return self.take_year(field, width, tight, text);
            }
            _ => {}
        }
        let (number, taken) = digits(text, most_digits(field))?;
        self.set(field, number)?;
        Some(taken)
    }

    fn take_zone(&mut self, (zone, taken): (Zone, usize)) -> Option<usize> {
        self.zone = Some(zone);
        Some(taken)
    }

    /// As many digits as there are letters at most; they are the first of the fraction.
    fn take_fraction(&mut self, width: usize, text: &str) -> Option<usize> {
        let (number, taken) = digits(text, width.min(9))?;
        self.nanos = Some(number * 10_u32.pow(9 - taken as u32));
        Some(taken)
    }

    fn take_year(&mut self, field: Field, width: usize, tight: bool, text: &str) -> Option<usize> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let sign = text.len() - unsigned.len();
        let most = match (tight, width) {
            (true, width) => width.min(9),
            (false, _) => 9,
        };
        let (number, taken) = digits(unsigned, most)?;
        let mut year = i64::from(number);
        if width == 2 && taken == 2 && sign == 0 {
            // Two digits lie within fifty years of the year 2000 (Joda-Time takes 30 years before now; Logstash sets 2000).
            year += if year < 50 { 2000 } else { 1900 };
        }
        if negative {
            year = -year;
        }
        match field {
            Field::WeekYear => self.week_year = Some(year),
            Field::Century => self.year = Some(year * 100),
            _ => self.year = Some(year),
        }
        Some(sign + taken)
    }

    fn set(&mut self, field: Field, number: u32) -> Option<()> {
        let within = |from: u32, to: u32| (from..=to).contains(&number).then_some(Some(number));
        match field {
            Field::Week => self.week = within(1, 53)?,
            Field::DayOfWeekNumber => self.day_of_week = within(1, 7)?,
            Field::DayOfYear => self.day_of_year = within(1, 366)?,
            Field::Month => self.month = within(1, 12)?,
            Field::Day => self.day = within(1, 31)?,
            Field::HourOfHalf => self.half_hour = within(0, 11)?,
            Field::ClockHourOfHalf => self.half_hour = within(1, 12)?.map(|hour| hour % 12),
            Field::Hour => self.hour = within(0, 23)?,
            Field::ClockHour => self.hour = within(1, 24)?.map(|hour| hour % 24),
            Field::Minute => self.minute = within(0, 59)?,
            Field::Second => self.second = within(0, 59)?,
            Field::Quarter => {}
            Field::Nano => self.nanos = within(0, 999_999_999)?,
            Field::MilliOfDay => {
                let millis = within(0, 86_399_999)?.unwrap_or_default();
                (self.hour, self.minute) = (Some(millis / 3_600_000), Some(millis / 60_000 % 60));
                (self.second, self.nanos) = (Some(millis / 1000 % 60), Some(millis % 1000 * 1_000_000));
            }
            _ => return None,
        }
        Some(())
    }

    fn moment(&self, context: &ParseContext<'_>) -> Option<Timestamp> {
        let mut date = self.date(context)?;
        if let Some(day) = self.day_of_week
            && self.week.is_none()
        {
            // A weekday that is wrong moves the date within its week.
            date = with_day_of_week(date, day);
        }
        let hour = match (self.hour, self.half_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour)) => hour + if self.afternoon == Some(true) { 12 } else { 0 },
            (None, None) if self.afternoon == Some(true) => 12,
            (None, None) => 0,
        };
        let second = hour * 3600 + self.minute.unwrap_or(0) * 60 + self.second.unwrap_or(0);
        self.zone.as_ref().unwrap_or(context.zone).moment(date, second, self.nanos.unwrap_or(0))
    }

    fn date(&self, context: &ParseContext<'_>) -> Option<Date> {
        if let Some(week) = self.week {
            let year = self.week_year.or(self.year).unwrap_or_else(|| context.now.date().year);
            return from_iso_week(year, week, self.day_of_week.unwrap_or(1));
        }
        let month = self.month.unwrap_or(1);
        let year = match self.year.or(self.week_year) {
            Some(year) if self.before_christ => 1 - year,
            Some(year) => year,
            None => guessed_year(month, context.now.date()),
        };
        if let Some(day) = self.day_of_year
            && self.month.is_none()
        {
            return from_day_of_year(year, day);
        }
        let date = Date { year, month, day: self.day.unwrap_or(1) };
        valid_date(date).then_some(date)
    }
}

/// The year of a date that says none: this one, but in January a December lies behind, and in December a January ahead.
fn guessed_year(month: u32, now: Date) -> i64 {
    match (now.month, month) {
        (1, 12) => now.year - 1,
        (12, 1) => now.year + 1,
        _ => now.year,
    }
}

fn most_digits(field: Field) -> usize {
    match field {
        Field::DayOfYear => 3,
        Field::DayOfWeekNumber => 1,
        Field::Nano | Field::MilliOfDay | Field::NanoOfDay => 9,
        _ => 2,
    }
}

/// At least one and at most `most` digits at the start of a text: the number, and how many digits.
fn digits(text: &str, most: usize) -> Option<(u32, usize)> {
    let (mut number, mut count) = (0, 0);
    for byte in text.bytes().take(most) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number * 10 + u32::from(digit);
        count += 1;
    }
    (count > 0).then_some((number, count))
}
