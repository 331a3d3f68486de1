//! The golden cases recorded from Logstash: what it puts out, we put out.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use tailrace_processor::tune::cases::Case;

/// How many cases of a group failed, and their names.
type Failures = BTreeMap<String, Vec<String>>;

fn run(path: &Path) -> (usize, Failures) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut failures = Failures::new();
    let mut passed = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let case: Case = serde_json::from_str(line).unwrap();
        let outcome = case.run();
        if outcome.passed() {
            passed += 1;
        } else {
            println!("{} {outcome:?}", case.id);
            failures.entry(case.group.clone()).or_default().push(case.id.clone());
        }
    }
    (passed, failures)
}

/// No group fails that is not among these, with at most so many cases.
fn assert_known(path: &Path, known: &[(&str, usize)]) {
    let (passed, failures) = run(path);
    println!("{}: {passed} passed, {} failed", path.display(), failures.values().map(Vec::len).sum::<usize>());
    for (group, ids) in &failures {
        let allowed = known.iter().find(|(name, _)| name == group).map_or(0, |(_, count)| *count);
        assert!(ids.len() <= allowed, "{group}: {} failed, {allowed} are known: {ids:?}", ids.len());
    }
}

#[test]
fn authored_cases() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/authored.jsonl");
    assert_known(&path, AUTHORED);
}

#[test]
fn recorded_specifications() {
    match std::env::var_os("TAILRACE_SPEC_CASES") {
        Some(path) => assert_known(Path::new(&path), SPECIFIED),
        None => println!("skipped: TAILRACE_SPEC_CASES names no file"),
    }
}

/// Cases that still differ.
const AUTHORED: &[(&str, usize)] = &[];
const SPECIFIED: &[(&str, usize)] = &[("grok", 3)];
