//! Date patterns of Joda-Time and java.time, and dates.
//!
//! The first line is a pattern, the second a date. What a pattern prints is text, whatever the moment.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_common::Timestamp;
use tailrace_common::datetime::{Locale, ParseContext, Pattern, Zone, parse_iso8601, parse_tai64n, parse_unix};

fuzz_target!(|text: &str| {
    let (pattern, date) = text.split_once('\n').unwrap_or((text, ""));
    let zone = Zone::named("UTC").expect("UTC is a zone");
    let now = Timestamp::from_millis(1_700_000_000_123);
    let context = ParseContext { zone: &zone, locale: Locale::parse("en").expect("English is there"), now };
    parse_iso8601(date, &zone);
    parse_unix(date);
    parse_tai64n(date);
    for pattern in [Pattern::joda(pattern), Pattern::java(pattern)].into_iter().flatten() {
        let mut printed = Vec::new();
        pattern.print(&now, &mut printed);
        assert!(std::str::from_utf8(&printed).is_ok());
        if let Some(moment) = pattern.parse_text(date, &context) {
            pattern.print(&moment, &mut printed);
        }
    }
});
