//! Time zones.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::timestamp::{Date, Timestamp};

/// A time zone: UTC, a fixed offset, or one of the IANA database with its history.
#[derive(Clone, Debug)]
pub enum Zone {
    /// Coordinated universal time.
    Utc,
    /// Seconds east of UTC.
    Fixed(i32),
    /// A zone of the IANA database.
    Named(TimeZone),
}

/// No zone of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no time zone; use a name such as Europe/Berlin or an offset such as +08:00")]
pub struct UnknownZone(String);

/// Abbreviations that Joda-Time knows, with their offsets in hours; those of the United States where several claim one.
const ABBREVIATIONS: [(&str, i32); 11] = [
    ("UT", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

/// Abbreviations that name a zone with daylight saving, as Joda-Time takes them.
const SHIFTING: [(&str, &str); 4] = [
    ("EST", "America/New_York"),
    ("CST", "America/Chicago"),
    ("MST", "America/Denver"),
    ("PST", "America/Los_Angeles"),
];

impl Zone {
    /// A zone by its IANA name, or an offset such as `+08:00`.
    pub fn named(name: &str) -> Result<Zone, UnknownZone> {
        if matches!(name, "UTC" | "Etc/UTC" | "GMT" | "Z" | "Etc/GMT" | "UT" | "Zulu") {
            return Ok(Zone::Utc);
        }
        if name.starts_with(['+', '-']) {
            let offset = parse_offset(name).filter(|(_, length)| *length == name.len());
            return offset.map(|(seconds, _)| Zone::fixed(seconds)).ok_or_else(|| UnknownZone(name.into()));
        }
        match name {
            // In the database these are links to places by now; they always meant the offset.
            "EST" => return Ok(Zone::Fixed(-5 * 3600)),
            "MST" => return Ok(Zone::Fixed(-7 * 3600)),
            "HST" => return Ok(Zone::Fixed(-10 * 3600)),
            _ => {}
        }
        TimeZone::get(name).map(Zone::Named).map_err(|_| UnknownZone(name.into()))
    }

    fn fixed(seconds: i32) -> Zone {
        if seconds == 0 { Zone::Utc } else { Zone::Fixed(seconds) }
    }

    /// The moment of a wall clock's time here. Nothing for a time that daylight saving leaves out; the earlier moment
    /// of one that comes twice.
    pub fn moment(&self, date: Date, second_of_day: u32, nanos: u32) -> Option<Timestamp> {
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        let mut moment = Timestamp::from_civil(date, hour, minute, second, nanos);
        moment.secs -= match self {
            Zone::Utc => 0,
            Zone::Fixed(seconds) => i64::from(*seconds),
            Zone::Named(zone) => {
                let small = |value: u32| i8::try_from(value).ok();
                let year = i16::try_from(date.year).ok()?;
                let clock = DateTime::new(
                    year,
                    small(date.month)?,
                    small(date.day)?,
                    small(hour)?,
                    small(minute)?,
                    small(second)?,
                    0,
                );
                let offset = match zone.to_ambiguous_timestamp(clock.ok()?).offset() {
                    AmbiguousOffset::Unambiguous { offset } => offset,
                    AmbiguousOffset::Gap { .. } => return None,
                    AmbiguousOffset::Fold { before, .. } => before,
                };
                i64::from(offset.seconds())
            }
        };
        Some(moment)
    }
}

/// `Z`, `+08`, `+0800`, `+08:00`, `+08:00:43` at the start of a text: seconds east, and the bytes taken.
pub(super) fn parse_offset(text: &str) -> Option<(i32, usize)> {
    let bytes = text.as_bytes();
    let sign = match bytes.first()? {
        b'Z' | b'z' => return Some((0, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |at: usize| {
        let digits = bytes.get(at..at + 2).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        Some(i32::from(digits[0] - b'0') * 10 + i32::from(digits[1] - b'0'))
    };
    let mut seconds = two(1).filter(|hours| *hours <= 23)? * 3600;
    let mut at = 3;
    let colon = bytes.get(3) == Some(&b':');
    for unit in [60, 1] {
        let Some(value) = two(at + usize::from(colon)).filter(|value| *value <= 59) else { break };
        if colon && bytes.get(at) != Some(&b':') {
            break;
        }
        seconds += value * unit;
        at += 2 + usize::from(colon);
    }
    Some((sign * seconds, at))
}

/// An abbreviation such as `PDT` at the start of a text, and the bytes taken.
pub(super) fn parse_abbreviation(text: &str) -> Option<(Zone, usize)> {
    let longest = ABBREVIATIONS.iter().filter(|(name, _)| text.starts_with(name)).max_by_key(|(name, _)| name.len())?;
    let zone = match SHIFTING.iter().find(|(name, _)| name == &longest.0) {
        Some((_, place)) => Zone::named(place).ok()?,
        None => Zone::fixed(longest.1 * 3600),
    };
    Some((zone, longest.0.len()))
}

/// An IANA name or an offset at the start of a text, and the bytes taken.
pub(super) fn parse_name(text: &str) -> Option<(Zone, usize)> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+' | b':');
    let mut length = text.bytes().take_while(|byte| legal(*byte)).count();
    while length > 0 {
        if let Ok(zone) = Zone::named(&text[..length]) {
            return Some((zone, length));
        }
        length -= 1;
    }
    None
}
