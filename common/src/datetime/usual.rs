//! The usual shapes of times by a pattern: two digits a field, four a year. They are read without a look at all the rest that
//! a pattern takes.

use super::ParseContext;
use super::locale::{Locale, short_month};
use super::pattern::{Field, Item};
use super::zone::Zone;
use crate::timestamp::{Date, Timestamp, valid_date};

/// What a text said.
#[derive(Default)]
struct Said {
    year: Option<u32>,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    /// Seconds east of UTC.
    offset: Option<i32>,
}

/// The moment of a text of the usual shape; nothing where more must be looked at, be it right or wrong.
pub(super) fn parse_usual(items: &[Item], text: &str, context: &ParseContext<'_>) -> Option<Timestamp> {
    let mut said = Said { month: 1, day: 1, ..Said::default() };
    let mut rest = text.as_bytes();
    for item in items {
        rest = match item {
            Item::Literal(literal) => rest.strip_prefix(literal.as_bytes())?,
            Item::Field { field, width, tight } => said.take(*field, *width, *tight, rest, context.locale)?,
        };
    }
    let date = Date { year: said.year?.into(), month: said.month, day: said.day };
    if !rest.is_empty() || !valid_date(date) {
        return None;
    }
    let second = said.hour * 3600 + said.minute * 60 + said.second;
    match said.offset {
        Some(offset) => Zone::Fixed(offset).moment(date, second, said.nanos),
        None => context.zone.moment(date, second, said.nanos),
    }
}

impl Said {
    /// Reads one field; what follows it.
    #[inline]
    fn take<'t>(
        &mut self,
        field: Field,
        width: usize,
        tight: bool,
        text: &'t [u8],
        locale: Locale,
    ) -> Option<&'t [u8]> {
        let place = match field {
            Field::Year | Field::YearOfEra if width == 4 || !tight && width != 2 => {
                let (century, rest) = two(text)?;
                let (year, rest) = two(rest)?;
                self.year = Some(century * 100 + year);
                return (tight || !rest.first().is_some_and(u8::is_ascii_digit)).then_some(rest);
            }
            Field::Month if width >= 3 => {
                let (name, rest) = text.split_at_checked(3)?;
                // What goes on may be the whole name.
                let ended =
                    rest.first().is_none_or(|byte| byte.is_ascii() && !byte.is_ascii_alphabetic() && *byte != b'.');
                self.month = short_month(name).filter(|_| ended && locale == Locale::English)?;
                return Some(rest);
            }
            Field::Fraction => return self.take_fraction(width.min(9), text),
            // Nothing may follow it: more digits would belong to it.
            Field::Offset if width < 3 && text.len() == 5 => {
                let sign = match text[0] {
                    b'+' => 1,
                    b'-' => -1,
                    _ => return None,
                };
                let (hours, rest) = two(&text[1..])?;
                let (minutes, rest) = two(rest)?;
                self.offset = (hours <= 23 && minutes <= 59).then(|| sign * (hours * 3600 + minutes * 60) as i32);
                return self.offset.map(|_| rest);
            }
            Field::Month => (&mut self.month, 12),
            Field::Day => (&mut self.day, 31),
            Field::Hour => (&mut self.hour, 23),
            Field::Minute => (&mut self.minute, 59),
            Field::Second => (&mut self.second, 59),
            _ => return None,
        };
        let (place, most) = place;
        let (number, rest) = two(text)?;
        *place = number;
        (number <= most).then_some(rest)
    }

    fn take_fraction<'t>(&mut self, most: usize, text: &'t [u8]) -> Option<&'t [u8]> {
        let length = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = text.split_at(length);
        let number = digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        self.nanos = number * 10_u32.pow(9 - length as u32);
        (length > 0).then_some(rest)
    }
}

/// A number of two digits, and what follows it.
#[inline]
fn two(text: &[u8]) -> Option<(u32, &[u8])> {
    let ([tens, ones], rest) = text.split_first_chunk()?;
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| (u32::from(tens) * 10 + u32::from(ones), rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::datetime::Pattern;
    use proptest::prelude::*;

    const PATTERNS: [&str; 7] = [
        "dd/MMM/yyyy:HH:mm:ss Z",
        "yyyy-MM-dd HH:mm:ss,SSS",
        "yyyyMMddHHmmss",
        "YYYY.MM.dd",
        "HH:mm dd MMM yyyy",
        "yyyy-MM-dd'T'HH:mm:ssZ",
        "MMM dd yyyy HH:mm:ss.SSSSSS",
    ];

    proptest! {
        /// What is read here is read as by the long way.
        #[test]
        fn agrees_with_the_long_way(
            which in 0..PATTERNS.len(),
            date in (1900..2100_u32, 0..14_u32, 0..33_u32),
            time in (0..25_u32, 0..61_u32, 0..61_u32),
            offset in "[+-](0[0-9]|[12][0-9])([0-6][05])(12)?",
            noise in "[0-9a-z]?",
        ) {
            let names = ["Jan", "Feb", "mar", "APR", "May", "Jun", "July", "Aug", "Sept", "Oct", "Nov", "Dec", "Foo", "Ma"];
            let two = |number: u32| format!("{number:02}");
            let mut text = PATTERNS[which].replace('\'', "").replace("SSSSSS", "123456").replace("SSS", "120");
            for (letters, value) in [
                ("yyyy", date.0.to_string()), ("YYYY", date.0.to_string()), ("HH", two(time.0)), ("mm", two(time.1)),
                ("ss", two(time.2)), ("dd", two(date.2)), ("Z", offset),
            ] {
                text = text.replace(letters, &value);
            }
            text = text.replace("MMM", names[date.1 as usize]).replace("MM", &two(date.1)) + &noise;
            let pattern = Pattern::joda(PATTERNS[which]).unwrap();
            let context = ParseContext { zone: &Zone::Fixed(3600), locale: Locale::English, now: Timestamp::EPOCH };
            if let Some(moment) = parse_usual(&pattern.items, &text, &context) {
                prop_assert_eq!(Some(moment), pattern.parse_slowly(&text, &context), "{}", text);
            }
        }
    }
}
