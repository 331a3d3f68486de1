//! JSON: what is read prints as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_common::Str;
use tailrace_common::json::{self, Numbers};

fuzz_target!(|text: &str| {
    for numbers in [Numbers::Float, Numbers::Decimal] {
        let Ok(value) = json::parse(&Str::from(text), numbers) else { continue };
        let mut printed = Vec::new();
        json::write(&value, &mut printed);
        let printed = String::from_utf8(printed).expect("JSON is text");
        assert!(json::parse(&Str::from(printed.as_str()), numbers).is_ok(), "printed as {printed:?}");
    }
});
