//! Patterns of Joda-Time and java.time, cut up.

/// A pattern such as `dd/MMM/yyyy:HH:mm:ss Z`, cut up once.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub(super) items: Vec<Item>,
    pub(super) dialect: Dialect,
}

/// Whose pattern it is; a few letters differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Joda,
    Java,
}

/// A pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {at} of the date pattern")]
pub struct PatternError {
    /// What is wrong.
    pub message: String,
    /// Which character, from 1.
    pub at: usize,
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Literal(String),
    Field {
        field: Field,
        /// How often the letter stands there.
        width: usize,
        /// Whether digits of another field follow at once.
        tight: bool,
    },
}

/// What a letter stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    Century,
    YearOfEra,
    Year,
    WeekYear,
    Week,
    DayOfWeekNumber,
    DayOfWeekName,
    DayOfYear,
    Month,
    Quarter,
    Day,
    HalfOfDay,
    /// 0 to 11.
    HourOfHalf,
    /// 1 to 12.
    ClockHourOfHalf,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    ClockHour,
    Minute,
    Second,
    Fraction,
    Nano,
    MilliOfDay,
    NanoOfDay,
    ZoneName,
    ZoneId,
    /// `+0800`, or `+08:00` from two letters on (Joda); `Z` of java.time.
    Offset,
    /// `X` of java.time: `Z` for zero.
    OffsetOrZ,
    /// `x` of java.time.
    OffsetIso,
}

impl Field {
    /// Whether a width means digits; names need at least three letters of some fields.
    fn is_number(self, width: usize) -> bool {
        match self {
            Field::Month | Field::Quarter => width <= 2,
            Field::Era | Field::DayOfWeekName | Field::HalfOfDay | Field::ZoneName | Field::ZoneId => false,
            Field::Offset | Field::OffsetOrZ | Field::OffsetIso => false,
            _ => true,
        }
    }
}

impl Pattern {
    /// Reads a Joda-Time pattern (`DateTimeFormat.forPattern`).
    pub fn joda(text: &str) -> Result<Pattern, PatternError> {
        Pattern::parse(text, Dialect::Joda, joda_field)
    }

    /// Reads a java.time pattern (`DateTimeFormatter.ofPattern`).
    pub fn java(text: &str) -> Result<Pattern, PatternError> {
        Pattern::parse(text, Dialect::Java, java_field)
    }

    /// Whether the pattern says a year.
    pub fn has_year(&self) -> bool {
        let year =
            |item: &Item| matches!(item, Item::Field { field: Field::Year | Field::YearOfEra | Field::WeekYear, .. });
        self.items.iter().any(year)
    }

    fn parse(text: &str, dialect: Dialect, field_of: fn(char) -> Option<Field>) -> Result<Pattern, PatternError> {
        let letters: Vec<char> = text.chars().collect();
        let failed = |message: String, at: usize| Err(PatternError { message, at: at + 1 });
        let mut items = Vec::new();
        let mut at = 0;
        while at < letters.len() {
            let letter = letters[at];
            if letter == '\'' {
                let Some((quoted, length)) = quoted(&letters[at..]) else {
                    return failed("a quote that is never closed".into(), at);
                };
                push_literal(&mut items, &quoted);
                at += length;
            } else if letter.is_ascii_alphabetic() {
                let width = letters[at..].iter().take_while(|other| **other == letter).count();
                let Some(field) = field_of(letter) else {
                    return failed(
                        format!("'{letter}' is no letter of a date pattern (text is quoted: '{letter}')"),
                        at,
                    );
                };
                if width > longest(field, dialect) {
                    return failed(format!("too many '{letter}'"), at);
                }
                items.push(Item::Field { field, width, tight: false });
                at += width;
            } else if dialect == Dialect::Java && matches!(letter, '{' | '}' | '#') {
                return failed(format!("'{letter}' is reserved"), at);
            } else if dialect == Dialect::Java && matches!(letter, '[' | ']') {
                // Optional parts print like any other.
                at += 1;
            } else {
                push_literal(&mut items, &letter.to_string());
                at += 1;
            }
        }
        if items.is_empty() {
            return failed("nothing".into(), 0);
        }
        mark_tight(&mut items);
        Ok(Pattern { items, dialect })
    }
}

fn longest(field: Field, dialect: Dialect) -> usize {
    match (dialect, field) {
        (Dialect::Joda, Field::Fraction) => 9,
        (Dialect::Joda, _) => 64,
        (
            Dialect::Java,
            Field::Year | Field::YearOfEra | Field::WeekYear | Field::Nano | Field::NanoOfDay | Field::MilliOfDay,
        ) => 19,
        (Dialect::Java, Field::Fraction) => 9,
        (Dialect::Java, Field::DayOfYear) => 3,
        (
            Dialect::Java,
            Field::Month
            | Field::Quarter
            | Field::DayOfWeekName
            | Field::Era
            | Field::OffsetOrZ
            | Field::OffsetIso
            | Field::Offset,
        ) => 5,
        (Dialect::Java, Field::DayOfWeekNumber | Field::ZoneName) => 4,
        (Dialect::Java, Field::HalfOfDay) => 1,
        (Dialect::Java, _) => 2,
    }
}

fn push_literal(items: &mut Vec<Item>, text: &str) {
    match items.last_mut() {
        Some(Item::Literal(held)) => held.push_str(text),
        _ => items.push(Item::Literal(text.into())),
    }
}

/// The text between quotes and how many characters it takes; two quotes stand for one.
fn quoted(letters: &[char]) -> Option<(String, usize)> {
    if letters.get(1) == Some(&'\'') {
        return Some(("'".into(), 2));
    }
    let mut text = String::new();
    let mut at = 1;
    loop {
        match (letters.get(at)?, letters.get(at + 1)) {
            ('\'', Some('\'')) => {
                text.push('\'');
                at += 2;
            }
            ('\'', _) => return Some((text, at + 1)),
            (letter, _) => {
                text.push(*letter);
                at += 1;
            }
        }
    }
}

fn mark_tight(items: &mut [Item]) {
    for at in 1..items.len() {
        let follows = matches!(&items[at], Item::Field { field, width, .. } if field.is_number(*width));
        if let Item::Field { tight, .. } = &mut items[at - 1] {
            *tight = follows;
        }
    }
}

fn joda_field(letter: char) -> Option<Field> {
    Some(match letter {
        'G' => Field::Era,
        'C' => Field::Century,
        'Y' => Field::YearOfEra,
        'y' => Field::Year,
        'x' => Field::WeekYear,
        'w' => Field::Week,
        'e' => Field::DayOfWeekNumber,
        'E' => Field::DayOfWeekName,
        'D' => Field::DayOfYear,
        'M' => Field::Month,
        'd' => Field::Day,
        'a' => Field::HalfOfDay,
        'K' => Field::HourOfHalf,
        'h' => Field::ClockHourOfHalf,
        'H' => Field::Hour,
        'k' => Field::ClockHour,
        'm' => Field::Minute,
        's' => Field::Second,
        'S' => Field::Fraction,
        'z' => Field::ZoneName,
        'Z' => Field::Offset,
        _ => return None,
    })
}

fn java_field(letter: char) -> Option<Field> {
    Some(match letter {
        'u' => Field::Year,
        'y' => Field::YearOfEra,
        'Y' => Field::WeekYear,
        'Q' | 'q' => Field::Quarter,
        'L' => Field::Month,
        'e' | 'c' => Field::DayOfWeekNumber,
        'n' => Field::Nano,
        'A' => Field::MilliOfDay,
        'N' => Field::NanoOfDay,
        'V' => Field::ZoneId,
        'X' => Field::OffsetOrZ,
        'x' => Field::OffsetIso,
        'C' => return None,
        other => return joda_field(other),
    })
}
