//! Matching any pattern on any text; the linear program and native code against the fast program.
//!
//! The first line is the pattern, the rest the text, which stands before and after memory that nobody may read. Every
//! place that is reported is inside the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_grok::{Budget, Options, Regex, Scratch};

#[path = "../../../../processor/grok/tests/differential/guarded.rs"]
mod guarded;

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let (pattern, text) = (&input[..at], input.get(at + 1..).unwrap_or_default());
    let Ok(pattern) = std::str::from_utf8(pattern) else { return };
    let options = Options { multi_line: pattern.len() % 2 == 0, ..Options::default() };
    let Ok(regex) = Regex::new(pattern, options) else { return };
    let (mut scratch, mut captures) = (Scratch::default(), Vec::new());
    let budget = Budget::millis(100);
    let Ok(found) = regex.captures_at(text, 0, &mut captures, &mut scratch, budget) else { return };
    assert_eq!(found, !captures.is_empty());
    for (start, end) in captures.iter().flatten() {
        assert!(start <= end && *end <= text.len(), "{captures:?}");
    }
    let mut carefully = Vec::new();
    if let Some(careful) = regex.captures_carefully(text, 0, &mut carefully, &mut scratch) {
        assert_eq!((found, &captures), (careful, &carefully), "the linear program differs");
    }
    let (mut natively, mut guarded) = (Vec::new(), guarded::Guarded::new());
    for at_end in [true, false] {
        let text = guarded.copy(text, at_end);
        if let Some(native) = regex.captures_natively(text, 0, &mut natively, &mut scratch) {
            assert_eq!((found, &captures), (native, &natively), "native code differs");
        }
    }
    let mut matches = regex.find_iter(text, &mut scratch, budget);
    let mut count = 0;
    while let Some(Ok(_)) = matches.next() {
        count += 1;
        assert!(count <= text.len() + 1);
    }
});
