//! Running a filter in a test as a pipeline would.

use tailrace_common::Str;
use tailrace_common::json::{Numbers, parse};

use crate::tune::cases::Case;

/// What comes out of a filter section, one document an event; `ecs` is off.
pub(super) fn run(config: &str, events: &[&str]) -> Vec<String> {
    run_with("disabled", config, events).unwrap_or_else(|findings| panic!("{findings}"))
}

/// The same with a mode of ECS; the findings where the configuration is refused.
pub(super) fn run_with(ecs: &str, config: &str, events: &[&str]) -> Result<Vec<String>, String> {
    let config = format!("filter {{ {config} }}");
    let case = serde_json::json!({ "id": "test", "ecs": ecs, "config": config, "clock": "2024-03-15T08:30:45.123Z" });
    let mut case: Case = serde_json::from_value(case).unwrap_or_else(|error| panic!("{error}"));
    let raw = |text: &&str| serde_json::value::RawValue::from_string((*text).to_string());
    case.input = events.iter().map(raw).collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}"));
    case.output()
}

/// Asserts that one event becomes others, fields in any order; `@timestamp` and `@version` are left out where they are
/// not named.
pub(super) fn check(config: &str, event: &str, expected: &[&str]) {
    check_all(config, &[event], expected);
}

/// The same with several events.
pub(super) fn check_all(config: &str, events: &[&str], expected: &[&str]) {
    let got = run(config, events);
    let read = |text: &str| parse(&Str::from(text), Numbers::Float).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(got.len(), expected.len(), "{config}: {got:?}");
    for (got, expected) in got.iter().zip(expected) {
        let (mut shown, expected) = (read(got), read(expected));
        for unnamed in ["@timestamp", "@version"] {
            if let (Some(shown), Some(named)) = (shown.as_object_mut(), expected.as_object())
                && !named.contains(unnamed)
            {
                shown.remove(unnamed);
            }
        }
        assert_eq!(shown, expected, "{config}");
    }
}
