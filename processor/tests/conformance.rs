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
        if case.run().passed() {
            passed += 1;
        } else {
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

/// Groups that need filters which are still to come, and cases that still differ.
const AUTHORED: &[(&str, usize)] = &[
    ("cidr", 7),
    ("clone", 3),
    ("common", 1),
    ("cond", 1),
    ("csv", 17),
    ("de_dot", 4),
    ("fieldref", 1),
    ("fingerprint", 15),
    ("grok", 4),
    ("hashorder", 3),
    ("json", 1),
    ("kv", 44),
    ("order", 6),
    ("pipeline", 15),
    ("prune", 12),
    ("split", 9),
    ("syslog_pri", 7),
    ("translate", 19),
    ("truncate", 11),
    ("urldecode", 4),
    ("useragent", 6),
];
const SPECIFIED: &[(&str, usize)] = &[
    ("cidr", 14),
    ("clone", 8),
    ("csv", 40),
    ("de_dot", 18),
    ("fingerprint", 72),
    ("grok", 9),
    ("kv", 57),
    ("mutate", 3),
    ("prune", 15),
    ("split", 12),
    ("syslog_pri", 14),
    ("translate", 10),
    ("truncate", 60),
    ("urldecode", 8),
    ("useragent", 30),
];
