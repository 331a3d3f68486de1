//! The pipeline language: every text is a tree or diagnostics that can be shown.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use tailrace_processor::lang::ast::Source;
use tailrace_processor::lang::{ParseOptions, parse, render};

fuzz_target!(|text: &str| {
    let source = Arc::new(Source { name: "fuzz".to_owned(), text: text.to_owned() });
    for support_escapes in [false, true] {
        let (_, findings) = parse(&source, ParseOptions { support_escapes });
        for finding in findings {
            assert!(!render::human(&finding, render::Colours(false)).is_empty());
        }
    }
});
