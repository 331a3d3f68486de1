//! YAML with positions: reading, expanding dotted names, merging.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_common::yaml;

fuzz_target!(|text: &str| {
    let Ok(node) = yaml::parse(text) else { return };
    let mut expanded = node.clone().expand_dots();
    expanded.merge(node);
});
