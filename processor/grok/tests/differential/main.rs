//! The engine against Oniguruma: the same matches at the same places with the same groups.
//!
//! What is known to differ, and why, stands in `docs/grok.md`; the texts and patterns made here leave it out, each at a
//! place that says so.

#![allow(clippy::unwrap_used)]

mod compare;
mod guarded;
mod onig_dialect;
mod patterns;
mod texts;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use tailrace_grok::{Grok, GrokOptions, PatternSet};

use compare::{Pair, Tally};

/// Every standard pattern, written out.
fn standard() -> Vec<(String, String)> {
    let sets = [("legacy", PatternSet::legacy()), ("ecs-v1", PatternSet::ecs_v1())];
    let mut found = Vec::new();
    for (set_name, set) in &sets {
        for name in set.names() {
            let grok = Grok::compile(set, &format!("%{{{name}}}"), &GrokOptions::default()).unwrap();
            found.push((format!("{set_name} {name}"), grok.expanded().to_owned()));
        }
    }
    found
}

/// Standard patterns on texts made after them, whole, damaged and with something around, and on random text.
fn standard_pattern(pair: &mut Pair, rng: &mut Rng, texts: usize, tally: &mut Tally) {
    for number in 0..texts {
        let text = texts::after(pair.ours(), rng, number % 8);
        pair.compare(&text, 0, tally);
    }
}

/// A random pattern on texts made after it and on random ones, from their start and from the middle.
fn random_pattern(rng: &mut Rng, texts: usize, tally: &mut Tally) {
    let (pattern, options) = patterns::random(&mut |ways| rng.usize(..ways));
    let Some(mut pair) = Pair::new(&pattern, options, tally) else { return };
    for number in 0..texts {
        let text = texts::small(pair.ours(), rng, number % 4);
        let start = if rng.u8(..4) == 0 { text.floor_char_boundary(rng.usize(..=text.len())) } else { 0 };
        pair.compare(&text, start, tally);
    }
}

#[test]
fn standard_patterns() {
    let mut tally = Tally::default();
    let mut rng = Rng::with_seed(1);
    for (name, pattern) in standard() {
        let mut pair = Pair::standard(&name, &pattern);
        standard_pattern(&mut pair, &mut rng, 8, &mut tally);
    }
    tally.conclude(5_000);
}

#[test]
fn random_patterns() {
    let mut tally = Tally::default();
    let mut rng = Rng::with_seed(2);
    for _ in 0..2000 {
        random_pattern(&mut rng, 8, &mut tally);
    }
    tally.conclude(10_000);
}

/// A number that the environment gives.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Fifty million comparisons, half of them with standard patterns. `TAILRACE_TEST_SEED` makes others, so that a long run
/// can be taken in pieces of `TAILRACE_TEST_COMPARISONS`.
#[test]
#[ignore = "long: scripts/test --long"]
fn fifty_million_comparisons() {
    let each = setting("TAILRACE_TEST_COMPARISONS", 50_000_000) / 2;
    let seed = setting("TAILRACE_TEST_SEED", 3);
    let patterns = standard();
    let (with_standard, with_random) = (AtomicU64::new(0), AtomicU64::new(0));
    let whole = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for thread in 0..threads {
            let (patterns, with_standard, with_random, whole) = (&patterns, &with_standard, &with_random, &whole);
            scope.spawn(move || {
                let mut rng = Rng::with_seed(seed * 1000 + thread as u64);
                let mut tally = Tally::default();
                while with_standard.load(Ordering::Relaxed) < each {
                    let before = tally.compared;
                    let (name, pattern) = &patterns[rng.usize(..patterns.len())];
                    standard_pattern(&mut Pair::standard(name, pattern), &mut rng, 2000, &mut tally);
                    with_standard.fetch_add(tally.compared - before, Ordering::Relaxed);
                }
                while with_random.load(Ordering::Relaxed) < each {
                    let before = tally.compared;
                    random_pattern(&mut rng, 100, &mut tally);
                    with_random.fetch_add(tally.compared - before, Ordering::Relaxed);
                }
                whole.lock().unwrap().add(tally);
            });
        }
    });
    let whole = whole.into_inner().unwrap();
    println!("{whole}");
    whole.conclude(2 * each);
}
