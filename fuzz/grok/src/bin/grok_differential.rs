//! A pattern of Ruby's grammar on any text, against Oniguruma: the same match at the same place with the same groups.
//!
//! The first byte says how many bytes choose the pattern, the next where in the text the search starts; then come those
//! bytes and the text. Patterns, comparison and what is left out of it are those of the crate's differential tests.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../../processor/grok/tests/differential/compare.rs"]
#[allow(dead_code)]
mod compare;
#[path = "../../../../processor/grok/tests/differential/guarded.rs"]
mod guarded;
#[path = "../../../../processor/grok/tests/differential/onig_dialect.rs"]
mod onig_dialect;
#[path = "../../../../processor/grok/tests/differential/patterns.rs"]
mod patterns;

use compare::{Pair, Tally};

fuzz_target!(|input: &[u8]| {
    let &[choices, start, ref rest @ ..] = input else { return };
    let (choices, text) = rest.split_at(rest.len().min(usize::from(choices)));
    let mut choices = choices.iter();
    let mut choose = |ways: usize| choices.next().map_or(0, |&byte| usize::from(byte) % ways);
    let (pattern, options) = patterns::random(&mut choose);
    let text = String::from_utf8_lossy(text);
    let mut tally = Tally::default();
    if let Some(mut pair) = Pair::new(&pattern, options, &mut tally) {
        let start = text.floor_char_boundary(usize::from(start) % (text.len() + 1));
        pair.compare(&text, start, &mut tally);
    }
    tally.check();
});
