//! The filter `dissect`.
//!
//! The first line is the mapping, the rest the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_fuzz_processor::{quoted, run_filters};

fuzz_target!(|text: &str| {
    let (mapping, message) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(mapping) = quoted(mapping) {
        run_filters(&format!("dissect {{ mapping => {{ message => {mapping} }} }}"), message);
    }
});
