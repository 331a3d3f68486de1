//! Compiling patterns: the answer is a program or an error with its place.
//!
//! The first line is the pattern, further lines are definitions as in a pattern file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_grok::{Grok, GrokOptions, Options, PatternSet, Regex};

fuzz_target!(|text: &str| {
    let (pattern, definitions) = text.split_once('\n').unwrap_or((text, ""));
    if let Err(error) = Regex::new(pattern, Options::default()) {
        assert!(error.position <= pattern.len(), "{error:?}");
    }
    let mut patterns = PatternSet::empty();
    patterns.add_text("fuzz", definitions);
    for named_captures_only in [true, false] {
        if let Ok(grok) = Grok::compile(&patterns, pattern, &GrokOptions { named_captures_only }) {
            assert!(grok.fields().len() < grok.regex().group_count());
        }
    }
});
