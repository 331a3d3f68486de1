//! filebeat.yml: every text is a configuration or findings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_agent::config::{Overrides, from_text};

fuzz_target!(|text: &str| {
    if let Err(error) = from_text("filebeat.yml", text, &Overrides::default()) {
        assert!(!error.to_string().is_empty());
    }
});
