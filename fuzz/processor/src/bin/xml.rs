//! The filter `xml`.
//!
//! The first line is an expression of XPath, the rest the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_fuzz_processor::{quoted, run_filters};

fuzz_target!(|text: &str| {
    let (expression, message) = text.split_once('\n').unwrap_or((text, ""));
    run_filters("xml { source => message target => xml suppress_empty => false }", message);
    if let Some(expression) = quoted(expression) {
        run_filters(
            &format!("xml {{ source => message store_xml => false xpath => {{ {expression} => found }} }}"),
            message,
        );
    }
});
