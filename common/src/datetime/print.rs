//! Moments to text, in UTC and English, as `%{+...}` and `%{{...}}` print them.

use super::fields::{day_of_week, day_of_year, iso_week, us_week};
use super::locale::Locale;
use super::pattern::{Dialect, Field, Item, Pattern};
use crate::timestamp::{Date, Timestamp};

impl Pattern {
    /// Appends the moment, in UTC.
    pub fn print(&self, moment: &Timestamp, out: &mut Vec<u8>) {
        let date = moment.date();
        for item in &self.items {
            match item {
                Item::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Item::Field { field, width, .. } => self.print_field(*field, *width, moment, date, out),
            }
        }
    }

    fn print_field(&self, field: Field, width: usize, moment: &Timestamp, date: Date, out: &mut Vec<u8>) {
        let names = Locale::English.names();
        let second = moment.second_of_day();
        let hour = second / 3600;
        let java = self.dialect == Dialect::Java;
        let week = if java { us_week(date) } else { iso_week(date) };
        let number = match field {
            Field::Era => return out.extend_from_slice(if date.year > 0 { b"AD" } else { b"BC" }),
            Field::Year | Field::YearOfEra | Field::WeekYear => {
                let year = match field {
                    Field::Year => date.year,
                    Field::YearOfEra if date.year <= 0 => 1 - date.year,
                    Field::YearOfEra => date.year,
                    _ => week.0,
                };
                if width == 2 { year.rem_euclid(100) } else { year }
            }
            Field::Century => date.year / 100,
            Field::Week => i64::from(week.1),
            Field::DayOfWeekNumber if java => i64::from(day_of_week(date) % 7 + 1),
            Field::DayOfWeekNumber => i64::from(day_of_week(date)),
            Field::DayOfWeekName => return name(names.days[day_of_week(date) as usize - 1], width, out),
            Field::DayOfYear => i64::from(day_of_year(date)),
            Field::Month if width >= 3 => return name(names.months[date.month as usize - 1], width, out),
            Field::Month => i64::from(date.month),
            Field::Quarter if width >= 3 => {
                return out.extend_from_slice(format!("Q{}", date.month.div_ceil(3)).as_bytes());
            }
            Field::Quarter => i64::from(date.month.div_ceil(3)),
            Field::Day => i64::from(date.day),
            Field::HalfOfDay => return out.extend_from_slice(names.halves[usize::from(hour >= 12)].as_bytes()),
            Field::HourOfHalf => i64::from(hour % 12),
            Field::ClockHourOfHalf => i64::from((hour + 11) % 12 + 1),
            Field::Hour => i64::from(hour),
            Field::ClockHour => i64::from((hour + 23) % 24 + 1),
            Field::Minute => i64::from(second / 60 % 60),
            Field::Second => i64::from(second % 60),
            Field::Fraction => {
                // Joda-Time knows milliseconds only.
                let nanos = if java { moment.nanos } else { moment.nanos / 1_000_000 * 1_000_000 };
                let digits = format!("{nanos:09}");
                return out.extend_from_slice(&digits.as_bytes()[..width.min(9)]);
            }
            Field::Nano => i64::from(moment.nanos),
            Field::MilliOfDay => i64::from(second) * 1000 + i64::from(moment.nanos / 1_000_000),
            Field::NanoOfDay => i64::from(second) * 1_000_000_000 + i64::from(moment.nanos),
            Field::ZoneName | Field::ZoneId if java => return out.extend_from_slice(b"Z"),
            Field::ZoneName | Field::ZoneId => return out.extend_from_slice(b"UTC"),
            Field::OffsetOrZ => return out.extend_from_slice(b"Z"),
            Field::OffsetIso => {
                return out.extend_from_slice(match width {
                    1 => b"+00",
                    2 | 4 => b"+0000",
                    _ => b"+00:00",
                });
            }
            Field::Offset if java => {
                return out.extend_from_slice(match width {
                    4 => b"GMT",
                    5 => b"Z",
                    _ => b"+0000",
                });
            }
            Field::Offset => {
                return out.extend_from_slice(match width {
                    1 => b"+0000",
                    2 => b"+00:00",
                    _ => b"UTC",
                });
            }
        };
        push_number(number, width, out);
    }
}

/// The long form from four letters on, else the short one.
fn name(entry: &str, width: usize, out: &mut Vec<u8>) {
    let mut forms = entry.split('|');
    let long = forms.next().unwrap_or_default();
    let form = if width >= 4 { long } else { forms.next().unwrap_or(long) };
    out.extend_from_slice(form.as_bytes());
}

fn push_number(number: i64, width: usize, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number.unsigned_abs());
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.extend_from_slice(digits.as_bytes());
}
