//! Dates as text: the patterns of Joda-Time and java.time, ISO 8601, epochs, zones with their history, names of months
//! and days in several languages.

mod epoch;
mod fields;
mod iso;
mod locale;
mod parse;
mod pattern;
mod print;
mod usual;
mod zone;

pub use epoch::{parse_tai64n, parse_unix, parse_unix_millis};
pub use iso::{parse_event_time, parse_iso8601};
pub use locale::{Locale, SHORT_MONTHS, short_month};
pub use pattern::{Pattern, PatternError};
pub use zone::{UnknownZone, Zone};

use crate::timestamp::Timestamp;

/// What a date means that does not say everything itself.
#[derive(Clone, Copy, Debug)]
pub struct ParseContext<'a> {
    /// The zone of dates without one.
    pub zone: &'a Zone,
    /// The language of months and days.
    pub locale: Locale,
    /// For dates without a year.
    pub now: Timestamp,
}
