//! Moments in the layouts of Go's `time` package: `2006-01-02T15:04:05Z07:00`.

use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};
use tailrace_common::Timestamp;

/// A compiled layout.
#[derive(Clone, Debug)]
pub(crate) struct Layout(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Year4,
    Year2,
    MonthName,
    MonthShort,
    /// Two digits, or one or two.
    Month(bool),
    Day(bool),
    /// `_2`
    DayPadded,
    YearDay,
    WeekdayName,
    WeekdayShort,
    Hour24,
    Hour12(bool),
    Minute(bool),
    Second(bool),
    /// `.000`: as many digits as there are zeros.
    Fraction(char, usize),
    /// `.999`: any number of digits, or nothing at all.
    OptionalFraction(char),
    HalfDay,
    /// `MST`
    ZoneName,
    /// `-07:00`, `-0700`, `-07`; with `Z` for UTC where the layout begins with it.
    Zone {
        colon: bool,
        minutes: bool,
        z: bool,
    },
}

/// Longer ones come before those that they begin with.
const KNOWN: [(&str, Token); 27] = [
    ("January", Token::MonthName),
    ("Monday", Token::WeekdayName),
    ("Z07:00", Token::Zone { colon: true, minutes: true, z: true }),
    ("Z0700", Token::Zone { colon: false, minutes: true, z: true }),
    ("Z07", Token::Zone { colon: false, minutes: false, z: true }),
    ("-07:00", Token::Zone { colon: true, minutes: true, z: false }),
    ("-0700", Token::Zone { colon: false, minutes: true, z: false }),
    ("-07", Token::Zone { colon: false, minutes: false, z: false }),
    ("2006", Token::Year4),
    ("Jan", Token::MonthShort),
    ("Mon", Token::WeekdayShort),
    ("MST", Token::ZoneName),
    ("002", Token::YearDay),
    ("01", Token::Month(true)),
    ("02", Token::Day(true)),
    ("03", Token::Hour12(true)),
    ("04", Token::Minute(true)),
    ("05", Token::Second(true)),
    ("06", Token::Year2),
    ("15", Token::Hour24),
    ("PM", Token::HalfDay),
    ("pm", Token::HalfDay),
    ("_2", Token::DayPadded),
    ("1", Token::Month(false)),
    ("2", Token::Day(false)),
    ("3", Token::Hour12(false)),
    ("4", Token::Minute(false)),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// What was read so far.
#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    nanos: i64,
    offset: Option<Offset>,
}

impl Layout {
    /// Compiles a layout; all texts are layouts.
    pub(crate) fn new(text: &str) -> Layout {
        let mut tokens: Vec<Token> = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (token, used) = token(rest).unwrap_or_else(|| (Token::Text(first.into()), first.len_utf8()));
            match (tokens.last_mut(), token) {
                (Some(Token::Text(held)), Token::Text(more)) => held.push_str(&more),
                (_, token) => tokens.push(token),
            }
            rest = &rest[used..];
        }
        Layout(tokens)
    }

    /// Reads a moment; one without a zone is in `zone`, one without a year in `year`.
    pub(crate) fn parse(&self, text: &str, zone: &TimeZone, year: i16) -> Option<Timestamp> {
        let mut parts = Parts::default();
        let mut rest = text;
        for (at, token) in self.0.iter().enumerate() {
            rest = token.read(rest, &mut parts)?;
            // Go takes a fraction behind seconds even where the layout has none.
            let fraction_follows = matches!(self.0.get(at + 1), Some(Token::Fraction(..) | Token::OptionalFraction(_)));
            if matches!(token, Token::Second(_)) && !fraction_follows {
                rest = optional_fraction(rest, &mut parts);
            }
        }
        if !rest.is_empty() {
            return None;
        }
        parts.moment(zone, year)
    }
}

fn token(rest: &str) -> Option<(Token, usize)> {
    if let Some(mark @ ('.' | ',')) = rest.chars().next() {
        let behind = &rest[1..];
        let digit = behind.chars().next().filter(|first| matches!(first, '0' | '9'))?;
        let digits = behind.chars().take_while(|next| *next == digit).count();
        let ends = !behind[digits..].starts_with(|next: char| next.is_ascii_digit());
        let token = if digit == '0' { Token::Fraction(mark, digits) } else { Token::OptionalFraction(mark) };
        return ends.then_some((token, digits + 1));
    }
    if rest.starts_with('5') {
        return Some((Token::Second(false), 1));
    }
    // `Jan` within a word that only begins like it is text: Go asks for no lower-case letter behind it.
    let continues = |len: usize| rest[len..].starts_with(|next: char| next.is_ascii_lowercase());
    let fits = |name: &str, token: &Token| {
        rest.starts_with(name) && !(matches!(token, Token::MonthShort | Token::WeekdayShort) && continues(name.len()))
    };
    KNOWN.iter().find(|(name, token)| fits(name, token)).map(|(name, token)| (token.clone(), name.len()))
}

/// One to `most` digits, exactly `most` where `fixed`.
fn digits(text: &str, most: usize, fixed: bool) -> Option<(i64, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count == 0 || (fixed && count < most) {
        return None;
    }
    Some((text[..count].parse().ok()?, &text[count..]))
}

fn name<'t>(text: &'t str, names: &[&str], letters: Option<usize>) -> Option<(i64, &'t str)> {
    for (index, name) in names.iter().enumerate() {
        let name = &name[..letters.unwrap_or(name.len())];
        if text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return Some((index as i64, &text[name.len()..]));
        }
    }
    None
}

fn optional_fraction<'t>(text: &'t str, parts: &mut Parts) -> &'t str {
    let Some(fraction) = text.strip_prefix(['.', ',']) else { return text };
    let count = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return text;
    }
    parts.nanos = nanos(&fraction[..count]);
    &fraction[count..]
}

fn nanos(digits: &str) -> i64 {
    let kept = &digits[..digits.len().min(9)];
    let scale = 10_i64.pow(9 - kept.len() as u32);
    kept.parse::<i64>().unwrap_or(0) * scale
}

impl Token {
    /// Reads the token at the start of the text; the rest comes back.
    fn read<'t>(&self, text: &'t str, parts: &mut Parts) -> Option<&'t str> {
        let (slot, (value, rest)) = match self {
            Token::Text(expected) => return text.strip_prefix(expected.as_str()),
            Token::Year4 => (&mut parts.year, digits(text, 4, true)?),
            Token::Year2 => {
                let (year, rest) = digits(text, 2, true)?;
                (&mut parts.year, (if year >= 69 { 1900 + year } else { 2000 + year }, rest))
            }
            Token::MonthName | Token::MonthShort => {
                let (index, rest) = name(text, &MONTHS, (*self == Token::MonthShort).then_some(3))?;
                (&mut parts.month, (index + 1, rest))
            }
            Token::Month(fixed) => (&mut parts.month, digits(text, 2, *fixed)?),
            Token::Day(fixed) => (&mut parts.day, digits(text, 2, *fixed)?),
            Token::DayPadded => (&mut parts.day, digits(text.strip_prefix(' ').unwrap_or(text), 2, false)?),
            Token::YearDay => (&mut parts.year_day, digits(text, 3, true)?),
            Token::WeekdayName => return name(text, &WEEKDAYS, None).map(|(_, rest)| rest),
            Token::WeekdayShort => return name(text, &WEEKDAYS, Some(3)).map(|(_, rest)| rest),
            _ => return self.read_time(text, parts),
        };
        *slot = Some(value);
        Some(rest)
    }

    fn read_time<'t>(&self, text: &'t str, parts: &mut Parts) -> Option<&'t str> {
        let (slot, (value, rest)) = match self {
            Token::Hour24 => (&mut parts.hour, digits(text, 2, false)?),
            Token::Hour12(fixed) => (&mut parts.hour, digits(text, 2, *fixed)?),
            Token::Minute(fixed) => (&mut parts.minute, digits(text, 2, *fixed)?),
            Token::Second(fixed) => (&mut parts.second, digits(text, 2, *fixed)?),
            Token::Fraction(_, count) => {
                let fraction = text.strip_prefix(['.', ','])?;
                let held = fraction.get(..*count).filter(|held| held.bytes().all(|byte| byte.is_ascii_digit()))?;
                parts.nanos = nanos(held);
                return Some(&fraction[*count..]);
            }
            Token::OptionalFraction(_) => return Some(optional_fraction(text, parts)),
            Token::HalfDay => {
                let half = text.get(..2)?;
                parts.afternoon = Some(match half {
                    "PM" | "pm" => true,
                    "AM" | "am" => false,
                    _ => return None,
                });
                return Some(&text[2..]);
            }
            Token::ZoneName => return zone_name(text, parts),
            Token::Zone { colon, minutes, z } => return zone(text, *colon, *minutes, *z, parts),
            _ => return None,
        };
        *slot = value;
        Some(rest)
    }
}

/// `UTC`, or a shorthand of three or four letters, which alone does not say how far it is from UTC.
fn zone_name<'t>(text: &'t str, parts: &mut Parts) -> Option<&'t str> {
    let count = text.bytes().take_while(u8::is_ascii_uppercase).count();
    match &text[..count] {
        "UTC" | "GMT" => parts.offset = Some(Offset::UTC),
        other if (3..=5).contains(&other.len()) => {}
        _ => return None,
    }
    Some(&text[count..])
}

fn zone<'t>(text: &'t str, colon: bool, minutes: bool, z: bool, parts: &mut Parts) -> Option<&'t str> {
    if z && let Some(rest) = text.strip_prefix('Z') {
        parts.offset = Some(Offset::UTC);
        return Some(rest);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, mut rest) = digits(&text[1..], 2, true)?;
    let mut seconds = hours * 3600;
    if minutes {
        if colon {
            rest = rest.strip_prefix(':')?;
        }
        let (minutes, behind) = digits(rest, 2, true)?;
        seconds += minutes * 60;
        rest = behind;
    }
    parts.offset = Some(Offset::from_seconds(i32::try_from(sign * seconds).ok()?).ok()?);
    Some(rest)
}

impl Parts {
    fn moment(self, zone: &TimeZone, year: i16) -> Option<Timestamp> {
        let small = |number: i64| i8::try_from(number).ok();
        let year = self.year.map_or(Some(year), |year| i16::try_from(year).ok())?;
        let date = match (self.year_day, self.month, self.day) {
            (Some(day), None, None) => {
                let first = Date::new(year, 1, 1).ok()?;
                let date = first.checked_add(jiff::Span::new().try_days(day - 1).ok()?).ok()?;
                (date.year() == year).then_some(date)?
            }
            (_, month, day) => Date::new(year, small(month.unwrap_or(1))?, small(day.unwrap_or(1))?).ok()?,
        };
        let hour = match (self.afternoon, self.hour) {
            (Some(true), hour @ 0..12) => hour + 12,
            (Some(false), 12) => 0,
            (_, hour) => hour,
        };
        let time = Time::new(small(hour)?, small(self.minute)?, small(self.second)?, i32::try_from(self.nanos).ok()?);
        let zone = self.offset.map_or_else(|| zone.clone(), TimeZone::fixed);
        let moment = zone.to_timestamp(date.to_datetime(time.ok()?)).ok()?;
        let nanos = moment.as_nanosecond();
        let (secs, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
        Some(Timestamp { secs: i64::try_from(secs).ok()?, nanos: u32::try_from(nanos).ok()? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(layout: &str, text: &str) -> Option<String> {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let moment = Layout::new(layout).parse(text, &zone, 2024)?;
        let mut out = Vec::new();
        moment.write_iso8601(&mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn layouts_are_those_of_go() {
        for (layout, text, wanted) in [
            ("2006-01-02T15:04:05Z07:00", "2024-03-01T10:00:00Z", Some("2024-03-01T10:00:00.000Z")),
            ("2006-01-02T15:04:05Z07:00", "2024-03-01T10:00:00.25+02:00", Some("2024-03-01T08:00:00.250Z")),
            ("2006-01-02 15:04:05.000", "2024-03-01 10:00:00.123", Some("2024-03-01T02:00:00.123Z")),
            ("2006-01-02 15:04:05,000", "2024-03-01 10:00:00,123", Some("2024-03-01T02:00:00.123Z")),
            ("2006-01-02T15:04:05.999-07:00", "2024-03-01T10:00:00-01:30", Some("2024-03-01T11:30:00.000Z")),
            ("02/Jan/2006:15:04:05 -0700", "05/Mar/2024:10:00:00 +0000", Some("2024-03-05T10:00:00.000Z")),
            ("Jan _2 15:04:05", "Mar  5 10:00:00", Some("2024-03-05T02:00:00.000Z")),
            ("Mon, 02 Jan 2006 15:04:05 MST", "Tue, 05 Mar 2024 10:00:00 GMT", Some("2024-03-05T10:00:00.000Z")),
            ("Monday, 02-Jan-06 3:04PM", "Tuesday, 05-Mar-24 1:07PM", Some("2024-03-05T05:07:00.000Z")),
            ("2006/1/2 15:4:5", "2024/3/5 1:2:3", Some("2024-03-04T17:02:03.000Z")),
            ("2006-002", "2024-060", Some("2024-02-28T16:00:00.000Z")),
            ("2006-01-02", "2024-02-30", None),
            ("2006-01-02", "2024-02-01 x", None),
            ("2006-01-02", "24-02-01", None),
        ] {
            assert_eq!(parsed(layout, text).as_deref(), wanted, "{layout} {text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(layout in "[-2006JanMon15:45.0,9_ZPM7 中]{0,20}", text in "[-0-9a-zA-Z:., 中+]{0,20}") {
            Layout::new(&layout).parse(&text, &TimeZone::UTC, 2024);
        }
    }
}
