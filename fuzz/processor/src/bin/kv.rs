//! The filter `kv`, with single separators and with patterns.
//!
//! The first two lines separate fields and values, the rest is the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_fuzz_processor::{quoted, run_filters};

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\n');
    let (field, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let message = parts.next().unwrap_or_default();
    if let (Some(field), Some(value)) = (quoted(field), quoted(value)) {
        let options = "recursive => true allow_empty_values => true trim_value => \"<>\" target => \"kv\"";
        run_filters(&format!("kv {{ field_split => {field} value_split => {value} {options} }}"), message);
        run_filters(&format!("kv {{ field_split_pattern => {field} timeout_millis => 1000 }}"), message);
        run_filters(
            &format!("kv {{ trim_key => {field} remove_char_value => {value} whitespace => strict }}"),
            message,
        );
    }
});
