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

/// Every case of the file passes.
fn assert_all(path: &Path) {
    let (passed, failures) = run(path);
    println!("{}: {passed} passed, {} failed", path.display(), failures.values().map(Vec::len).sum::<usize>());
    assert!(failures.is_empty(), "{failures:?}");
    assert!(passed > 0, "{} has no cases", path.display());
}

#[test]
fn authored_cases() {
    assert_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/authored.jsonl"));
}

#[test]
fn cases_of_the_language() {
    assert_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/language.jsonl"));
}

#[test]
fn recorded_specifications() {
    match std::env::var_os("TAILRACE_SPEC_CASES") {
        Some(path) => assert_all(Path::new(&path)),
        None => println!("skipped: TAILRACE_SPEC_CASES names no file"),
    }
}
